"""A map of saliency is linked to the findings of its target, and to no others."""

from __future__ import annotations

import numpy as np
import pytest

from slicermedai.confidence.explained import explained
from slicermedai.confidence.saliency import SALIENCY
from slicermedai.confidence.samples import DISAGREEMENT
from slicermedai.domain.codes import ANATOMY, NO_UNITS, Code, Label
from slicermedai.domain.finding import Finding
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import Map

_GRID = Geometry.from_axes((2, 2, 2))
_LEFT, _RIGHT = (
    Code(value="7771000", scheme="SCT", meaning="Left"),
    Code(value="24028007", scheme="SCT", meaning="Right"),
)


def a_finding(uid: str, side: Code) -> Finding:
    kind = Code(value="64033007", scheme="SCT", meaning="Kidney")
    return Finding(tracking_uid=uid, label=Label(name="Kidney", category=ANATOMY, type=kind, modifier=side))


def a_map(target: str, quantity: Code = SALIENCY) -> Map:
    about = (("method", "Grad-CAM"), ("target", target)) if target else ()
    array = np.zeros(_GRID.shape, np.float32)
    return Map(name="m", quantity=quantity, unit=NO_UNITS, array=array, geometry=_GRID, about=about)


@pytest.mark.parametrize(
    ("target", "uids"),
    [
        ("Kidney, left", ("1.1",)),
        ("Kidney, right, part 2 by size", ("1.2",)),
        ("Kidney", ()),
        ("Liver", ()),
        ("", ()),
    ],
)
def test_a_map_explains_the_finding_of_its_name_and_side(target: str, uids: tuple[str, ...]) -> None:
    findings = (a_finding("1.1", _LEFT), a_finding("1.2", _RIGHT))
    (made,) = explained([a_map(target)], findings)
    assert made.explains == uids


def test_a_map_that_is_no_saliency_explains_nothing() -> None:
    (made,) = explained([a_map("Kidney, left", DISAGREEMENT)], (a_finding("1.1", _LEFT),))
    assert made.explains == ()
