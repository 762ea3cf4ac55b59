"""The two identity routes refuse crossings."""

from __future__ import annotations

import pytest

from slicermedai.deid.routes import check_destination, check_study
from slicermedai.domain.study import Identity, Study
from slicermedai.errors import IdentityError


def test_a_pseudonymous_result_is_refused_by_a_destination_that_is_not_marked_research() -> None:
    with pytest.raises(IdentityError, match="not marked research"):
        check_destination(Identity.DEIDENTIFY, destination_is_research=False)


def test_an_identified_result_is_refused_by_a_research_destination() -> None:
    with pytest.raises(IdentityError, match="identified result is refused"):
        check_destination(Identity.KEEP, destination_is_research=True)


def test_results_reach_destinations_of_their_own_route() -> None:
    check_destination(Identity.DEIDENTIFY, destination_is_research=True)
    check_destination(Identity.KEEP, destination_is_research=False)


@pytest.mark.parametrize(
    ("study", "job", "message"),
    [
        (Identity.KEEP, Identity.DEIDENTIFY, "still carries the patient's identity"),
        (Identity.DEIDENTIFY, Identity.KEEP, "is pseudonymous"),
    ],
)
def test_a_study_of_the_other_route_is_refused_without_saying_who_it_is(
    study: Identity, job: Identity, message: str
) -> None:
    with pytest.raises(IdentityError, match=message) as refusal:
        check_study(Study(patient_id="QF-7391586", patient_name="Quillfeather", identity=study), job)
    assert "QF-7391586" not in str(refusal.value)
    assert "Quillfeather" not in str(refusal.value)


@pytest.mark.parametrize("identity", list(Identity))
def test_a_study_of_the_same_route_passes(identity: Identity) -> None:
    check_study(Study(identity=identity), identity)
