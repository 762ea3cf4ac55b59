"""DICOM Parametric Map (PS3.3 A.75, C.8.32): probability, uncertainty and saliency per voxel, one object a map.

Values are single precision floats, as they are: slope 1, intercept 0. Each map has one quantity and one unit, and a
shared Frame Anatomy group, without which common readers stop. Frames follow each other along the normal of their
planes, which others take for granted, while their dimension index keeps the order of the grid. Only a calibrated map
may call itself a probability.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from slicermedai.dicom.implementation import MANUFACTURER
from slicermedai.domain.codes import Code
from slicermedai.domain.maps import fixed_range
from slicermedai.domain.result import AnalysisResult, Map
from slicermedai.errors import FormatError
from slicermedai.export import codes, subject
from slicermedai.export.anatomy import frame_anatomy
from slicermedai.export.attributes import BODY_PART, LATERALITY, SPACE
from slicermedai.export.codes import concept
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.image import lossy
from slicermedai.export.multiframe import (
    decimal_strings,
    derivation,
    item,
    referenced_series,
    shared_groups,
)
from slicermedai.export.source import SourceFrame, source_frames

KIND = ObjectKind(
    name="pmap",
    sop_class="1.2.840.10008.5.1.4.1.1.30",
    modality="OT",
    offset=3,
    place=(BODY_PART, LATERALITY, *SPACE),
)
FRAME_TYPE = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
_LARGEST = float(np.finfo(np.float32).max)


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``pmap-1.dcm``, ``pmap-2.dcm`` ..., one for each of the result's maps in their order; none without maps.

    Raises
    ------
    FormatError
        A map on another grid than the source's images, one with voxels that are no single precision numbers, or one
        that calls itself a probability and is not calibrated.
    MissingContextError
        The source has no headers.
    """
    return [_write(result, number, folder, context) for number in range(1, len(result.maps) + 1)]


def _write(result: AnalysisResult, number: int, folder: Path, context: ExportContext) -> Path:
    dataset = _parametric_map(result, result.maps[number - 1], context)
    finish(dataset, context, result=result, kind=KIND, number=number)
    return save(dataset, folder / f"pmap-{number}.dcm")


def _parametric_map(result: AnalysisResult, one: Map, context: ExportContext) -> Dataset:
    _check_probability(one)
    values, header = _values(one), context.header
    sources = source_frames(context, one.geometry)
    order = range(len(values)) if one.geometry.is_right_handed else range(len(values))[::-1]
    dataset = _dimensions(context.uids.other("map dimensions"))
    _image_module(dataset, one, header)
    dataset.ContentCreatorName = subject.line(f"{MANUFACTURER}^{result.provenance.bundle}")
    dataset.ReferencedSeriesSequence = referenced_series(str(header.SeriesInstanceUID), sources)
    dataset.SharedFunctionalGroupsSequence = [_shared(result, one, values, header)]
    dataset.PerFrameFunctionalGroupsSequence = [_frame(one, index, sources[index], result) for index in order]
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = values.shape
    dataset.FloatPixelData = values[list(order)].tobytes()
    return dataset


def _check_probability(one: Map) -> None:
    if one.quantity in codes.PROBABILITIES and one.calibration == "none":
        raise FormatError(
            f"map {one.name!r} is coded as {one.quantity.meaning!r} and was not calibrated",
            attribute="quantity",
            advice="Give the map the code of a score, or calibrate it.",
        )


def _values(one: Map) -> NDArray[np.float32]:
    """Little-endian single precision; what overflows or is no number is refused, never clipped."""
    array = np.asarray(one.array)
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all() or np.abs(array, dtype=float).max() > _LARGEST:
        raise FormatError(f"map {one.name!r} holds voxels that are no single precision numbers", attribute="array")
    return np.ascontiguousarray(array.astype("<f4"))


def _image_module(dataset: Dataset, one: Map, header: Dataset) -> None:
    """Parametric Map Image module (C.8.32.2)."""
    dataset.ImageType = FRAME_TYPE
    dataset.ContentLabel = "MAP"
    dataset.ContentDescription = subject.line(one.name)
    dataset.ContentQualification = "RESEARCH"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.BitsAllocated = 1, "MONOCHROME2", 32
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.BurnedInAnnotation, dataset.RecognizableVisualFeatures = "NO", "NO"
    dataset.ImageComments = "Made by an algorithm, research use only"
    dataset.AcquisitionContextSequence = []
    lossy(dataset, header)


def _dimensions(uid: str) -> Dataset:
    """Frames are told apart by their place along the slices (C.7.6.17)."""
    pointer = item(
        DimensionOrganizationUID=uid,
        DimensionIndexPointer=Tag("ImagePositionPatient"),
        FunctionalGroupPointer=Tag("PlanePositionSequence"),
        DimensionDescriptionLabel="Position",
    )
    return item(
        DimensionOrganizationSequence=[item(DimensionOrganizationUID=uid)],
        DimensionIndexSequence=[pointer],
    )


def _shared(result: AnalysisResult, one: Map, values: NDArray[np.float32], header: Dataset) -> Dataset:
    low, high = float(values.min()), float(values.max())
    made = shared_groups(one.geometry)
    made.FrameAnatomySequence = [frame_anatomy(header)]
    made.PixelValueTransformationSequence = [item(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")]
    first, last = fixed_range(one) or (low, high)
    middle, width = decimal_strings([(first + last) / 2, max(last - first, 1e-6)])
    made.FrameVOILUTSequence = [item(WindowCenter=middle, WindowWidth=width, VOILUTFunction="LINEAR_EXACT")]
    made.ParametricMapFrameTypeSequence = [item(FrameType=FRAME_TYPE)]
    made.RealWorldValueMappingSequence = [_mapping(result, one, (low, high))]
    return made


def _mapping(result: AnalysisResult, one: Map, ends: tuple[float, float]) -> Dataset:
    """Quantity and unit, and which algorithm made them (C.7.6.16.2.11)."""
    return item(
        LUTExplanation=subject.line(one.name),
        LUTLabel=subject.line(one.name)[:16].strip(),
        RealWorldValueSlope=1.0,
        RealWorldValueIntercept=0.0,
        DoubleFloatRealWorldValueFirstValueMapped=ends[0],
        DoubleFloatRealWorldValueLastValueMapped=ends[1],
        MeasurementUnitsCodeSequence=[concept(one.unit)],
        QuantityDefinitionSequence=[
            item(
                ValueType="CODE",
                ConceptNameCodeSequence=[concept(codes.QUANTITY)],
                ConceptCodeSequence=[concept(one.quantity)],
            ),
            *[
                item(ValueType="TEXT", ConceptNameCodeSequence=[concept(name)], TextValue=value)
                for name, value in _algorithm(result, one)
            ],
        ],
    )


def _algorithm(result: AnalysisResult, one: Map) -> list[tuple[Code, str]]:
    about = [f"{name}: {value}" for name, value in one.about]
    parameters = [*subject.algorithm_parameters(result), f"calibration: {one.calibration}", *about]
    return [
        (codes.ALGORITHM_NAME, subject.algorithm_name(result)),
        (codes.ALGORITHM_VERSION, subject.algorithm_version(result)),
        *[(codes.ALGORITHM_PARAMETERS, text) for text in parameters],
    ]


def _frame(one: Map, index: int, source: SourceFrame, result: AnalysisResult) -> Dataset:
    origin = derivation(source, codes.AI_FAMILY)
    made = result.provenance
    origin.DerivationDescription = f"{one.name}, by {made.bundle} {made.bundle_version}"[:1024]
    return item(
        FrameContentSequence=[item(DimensionIndexValues=[index + 1])],
        PlanePositionSequence=[item(ImagePositionPatient=decimal_strings(one.geometry.to_lps((index, 0, 0))))],
        DerivationImageSequence=[origin],
    )
