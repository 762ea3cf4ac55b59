"""Which attributes identity is planted in: those of Table E.1-1 and those that are not in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword

FREE_TEXT = ("SH", "LO", "ST", "LT", "UC", "UT")
LISTED_FILE = Path(__file__).with_name("listed.txt")
_STRUCTURAL = {"CodeValue", "LongCodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "PixelDataProviderURL"}

# Not in the table, and people type names into them.
LIKELY = [
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "DocumentTitle",
    "ScanOptions",
    "SequenceName",
    "ConvolutionKernel",
    "FilterType",
    "PrivateCreatorName",
    "TransducerData",
    "ProcessingFunction",
    "CollimatorGridName",
    "Grid",
    "SecondaryCaptureDeviceManufacturer",
    "SecondaryCaptureDeviceManufacturerModelName",
    "SecondaryCaptureDeviceSoftwareVersions",
    "VideoImageFormatAcquired",
    "DigitalImageFormatAcquired",
    "ContrastBolusRoute",
    "InterventionDrugName",
    "Radiopharmaceutical",
    "CassetteID",
    "FieldOfViewShape",
    "PhysicalDetectorSize",
    "ApplicatorDescription",
    "WindowCenterWidthExplanation",
    "ModalityLUTType",
    "LUTExplanation",
    "ContentLabel",
    "RadionuclideCodeMeaning",
    "PresentationLUTShapeExplanation",
    "SegmentLabel",
    "ROIObservationLabel",
    "StructureSetLabel",
    "RTPlanName",
    "DoseComment",
    "EffectiveSeriesDuration",
    "TreatmentIntent",
    "CompressionDescription",
    "VolumeLocalizationTechnique",
]

# Every listed attribute that the header of each file carries, and the fact that stands in it.
HEADER = {
    "OtherPatientNames": "name",
    "PatientBirthName": "name",
    "PatientTelephoneNumbers": "phone",
    "PatientTelecomInformation": "mail",
    "PatientComments": "any",
    "IssuerOfPatientID": "clinic",
    "MedicalRecordLocator": "record",
    "PatientInsurancePlanCodeText": "any",
    "AdditionalPatientHistory": "any",
    "Occupation": "any",
    "StudyComments": "any",
    "ImageComments": "any",
    "InstitutionalDepartmentName": "clinic",
    "RequestingService": "clinic",
    "ReferringPhysicianAddress": "address",
    "ReferringPhysicianTelephoneNumbers": "phone",
    "CurrentPatientLocation": "any",
    "ReasonForStudy": "any",
    "RequestedProcedureComments": "any",
    "AdmissionID": "accession",
    "DetectorID": "serial",
    "GantryID": "serial",
    "PerformedStationName": "any",
    "PerformedProcedureStepDescription": "any",
    "AcquisitionComments": "any",
}


@cache
def listed() -> frozenset[int]:
    """Tags of Table E.1-1 of PS3.15 (groups 50xx, 60xx and private ones left out)."""
    return frozenset(int(word, 16) for word in LISTED_FILE.read_text(encoding="ascii").split())


@cache
def listed_texts() -> tuple[int, ...]:
    """Listed text attributes, in the order of their tags."""
    return tuple(tag for tag in _texts((*FREE_TEXT, "PN")) if tag in listed())


@cache
def unlisted_texts() -> tuple[int, ...]:
    """Text attributes of the dictionary that are not in the table."""
    return tuple(tag for tag in _texts(FREE_TEXT) if tag not in listed())


@cache
def retired_texts() -> tuple[int, ...]:
    """Text attributes that an edition retired."""
    retired = {tag for tag, row in DicomDictionary.items() if row[3] == "Retired"}
    return tuple(tag for tag in unlisted_texts() if tag in retired)


@cache
def likely() -> tuple[int, ...]:
    """Tags of :data:`LIKELY` that the dictionary knows as text and the table does not list."""
    tags = [tag_for_keyword(word) for word in LIKELY]
    return tuple(tag for tag in tags if tag is not None and tag not in listed() and _vr(tag) in (*FREE_TEXT, "CS"))


def _vr(tag: int) -> str:
    return DicomDictionary[tag][0]


def _texts(kinds: tuple[str, ...]) -> list[int]:
    def plain(tag: int) -> bool:
        group = tag >> 16
        return 0x0008 <= group < 0x5000 and group % 2 == 0 and DicomDictionary[tag][4] not in _STRUCTURAL

    return sorted(tag for tag in DicomDictionary if plain(tag) and _vr(tag) in kinds and DicomDictionary[tag][4])
