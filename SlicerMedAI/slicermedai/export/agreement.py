"""Whether a result's numbers are those of its own masks: no object may say one thing beside another that says more."""

from __future__ import annotations

from slicermedai.domain.counting import is_counted, milliliters
from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import FormatError
from slicermedai.export.codes import PROBABILITIES

TOLERANCE = 1e-4
"""Relative difference between a volume and the sum of its voxels that rounding may make."""


def check_volumes(result: AnalysisResult) -> None:
    """Count the voxels of every finding whose volume was measured by voxel summation.

    Raises
    ------
    FormatError
        A volume is not that of its mask.
    """
    for finding in result.findings:
        for one in finding.measurements:
            if is_counted(one) and isinstance(finding.region, (Mask, PackedMask)):
                _check(finding, finding.region, one.value)


def check_probabilities(result: AnalysisResult) -> None:
    """A probability is a finding's confidence, with its calibration: a number that is merely called so is refused.

    Raises
    ------
    FormatError
        A measurement with the code of a probability or of certainty.
    """
    for finding in result.findings:
        for one in finding.measurements:
            if one.name in PROBABILITIES:
                raise FormatError(
                    f"finding {finding.label.name!r} has a number that is coded as {one.name.meaning!r} and names no "
                    "calibration",
                    attribute="measurements",
                    advice="Give the number the code of a score, or calibrate it.",
                )


def _check(finding: Finding, region: Mask | PackedMask, value: float) -> None:
    counted = milliliters(region)
    if not abs(value - counted) <= TOLERANCE * counted:
        raise FormatError(
            f"the volume of finding {finding.label.name!r} is {value:.6g} ml, and its voxels make {counted:.6g} ml",
            attribute="measurements",
            advice="Measure it again (slicermedai.measure), or take the result as it was saved.",
        )
