"""Alarms ring for what is unlike the record's patients, seldom for what is like them, and in words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from slicermedai.confidence.appearance import EXTENT, NETWORK, SPACING, TEXTURE, appearance, extents
from slicermedai.confidence.ood import (
    OodReport,
    OodState,
    VolumeRange,
    age_doubts,
    fit_ood,
    fit_volume_ranges,
    volume_alarms,
)
from slicermedai.confidence.run import origin_of
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from Testing.corpus.trust.phantoms import Phantom, phantoms

FloatArray = np.ndarray


def volume(array: FloatArray, spacing: tuple[float, ...] = (2.5, 1.5, 1.5)) -> Volume:
    return Volume(array=array, geometry=Geometry.from_axes(array.shape, spacing=spacing))


@pytest.fixture(scope="module")
def cohort() -> list[Phantom]:
    return list(phantoms(70, seed=31, hard=False))


@pytest.fixture(scope="module")
def reference(cohort: list[Phantom]):  # type: ignore[no-untyped-def]
    seen = cohort[:40]
    return fit_ood([appearance(volume(c.image)) for c in seen], subjects=[c.subject for c in seen])


SHIFTS = {
    "noise": lambda a: a + np.random.default_rng(0).normal(0, 25, a.shape).astype(np.float32),
    "blur": lambda a: gaussian_filter(a, 2.0),
    "offset": lambda a: a + 60,
    "crop": lambda a: a[:, :20],
}


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_rings_and_says_so_in_words(shift: str, cohort: list[Phantom], reference) -> None:  # type: ignore[no-untyped-def]
    reports = [reference.report(appearance(volume(SHIFTS[shift](case.image)))) for case in cohort[40:]]
    assert np.mean([report.state is OodState.OUTSIDE for report in reports]) >= 0.9
    assert "unlike the 40 patients of the trust record" in reports[0].alarms[0].reason


def test_a_crop_is_named_as_field_of_view_and_noise_as_noise(cohort: list[Phantom], reference) -> None:  # type: ignore[no-untyped-def]
    crop = reference.report(appearance(volume(SHIFTS["crop"](cohort[50].image))))
    noise = reference.report(appearance(volume(SHIFTS["noise"](cohort[50].image))))
    assert EXTENT in [alarm.check for alarm in crop.alarms]
    assert TEXTURE in [alarm.check for alarm in noise.alarms]


def test_other_spacing_rings_where_the_record_knows_one_alone(cohort: list[Phantom], reference) -> None:  # type: ignore[no-untyped-def]
    thick = reference.report(appearance(volume(cohort[50].image, (5.0, 1.5, 1.5))))
    assert SPACING in [alarm.check for alarm in thick.alarms]


def test_false_alarms_stay_at_alpha_for_all_checks_together(cohort: list[Phantom], reference) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    rings = []
    for _ in range(60):
        known = [{"a": rng.normal(size=3), "b": rng.normal(size=5), "c": rng.normal(size=2)} for _ in range(31)]
        report = fit_ood(known[:30], subjects=[str(n) for n in range(30)]).report(known[30])
        rings.append(report.state is OodState.OUTSIDE)
    assert np.mean(rings) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 60)
    like = [reference.report(appearance(volume(case.image))).state for case in cohort[40:]]
    assert np.mean([state is OodState.OUTSIDE for state in like]) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 30)


def test_eighteen_patients_are_too_few_for_an_alarm_and_that_is_said() -> None:
    rng = np.random.default_rng(2)
    reference = fit_ood([{"a": rng.normal(size=2)} for _ in range(18)], subjects=[str(n) for n in range(18)])
    report = reference.report({"a": np.array([99.0, 99.0])})
    assert (report.state, report.alarms) == (OodState.NOT_ASSESSED, ())
    assert "18 patients are too few: 19 are needed" in report.unchecked[0]


def test_copies_of_a_patient_do_not_make_it_enough() -> None:
    rng = np.random.default_rng(2)
    reference = fit_ood([{"a": rng.normal(size=2)} for _ in range(60)], subjects=[str(n % 6) for n in range(60)])
    assert len(reference.largest) == 6


def test_a_check_that_the_input_lacks_is_listed(cohort: list[Phantom]) -> None:
    rng = np.random.default_rng(3)
    known = [{"a": rng.normal(size=2), NETWORK: rng.normal(size=4)} for _ in range(25)]
    reference = fit_ood(known, subjects=[str(n) for n in range(25)])
    report = reference.report({"a": np.zeros(2)})
    assert report.state is OodState.INSIDE
    assert report.unchecked == (f"{NETWORK}: not known of this input",)


@pytest.mark.parametrize("numbers", [np.zeros(3), np.array([np.nan, 0.0])])
def test_numbers_of_another_network_ring(numbers: FloatArray) -> None:
    rng = np.random.default_rng(4)
    reference = fit_ood([{"a": rng.normal(size=2)} for _ in range(25)], subjects=[str(n) for n in range(25)])
    assert reference.report({"a": numbers}).state is OodState.OUTSIDE


def test_cases_with_other_checks_are_refused() -> None:
    with pytest.raises(InputError, match="the same checks"):
        fit_ood([{"a": np.zeros(1)}, {"b": np.zeros(1)}], subjects=["x", "y"])


def test_the_field_of_view_is_that_of_the_patient_however_the_axes_run() -> None:
    geometry = Geometry.from_axes((10, 20, 30), spacing=(3.0, 1.0, 2.0))
    assert extents(geometry) == pytest.approx([60.0, 20.0, 30.0])
    assert extents(geometry.permuted((2, 0, 1)).flipped((0,))) == pytest.approx([60.0, 20.0, 30.0])


# --- volumes -----------------------------------------------------------------------------------------------------

RANGES = (
    VolumeRange(value=1, name="Brain", low=900, high=1600, youngest=0, oldest=4),
    VolumeRange(value=1, name="Brain", low=1100, high=2000, youngest=4, oldest=120),
)


@pytest.mark.parametrize(
    ("ml", "age", "rings"),
    [(1000, None, 0), (1000, 50, 1), (1000, 2, 0), (1900, 2, 1), (2500, None, 1), (0, None, 1), (1500, 300, 0)],
)
def test_an_implausible_volume_rings_at_the_age_it_is_implausible(ml: float, age: float | None, rings: int) -> None:
    alarms = volume_alarms({1: ml} if ml else {}, RANGES, age=age)
    assert len(alarms) == rings
    assert all("Brain measures" in alarm.reason and "is plausible" in alarm.reason for alarm in alarms)


def test_a_volume_alarm_changes_the_state_and_is_listed() -> None:
    joined = OodReport(state=OodState.INSIDE, p=0.5).joined(volume_alarms({1: 5000}, RANGES))
    assert joined.state is OodState.OUTSIDE
    assert [alarm.check for alarm in joined.alarms] == ["volume"]
    assert OodReport(state=OodState.INSIDE).joined(()).state is OodState.INSIDE


def test_ranges_are_those_of_the_references_and_false_alarms_stay_rare_however_many_structures() -> None:
    rng, rings = np.random.default_rng(7), []
    labels = [(value, f"Part {value}") for value in range(1, 13)]
    for _ in range(60):
        volumes = np.exp(rng.normal(np.linspace(1, 7, 12), 0.2, (40, 12)))
        ranges = fit_volume_ranges(volumes, labels, subjects=[str(n) for n in range(40)])
        assert [found.value for found in ranges] == [value for value, _ in labels]
        fresh = np.exp(rng.normal(np.linspace(1, 7, 12), 0.2, (10, 12)))
        rings += [bool(volume_alarms(dict(enumerate(one, start=1)), ranges)) for one in fresh]
    assert 0.01 < np.mean(rings) < 0.09
    assert volume_alarms(dict.fromkeys(range(1, 13), 1e5), ranges)


def test_a_structure_that_some_patients_lack_may_be_absent_and_a_rare_one_has_no_range() -> None:
    volumes = np.column_stack([np.linspace(90, 110, 24), np.linspace(5, 6, 24), np.linspace(5, 6, 24)])
    volumes[:3, 1], volumes[:15, 2] = 0, 0
    subjects = [str(n) for n in range(24)]
    ranges = fit_volume_ranges(volumes, [(1, "A"), (2, "B"), (3, "C")], subjects=subjects)
    assert [(found.value, found.low > 0) for found in ranges] == [(1, True), (2, False)]
    assert fit_volume_ranges(volumes, [(1, "A"), (2, "B"), (3, "C")], subjects=["one"] * 24) == ()


BANDS = (
    VolumeRange(value=1, name="Brain", low=900, high=2000),
    VolumeRange(value=1, name="Brain", low=900, high=1600, oldest=18 - 1e-6),
    VolumeRange(value=2, name="Kidney", low=50, high=300),
)


@pytest.mark.parametrize(
    ("age", "ml", "rings", "doubts"),
    [(5.0, 1800.0, 1, 0), (5.0, 1500.0, 0, 0), (30.0, 1800.0, 0, 1), (30.0, 2500.0, 1, 1), (None, 1800.0, 0, 0)],
)
def test_patients_of_a_band_are_held_against_their_own_and_others_against_all_with_a_doubt(
    age: float | None, ml: float, rings: int, doubts: int
) -> None:
    assert len(volume_alarms({1: ml, 2: 100.0}, BANDS, age=age)) == rings
    assert len(age_doubts(BANDS, age=age)) == doubts
    assert age_doubts(BANDS[:1], age=age) == ()


@pytest.mark.parametrize(
    ("said", "years"), [("006M", 0.5), ("026W", 0.498), ("073D", 0.2), ("040Y", 40), ("40Y", None)]
)
def test_an_age_of_a_header_is_read_in_any_unit(said: str, years: float | None) -> None:
    assert origin_of([{"PatientAge": said}]).age == (None if years is None else pytest.approx(years, rel=0.01))
