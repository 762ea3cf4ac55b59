"""Source headers: kept pixel-free beside results, and read for the patient and study that results are filed under."""

from __future__ import annotations

import copy
import io
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from slicermedai.dicom.files import READ_ERRORS, integer_of, quiet, read_dataset, text_of
from slicermedai.dicom.pixels import without_pixels
from slicermedai.domain.storage import atomic_folder
from slicermedai.domain.study import InstanceRef, SeriesRef, Study
from slicermedai.errors import UnreadableFileError

FILE_NAME = "headers.bin"
"""A line that says what it is; then, for each header, its length (8 bytes, little-endian) and a PS3.10 file."""

_MAGIC = b"MedAI headers 1\n"


def save_headers(headers: Iterable[Dataset], folder: Path) -> Path:
    """Write pixel-free ``headers`` into the new ``folder``, in order; every other element as it was read.

    They go into one file of our own: as DICOM files they would be taken for the images whose UIDs they bear.

    Raises
    ------
    ResultExistsError, OutputError, DiskFullError
    """
    with atomic_folder(Path(folder)) as partial, (partial / FILE_NAME).open("wb") as stream:
        stream.write(_MAGIC)
        for header in headers:
            content = _content(header)
            stream.write(struct.pack("<Q", len(content)) + content)
    return Path(folder)


def load_headers(folder: Path) -> tuple[Dataset, ...]:
    """What :func:`save_headers` wrote, in the same order; an absent folder holds none.

    Folders of earlier versions, with a DICOM file for each header, are read as well.

    Raises
    ------
    UnreadableFileError
        A file is damaged.
    """
    path = Path(folder) / FILE_NAME
    if path.is_file():
        return tuple(_header(content, path) for content in _contents(path))
    files = sorted(Path(folder).glob("*.dcm"))
    return tuple(without_pixels(read_dataset(path, pixels=False)) for path in files)


def study_of(dataset: Dataset, *, series: Sequence[SeriesRef] = ()) -> Study:
    """Patient and study context of one header, text decoded by its Specific Character Set.

    ``identity`` is KEEP, whatever the header says of itself: only this program's own de-identification makes a study
    pseudonymous. Dates and times are as DICOM has them (YYYYMMDD, HHMMSS).
    """
    return Study(
        study_uid=text_of(dataset, "StudyInstanceUID"),
        patient_id=text_of(dataset, "PatientID"),
        patient_name=text_of(dataset, "PatientName"),
        birth_date=text_of(dataset, "PatientBirthDate"),
        sex=text_of(dataset, "PatientSex"),
        accession=text_of(dataset, "AccessionNumber"),
        date=text_of(dataset, "StudyDate"),
        time=text_of(dataset, "StudyTime"),
        description=text_of(dataset, "StudyDescription"),
        body_part=text_of(dataset, "BodyPartExamined"),
        issuer=text_of(dataset, "IssuerOfPatientID"),
        series=tuple(series),
    )


def series_ref(headers: Sequence[Dataset], *, slices: Iterable[tuple[int, int]] = ()) -> SeriesRef:
    """The series of ``headers`` with every instance in their order.

    ``slices`` are the frames that were read of it (index into ``headers``, frame number from 1); without, all were.

    Raises
    ------
    UnreadableFileError
        No headers, or headers of different series: their values must not be mixed.
    """
    uids = {text_of(header, "SeriesInstanceUID") for header in headers}
    if len(uids) != 1:
        raise UnreadableFileError("headers of one series are needed", attribute="SeriesInstanceUID")
    first = headers[0]
    read: dict[int, set[int]] = {}
    for index, frame in slices:
        read.setdefault(index, set()).add(frame)
    return SeriesRef(
        series_uid=uids.pop(),
        modality=text_of(first, "Modality"),
        description=text_of(first, "SeriesDescription"),
        number=integer_of(first, "SeriesNumber"),
        frame_of_reference_uid=text_of(first, "FrameOfReferenceUID"),
        instances=tuple(_instance(header, read.get(index, set())) for index, header in enumerate(headers)),
    )


def _instance(header: Dataset, read: set[int]) -> InstanceRef:
    frames = integer_of(header, "NumberOfFrames") or 1
    return InstanceRef(
        sop_class_uid=text_of(header, "SOPClassUID"),
        sop_instance_uid=text_of(header, "SOPInstanceUID"),
        frames=frames,
        chosen=tuple(sorted(read)) if len(read) < frames else (),
    )


def _content(header: Dataset) -> bytes:
    """``header`` as the bytes of a PS3.10 file."""
    written = without_pixels(copy.copy(header))
    written.file_meta = _file_meta(header)
    stream = io.BytesIO()
    with quiet():  # odd values stay as they came
        written.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _contents(path: Path) -> list[bytes]:
    """The files inside of ``path``."""
    body = path.read_bytes()
    if not body.startswith(_MAGIC):
        raise _damaged(path)
    place, found = len(_MAGIC), []
    while place < len(body):
        end = place + 8
        end += int.from_bytes(body[place:end], "little")
        if end > len(body):
            raise _damaged(path)
        found.append(body[place + 8 : end])
        place = end
    return found


def _header(content: bytes, path: Path) -> Dataset:
    try:
        with quiet():
            return without_pixels(dcmread(io.BytesIO(content), force=True))
    except READ_ERRORS as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> UnreadableFileError:
    return UnreadableFileError("damaged or truncated", file=path, advice="Copy the result again.")


def _file_meta(header: Dataset) -> FileMetaDataset:
    """The file's own meta information, completed where it came without."""
    meta = FileMetaDataset()
    meta.update(getattr(header, "file_meta", {}))
    meta.setdefault("MediaStorageSOPClassUID", header.get("SOPClassUID"))
    meta.setdefault("MediaStorageSOPInstanceUID", header.get("SOPInstanceUID"))
    meta.setdefault("TransferSyntaxUID", ExplicitVRLittleEndian)
    return meta
