"""A result on a small head, in space, with a patient who does not exist."""

from __future__ import annotations

import dataclasses

import pytest
import slicer

from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from Testing.scene.samples import SmallHead, small_head


@pytest.fixture
def scene() -> object:
    """An empty MRML scene."""
    return slicer.vtkMRMLScene()


@pytest.fixture(scope="session")
def head() -> SmallHead:
    """A head of 5 mm voxels with brain and a capsule on the patient's left."""
    return small_head()


@pytest.fixture
def result(head: SmallHead) -> AnalysisResult:
    """The analysis of :func:`head`: two findings, one measured and not calibrated."""
    return head.result


@pytest.fixture
def volume(head: SmallHead) -> Volume:
    """The image of :func:`head`."""
    return head.volume


@pytest.fixture
def empty_result(result: AnalysisResult) -> AnalysisResult:
    """The same run, had it found nothing."""
    from slicermedai.domain.result import Status

    return dataclasses.replace(result, status=Status.NO_FINDING, findings=(), quality=())
