"""What modules ask a child process about a result: to open it, to read its image again, surfaces, to keep decisions."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from slicermedai.app.meshes import MESHES, Mesh, each_mesh
from slicermedai.app.moments import Left
from slicermedai.domain.codec import loading, write_object
from slicermedai.domain.result import AnalysisResult, Review
from slicermedai.domain.scratch import ScratchFolder, emptying
from slicermedai.domain.volume import Volume
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.inquiry import Inquiry

CHILD = "slicermedai.app.review_answer"
OPENED, IMAGE, REVIEWS = "opened", "image", "reviews"
"""The kinds of what lies in the folder between both processes."""


class Errand(Inquiry):
    """An inquiry with a folder of its own for what is too large for a line; :meth:`clean` removes it."""

    def __init__(self, what: str, folder: Path, *, reviews: Sequence[Review] | None = None, **more: Any) -> None:
        self._place, self._what = ScratchFolder.create("review"), what
        self._left = Left(self._steps)
        try:
            if reviews is not None:
                write_object(tuple(reviews), self._place.path, kind=REVIEWS, compress=False)
            asked = {"what": what, "folder": str(folder), "place": str(self._place.path), **more}
            super().__init__(CHILD, asked, JobFolder.create("review"))
        except BaseException:
            self.clean()
            raise

    def poll(self) -> None:
        """As of :class:`Inquiry`; then what the child left is read, a moment at a time."""
        if not self._left.begun:
            super().poll()
            if not self.done or self.error is not None:
                return
        if self.error is None:
            self.done, self.error = self._left.poll()

    def cancel(self) -> None:
        """Ask for an end and return at once."""
        if not self._left.begun:
            super().cancel()
        elif not self.done:
            self.done, self.error = True, self._left.cancel()

    def opened(self) -> AnalysisResult:
        """The result that the child opened."""
        found: AnalysisResult = self._left.value
        return found

    def image(self) -> Volume:
        """The image that the child read."""
        found: Volume = self._left.value
        return found

    def _steps(self) -> Generator[None, None, Any]:
        kinds: dict[str, tuple[type, str]] = {"open": (AnalysisResult, OPENED), "image": (Volume, IMAGE)}
        if self._what not in kinds:
            return None
        of, kind = kinds[self._what]
        found: Any = yield from loading(self._place.path, of, kind=kind)
        yield from emptying(self._place.path)
        return found

    def meshes(self) -> Iterator[tuple[str, Mesh] | None]:
        """The surfaces that the child made, as :func:`~slicermedai.app.meshes.each_mesh` gives them."""
        return each_mesh(self._place.path / MESHES)

    def clean(self) -> None:
        """Remove what lies between both processes; what is read of it is let go first, Windows keeps open files."""
        self._left.cancel()
        self._place.remove()


def start_opening(folder: Path) -> Errand:
    """Start to open the result in ``folder``; it answers {"folder": ..., "places": LPS mm by finding}."""
    return Errand("open", folder)


def start_reading(
    folder: Path, files: str | Path | Sequence[str | Path], *, series: str = "", tilt: str = "refuse"
) -> Errand:
    """Start to read the image of the result in ``folder`` again, from the run's own copies or from ``files``.

    ``files`` may be one folder or file; ``series`` and ``tilt`` are those of the run. It answers with the
    :func:`~slicermedai.domain.digests.hash_of_image`, which need not be taken again.
    """
    asked = str(files) if isinstance(files, str | Path) else [str(file) for file in files]
    return Errand("image", folder, files=asked, series=series, tilt=tilt)


def start_surfacing(folder: Path, uids: Sequence[str], reviews: Sequence[Review] = ()) -> Errand:
    """Start to make the surfaces of findings of the result in ``folder``, as they are once ``reviews`` are added."""
    return Errand("surfaces", folder, reviews=reviews, uids=list(uids))


def start_keeping(folder: Path, reviews: Sequence[Review], files: Sequence[str | Path] = ()) -> Errand:
    """Start to save ``reviews`` as a new result beside the one in ``folder``; the answer is the new folder.

    ``files`` are those of its image, as for :func:`start_reading`: what was edited is measured in it anew.
    """
    return Errand("keep", folder, reviews=reviews, files=[str(file) for file in files])
