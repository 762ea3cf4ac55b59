"""How far to trust what a model found, said in words where it is not known.

A network's own score is not a probability (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017). It
becomes one only through a calibration record that was measured for this model; without a record the state is "not
calibrated", the raw score is passed on as such, and no probability is made.
"""

from __future__ import annotations

from slicermedai.domain.finding import Confidence, ConfidenceState
from slicermedai.domain.result import Quality


def assess(raw_score: float | None, *, model: str, why: str = "") -> Confidence:
    """The confidence of one finding of ``model`` (as "brain@1.0.2").

    Parameters
    ----------
    raw_score:
        Mean network probability inside the region, 0 to 1, or None where the region is empty.
    why:
        Why no calibration may be used, where there is one that does not apply.
    """
    if raw_score is None:
        return Confidence(
            state=ConfidenceState.NOT_ASSESSED, reason="The model found no voxel of this structure to assess."
        )
    return Confidence(
        state=ConfidenceState.NOT_CALIBRATED,
        raw_score=raw_score,
        reason=f"{why or f'There is no calibration record for {model}'}: the score is the network's own and no"
        " probability.",
    )


def quality_of(tracking_uid: str, *, model: str) -> Quality:
    """The expected quality of one segmented structure: "not assessed", and why."""
    return Quality(
        tracking_uid=tracking_uid,
        reason=f"There is no record from which the quality of a segmentation by {model} could be predicted.",
    )
