"""What differs in time alone is a series over time; b values, angles and acquisitions that meet are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.over_time import recognised
from slicermedai.domain.volume import Volume
from slicermedai.errors import MedAIError
from Testing.fixtures import faults

Write = Callable[..., list[Path]]


def again(files: list[Path], **changes: object) -> None:
    """The same images once more, a minute later, with ``changes``."""
    for file in files:
        copy = file.with_name(f"again-{file.name}")
        copy.write_bytes(file.read_bytes())
        faults.edit(copy, lambda dataset: _second(dataset, changes))


def _second(dataset: Dataset, changes: dict[str, object]) -> None:
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for keyword, value in {"AcquisitionTime": "101100", "AcquisitionNumber": 2, **changes}.items():
        setattr(dataset, keyword, value)


def refusal(folder: Path) -> str:
    with pytest.raises(MedAIError) as caught:
        open_source(folder)
    return str(caught.value)


def first(files: list[Path], **values: object) -> list[Path]:
    for keyword, value in {"AcquisitionTime": "101000", "AcquisitionNumber": 1, **values}.items():
        faults.set_value(files, keyword, value)
    return files


def test_the_same_images_a_minute_later_are_one_series_over_time(a_head: Volume, write: Write) -> None:
    files = first(write(a_head))
    again(files)
    assert "one series over time" in refusal(files[0].parent)
    assert recognised(files[0].parent) is not None


@pytest.mark.parametrize(
    ("keyword", "one", "other"),
    [
        ("SequenceName", "*ep_b50t", "*ep_b800t"),
        ("FlipAngle", "3", "15"),
        ("InversionTime", "100", "2000"),
        ("DiffusionBValue", 50.0, 800.0),
    ],
)
def test_images_of_other_settings_are_no_course(
    a_head: Volume, write: Write, keyword: str, one: object, other: object
) -> None:
    files = first(write(a_head), **{keyword: one})
    again(files, **{keyword: other})
    assert "over time" not in refusal(files[0].parent)
    try:
        found = recognised(files[0].parent)
    except MedAIError:
        found = None
    assert found is None


def test_two_acquisitions_that_meet_in_a_slice_are_no_course(a_head: Volume, write: Write) -> None:
    files = first(write(a_head))
    for file in files[len(files) // 2 :]:
        faults.set_value([file], "AcquisitionNumber", 2)
    again(files[len(files) // 2 - 1 : len(files) // 2])
    assert "over time" not in refusal(files[0].parent)
