"""For whom a record speaks: what is known of its cases stays known, and what is not is counted."""

from __future__ import annotations

from slicermedai.confidence.sketch import CaseSketch
from slicermedai.validate.fitting import scope_of
from slicermedai.validate.running import DoneCase


def a_case(**groups: str) -> DoneCase:
    return DoneCase(
        subject="s", scores={}, sketch=CaseSketch(subject="s", sketches={}), blind={}, looks={}, groups=groups
    )


def test_one_case_of_an_unknown_maker_does_not_open_the_scope_to_all_makers() -> None:
    cases = [a_case(modality="CT", manufacturer=maker, site="A") for maker in ("X", "Y", "X")]
    scope = scope_of([*cases, a_case(modality="CT")])
    assert (scope.modalities, scope.manufacturers, scope.sites) == (("CT",), ("X", "Y"), ("A",))
    assert scope.unknown == {"manufacturer": 1, "site": 1, "protocol": 4}
