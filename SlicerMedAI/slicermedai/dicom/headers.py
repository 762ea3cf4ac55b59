"""Source headers: kept pixel-free beside results, and read for the patient and study that results are filed under."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from slicermedai.dicom.files import integer_of, quiet, read_dataset, text_of
from slicermedai.dicom.pixels import without_pixels
from slicermedai.domain.storage import atomic_folder
from slicermedai.domain.study import InstanceRef, SeriesRef, Study
from slicermedai.errors import UnreadableFileError


def save_headers(headers: Iterable[Dataset], folder: Path) -> Path:
    """Write pixel-free ``headers`` into the new ``folder``, in order; every other element as it was read.

    Raises
    ------
    ResultExistsError, OutputError, DiskFullError
    """
    with atomic_folder(Path(folder)) as partial:
        for index, header in enumerate(headers, start=1):
            _save(header, partial / f"{index:06d}.dcm")
    return Path(folder)


def load_headers(folder: Path) -> tuple[Dataset, ...]:
    """What :func:`save_headers` wrote, in the same order; an absent folder holds none.

    Raises
    ------
    UnreadableFileError
        A file is damaged.
    """
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
        series=tuple(series),
    )


def series_ref(headers: Sequence[Dataset]) -> SeriesRef:
    """The series of ``headers`` with every instance in their order.

    Raises
    ------
    UnreadableFileError
        No headers, or headers of different series: their values must not be mixed.
    """
    uids = {text_of(header, "SeriesInstanceUID") for header in headers}
    if len(uids) != 1:
        raise UnreadableFileError("headers of one series are needed", attribute="SeriesInstanceUID")
    first = headers[0]
    return SeriesRef(
        series_uid=uids.pop(),
        modality=text_of(first, "Modality"),
        description=text_of(first, "SeriesDescription"),
        number=integer_of(first, "SeriesNumber"),
        frame_of_reference_uid=text_of(first, "FrameOfReferenceUID"),
        instances=tuple(_instance(header) for header in headers),
    )


def _instance(header: Dataset) -> InstanceRef:
    return InstanceRef(
        sop_class_uid=text_of(header, "SOPClassUID"),
        sop_instance_uid=text_of(header, "SOPInstanceUID"),
        frames=integer_of(header, "NumberOfFrames") or 1,
    )


def _save(header: Dataset, path: Path) -> None:
    written = without_pixels(copy.copy(header))
    written.file_meta = _file_meta(header)
    with quiet():  # odd values stay as they came
        written.save_as(path, enforce_file_format=True)


def _file_meta(header: Dataset) -> FileMetaDataset:
    """The file's own meta information, completed where it came without."""
    meta = FileMetaDataset()
    meta.update(getattr(header, "file_meta", {}))
    meta.setdefault("MediaStorageSOPClassUID", header.get("SOPClassUID"))
    meta.setdefault("MediaStorageSOPInstanceUID", header.get("SOPInstanceUID"))
    meta.setdefault("TransferSyntaxUID", ExplicitVRLittleEndian)
    return meta
