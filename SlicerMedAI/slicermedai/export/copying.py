"""Elements of a source taken over into an object, free of the source's own character set."""

from __future__ import annotations

from typing import Any

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import PersonName


def copy_into(dataset: Dataset, source: Dataset, keywords: tuple[str, ...]) -> None:
    """Add those of ``keywords`` to ``dataset`` that ``source`` has."""
    for keyword in keywords:
        if keyword in source:
            dataset.add(_element(source[keyword]))


def copied(source: Dataset, keywords: tuple[str, ...]) -> Dataset:
    """A data set of those of ``keywords`` that ``source`` has."""
    made = Dataset()
    copy_into(made, source, keywords)
    return made


def _element(element: DataElement) -> DataElement:
    """A copy that is free of its old data set's character set; odd values pass as they are."""
    return DataElement(element.tag, element.VR, _value(element.value), validation_mode=config.IGNORE)


def _value(value: Any) -> Any:
    if isinstance(value, Sequence):
        return [_dataset(item) for item in value]
    if isinstance(value, PersonName):
        return str(value)
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return [_value(item) for item in value]
    return value


def _dataset(item: Dataset) -> Dataset:
    made = Dataset()
    for element in item:
        made.add(_element(element))
    return made
