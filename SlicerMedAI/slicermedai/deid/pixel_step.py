"""What becomes of the pixels of each file: text is taken out by a reader, faces by a brain mask."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.deid.patients import Patients
from slicermedai.deid.profile import Option
from slicermedai.deid.settings import ReviewItem
from slicermedai.deid.window import Origin
from slicermedai.errors import InputError, UnsupportedImageError

if TYPE_CHECKING:
    from slicermedai.deid.pixels.kinds import PixelReplacement, Verdict

Decision = tuple["PixelReplacement | None", frozenset[Option]]
_NOTHING: Decision = (None, frozenset())


class PixelStep:
    """Decides for one file after the other; nothing is loaded where neither step was asked for."""

    def __init__(self, patients: Patients) -> None:
        self._patients, self._settings = patients, patients.settings
        self._verdicts: dict[Origin, Verdict] = {}
        self._edits: dict[tuple[str, str], Mapping[Path, Any]] = {}
        self._series: defaultdict[tuple[str, str], list[Path]] = defaultdict(list)
        for origin, instance in patients.instances.items():
            if not origin.member:
                self._series[instance.study, instance.series].append(origin.path)

    @property
    def is_on(self) -> bool:
        """Whether pixels are looked at."""
        return self._settings.ocr is not None or self._settings.deface

    def decide(self, origin: Origin) -> Decision:
        """(what takes the place of its pixel data, options that the file may claim because of that).

        Raises
        ------
        UnsupportedImageError
            Text of the patient stays legible, or the file lies in a zip file and says that text is burned in.
        UnreadableFileError
            The pixels cannot be decoded.
        """
        if not self.is_on:
            return _NOTHING
        if origin.member:
            raise UnsupportedImageError(
                "lies in a zip file, where pixels are not searched", file=origin.path, advice="Unpack it first."
            )
        edit = self._face_edit(origin)
        if self._settings.ocr is None:
            return (edit.replacement(origin.path), frozenset({_FACES})) if edit else _NOTHING
        return self._read(origin, edit)

    def review(self, outputs: Mapping[Origin, str]) -> tuple[ReviewItem, ...]:
        """The files in ``outputs`` with text that nobody could classify."""
        found = ((o, verdict) for o, verdict in self._verdicts.items() if o in outputs and verdict.review)
        return tuple(ReviewItem(source=o.path, output=outputs[o], verdict=verdict) for o, verdict in found)

    def _read(self, origin: Origin, edit: Any) -> Decision:
        from slicermedai.deid.pixels.clean import clean
        from slicermedai.deid.pixels.inspect import inspect

        ocr, vocabulary = self._settings.ocr, self._patients.vocabulary(origin)
        verdict = self._verdicts[origin] = inspect(origin.path, vocabulary, ocr)
        pixels = clean(origin.path, verdict, vocabulary, ocr, *([edit] if edit else []))
        claimed = {_TEXT} if verdict.searched else set()
        return pixels, frozenset(claimed | ({_FACES} if edit else set()))

    def _face_edit(self, origin: Origin) -> Any:
        """An edit that takes the face out; None where the step is off, does not apply or did not succeed."""
        if not self._settings.deface:
            return None
        instance = self._patients.instances[origin]
        return self._faceless(instance.study, instance.series).get(origin.path)

    def _faceless(self, study: str, series: str) -> Mapping[Path, Any]:
        from slicermedai.deid.pixels.face_series import deface_series

        key = (study, series)
        if key not in self._edits:
            self._edits[key] = {}
            with contextlib.suppress(InputError):  # no head, no face in view, no volume: the option is not claimed
                self._edits[key] = deface_series(self._series[key], self._settings.brain_mask).edits
        return self._edits[key]


_TEXT, _FACES = Option.CLEAN_PIXEL_DATA, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES
