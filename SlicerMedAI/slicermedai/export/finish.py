"""The one pass that makes a data set a filed DICOM object: patient, study, series, equipment, times, character set.

Formats write what is theirs (a segmentation's frames, a report's tree); everything that all objects share is written
here, once (PS3.3 C.7.1 to C.7.5, C.12.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.charset import python_encoding
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from slicermedai.dicom.implementation import (
    DEVICE_UID,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION,
    MANUFACTURER,
    MODEL_NAME,
)
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import FormatError
from slicermedai.export import attributes, subject, words
from slicermedai.export.codes import PROCESSING_EQUIPMENT, concept
from slicermedai.export.context import ExportContext
from slicermedai.export.copying import copy_into
from slicermedai.export.order import request_attributes

_SEXES = ("M", "F", "O")
_UTF8 = "ISO_IR 192"
_KEEPABLE = frozenset(f"ISO_IR {number}" for number in (6, 100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 192, 203))
_TEXT = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectKind:
    """One kind of object of a result: its SOP class and its series.

    ``offset`` keeps the series numbers of one result apart: source series 5 gives 501, 502 ...
    ``place`` names what an object takes over of its source's place in the body: nothing for documents.
    """

    name: str
    sop_class: str
    modality: str
    offset: int
    place: tuple[str, ...] = ()


def finish(
    dataset: Dataset, context: ExportContext, *, result: AnalysisResult, kind: ObjectKind, number: int = 1
) -> Dataset:
    """``dataset`` with all that its format left out, ready for :func:`save`; the same object is returned.

    ``number`` tells the objects of one kind apart, from 1.

    Raises
    ------
    MissingContextError
        The source has no headers.
    FormatError
        A mandatory attribute is missing in the source; it is named.
    """
    header = context.header
    copy_into(dataset, header, attributes.FILED_UNDER)
    _check_study(dataset)
    copy_into(dataset, header, kind.place)
    if attributes.LATERALITY in kind.place:
        _side(header, dataset)
    if "FrameOfReferenceUID" in kind.place:
        _check_space(dataset)
    if kind.modality != "SR":
        _request(dataset, header)
    _series(dataset, context, result=result, kind=kind)
    _equipment(dataset, context, result)
    _instance(dataset, context, kind, number)
    dataset.file_meta = _file_meta(dataset)
    _character_set(dataset, str(header.get("SpecificCharacterSet") or "ISO_IR 6"))
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    """Write ``dataset`` in Explicit VR Little Endian as a PS3.10 file."""
    dataset.save_as(path, enforce_file_format=True)
    return path


def _side(header: Dataset, dataset: Dataset) -> None:
    """A projection says its side itself (Image Laterality, C.8.11.5.1); a series made of it alone is of that side.

    A part of which there is one has none (C.7.3.1): a chest is no left one, whatever was in the beam.
    """
    side = str(header.get("ImageLaterality") or "")
    part = str(header.get(attributes.BODY_PART) or "").strip().upper()
    if attributes.LATERALITY not in dataset and side in ("L", "R") and part not in attributes.UNPAIRED:
        dataset.Laterality = side


def _request(dataset: Dataset, header: Dataset) -> None:
    """What was ordered (C.7.3.1); documents say it in a way of their own."""
    requests = request_attributes(header)
    if requests:
        dataset.RequestAttributesSequence = requests


def _check_study(dataset: Dataset) -> None:
    """Type 1 is demanded, type 2 is there, and what no DICOM object may say is left unknown."""
    if not dataset.get("StudyInstanceUID"):
        raise FormatError("the source does not name it, and it is mandatory", attribute="StudyInstanceUID")
    for keyword in attributes.EVEN_IF_UNKNOWN:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    if dataset.PatientSex not in ("", None, *_SEXES):
        dataset.PatientSex = ""


def _check_space(dataset: Dataset) -> None:
    """Frame of Reference module (C.7.4.1): the frame is type 1, its indicator type 2."""
    if not dataset.get("FrameOfReferenceUID"):
        raise FormatError("the source does not name it, and it is mandatory", attribute="FrameOfReferenceUID")
    if "PositionReferenceIndicator" not in dataset:
        dataset.PositionReferenceIndicator = ""


def _series(dataset: Dataset, context: ExportContext, *, result: AnalysisResult, kind: ObjectKind) -> None:
    dataset.Modality = kind.modality
    dataset.SeriesInstanceUID = context.uids.series(kind.name)
    dataset.SeriesNumber = _series_number(context.header) + kind.offset
    dataset.SeriesDescription = subject.line(_series_title(result))
    dataset.SeriesDate, dataset.SeriesTime = _date_time(context)
    dataset.PerformedProcedureStepID = context.uids.step
    dataset.PerformedProcedureStepDescription = words.summary(result)


def _series_title(result: AnalysisResult) -> str:
    """What a list of series shows; the warning before the name, which may be cut."""
    return f"MedAI {'demonstration only: ' if result.provenance.demonstration else ''}{result.provenance.bundle}"


def _series_number(header: Dataset) -> int:
    """A hundred for each source series; sources without a number of their own share 9000."""
    try:
        number = int(header.get("SeriesNumber") or 0)
    except (TypeError, ValueError):
        number = 0
    return number * 100 if 0 < number < 1_000_000 else 9000


def _equipment(dataset: Dataset, context: ExportContext, result: AnalysisResult) -> None:
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MODEL_NAME
    dataset.DeviceSerialNumber = DEVICE_UID
    dataset.SoftwareVersions = list(context.software)
    dataset.ContributingEquipmentSequence = [_contributor(context, result)]


def _contributor(context: ExportContext, result: AnalysisResult) -> Dataset:
    """Who processed it and when, in a time that says its zone even where the source does not (C.12.1.1.5)."""
    made = Dataset()
    made.PurposeOfReferenceCodeSequence = [concept(PROCESSING_EQUIPMENT)]
    made.Manufacturer, made.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    made.DeviceSerialNumber, made.SoftwareVersions = DEVICE_UID, list(context.software)
    made.ContributionDateTime = context.finished.strftime("%Y%m%d%H%M%S.%f%z")
    made.ContributionDescription = words.said_of(result)
    return made


def _instance(dataset: Dataset, context: ExportContext, kind: ObjectKind, number: int) -> None:
    dataset.SOPClassUID = kind.sop_class
    dataset.SOPInstanceUID = context.uids.instance(kind.name, number)
    dataset.InstanceNumber = number
    date, time = _date_time(context)
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    dataset.ContentDate, dataset.ContentTime = date, time


def _date_time(context: ExportContext) -> tuple[str, str]:
    """DA and TM of the end of the analysis."""
    return context.finished.strftime("%Y%m%d"), context.finished.strftime("%H%M%S.%f")


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    return meta


def _character_set(dataset: Dataset, source: str) -> None:
    """The source's character set where it is a plain one and can say everything, else UTF-8 (C.12.1.1.2)."""
    texts = list(_texts(dataset))
    fits = source in _KEEPABLE and all(_fits(text, python_encoding[source]) for text in texts)
    chosen = source if fits else _UTF8
    if chosen == "ISO_IR 6":
        dataset.pop("SpecificCharacterSet", None)
    else:
        dataset.SpecificCharacterSet = chosen


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode("ascii" if encoding == python_encoding["ISO_IR 6"] else encoding)
    except UnicodeEncodeError:
        return False
    return True


def _texts(dataset: Dataset) -> Iterator[str]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item)
        elif element.VR in _TEXT:
            yield str(element.value)
