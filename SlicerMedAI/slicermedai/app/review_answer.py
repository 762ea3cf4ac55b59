"""The child that opens results, reads their images again, makes surfaces, keeps decisions. It loads what is heavy.

It is asked by :mod:`slicermedai.app.review_ask`, and leaves what is large in a folder that it was given, uncompressed:
the window's process reads that in a moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from slicermedai.app.answering import answer_one
from slicermedai.app.meshes import MESHES
from slicermedai.app.review_ask import IMAGE, OPENED, REVIEWS
from slicermedai.domain.observer import Progress

if TYPE_CHECKING:
    from slicermedai.domain.finding import Finding
    from slicermedai.domain.volume import Volume

_T = TypeVar("_T")


def main() -> int:
    """Answer one request."""
    return answer_one(_answer)


def _answer(asked: dict[str, Any], progress: Progress) -> Any:
    folder, place = Path(asked["folder"]), Path(asked["place"])
    if asked["what"] == "open":
        return _open(folder, place, progress)
    if asked["what"] == "image":
        return _image(asked, place, progress)
    if asked["what"] == "surfaces":
        return _surfaces(folder, place, asked["uids"], progress)
    from slicermedai.app.keeping import keep
    from slicermedai.domain.codec import load_object

    progress("save", 0.0)
    files = [Path(file) for file in asked["files"]]
    image = partial(_read, folder, files)
    return str(keep(folder, load_object(place, tuple, kind=REVIEWS), image=image))


def _open(folder: Path, place: Path, progress: Progress) -> dict[str, Any]:
    from slicermedai.domain.codec import write_object
    from slicermedai.domain.result import AnalysisResult
    from slicermedai.domain.reviewed import newest

    progress("read", 0.0)
    source = newest(folder)
    result = AnalysisResult.load(source)
    write_object(result, place, kind=OPENED, compress=False)
    progress("read", 0.5)
    return {"folder": str(source), "places": dict(_places(result.findings))}


def _places(findings: Sequence[Finding]) -> Iterator[tuple[str, list[float] | None]]:
    """Where to look, LPS mm; None for a finding of the whole image, or of nothing. Shared label maps are read once."""
    from slicermedai.domain.center import finding_center
    from slicermedai.domain.finding import Mask
    from slicermedai.errors import InputError
    from slicermedai.measure.structure import boxes_of

    maps = {id(one.region.label_map): one.region.label_map for one in findings if isinstance(one.region, Mask)}
    boxes = {key: boxes_of(label_map) for key, label_map in maps.items()}
    for one in findings:
        within = boxes[id(one.region.label_map)].get(one.region.value) if isinstance(one.region, Mask) else None
        try:
            yield one.tracking_uid, [float(value) for value in finding_center(one, within=within)]
        except InputError:
            yield one.tracking_uid, None


def _image(asked: dict[str, Any], place: Path, progress: Progress) -> str:
    """The image that was analysed: the de-identified copies of the run where it has them, else its files."""
    from slicermedai.console.verbs import image_of
    from slicermedai.domain.codec import write_object
    from slicermedai.domain.digests import hash_of_image

    progress("image", 0.0)
    files = asked["files"]
    source = files if isinstance(files, str) else [Path(file) for file in files]
    image = image_of(source, Path(asked["folder"]).parent, series=asked["series"], tilt=asked["tilt"])
    progress("image", 0.6)
    write_object(image, place, kind=IMAGE, compress=False)
    return hash_of_image(image)


def _surfaces(folder: Path, place: Path, uids: list[str], progress: Progress) -> bool:
    """Surfaces of the findings ``uids``, as the saved decisions and those that were handed over leave them."""
    from slicermedai.domain.codec import load_object
    from slicermedai.domain.decisions import decided
    from slicermedai.domain.result import AnalysisResult

    progress("meshes", 0.0)
    saved = AnalysisResult.load(folder)
    reviews = load_object(place, tuple, kind=REVIEWS)
    now = decided(replace(saved, reviews=(*saved.reviews, *reviews)))
    _write_surfaces([one for one in now.findings if one.tracking_uid in set(uids)], place / MESHES, progress)
    return True


def _write_surfaces(findings: Sequence[Finding], path: Path, progress: Progress) -> None:
    """As Slicer would make them; coarser ones where this Python has no VTK."""
    from slicermedai.plan.shapes import coarse_mesh, write_each, write_surfaces

    try:
        from slicermedai.scene.closing import closed_surfaces
    except ImportError:
        write_surfaces(findings, path, progress)
        return
    made = enumerate(closed_surfaces(findings, coarse_mesh), start=1)
    write_each((_told(one, number / len(findings), progress) for number, one in made), path)


def _told(one: _T, share: float, progress: Progress) -> _T:
    progress("meshes", share)
    return one


def _read(folder: Path, files: list[Path]) -> Volume | None:
    """The same image to measure in; None where no file of it is known."""
    from slicermedai.console.verbs import image_of

    return image_of(files, folder.parent) if files else None


if __name__ == "__main__":
    raise SystemExit(main())
