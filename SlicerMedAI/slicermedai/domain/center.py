"""Where a finding is looked at: a place inside it."""

from __future__ import annotations

import numpy as np

from slicermedai.domain.finding import Box, Finding, Point
from slicermedai.domain.geometry import FloatArray
from slicermedai.errors import InputError


def finding_center(finding: Finding) -> FloatArray:
    """LPS mm, 3 numbers: a place inside the finding, nearest to the middle of what it covers.

    Raises
    ------
    InputError
        The finding has no region, or an empty one.
    """
    region = finding.region
    if isinstance(region, Point):
        return np.array(region.position)
    if isinstance(region, Box):
        return np.asarray((np.array(region.low) + np.array(region.high)) / 2, dtype=np.float64)
    if region is None:
        raise InputError("a finding without a region has no centre", attribute="region")
    places = np.argwhere(region.to_array())
    if not len(places):
        raise InputError("an empty region has no centre", attribute="region")
    nearest = np.square(places - places.mean(axis=0)).sum(axis=1).argmin()
    return np.asarray(region.geometry.to_lps(places[nearest]))
