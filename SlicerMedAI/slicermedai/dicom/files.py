"""From a file to a DICOM header: which files are images, which are none, and which are broken."""

from __future__ import annotations

import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from slicermedai.dicom.planes import HEADER_TAGS, Plane, planes_of
from slicermedai.errors import FormatError, UnreadableFileError

READ_ERRORS = (
    *(InvalidDicomError, BytesLengthException, EOFError, OSError, ValueError, TypeError, KeyError, OverflowError),
    *(AttributeError, NotImplementedError, IndexError, struct.error, zlib.error, RuntimeError, StopIteration),
)
"""What pydicom raises on damaged files."""

_NO_SOURCES = {"SEG": "a segmentation", "PR": "a presentation state", "RTSTRUCT": "a structure set"}


@dataclass(frozen=True, slots=True)
class Header:
    """A file that holds an image, with the attributes of ``planes.HEADER_TAGS`` and its planes."""

    file: Path
    dataset: Dataset
    planes: tuple[Plane, ...]


@dataclass(frozen=True, slots=True)
class NotAnImage:
    """A file that is none of ours, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that should hold an image and cannot be read."""

    reason: str


@contextmanager
def quiet() -> Iterator[None]:
    """Odd values in real headers are not ours to complain about, and pydicom quotes them: patient data in a log."""
    logger, nothing = logging.getLogger("pydicom"), _Nothing()
    logger.addFilter(nothing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logger.removeFilter(nothing)


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """What a data set of ``path`` makes pydicom (and whoever takes its values for granted) raise, by name.

    Raises
    ------
    FormatError
        In place of whatever was raised.
    """
    try:
        yield
    except MemoryError as error:
        raise FormatError("says that it is larger than memory", file=path) from error
    except READ_ERRORS as error:
        raise FormatError(
            f"holds what its kind of object must not hold, or is damaged ({type(error).__name__})", file=path
        ) from error


class _Nothing(logging.Filter):
    """Lets no record through; one of its own for each caller, so that they nest."""

    def filter(self, record: logging.LogRecord) -> bool:
        return False


def read_header(path: Path) -> Header | NotAnImage | Broken:
    """The header of ``path`` without its pixels; never raises for what the file holds."""
    try:
        with path.open("rb") as stream, quiet():
            start = stream.read(132)
            if not _looks_like_dicom(start):
                return _foreign(path, start)
            stream.seek(0)
            return _judge(stream, path, path.stat().st_size)
    except READ_ERRORS as error:
        return Broken(f"damaged or truncated ({type(error).__name__})")


def text_of(dataset: Dataset, keyword: str) -> str:
    """The value of ``keyword`` as text, decoded by the dataset's character set; "" where absent or unreadable."""
    with quiet():
        try:
            value = dataset.get(keyword)
        except READ_ERRORS:
            return ""
        return "" if value is None else str(value).strip()


def integer_of(dataset: Dataset, keyword: str) -> int | None:
    """The value of ``keyword`` as a whole number, or None where it is none."""
    try:
        return int(text_of(dataset, keyword))
    except ValueError:
        return None


def read_dataset(path: Path, *, pixels: bool) -> Dataset:
    """The whole dataset of ``path``, with or without its pixel data.

    Raises
    ------
    UnreadableFileError
        Damaged, truncated, or no DICOM file.
    """
    try:
        with quiet():
            return dcmread(path, stop_before_pixels=not pixels, force=True)
    except READ_ERRORS as error:
        raise UnreadableFileError(
            f"damaged or truncated ({type(error).__name__})", file=path, advice="Copy the file again."
        ) from error


def _looks_like_dicom(start: bytes) -> bool:
    """With the preamble of PS3.10 7.1, or a bare dataset that begins with group 0002 or 0008."""
    return start[128:132] == b"DICM" or start[:4] in (b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0")


def _foreign(path: Path, start: bytes) -> NotAnImage | Broken:
    if path.suffix.lower() in (".dcm", ".dicom", ".ima"):
        return Broken("empty" if not start else "no DICOM file in spite of its name")
    return NotAnImage("no DICOM file")


def _judge(stream: BinaryIO, path: Path, size: int) -> Header | NotAnImage | Broken:
    dataset = dcmread(stream, stop_before_pixels=True, specific_tags=list(HEADER_TAGS), force=True)
    modality = str(dataset.get("Modality") or "")
    if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == "1.2.840.10008.1.3.10":
        return NotAnImage("a DICOMDIR")
    if modality in _NO_SOURCES:
        return NotAnImage(f"{_NO_SOURCES[modality]}, not an image to analyse")
    kind = UID(str(dataset.get("SOPClassUID") or "")).name
    if kind and "Rows" not in dataset and "Image Storage" not in kind:
        return NotAnImage("a DICOM object without an image")
    if not kind or "Rows" not in dataset:
        return Broken("truncated: the header ends before its image attributes")
    return _with_pixels(stream, path, size, dataset)


def _with_pixels(stream: BinaryIO, path: Path, size: int, dataset: Dataset) -> Header | Broken:
    """Native pixel data must be there in full; encapsulated data is judged when it is decoded."""
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax != DeflatedExplicitVRLittleEndian and size - stream.tell() < _least_bytes(dataset, syntax):
        return Broken("truncated: PixelData ends too early")
    return Header(path, dataset, planes_of(dataset, path))


def _least_bytes(dataset: Dataset, syntax: object) -> int:
    if getattr(syntax, "is_compressed", False):
        return 8
    bits = int(dataset.get("BitsAllocated") or 8) * int(dataset.get("SamplesPerPixel") or 1)
    subsampled = "422" in str(dataset.get("PhotometricInterpretation") or "")
    pixels = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("NumberOfFrames") or 1)
    return pixels * bits // (12 if subsampled else 8)
