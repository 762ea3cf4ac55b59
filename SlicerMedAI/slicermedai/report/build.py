"""Scene, pictures and page of one result, beside it in its folder."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from slicermedai.domain.notice import picture_notice
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.same_image import check_image
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.errors import DiskFullError, OutputError
from slicermedai.report.context import ReportContext
from slicermedai.report.flat_picture import KIND, draw_flat
from slicermedai.report.page import FILE_NAME, write_report
from slicermedai.scene.pictures import Picture

SCENE, PICTURES = "scene.mrb", "pictures"
NO_SCENE = (
    "There is no scene file: a projection or photograph has no place in the patient, and a scene would give it one."
)


def build(
    result: AnalysisResult,
    folder: Path,
    *,
    volume: Volume | None,
    progress: Progress = silent,
    then: Callable[[tuple[Path, ...]], object] | None = None,
) -> Path:
    """Write ``scene.mrb``, ``pictures/`` and ``report.html`` into ``folder``; returns the page.

    What cannot be drawn here (no Slicer packages, no offscreen OpenGL, no image at hand) is said in the page instead.

    On the pseudonymous route the image goes into the scene without its name and UIDs. ``then`` is called with the
    pictures' files before the page is written, which lists what that leaves in ``folder``.

    Raises
    ------
    GeometryError
        ``volume`` is not the image that was analysed: it lies elsewhere.
    InputError
        It is of another series, or its voxels are others.
    OutputError, DiskFullError
        The folder cannot be written.
    """
    folder = Path(folder)
    image = None if volume is None else _fit_for(result, volume)
    remark = "" if image is None else check_image(result, image)
    pictures: tuple[Picture, ...] = ()
    reason, failed = _obstacle(volume), ""
    if image is not None and not result.volume_geometry.is_in_patient:
        progress("pictures", 0.0)
        pictures, reason = draw_flat(image, folder / PICTURES, notice=picture_notice(result)), ""
        failed = NO_SCENE
    elif image is not None and not reason:
        progress("scene", 0.0)
        failed = _save_scene(result, image, folder / SCENE)
        progress("pictures", 0.0)
        pictures, reason = _draw(result, image, folder / PICTURES)
    if then is not None:
        then(tuple(picture.path for picture in pictures))
    progress("report", 0.0)
    context = ReportContext(
        result=result,
        pictures=pictures,
        no_pictures=reason,
        files=tuple(path.relative_to(folder) for path in sorted(folder.rglob("*")) if _is_product(path)),
        notes=(*result.notes, *filter(None, (remark, failed))),
        demonstration=result.provenance.demonstration,
    )
    return write_report(context, folder)


def _fit_for(result: AnalysisResult, volume: Volume) -> Volume:
    """``volume``, without names and UIDs where the result is pseudonymous and the image may not be."""
    own = volume.series_uid in {series.series_uid for series in result.sources}
    return volume if own or result.study.identity is Identity.KEEP else volume.voxels_alone()


def _obstacle(volume: Volume | None) -> str:
    if volume is None:
        return "the image was not at hand when the report was made"
    if find_spec("slicer") is None:
        return "Slicer's drawing packages (slicer-core) are not installed here"
    return ""


def _save_scene(result: AnalysisResult, volume: Volume, path: Path) -> str:
    from slicermedai.scene.save import save_result

    try:
        save_result(result, path, volume=volume)
    except DiskFullError:
        raise
    except OutputError as error:
        return f"There is no scene file: {error}"
    return ""


def _draw(result: AnalysisResult, volume: Volume, folder: Path) -> tuple[tuple[Picture, ...], str]:
    from slicermedai.scene.render import render_views

    try:
        return render_views(result, volume, folder), ""
    except DiskFullError:
        raise
    except OutputError as error:
        return (), str(error)


def _is_product(path: Path) -> bool:
    """A file that the page lists: not the page itself."""
    return path.is_file() and path.name != FILE_NAME


def pictures_beside(result: Path) -> tuple[Path, ...]:
    """The pictures that :func:`build` made of the run which left the folder ``result``, in the order of its report."""
    files = [result.parent / PICTURES / f"{name}.png" for name in ("axial", "sagittal", "coronal", "3d", KIND)]
    return tuple(file for file in files if file.is_file())
