"""Source headers: kept pixel-free beside results, and read for the patient and study that results are filed under."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from slicermedai.dicom.files import read_dataset
from slicermedai.dicom.pixels import without_pixels
from slicermedai.domain.storage import atomic_folder
from slicermedai.domain.study import Identity, InstanceRef, SeriesRef, Study
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

    ``identity`` is DEIDENTIFY where Patient Identity Removed (0012,0062) is YES. Dates and times are as DICOM has
    them (YYYYMMDD, HHMMSS).
    """
    return Study(
        study_uid=_text(dataset, "StudyInstanceUID"),
        patient_id=_text(dataset, "PatientID"),
        patient_name=_text(dataset, "PatientName"),
        birth_date=_text(dataset, "PatientBirthDate"),
        sex=_text(dataset, "PatientSex"),
        accession=_text(dataset, "AccessionNumber"),
        date=_text(dataset, "StudyDate"),
        time=_text(dataset, "StudyTime"),
        description=_text(dataset, "StudyDescription"),
        body_part=_text(dataset, "BodyPartExamined"),
        identity=Identity.DEIDENTIFY if _text(dataset, "PatientIdentityRemoved") == "YES" else Identity.KEEP,
        series=tuple(series),
    )


def series_ref(headers: Sequence[Dataset]) -> SeriesRef:
    """The series of ``headers`` with every instance in their order.

    Raises
    ------
    UnreadableFileError
        No headers, or headers of different series: their values must not be mixed.
    """
    uids = {_text(header, "SeriesInstanceUID") for header in headers}
    if len(uids) != 1:
        raise UnreadableFileError("headers of one series are needed", attribute="SeriesInstanceUID")
    first = headers[0]
    number = first.get("SeriesNumber")
    return SeriesRef(
        series_uid=uids.pop(),
        modality=_text(first, "Modality"),
        description=_text(first, "SeriesDescription"),
        number=None if number in (None, "") else int(number),
        frame_of_reference_uid=_text(first, "FrameOfReferenceUID"),
        instances=tuple(_instance(header) for header in headers),
    )


def _instance(header: Dataset) -> InstanceRef:
    return InstanceRef(
        sop_class_uid=_text(header, "SOPClassUID"),
        sop_instance_uid=_text(header, "SOPInstanceUID"),
        frames=int(header.get("NumberOfFrames") or 1),
    )


def _text(dataset: Dataset, keyword: str) -> str:
    value: Any = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def _save(header: Dataset, path: Path) -> None:
    written = without_pixels(copy.copy(header))
    written.file_meta = _file_meta(header)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # odd values stay as they came
        written.save_as(path, enforce_file_format=True)


def _file_meta(header: Dataset) -> FileMetaDataset:
    """The file's own meta information, completed where it came without."""
    meta = FileMetaDataset()
    meta.update(getattr(header, "file_meta", {}))
    meta.setdefault("MediaStorageSOPClassUID", header.get("SOPClassUID"))
    meta.setdefault("MediaStorageSOPInstanceUID", header.get("SOPInstanceUID"))
    meta.setdefault("TransferSyntaxUID", ExplicitVRLittleEndian)
    return meta
