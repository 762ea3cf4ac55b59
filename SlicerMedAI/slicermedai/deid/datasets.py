"""Reading and walking datasets with pydicom, without converting (and so changing) what nobody touches."""

from __future__ import annotations

import contextlib
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

from pydicom import Dataset, config, dcmread
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from slicermedai.errors import UnreadableFileError

DAMAGE = (
    InvalidDicomError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_STRINGS = frozenset({"AS", "DA", "DS", "DT", "IS", "TM", "UI"})
_PIXEL_GROUP = 0x7FE0


@contextlib.contextmanager
def as_found() -> Iterator[None]:
    """Within it pydicom takes values as they are found: invalid ones are neither changed nor warned about."""
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def read(path: Path, *, pixels: bool) -> Dataset:
    """The dataset of a DICOM file, with or without the pixel data element.

    Raises
    ------
    UnreadableFileError
        No DICOM file (PS3.10), a directory, damaged, or without the identifiers of an instance.
    """
    try:
        dataset = dcmread(path, stop_before_pixels=not pixels)
    except InvalidDicomError as error:
        raise UnreadableFileError("is no DICOM file (PS3.10)", file=path, attribute="preamble") from error
    except DAMAGE as error:
        raise UnreadableFileError(f"cannot be read ({type(error).__name__})", file=path) from error
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID"):
        if not dataset.get(keyword):
            raise UnreadableFileError("is no instance of a study", file=path, attribute=keyword)
    if "TransferSyntaxUID" not in dataset.file_meta:
        raise UnreadableFileError("does not say how it is encoded", file=path, attribute="TransferSyntaxUID")
    return dataset


def label_of(tag: int) -> str:
    """Keyword of ``tag``; "PrivateAttributes" for private ones, "(gggg,eeee)" for unknown ones."""
    if tag >> 16 & 1:
        return "PrivateAttributes"
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def vr_of(dataset: Dataset, tag: int) -> str:
    """The VR of an element without converting it; by the dictionary where the file does not say, else "UN"."""
    found = dataset.get_item(tag).VR
    if found in (None, "UN"):
        with contextlib.suppress(KeyError):
            return str(dictionary_VR(tag)).split(" or ")[0]
    return str(found or "UN")


def is_pixel_data(tag: int) -> bool:
    """True for the elements that hold pixels: they are never touched."""
    return tag >> 16 == _PIXEL_GROUP


def values_of(dataset: Dataset, tag: int) -> list[str]:
    """The values of a text element, each as text; [] where it is empty."""
    raw = dataset.get_item(tag)
    if raw.is_raw and (vr_of(dataset, tag) in _STRINGS or _is_ascii(raw.value)):
        return [part.strip(" \0") for part in (raw.value or b"").decode("latin-1").split("\\")]
    value = dataset[tag].value
    dataset[tag] = raw  # what is only looked at is written again as it was
    parts = value if isinstance(value, (MultiValue, list)) else [value]
    return [part.decode("latin-1") if isinstance(part, bytes) else str(part) for part in parts if part is not None]


def is_sequence(dataset: Dataset, tag: int) -> bool:
    """True where the element has items (an UN that is too long to be looked into has none)."""
    return vr_of(dataset, tag) == "SQ" and dataset[tag].VR == "SQ"


def bytes_of(dataset: Dataset, tag: int) -> bytes:
    """The value of an element of bytes; b"" where it is of another kind."""
    value = dataset.get_item(tag).value
    return value if isinstance(value, bytes) else b""


def items_of(dataset: Dataset) -> Iterator[tuple[str, Dataset]]:
    """(keyword of the sequence, item) for every item directly below ``dataset``."""
    for tag in list(dataset.keys()):
        if is_sequence(dataset, tag):
            for item in dataset[tag].value or ():
                yield label_of(tag), item


def _is_ascii(value: object) -> bool:
    """True for bytes that every character set reads alike (no escape sequences of ISO 2022)."""
    return value is None or (isinstance(value, bytes) and value.isascii() and b"\x1b" not in value)
