"""What becomes of the pixels of each file: text is taken out by a reader, faces by a brain mask."""

from __future__ import annotations

import contextlib
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from slicermedai.deid.encode import file_meta
from slicermedai.deid.patients import Patients
from slicermedai.deid.profile import Option
from slicermedai.deid.window import DAMAGE, Origin, unreadable
from slicermedai.deid.wire import NATIVE, bare_syntax
from slicermedai.domain.scratch import ScratchFolder
from slicermedai.errors import AmbiguousInputError, InputError

if TYPE_CHECKING:
    from slicermedai.deid.pixels.kinds import PixelReplacement, Verdict

SCRATCH = "deid"
"""Kind of the temporary folders that members of zip files are unpacked to, one at a time."""
_HELD = 2
_TEXT, _FACES = Option.CLEAN_PIXEL_DATA, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES


class Decision(NamedTuple):
    """What takes the place of a file's pixel data, what it may claim, and what a person should look at."""

    pixels: PixelReplacement | None = None
    claimed: frozenset[Option] = frozenset()
    verdict: Verdict | None = None


@contextlib.contextmanager
def decided(patients: Patients, origin: Origin, face: Any = None) -> Iterator[Decision]:
    """What becomes of the pixels of one file; valid as long as the block lasts.

    Parameters
    ----------
    face:
        The edit that takes the face out of this file, from :class:`Faces`.

    Raises
    ------
    UnsupportedImageError
        Text of the patient stays legible.
    UnreadableFileError
        The pixels cannot be decoded.
    """
    with contextlib.ExitStack() as stack:
        try:
            if patients.settings.ocr is None and face is None and not _may_hide_bits(patients, origin):
                yield Decision()
                return
            path = stack.enter_context(unpacked(origin))
            decision = _decide(patients, origin, path, face)
        except InputError as error:
            raise type(error)(
                error.message, file=origin.path, attribute=error.attribute, advice=error.advice
            ) from error
        yield decision


@contextlib.contextmanager
def unpacked(origin: Origin) -> Iterator[Path]:
    """The file itself; the member of a zip file, and one without file meta information with it, as a file of a private
    temporary folder.

    Raises
    ------
    UnreadableFileError
        The member cannot be unpacked.
    OutputError
        There is no room for it.
    """
    if not origin.member and not _meta_for(origin):
        yield origin.path
        return
    with ScratchFolder.create(SCRATCH) as scratch:
        yield _unpack(origin, scratch.path / "member.dcm")


class Faces:
    """Looks for the face in one series after the other; nothing is loaded where that was not asked for."""

    def __init__(self, patients: Patients) -> None:
        self._patients, self._settings = patients, patients.settings
        self._edits: dict[tuple[str, str], Mapping[Origin, Any]] = {}
        self._why: dict[tuple[str, str], str] = {}
        self._has_pixels: dict[tuple[str, str], bool] = {}
        self._series: defaultdict[tuple[str, str], list[Origin]] = defaultdict(list)
        for origin, instance in patients.instances.items():
            self._series[instance.study, instance.series].append(origin)

    def edit(self, origin: Origin) -> Any:
        """An edit that takes the face out; None where the step is off, does not apply or did not succeed."""
        if not self._settings.deface:
            return None
        key = self._series_of(origin)
        if key not in self._edits:
            while len(self._edits) >= _HELD:
                del self._edits[next(iter(self._edits))]
            self._edits[key] = self._looked_for(self._series[key])
        return self._edits[key].get(origin)

    def why(self, origin: Origin) -> str:
        """Why there is no edit for a file; "" where that is not known (what an earlier run did)."""
        return self._why.get(self._series_of(origin), "")

    def apply_to(self, origin: Origin) -> bool:
        """True where the series has pixels at all, which the first of its files tells."""
        key = self._series_of(origin)
        if key not in self._has_pixels:
            from slicermedai.deid.pixels.frames import has_pixels

            with unpacked(self._series[key][0]) as path:
                self._has_pixels[key] = has_pixels(path)
        return self._has_pixels[key]

    def _series_of(self, origin: Origin) -> tuple[str, str]:
        instance = self._patients.instances[origin]
        return instance.study, instance.series

    def _looked_for(self, origins: list[Origin]) -> Mapping[Origin, Any]:
        from slicermedai.deid.pixels.face_series import deface_series

        try:
            with ScratchFolder.create(SCRATCH) as scratch:
                paths = {_file_of(o, scratch.path / f"{n:05d}.dcm"): o for n, o in enumerate(origins)}
                edits = deface_series(list(paths), self._settings.brain_mask).edits
        except InputError as error:  # no head, no face in view, no volume: the option is not claimed
            self._why[self._series_of(origins[0])] = _why_not(error, origins[0])
            return {}
        return {paths[path]: edit for path, edit in edits.items()}


def _why_not(error: InputError, origin: Origin) -> str:
    """In words that hold nothing of the series: what a reader says of it may list UIDs and descriptions."""
    from slicermedai.deid.pixels.faces import FaceStaysError

    if isinstance(error, FaceStaysError):
        return error.message
    if isinstance(error, AmbiguousInputError):
        return "the files of the series are several volumes"
    if _modality(origin) not in ("CT", "MR"):
        return "faces are taken off CT and MR alone"
    return "the files of the series are no regular volume"


def _modality(origin: Origin) -> str:
    from pydicom import dcmread

    with unpacked(origin) as path:
        return str(dcmread(path, specific_tags=["Modality"], stop_before_pixels=True).get("Modality") or "")


def _may_hide_bits(patients: Patients, origin: Origin) -> bool:
    """True where compressed samples have more bits than their values: an old overlay may lie in them."""
    if patients.instances[origin].syntax in NATIVE:
        return False
    from slicermedai.deid.pixels.unused import may_hide_bits

    try:
        return may_hide_bits(origin)
    except DAMAGE as error:
        raise unreadable(origin, error) from error


def _decide(patients: Patients, origin: Origin, path: Path, face: Any) -> Decision:
    decision = _by_steps(patients, origin, path, face)
    if decision.pixels is not None or not _may_hide_bits(patients, origin):
        return decision
    from slicermedai.deid.pixels.frames import FileFrames
    from slicermedai.deid.pixels.unused import without_unused_bits

    return decision._replace(pixels=without_unused_bits(FileFrames.open(path)))


def _by_steps(patients: Patients, origin: Origin, path: Path, face: Any) -> Decision:
    others = [face] if face is not None else []
    claimed = {_FACES} if others else set()
    if patients.settings.ocr is None:
        return Decision(face.replacement(path) if face is not None else None, frozenset(claimed))
    from slicermedai.deid.pixels.clean import clean
    from slicermedai.deid.pixels.decisions import with_decisions
    from slicermedai.deid.pixels.inspect import inspect

    ocr, vocabulary = patients.settings.ocr, patients.vocabulary(origin)
    instance = patients.instances[origin].sop_instance
    verdict = with_decisions(inspect(path, vocabulary, ocr), instance, patients.settings.decisions)
    pixels = clean(path, verdict, vocabulary, ocr, *others)
    if verdict.searched:
        claimed.add(_TEXT)
    return Decision(pixels, frozenset(claimed), verdict if verdict.review else None)


def _file_of(origin: Origin, place: Path) -> Path:
    return _unpack(origin, place) if origin.member or _meta_for(origin) else origin.path


def _meta_for(origin: Origin) -> bytes:
    """Preamble and file meta information for a file that has none, which other readers want; b"" for all others."""
    try:
        with origin.open() as stream:
            syntax = bare_syntax(stream.read(8))
            has_meta = not syntax or stream.read(124)[-4:] == b"DICM"
    except DAMAGE as error:
        raise unreadable(origin, error) from error
    return b"" if has_meta else file_meta("", "", syntax, ("", ""))


def _unpack(origin: Origin, place: Path) -> Path:
    try:
        meta = _meta_for(origin)
        with origin.open() as member, place.open("xb") as file:
            file.write(meta)
            shutil.copyfileobj(member, file)
    except DAMAGE as error:
        raise unreadable(origin, error) from error
    return place
