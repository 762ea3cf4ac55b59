"""Scene, pictures and page of one result, beside it in its folder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.errors import DiskFullError, OutputError
from slicermedai.report.context import ReportContext
from slicermedai.report.page import write_report
from slicermedai.scene.pictures import Picture

SCENE, PICTURES = "scene.mrb", "pictures"


def build(
    result: AnalysisResult,
    folder: Path,
    *,
    volume: Volume | None,
    notes: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Path:
    """Write ``scene.mrb``, ``pictures/`` and ``report.html`` into ``folder``; returns the page.

    What cannot be drawn here (no Slicer packages, no offscreen OpenGL, no image at hand) is said in the page instead.

    Raises
    ------
    OutputError, DiskFullError
        The folder cannot be written.
    """
    folder = Path(folder)
    pictures: tuple[Picture, ...] = ()
    reason = _obstacle(volume)
    if volume is not None and not reason:
        progress("scene", 0.0)
        _save_scene(result, volume, folder / SCENE)
        progress("pictures", 0.0)
        pictures, reason = _draw(result, volume, folder / PICTURES)
    progress("report", 0.0)
    context = ReportContext(
        result=result,
        pictures=pictures,
        no_pictures=reason,
        files=tuple(path.relative_to(folder) for path in sorted(folder.rglob("*")) if _is_product(path, folder)),
        notes=notes,
        demonstration=result.provenance.demonstration,
    )
    return write_report(context, folder)


def _obstacle(volume: Volume | None) -> str:
    if volume is None:
        return "the image was not at hand when the report was made"
    if find_spec("slicer") is None:
        return "Slicer's drawing packages (slicer-core) are not installed here"
    return ""


def _save_scene(result: AnalysisResult, volume: Volume, path: Path) -> None:
    from slicermedai.scene.save import save_result

    save_result(result, path, volume=volume)


def _draw(result: AnalysisResult, volume: Volume, folder: Path) -> tuple[tuple[Picture, ...], str]:
    from slicermedai.scene.render import render_views

    try:
        return render_views(result, volume, folder), ""
    except DiskFullError:
        raise
    except OutputError as error:
        return (), str(error)


def _is_product(path: Path, folder: Path) -> bool:
    """A file that the page lists: not the page itself, and not its own pictures."""
    relative = path.relative_to(folder)
    return path.is_file() and relative.parts[0] != PICTURES and relative.name != "report.html"
