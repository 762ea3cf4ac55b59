"""What is left in the output, and how well it tells patients apart."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicermedai.deid.dates import DateRule
from slicermedai.deid.risk import LIMITS, RiskReport, assess, patients_of

COHORT: list[dict[str, Any]] = [
    *({"PatientSex": "F", "PatientAge": "050Y"} for _ in range(6)),
    *({"PatientSex": "M", "PatientAge": "050Y"} for _ in range(3)),
    {"PatientSex": "M", "PatientAge": "051Y"},
]
ROWS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"PatientSex": st.sampled_from("MFO"), "PatientAge": st.sampled_from(["030Y", "031Y", "101Y"])}
    ),
    min_size=2,
    max_size=30,
)


def risk_of(*rows: dict[str, Any], dates: DateRule = DateRule.REMOVE) -> RiskReport:
    return assess(rows, dates=dates)


def test_the_figures_are_those_counted_by_hand() -> None:
    found = assess(COHORT, dates=DateRule.REMOVE)
    assert (found.patients, found.classes, found.k, found.max_risk, found.mean_risk) == (10, 3, 1, 1.0, 0.3)
    assert found.below == ((2, 1), (3, 1), (5, 4), (11, 10))
    assert found.attributes == ("age", "sex")


def test_what_drives_the_risk_is_found_by_leaving_it_out() -> None:
    age, sex = assess(COHORT, dates=DateRule.REMOVE).drivers
    assert (age.attribute, age.k, age.unique, age.mean_risk) == ("age", 4, 0, 0.2)
    assert (sex.attribute, sex.k, sex.unique, sex.mean_risk) == ("sex", 1, 1, 0.2)


def test_the_driver_that_helps_most_comes_first() -> None:
    rows = [{"PatientSex": "FM"[n % 2], "StationName": f"CT{n}"} for n in range(8)]
    found = risk_of(*rows)
    assert found.k == 1
    assert (found.drivers[0].attribute, found.drivers[0].k) == ("scanner", 4)
    assert any(
        "Most is told by the scanner: without it k would be 4, patients alone" in line for line in found.sentences()
    )


@given(ROWS)
def test_figures_hold_together_for_any_cohort(rows: list[dict[str, str]]) -> None:
    found = assess(rows, dates=DateRule.REMOVE)
    assert found.k is not None
    assert found.mean_risk is not None
    assert found.max_risk == pytest.approx(1 / found.k)
    assert found.k * (found.classes or 0) <= found.patients == len(rows)
    below = [count for _, count in found.below]
    assert [limit for limit, _ in found.below] == list(LIMITS)
    assert below == sorted(below)
    assert (below[0] > 0) == (found.k == 1)
    assert all(driver.k >= found.k and driver.mean_risk <= found.mean_risk for driver in found.drivers)
    seen = Counter((row.get("PatientSex"), row.get("PatientAge")) for row in rows)
    assert found.k == min(seen.values())
    assert assess(rows[::-1], dates=DateRule.REMOVE).below == found.below


@pytest.mark.parametrize(
    ("rows", "reason"), [([], "there are no patients"), ([COHORT[0]], "there is one patient alone")]
)
def test_a_cohort_without_comparison_gets_no_figures(rows: list[dict[str, str]], reason: str) -> None:
    found = assess(rows, dates=DateRule.SHIFT)
    assert (found.k, found.max_risk, found.mean_risk, found.below, found.drivers) == (None, None, None, (), ())
    assert found.not_assessed.startswith(reason)
    assert found.sentences() == [f"The risk of re-identification was not assessed: {found.not_assessed}."]


def test_nothing_left_means_that_nobody_can_be_told_apart() -> None:
    found = risk_of({}, {"PatientSex": ""}, {"StationName": "REMOVED", "PatientAge": None})
    assert (found.k, found.attributes, found.drivers) == (3, (), ())
    assert found.sentences()[0] == "Of what was looked at nothing is left: the 3 patients cannot be told apart by it."


@pytest.mark.parametrize(
    ("dates", "k"), [(DateRule.KEEP, 1), (DateRule.YEAR_ONLY, 2), (DateRule.SHIFT, 2), (DateRule.REMOVE, 2)]
)
def test_dates_tell_patients_apart_as_far_as_they_were_kept(dates: DateRule, k: int) -> None:
    assert risk_of({"StudyDate": "20200105"}, {"StudyDate": "20200607"}, dates=dates).k == k


def test_a_shift_keeps_the_days_between_examinations_and_they_count() -> None:
    rows = [
        {"StudyDate": days} for days in (["20200101", "20200111"], ["20190501", "20190511"], ["20200101", "20200112"])
    ]
    assert risk_of(*rows, dates=DateRule.SHIFT).below[0] == (2, 1)
    assert risk_of(*rows, dates=DateRule.REMOVE).k == 3


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"PatientSize": "1.801"}, {"PatientSize": "1.8"}, True),
        ({"PatientSize": "1.81"}, {"PatientSize": "1.8"}, False),
        ({"PatientWeight": "79.6"}, {"PatientWeight": 80.2}, True),
        ({"PatientWeight": "80"}, {"PatientWeight": "82"}, False),
        ({"PatientWeight": "heavy"}, {"PatientWeight": "80"}, False),
        ({"PatientAge": "092Y"}, {"PatientAge": "099Y"}, True),
        ({"PatientAge": "018M"}, {"PatientAge": "018Y"}, False),
        ({"EthnicGroup": "Sami "}, {"EthnicGroup": "SAMI"}, True),
        ({"InstitutionName": "A"}, {"InstitutionName": "B"}, False),
        ({"ManufacturerModelName": "X"}, {"StationName": "X"}, False),
        ({"PatientSex": "F"}, {}, False),
    ],
)
def test_values_are_compared_as_a_person_would_know_them(one: Any, other: Any, alike: bool) -> None:
    assert risk_of(one, other).k == (2 if alike else 1)


def test_files_become_patients_with_all_their_values() -> None:
    headers = [
        {"PatientID": "MEDAI-A", "PatientAge": "050Y", "StudyDate": "20200101", "PatientName": "MEDAI-A"},
        {"PatientID": "MEDAI-A", "PatientAge": "051Y", "StudyDate": "20210101", "PatientSex": None},
        {"PatientID": "MEDAI-B", "PatientAge": "050Y"},
        {"PatientAge": "050Y"},
    ]
    rows = patients_of(headers)
    assert rows == (
        {"PatientAge": ("050Y", "051Y"), "StudyDate": ("20200101", "20210101")},
        {"PatientAge": ("050Y",)},
        {"PatientAge": ("050Y",)},
    )
    assert assess(rows, dates=DateRule.SHIFT).below[0] == (2, 1)


def test_a_report_is_plain_json_and_says_what_it_does_not_say() -> None:
    found = assess(COHORT, dates=DateRule.SHIFT)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["below"] == {"2": 1, "3": 1, "5": 4, "11": 10}
    assert (plain["k"], plain["dates"], plain["drivers"][0]["attribute"]) == (1, "shift", found.drivers[0].attribute)
    assert plain["sentences"] == found.sentences()
    assert "l-diversity is not claimed" in plain["sentences"][-1]
    assert "alone in their group: 1; in groups smaller than 3: 1, in groups smaller than 5: 4," in plain["sentences"][2]
    assert "100 % at most and 30 % on average" in plain["sentences"][3]
