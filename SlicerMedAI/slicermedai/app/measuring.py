"""What a person edited is measured anew when it is saved: by the methods of a run, in the child that saves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.same_image import check_image
from slicermedai.domain.volume import Volume
from slicermedai.errors import MedAIError
from slicermedai.measure.again import measured_again

NO_IMAGE = "the image that was analysed is not at hand"
_MAY_BE_ANOTHER = "the image could not be told to be the one that was analysed"
_CANNOT_BE_READ = "the image cannot be read again"
Reading = Callable[[], Volume | None]


def with_measurements(result: AnalysisResult, reviews: Sequence[Review], read: Reading) -> tuple[Review, ...]:
    """``reviews`` in which every edit of a finding of ``result`` has its numbers.

    ``read`` gives the image, or None where nobody knows where it is; it is asked only where there are edits. Where it
    is not surely the image that was analysed, nothing is measured in it, and each number that needs it says why it is
    missing: an edit is saved nevertheless.
    """
    findings = {one.tracking_uid: one for one in result.findings}
    if not any(_is_edit(one, findings) for one in reviews):
        return tuple(reviews)
    volume, why = _image(result, read)
    return tuple(_measured(one, findings, volume, why) for one in reviews)


def _image(result: AnalysisResult, read: Reading) -> tuple[Volume | None, str]:
    """The image that was analysed, or why there is none; a file's name is not said: it may be a person's."""
    try:
        volume = read()
    except (MedAIError, OSError, MemoryError):
        return None, _CANNOT_BE_READ
    if volume is None:
        return None, NO_IMAGE
    try:
        doubt = check_image(result, volume)
    except MedAIError as error:
        return None, error.message
    if doubt or not volume.geometry.same_grid(result.volume_geometry):
        return None, _MAY_BE_ANOTHER
    return volume, ""


def _is_edit(review: Review, findings: dict[str, Finding]) -> bool:
    return review.decision is Decision.EDITED and bool(review.region) and review.tracking_uid in findings


def _measured(review: Review, findings: dict[str, Finding], volume: Volume | None, why: str) -> Review:
    region = review.region
    if not _is_edit(review, findings) or not isinstance(region, (Mask, PackedMask)):
        return review
    if volume is not None and not region.geometry.same_grid(volume.geometry):
        volume, why = None, _MAY_BE_ANOTHER
    if volume is None and review.measurements:
        return review  # of the same voxels, measured when the image was at hand
    columns = findings[review.tracking_uid].measurements
    return replace(review, measurements=measured_again(columns, region, volume=volume, why=why))
