"""Small DICOM objects of any SOP class, for sending: identity, UIDs and nothing that a viewer needs."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

STUDY, SERIES = generate_uid(entropy_srcs=["pacs study"]), generate_uid(entropy_srcs=["pacs series"])


def make_object(
    folder: Path,
    number: int = 1,
    *,
    sop_class: str = MRImageStorage,
    study: str = STUDY,
    removed: str | None = None,
    text: str = "ONE",
    syntax: str = ExplicitVRLittleEndian,
    patient: str = "MEDAI-1",
    accession: str = "A-1",
    size: int = 0,
    series: str = "",
    **values: object,
) -> Path:
    """Write one object; the same numbers give the same UIDs, ``text`` makes other bytes.

    ``size`` bytes of pixels, in rows of 1000. ``series`` tells series of one class apart; ``values`` are more
    attributes.
    """
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = UID(sop_class)
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["pacs object", study, sop_class, str(number), series])
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, generate_uid(entropy_srcs=[study, sop_class, series])
    dataset.PatientName, dataset.PatientID, dataset.AccessionNumber = "Invented^Person", patient, accession
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20260102", "030405", "1"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.ReferringPhysicianName = "19700101", "O", ""
    dataset.Modality = {"1.2.840.10008.5.1.4.1.1.4": "MR", "1.2.840.10008.5.1.4.1.1.2": "CT"}.get(sop_class, "OT")
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.ContentLabel = 1, number, text
    dataset.BodyPartExamined, dataset.SeriesDescription = "BRAIN", "T1"
    dataset.StudyDescription = "MR Brain"
    for name, value in values.items():
        setattr(dataset, name, value)
    if removed is not None:
        dataset.PatientIdentityRemoved = removed
    if size:
        dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.SamplesPerPixel = size // 1000, 1000, 8, 1
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 7, 0
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.add_new("PixelData", "OB", bytes(size))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def make_objects(folder: Path, count: int, **more: object) -> list[Path]:
    """Objects 1 to ``count`` of one series."""
    return [make_object(folder, number, **more) for number in range(1, count + 1)]  # type: ignore[arg-type]  # passed on


def uid_of(path: Path) -> str:
    """The SOP Instance UID that :func:`make_object` put into the file's name."""
    return path.stem
