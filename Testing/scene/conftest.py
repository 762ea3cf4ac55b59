"""A result on a small head, in space, with a patient who does not exist."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import slicer

from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.scene.render import ORIENTATIONS
from slicermedai.scene.views import DrawingScene, SliceView, opened
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


@pytest.fixture(scope="module")
def slice_views() -> Iterator[dict[str, SliceView]]:
    """Three small views, kept for a whole file: made anew they would take longer than what they show."""
    with ExitStack() as stack:
        drawing = stack.enter_context(DrawingScene(""))
        yield {one: stack.enter_context(opened(SliceView(drawing, one, (120, 120)))) for one in ORIENTATIONS}
