"""Results of runs that are put into the scene beside further runs: children read their images and make surfaces."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Protocol

from slicermedai.app.aside import Aside, Chain
from slicermedai.app.moments import Taken
from slicermedai.app.review_ask import Errand, start_reading, start_surfacing
from slicermedai.app.run_queue import Order
from slicermedai.app.signal import Signal
from slicermedai.app.state import Work
from slicermedai.app.surfacing import Awaited, surfaces
from slicermedai.app.words import Translate, reason_text, untranslated
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity
from slicermedai.errors import MedAIError

RESULT = "result"
"""The folder of the result in a run's output."""


class Place(Protocol):
    """Where results are shown: :class:`slicermedai.scene.arriving.Arrivals` is one."""

    def comparing(self, result: AnalysisResult, node: Any) -> Any | None:
        """Work that compares the image of a node with the one that was analysed; None where there is none to do."""

    def copying(self, node: Any) -> Iterator[None]:
        """Returns the image of a node without what names anybody, and its hash where that was taken."""

    def preparing(self, result: AnalysisResult, image: Any, *, known: str = "") -> Iterator[None]:
        """Returns what is large of both; nothing of it is shown."""

    def show(self, result: AnalysisResult, image: Any, *, prepared: Any, turn: bool = True) -> Any:
        """Show it on an image, or without one, and without surfaces."""

    def awaited(self, shown: Any) -> Awaited:
        """The segments of what was shown."""


class Showing(Aside):
    """One result after the other. ``read`` and ``surface`` start the children."""

    def __init__(
        self,
        place: Place,
        *,
        read: Callable[..., Errand] = start_reading,
        surface: Callable[..., Errand] = start_surfacing,
        translate: Translate = untranslated,
    ) -> None:
        super().__init__(translate=translate)
        self.told = Signal()
        """Emitted with an :class:`Order` and a sentence where something could not be shown as it should."""
        self._place, self._read, self._surface = place, read, surface

    def show(self, order: Order, *, turn: bool = True) -> None:
        """Show the result of ``order`` on the image that was analysed; returns at once. ``turn`` turns the views to it.

        Where files cannot be read again, it is shown without an image, and :attr:`told` says why.
        """
        text = self.translate("Showing the result of {image} ...").format(image=order.image)
        self.add(text, self._chain_of(order, turn=turn))

    def _chain_of(self, order: Order, *, turn: bool) -> Chain:
        assert order.result is not None and order.folder is not None
        try:
            image, known, why = yield from self._image(order, order.result, order.folder)
            making = Taken(self._place.preparing(order.result, image, known=known))
            yield making
            if making.error is not None:
                raise making.error
            shown = self._place.show(order.result, image, prepared=making.value, turn=turn)
        except Exception as error:  # noqa: BLE001  # whatever Slicer says of it: this one is not shown, and others are
            self.told.emit(order, self._not_shown(reason_text(error)))
            return
        if why:
            self.told.emit(order, self.translate("Shown without its image: {why}").format(why=why))
        yield from surfaces(self._place.awaited(shown), order.result, order.folder / RESULT, ask=self._surface)

    def _image(self, order: Order, result: AnalysisResult, folder: Path) -> Generator[Work, None, tuple[Any, str, str]]:
        """The image (a node as it is, else a volume), its hash where it was taken, and why there is none."""
        if not are_files(order.source):
            comparing = self._place.comparing(result, order.source)
            if comparing is not None:
                yield comparing
            if result.study.identity is not Identity.DEIDENTIFY:
                return order.source, "", ""
            copying = Taken(self._place.copying(order.source))
            yield copying
            if copying.error is not None:
                raise copying.error
            return *copying.value, ""
        chosen = {name: order.options[name] for name in ("series", "tilt") if name in order.options}
        try:
            reading = self._read(folder / RESULT, order.source, **chosen)
        except MedAIError as error:
            return None, "", str(error)
        try:
            yield reading
            return (None, "", str(reading.error)) if reading.error else (reading.image(), str(reading.answer), "")
        except MedAIError as error:
            return None, "", str(error)
        finally:
            reading.clean()

    def _not_shown(self, why: str) -> str:
        return f"{self.translate('The result could not be shown.')} {why}"


def are_files(source: Any) -> bool:
    """True for a folder, a file, or a list of files."""
    several = isinstance(source, list | tuple) and bool(source)
    return all(isinstance(one, str | Path) for one in source) if several else isinstance(source, str | Path)
