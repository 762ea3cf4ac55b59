"""Objects that are not plain images: SR, presentation states, RT, segmentations, encapsulated documents."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from Testing.corpus.deid.images import code
from Testing.corpus.deid.planting import Planter

SOP_CLASSES = {
    "SR": "1.2.840.10008.5.1.4.1.1.88.33",
    "GSPS": "1.2.840.10008.5.1.4.1.1.11.1",
    "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3",
    "RTPLAN": "1.2.840.10008.5.1.4.1.1.481.5",
    "SEG": "1.2.840.10008.5.1.4.1.1.66.4",
    "PDF": "1.2.840.10008.5.1.4.1.1.104.1",
    "CDA": "1.2.840.10008.5.1.4.1.1.104.2",
}
MODALITIES = {"GSPS": "PR", "PDF": "DOC", "CDA": "DOC"}
SR, GRAPHICS, DOCUMENT, RT = "SR", "graphics", "document", "RT"


@dataclass(frozen=True)
class Target:
    """The image that an object is about."""

    file: str
    sop_class: str
    instance: str
    series: str
    frame: str


def make_object(kind: str, planter: Planter, target: Target) -> tuple[Dataset, list[tuple[str, str]]]:
    """The data set and its references: (path, what) pairs that name the target."""
    data = Dataset()
    data.SOPClassUID, data.Modality = SOP_CLASSES[kind], MODALITIES.get(kind, kind)
    data.StudyTime, data.ContentTime, data.SeriesNumber = "093000", "113000", planter.rng.randrange(50, 90)
    data.PatientSex = planter.rng.choice("MF")
    return data, MAKE[kind](data, planter, target)


def _names(item: Dataset, target: Target) -> Dataset:
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = target.sop_class, target.instance
    return item


def _series_reference(data: Dataset, planter: Planter, target: Target) -> list[tuple[str, str]]:
    item, path = planter.inside(data, "ReferencedSeriesSequence")
    item.SeriesInstanceUID = target.series
    inner, deep = planter.inside(
        item, "ReferencedImageSequence" if data.Modality == "PR" else "ReferencedInstanceSequence", path
    )
    _names(inner, target)
    return [(path + "0020000E", "series"), (deep + "00081155", "instance")]


# --- structured report (PS3.3 C.17.3) ------------------------------------------------------------------------------


def _report(data: Dataset, planter: Planter, target: Target) -> list[tuple[str, str]]:
    data.ValueType, data.ContinuityOfContent = "CONTAINER", "SEPARATE"
    data.CompletionFlag, data.VerificationFlag = "COMPLETE", "UNVERIFIED"
    data.ConceptNameCodeSequence = Sequence([code("126000", "DCM", "Imaging Measurement Report")])
    data.ContentSequence = Sequence([])
    for line in range(3):
        item, path = _content(data, planter, ("TEXT", code("121071", "DCM", "Finding")))
        text, tokens = planter.text(("name", "any", "record")[line], "UT")
        item.TextValue = text
        planter.note(SR, path + "0040A160", tokens)
    _person_items(data, planter)
    for index in range(4):
        _measurement(data, planter, index)
    item, path = _content(data, planter, ("CODE", code("121071", "DCM", "Finding")))
    item.ConceptCodeSequence = Sequence([code("M-01000", "SRT", "")])
    text, tokens = planter.text("name", "LO")
    item.ConceptCodeSequence[0].CodeMeaning = text
    planter.note(SR, path + "0040A168[0]/00080104", tokens)
    item, path = _content(data, planter, ("IMAGE", code("121112", "DCM", "Source of Measurement")))
    item.ReferencedSOPSequence = Sequence([_names(Dataset(), target)])
    return [(path + "00081199[0]/00081155", "instance"), *_evidence(data, planter, target)]


def _content(data: Dataset, planter: Planter, what: tuple[str, Dataset]) -> tuple[Dataset, str]:
    item, path = planter.inside(data, "ContentSequence")
    item.RelationshipType, item.ValueType = "CONTAINS", what[0]
    item.ConceptNameCodeSequence = Sequence([what[1]])
    return item, path


def _person_items(data: Dataset, planter: Planter) -> None:
    for concept, person in (("121008", planter.study.reader), ("121029", planter.study.patient.person)):
        item, path = _content(data, planter, ("PNAME", code(concept, "DCM", "Person Name")))
        planter.plant_person(item, "PersonName", (path, SR), person)
    birth = f"{planter.study.patient.birth:%Y%m%d}"
    item, path = _content(data, planter, ("DATE", code("121031", "DCM", "Subject Birth Date")))
    item.Date = birth
    planter.note(SR, path + "0040A121", (birth,))
    item, path = _content(data, planter, ("UIDREF", code("112040", "DCM", "Tracking Unique Identifier")))
    item.UID = f"2.25.{planter.rng.getrandbits(120)}"
    planter.note(SR, path + "0040A124", (item.UID,))


def _measurement(data: Dataset, planter: Planter, index: int) -> None:
    concept = (("G-D705", "Volume"), ("G-D7FE", "Length"), ("R-00317", "Mean"), ("M-02550", "Diameter"))[index]
    item, path = _content(data, planter, ("NUM", code(concept[0], "SRT", concept[1])))
    measured = Dataset()
    measured.NumericValue = f"{planter.rng.randrange(10, 9999)}.{planter.rng.randrange(1, 99):02}"
    measured.MeasurementUnitsCodeSequence = Sequence([code("mm3", "UCUM", "mm3")])
    item.MeasuredValueSequence = Sequence([measured])
    if index == 0:
        inner, deep = planter.inside(item, "ContentSequence", path)
        inner.RelationshipType, inner.ValueType = "HAS PROPERTIES", "TEXT"
        inner.ConceptNameCodeSequence = Sequence([code("121106", "DCM", "Comment")])
        inner.TextValue, tokens = planter.text("name", "UT")
        planter.note(SR, deep + "0040A160", tokens)


def _evidence(data: Dataset, planter: Planter, target: Target) -> list[tuple[str, str]]:
    item, path = planter.inside(data, "CurrentRequestedProcedureEvidenceSequence")
    item.StudyInstanceUID = data.get("StudyInstanceUID", "2.25.1")
    inner, deep = planter.inside(item, "ReferencedSeriesSequence", path)
    inner.SeriesInstanceUID = target.series
    leaf, deepest = planter.inside(inner, "ReferencedSOPSequence", deep)
    _names(leaf, target)
    return [(deep + "0020000E", "series"), (deepest + "00081155", "instance")]


# --- presentation state (PS3.3 C.10.5) -----------------------------------------------------------------------------


def _state(data: Dataset, planter: Planter, target: Target) -> list[tuple[str, str]]:
    data.PresentationCreationTime, data.PresentationLUTShape = "120000", "IDENTITY"
    references = _series_reference(data, planter, target)
    layer, path = planter.inside(data, "GraphicLayerSequence")
    layer.GraphicLayer, layer.GraphicLayerOrder = "LAYER1", 1
    planter.plant(layer, "GraphicLayerDescription", (path, GRAPHICS), "name")
    item, path = planter.inside(data, "GraphicAnnotationSequence")
    item.GraphicLayer = "LAYER1"
    for kind in ("name", "birth date", "any"):
        note, deep = planter.inside(item, "TextObjectSequence", path)
        note.BoundingBoxAnnotationUnits, note.AnchorPointAnnotationUnits = "PIXEL", "PIXEL"
        note.AnchorPoint, note.AnchorPointVisibility = [20.0, float(planter.rng.randrange(1, 90))], "Y"
        planter.plant(note, "UnformattedTextValue", (deep, GRAPHICS), kind)
    shape, _ = planter.inside(item, "GraphicObjectSequence", path)
    shape.GraphicAnnotationUnits, shape.GraphicDimensions, shape.NumberOfGraphicPoints = "PIXEL", 2, 3
    shape.GraphicData = [float(planter.rng.randrange(1, 500)) for _ in range(6)]
    shape.GraphicType, shape.GraphicFilled = "POLYLINE", "N"
    window, _ = planter.inside(data, "SoftcopyVOILUTSequence")
    window.WindowCenter, window.WindowWidth = str(planter.rng.randrange(10, 90)), "400"
    return references


# --- radiotherapy (PS3.3 C.8.8) ------------------------------------------------------------------------------------


def _structures(data: Dataset, planter: Planter, target: Target) -> list[tuple[str, str]]:
    data.StructureSetLabel, data.StructureSetTime = "RS1", "120000"
    frame, path = planter.inside(data, "ReferencedFrameOfReferenceSequence")
    frame.FrameOfReferenceUID = target.frame
    references = [(path + "00200052", "frame")]
    for number, label in enumerate(("GTV {}", "Heart", "Lung L", "{}"), start=1):
        item, path = planter.inside(data, "StructureSetROISequence")
        item.ROINumber, item.ReferencedFrameOfReferenceUID, item.ROIGenerationAlgorithm = number, target.frame, "MANUAL"
        item.ROIName = label
        if "{}" in label:
            form = planter.form("name", "LO", 40)
            item.ROIName = label.format(form.text)
            planter.note(RT, path + "30060026", form.tokens)
        references.append((path + "30060024", "frame"))
        references += _contour(data, planter, target, number)
        seen, path = planter.inside(data, "RTROIObservationsSequence")
        seen.ObservationNumber, seen.ReferencedROINumber, seen.RTROIInterpretedType = number, number, "ORGAN"
        planter.plant_person(seen, "ROIInterpreter", (path, RT), planter.study.operator)
        planter.plant(seen, "ROIObservationDescription", (path, RT), "any")
    return references


def _contour(data: Dataset, planter: Planter, target: Target, number: int) -> list[tuple[str, str]]:
    item, path = planter.inside(data, "ROIContourSequence")
    item.ReferencedROINumber, item.ROIDisplayColor = number, [planter.rng.randrange(256) for _ in range(3)]
    contour, deep = planter.inside(item, "ContourSequence", path)
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", 12
    contour.ContourData = [f"{planter.rng.randrange(-9999, 9999) / 100:.2f}" for _ in range(36)]
    image, deepest = planter.inside(contour, "ContourImageSequence", deep)
    _names(image, target)
    return [(deepest + "00081155", "instance")]


def _plan(data: Dataset, planter: Planter, target: Target) -> list[tuple[str, str]]:
    data.RTPlanLabel, data.RTPlanTime, data.RTPlanGeometry = "PLAN1", "121500", "PATIENT"
    data.FrameOfReferenceUID = target.frame
    planter.plant(data, "PrescriptionDescription", ("", RT), "name")
    group, path = planter.inside(data, "FractionGroupSequence")
    group.FractionGroupNumber, group.NumberOfFractionsPlanned = 1, planter.rng.randrange(5, 35)
    group.NumberOfBeams, group.NumberOfBrachyApplicationSetups = 2, 0
    for number in (1, 2):
        beam, path = planter.inside(data, "BeamSequence")
        beam.BeamNumber, beam.BeamType, beam.RadiationType = number, "STATIC", "PHOTON"
        beam.SourceAxisDistance, beam.NumberOfControlPoints = "1000", 1
        planter.plant(beam, "BeamDescription", (path, RT), "name")
        planter.plant(beam, "TreatmentMachineName", (path, RT), "any")
        point, _ = planter.inside(beam, "ControlPointSequence", path)
        point.ControlPointIndex, point.NominalBeamEnergy = 0, "6"
        point.GantryAngle, point.PatientSupportAngle = str(planter.rng.randrange(360)), "0"
        point.IsocenterPosition = [f"{planter.rng.randrange(-99, 99)}.5" for _ in range(3)]
    return [("00200052", "frame")]


# --- segmentation (PS3.3 C.8.20) -----------------------------------------------------------------------------------


def _segments(data: Dataset, planter: Planter, target: Target) -> list[tuple[str, str]]:
    side = 32
    data.ImageType, data.SegmentationType = ["DERIVED", "PRIMARY"], "BINARY"
    data.ContentLabel, data.NumberOfFrames, data.Rows, data.Columns = "SEG", "2", side, side
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 1, 1, 0, 0
    data.LossyImageCompression, data.FrameOfReferenceUID = "00", target.frame
    data.PixelData = np.random.default_rng(planter.rng.randrange(2**32)).bytes(side * side * 2 // 8)
    data["PixelData"].VR = "OB"
    planter.plant_person(data, "ContentCreatorName", ("", "listed"), planter.study.operator)
    planter.plant(data, "ContentDescription", ("", "listed"), "name")
    segment, path = planter.inside(data, "SegmentSequence")
    segment.SegmentNumber, segment.SegmentAlgorithmType = 1, "MANUAL"
    planter.plant(segment, "SegmentLabel", (path, "nested"), "name")
    planter.plant(segment, "SegmentDescription", (path, "nested"), "any")
    segment.SegmentedPropertyCategoryCodeSequence = Sequence([code("T-D0050", "SRT", "Tissue")])
    segment.SegmentedPropertyTypeCodeSequence = Sequence([code("T-62000", "SRT", "Liver")])
    references = _series_reference(data, planter, target)
    for index in range(2):
        item, path = planter.inside(data, "PerFrameFunctionalGroupsSequence")
        source, deep = planter.inside(item, "DerivationImageSequence", path)
        image, deepest = planter.inside(source, "SourceImageSequence", deep)
        references.append((deepest + "00081155", "instance"))
        _names(image, target)
        plane, _ = planter.inside(item, "PlanePositionSequence", path)
        plane.ImagePositionPatient = ["-100", "-90", f"{index * 2.5}"]
    return [*references, ("00200052", "frame")]


# --- encapsulated documents (PS3.3 C.24.2) -------------------------------------------------------------------------


def _pdf(data: Dataset, planter: Planter, target: Target) -> list[tuple[str, str]]:
    forms = [planter.ascii_form(kind) for kind in ("name", "birth date", "record")]
    text = " ".join(f"BT /F1 12 Tf 72 {700 - 20 * i} Td ({form.text}) Tj ET" for i, form in enumerate(forms))
    packed = zlib.compress(text.encode("ascii"))
    title = planter.ascii_form("name")
    info = (
        b"<< /Title <"
        + (b"\xfe\xff" + title.text.encode("utf-16-be")).hex().encode()
        + b"> /Author ("
        + (forms[0].text.encode() + b") >>")
    )
    body = (
        b"%PDF-1.4\n1 0 obj " + info + b" endobj\n2 0 obj << /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed)
    )
    _encapsulate(data, body + packed + b"\nendstream endobj\n%%EOF\n", "application/pdf")
    for form in (*forms, title):
        planter.note(DOCUMENT, "00420011", form.tokens)
    planter.plant(data, "DocumentTitle", ("", "unlisted"), "name")
    return []


def _cda(data: Dataset, planter: Planter, target: Target) -> list[tuple[str, str]]:
    forms = [planter.ascii_form(kind) for kind in ("name", "birth date", "address")]
    body = "".join(f"<paragraph>{form.text}</paragraph>" for form in forms)
    text = f'<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3">{body}</ClinicalDocument>'
    _encapsulate(data, text.encode("utf-8"), "text/XML")
    for form in forms:
        planter.note(DOCUMENT, "00420011", form.tokens)
    planter.plant(data, "DocumentTitle", ("", "unlisted"), "any")
    return []


def _encapsulate(data: Dataset, body: bytes, kind: str) -> None:
    data.ConversionType, data.BurnedInAnnotation = "WSD", "YES"
    data.MIMETypeOfEncapsulatedDocument = kind
    data.EncapsulatedDocumentLength = len(body)
    data.EncapsulatedDocument = body + b"\0" * (len(body) % 2)
    data.ConceptNameCodeSequence = Sequence([])


MAKE = {
    "SR": _report,
    "GSPS": _state,
    "RTSTRUCT": _structures,
    "RTPLAN": _plan,
    "SEG": _segments,
    "PDF": _pdf,
    "CDA": _cda,
}
