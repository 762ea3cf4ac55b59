"""Coded concepts on their way to and from DICOM, and the fixed codes that our objects use (PS3.16 annex D).

No code here is private. A raw network score has none: only a calibrated value may be coded as a probability.
"""

from __future__ import annotations

from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset

from slicermedai.domain.codes import ANATOMY, Code

SIDES = (
    Code(value="24028007", scheme="SCT", meaning="Right"),
    Code(value="7771000", scheme="SCT", meaning="Left"),
    Code(value="51440002", scheme="SCT", meaning="Bilateral"),
    Code(value="66459002", scheme="SCT", meaning="Unilateral"),
)
"""Laterality (CID 244)."""

ANATOMICAL = (ANATOMY, Code(value="91723000", scheme="SCT", meaning="Anatomical Structure"))
"""Categories of structures: the one of Slicer's terminologies, and that of CID 7150."""

AI_FAMILY = Code(value="123110", scheme="DCM", meaning="Artificial Intelligence")

PROCESSING_EQUIPMENT = Code(value="109102", scheme="DCM", meaning="Processing Equipment")
DERIVED_BY_SEGMENTATION = Code(value="113076", scheme="DCM", meaning="Segmentation")
PROCESSED_FROM = Code(value="121322", scheme="DCM", meaning="Source image for image processing operation")

QUALITATIVE_EVALUATIONS = Code(value="C0034375", scheme="UMLS", meaning="Qualitative Evaluations")
ALGORITHM_SUMMARY = Code(value="111017", scheme="DCM", meaning="CAD Processing and Findings Summary")
SUCCEEDED_WITHOUT_FINDINGS = Code(value="111241", scheme="DCM", meaning="All algorithms succeeded; without findings")
SUCCEEDED_WITH_FINDINGS = Code(value="111242", scheme="DCM", meaning="All algorithms succeeded; with findings")
NONE_SUCCEEDED = Code(value="111245", scheme="DCM", meaning="No algorithms succeeded; without findings")
COMMENT = Code(value="121106", scheme="DCM", meaning="Comment")
ALGORITHM_NAME = Code(value="111001", scheme="DCM", meaning="Algorithm Name")
ALGORITHM_VERSION = Code(value="111003", scheme="DCM", meaning="Algorithm Version")
VALUE_INDETERMINATE = Code(value="114011", scheme="DCM", meaning="Value indeterminate")
"""Numeric Value Qualifier (CID 42) of a measurement without a number."""

ALGORITHM_PARAMETERS = Code(value="111002", scheme="DCM", meaning="Algorithm Parameters")

QUANTITY = Code(value="246205007", scheme="SCT", meaning="Quantity")
PROBABILITY = Code(value="122157", scheme="DCM", meaning="Probability")
PROBABILITIES = (
    PROBABILITY,
    Code(value="110854", scheme="DCM", meaning="Fractional Probabilistic Segmentation"),
    Code(value="111047", scheme="DCM", meaning="Probability of cancer"),
    Code(value="111011", scheme="DCM", meaning="Certainty of Feature"),
    Code(value="111012", scheme="DCM", meaning="Certainty of Finding"),
    Code(value="111013", scheme="DCM", meaning="Certainty of Impression"),
)
"""What only a calibrated number may be called."""

FINDING = Code(value="121071", scheme="DCM", meaning="Finding")
FINDING_CATEGORY = Code(value="276214006", scheme="SCT", meaning="Finding category")
LATERALITY = Code(value="272741003", scheme="SCT", meaning="Laterality")
TOPOGRAPHY = Code(value="106233006", scheme="SCT", meaning="Topographical modifier")
MEASUREMENT_GROUP = Code(value="125007", scheme="DCM", meaning="Measurement Group")
TRACKING_UID = Code(value="112040", scheme="DCM", meaning="Tracking Unique Identifier")
DERIVATION = Code(value="121401", scheme="DCM", meaning="Derivation")
LOWER_LIMIT = Code(value="371885007", scheme="SCT", meaning="Lower limit")
UPPER_LIMIT = Code(value="371886008", scheme="SCT", meaning="Upper limit")

REFERENCED_SEGMENT = Code(value="121191", scheme="DCM", meaning="Referenced Segment")
VISUAL_EXPLANATION = Code(value="130401", scheme="DCM", meaning="Visual explanation")
"""What a map is to the finding that it explains; the map itself has a quantity of CID 217."""

SOURCE_SERIES = Code(value="121232", scheme="DCM", meaning="Source series for segmentation")
IMAGE_LIBRARY = Code(value="111028", scheme="DCM", meaning="Image Library")
IMAGE_LIBRARY_GROUP = Code(value="126200", scheme="DCM", meaning="Image Library Group")
SOURCE = Code(value="260753009", scheme="SCT", meaning="Source")
MODALITY = Code(value="121139", scheme="DCM", meaning="Modality")
FRAME_OF_REFERENCE = Code(value="112227", scheme="DCM", meaning="Frame of Reference UID")
PIXEL_ROWS = Code(value="110910", scheme="DCM", meaning="Pixel Data Rows")
PIXEL_COLUMNS = Code(value="110911", scheme="DCM", meaning="Pixel Data Columns")
HORIZONTAL_SPACING = Code(value="111026", scheme="DCM", meaning="Horizontal Pixel Spacing")
VERTICAL_SPACING = Code(value="111066", scheme="DCM", meaning="Vertical Pixel Spacing")
POSITION = tuple(
    Code(value=value, scheme="DCM", meaning=f"Image Position (Patient) {axis}")
    for value, axis in (("110901", "X"), ("110902", "Y"), ("110903", "Z"))
)
ORIENTATION = tuple(
    Code(value=value, scheme="DCM", meaning=f"Image Orientation (Patient) {axis}")
    for value, axis in (
        ("110904", "Row X"),
        ("110905", "Row Y"),
        ("110906", "Row Z"),
        ("110907", "Column X"),
        ("110908", "Column Y"),
        ("110909", "Column Z"),
    )
)
PIXELS = Code(value="{pixels}", scheme="UCUM", meaning="Pixels")
COSINE = Code(value="{-1:1}", scheme="UCUM", meaning="{-1:1}")

_IMAGING_PROCEDURE = Code(value="363679005", scheme="SCT", meaning="Imaging procedure")
_PROCEDURES = {
    "CT": Code(value="25045-6", scheme="LN", meaning="CT unspecified body region"),
    "MR": Code(value="25056-3", scheme="LN", meaning="MRI unspecified body region"),
    "PT": Code(value="44136-0", scheme="LN", meaning="PET unspecified body region"),
    "NM": Code(value="49118-3", scheme="LN", meaning="NM unspecified body region"),
}
_MODALITIES = {
    "CT": Code(value="CT", scheme="DCM", meaning="Computed Tomography"),
    "MR": Code(value="MR", scheme="DCM", meaning="Magnetic Resonance"),
    "PT": Code(value="PT", scheme="DCM", meaning="Positron emission tomography"),
    "NM": Code(value="NM", scheme="DCM", meaning="Nuclear Medicine"),
    "US": Code(value="US", scheme="DCM", meaning="Ultrasound"),
    "XA": Code(value="XA", scheme="DCM", meaning="X-Ray Angiography"),
    "CR": Code(value="CR", scheme="DCM", meaning="Computed Radiography"),
    "DX": Code(value="DX", scheme="DCM", meaning="Digital Radiography"),
    "MG": Code(value="MG", scheme="DCM", meaning="Mammography"),
    "IO": Code(value="IO", scheme="DCM", meaning="Intra-oral Radiography"),
    "PX": Code(value="PX", scheme="DCM", meaning="Panoramic X-Ray"),
    "RF": Code(value="RF", scheme="DCM", meaning="Radiofluoroscopy"),
    "OP": Code(value="OP", scheme="DCM", meaning="Ophthalmic Photography"),
    "XC": Code(value="XC", scheme="DCM", meaning="External-camera Photography"),
    "ES": Code(value="ES", scheme="DCM", meaning="Endoscopy"),
}
_OTHER_MODALITY = Code(value="OT", scheme="DCM", meaning="Other Modality")


def procedure(modality: str) -> Code:
    """The procedure that was reported on, as far as the modality tells (PS3.16 CID 100)."""
    return _PROCEDURES.get(modality, _IMAGING_PROCEDURE)


def acquisition(modality: str) -> Code:
    """The code of a DICOM Modality (PS3.16 CID 29)."""
    return _MODALITIES.get(modality, _OTHER_MODALITY)


def concept(code: Code) -> CodedConcept:
    """``code`` as an item of a code sequence (PS3.3 table 8.8-1)."""
    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)


def from_item(item: Dataset) -> Code:
    """The code in an item of a code sequence, long and URN values included."""
    for keyword in ("CodeValue", "LongCodeValue", "URNCodeValue"):
        if item.get(keyword):
            return Code(value=str(item[keyword].value), scheme=_scheme(item), meaning=str(item.CodeMeaning))
    raise ValueError("an item of a code sequence has no code value")


def _scheme(item: Dataset) -> str:
    return str(item.get("CodingSchemeDesignator") or "URN")
