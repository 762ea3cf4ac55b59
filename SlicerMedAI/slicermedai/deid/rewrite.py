"""The second pass: one file in, its de-identified copy out."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from slicermedai.deid.context import Context
from slicermedai.deid.dictionary import tag_of, vr_of
from slicermedai.deid.encode import element, file_meta
from slicermedai.deid.encode import head as head_of
from slicermedai.deid.ops import Op
from slicermedai.deid.owners import Instance
from slicermedai.deid.patients import Patients, Refusal, opened_file, owner_of
from slicermedai.deid.places import Place, root_place
from slicermedai.deid.profile import Option
from slicermedai.deid.rewriter import Mark, Rewriter
from slicermedai.deid.rules import BASIC_RULES, MarkDeidentified
from slicermedai.deid.sink import DeflatingSink, Sink
from slicermedai.deid.window import DAMAGE, Origin, unreadable
from slicermedai.deid.wire import DEFLATED, UNDEFINED, Encoding, Kind, Opened, Walk, encoding_of
from slicermedai.dicom.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from slicermedai.domain.storage import atomic_file
from slicermedai.errors import InputError, UnreadableFileError

if TYPE_CHECKING:
    from slicermedai.deid.pixels.kinds import PixelReplacement

__all__ = ["BASIC_RULES", "Instance", "Patients", "Refusal", "owner_of", "rewrite_file", "rewrite_to"]

_PROGRAM = (str(IMPLEMENTATION_CLASS_UID), IMPLEMENTATION_VERSION)
_SOP_INSTANCE = 0x00080018
_STEPS = {Option.CLEAN_PIXEL_DATA: 0x00280301, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES: 0x00280302}
"""Attributes that say NO after a step: Burned In Annotation, Recognizable Visual Features (PS3.15 E.3.1, E.3.2)."""


def rewrite_file(
    source: Path | Origin,
    target: Path,
    context: Context,
    *,
    pixels: PixelReplacement | None = None,
    claimed: frozenset[Option] = frozenset(),
) -> Counter[tuple[str, str]]:
    """Write the de-identified copy of ``source``: beside ``target`` and renamed, whole or not at all.

    Parameters
    ----------
    pixels:
        What takes the place of the source's pixel data.
    claimed:
        Options of steps that ran for this file and were checked.

    Returns
    -------
    (attribute, action) -> how often.

    Raises
    ------
    UnreadableFileError
        The file cannot be read to its end; the attribute is named where it is known.
    """
    origin = source if isinstance(source, Origin) else Origin(Path(source))
    with atomic_file(Path(target), sync=False) as partial, partial.open("wb") as stream:
        return rewrite_to(stream, origin, context, pixels=pixels, claimed=claimed)


def rewrite_to(
    stream: BinaryIO,
    origin: Origin,
    context: Context,
    *,
    pixels: PixelReplacement | None = None,
    claimed: frozenset[Option] = frozenset(),
) -> Counter[tuple[str, str]]:
    """As :func:`rewrite_file`, into an open stream."""
    try:
        with opened_file(origin, whole=True) as file:
            return _rewrite(file, stream, _Job(origin, context, pixels, claimed))
    except InputError as error:
        raise type(error)(error.message, file=origin.path, attribute=error.attribute, advice=error.advice) from error
    except DAMAGE as error:
        raise unreadable(origin, error) from error


class _Job:
    """One file, and what was decided about it."""

    def __init__(
        self, origin: Origin, context: Context, pixels: PixelReplacement | None, claimed: frozenset[Option]
    ) -> None:
        self.origin, self.pixels = origin, pixels
        self._context, self._claimed = context, claimed

    def place(self, encoding: Encoding) -> Place:
        """The top level of the output; remembered in the context for all files that are alike."""
        key = (encoding, self._claimed, BASIC_RULES)
        found = self._context.places.get(key)
        if found is None:
            context = replace(self._context, encoding=encoding, claimed=self._claimed)
            found = self._context.places[key] = root_place(context, BASIC_RULES)
        return found

    def marks(self, context: Context) -> list[Mark]:
        """What is written whatever the source says."""
        key = (context.encoding, self._claimed, MarkDeidentified)
        said = self._context.places.get(key)
        if said is None:
            said = self._context.places[key] = MarkDeidentified().marks(context)
        marks: dict[int, Mark] = {tag: (tag, piece) for tag, piece in said}
        for option, tag in _STEPS.items():
            if option in context.claimed:
                marks[tag] = (tag, element(tag, "CS", b"NO", context.encoding))
        if self.pixels is not None:
            marks.update({mark[0]: mark for mark in _replacing(self.pixels, context.encoding)})
        return list(marks.values())

    def scan(self, start: int, size: int) -> Iterator[bytes | memoryview]:
        """A part of the source's dataset, read once more."""
        with opened_file(self.origin) as file:
            yield from file.window.chunks(start, size)


def _rewrite(file: Opened, stream: BinaryIO, job: _Job) -> Counter[tuple[str, str]]:
    syntax = job.pixels.transfer_syntax_uid if job.pixels else file.syntax
    place = job.place(encoding_of(syntax))
    stream.write(file_meta(place.context.sop_class, _new_instance(file, place), syntax, _PROGRAM))
    sink = DeflatingSink(stream) if syntax == DEFLATED else Sink(stream)
    return Rewriter(file, place, sink, marks=job.marks(place.context), scan=job.scan).run()


def _new_instance(file: Opened, place: Place) -> str:
    """The SOP Instance UID that the dataset will have, for the file meta information."""
    file.window.kept = file.start
    for kind, tag, vr, _, start, size in Walk(file):
        if tag > _SOP_INSTANCE:
            break
        if tag == _SOP_INSTANCE and kind == Kind.LEAF:
            raw = file.window.bytes_at(start, size)
            op: Op = place.treatment(tag, vr).op
            new = op.edit(raw) if op.edit is not None else raw
            return (new or b"").decode("ascii", "replace").strip(" \0")
    raise UnreadableFileError("is no instance of a study", attribute="SOPInstanceUID")


def _replacing(pixels: PixelReplacement, encoding: Encoding) -> Iterator[Mark]:
    for keyword, value in pixels.attributes.items():
        tag = tag_of(keyword)
        yield tag, b"" if value is None else element(tag, vr_of(tag), _coded(vr_of(tag), value, encoding), encoding)
    length = UNDEFINED if pixels.length is None else pixels.length
    begin = head_of(pixels.tag, pixels.vr, length, encoding)

    def pieces() -> Iterator[bytes]:
        yield begin
        yield from pixels.chunks()

    yield pixels.tag, pieces


def _coded(vr: str, value: object, encoding: Encoding) -> bytes:
    values = value if isinstance(value, (list, tuple)) else [value]
    formats = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FD": "d", "FL": "f"}
    if vr in formats:
        return b"".join(struct.pack(encoding.order + formats[vr], one) for one in values)
    return "\\".join(map(str, values)).encode("ascii", "replace")
