"""A Parametric Map back as the map that it was: of ours, and of others that keep to regular stacks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from slicermedai.dicom.files import understood
from slicermedai.domain.codes import Code
from slicermedai.domain.result import Map
from slicermedai.errors import FormatError
from slicermedai.export.codes import ALGORITHM_NAME, ALGORITHM_PARAMETERS, ALGORITHM_VERSION, QUANTITY, from_item
from slicermedai.export.frame_read import decoded, is_compressed
from slicermedai.export.frame_stack import stack_of
from slicermedai.export.seg_read import read_dataset

_SOP_CLASS = "1.2.840.10008.5.1.4.1.1.30"
_TYPES = (("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8"), ("PixelData", "<u2"))
_CALIBRATION = "calibration: "


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadMap:
    """A map as the file has it, and the algorithm that it names ("" where it names none)."""

    sop_instance_uid: str
    series_uid: str
    map: Map
    algorithm_name: str
    algorithm_version: str


def read(path: Path) -> ReadMap:
    """Read a Parametric Map with one quantity.

    Raises
    ------
    UnreadableFileError
        Not a DICOM file, or cut off.
    FormatError
        Another kind of object, no quantity or several, frames that are no regular stack, or what it must not hold.
    """
    dataset = read_dataset(path)
    with understood(path):
        return _map(dataset, path)


def _map(dataset: Dataset, path: Path) -> ReadMap:
    if dataset.get("SOPClassUID") != _SOP_CLASS:
        raise FormatError("is no Parametric Map", file=path, attribute="SOPClassUID")
    mapping = _mapping(dataset, path)
    said = [(from_item(one.ConceptNameCodeSequence[0]), one) for one in mapping.get("QuantityDefinitionSequence") or ()]
    quantities = [from_item(one.ConceptCodeSequence[0]) for name, one in said if name == QUANTITY]
    if len(quantities) != 1:
        raise FormatError("does not name one quantity", file=path, attribute="QuantityDefinitionSequence")
    geometry, slices = stack_of(dataset, path)
    array = np.zeros(geometry.shape, dtype=np.float32)
    array[slices] = _frames(dataset, path) * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
    return ReadMap(
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        map=Map(
            name=str(mapping.LUTExplanation),
            quantity=quantities[0],
            unit=from_item(mapping.MeasurementUnitsCodeSequence[0]),
            array=array,
            geometry=geometry,
            calibration=_calibration(_texts(said, ALGORITHM_PARAMETERS)),
        ),
        algorithm_name="".join(_texts(said, ALGORITHM_NAME)[:1]),
        algorithm_version="".join(_texts(said, ALGORITHM_VERSION)[:1]),
    )


def _texts(said: list[tuple[Code, Dataset]], wanted: Code) -> list[str]:
    return [str(one.TextValue) for name, one in said if name == wanted]


def _calibration(parameters: list[str]) -> str:
    named = [text.removeprefix(_CALIBRATION) for text in parameters if text.startswith(_CALIBRATION)]
    return named[0] if named else "none"


def _mapping(dataset: Dataset, path: Path) -> Dataset:
    mappings = list(dataset.SharedFunctionalGroupsSequence[0].get("RealWorldValueMappingSequence") or ())
    if len(mappings) != 1:
        raise FormatError("maps its values in several ways, or in none", file=path, attribute="RealWorldValueMapping")
    found: Dataset = mappings[0]
    return found


def _frames(dataset: Dataset, path: Path) -> NDArray[Any]:
    """(frames, rows, columns) of stored values."""
    shape = (int(dataset.NumberOfFrames), int(dataset.Rows), int(dataset.Columns))
    if "PixelData" in dataset and is_compressed(dataset):
        return decoded(dataset)
    for keyword, kind in _TYPES:
        if keyword in dataset:
            stored: NDArray[Any] = np.frombuffer(dataset[keyword].value, kind)
            if stored.size < math.prod(shape):
                raise FormatError("has fewer voxels than it says", file=path, attribute=keyword)
            return stored[: math.prod(shape)].reshape(shape)
    raise FormatError("has no voxels", file=path, attribute="FloatPixelData")
