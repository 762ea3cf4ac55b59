"""An ejection fraction is told of a coded cavity over one whole heartbeat, and else refused with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pydicom.sr.codedict import codes

from slicermedai.domain.codes import ANATOMY, Code, Label
from slicermedai.domain.course import Curve, Ejection, Moment
from slicermedai.measure.ejection import Beat, ejections
from Testing.fixtures.beating import Beat as Generated

VENTRICLE = Label(
    name="Left ventricle",
    category=ANATOMY,
    type=Code(value="87878005", scheme="SCT", meaning="Left ventricle"),
)
MUSCLE = Label(name="Muscle", category=ANATOMY, type=Code(value="74281007", scheme="SCT", meaning="Myocardium"))
RIGHT = Label(
    name="RV blood pool",
    category=ANATOMY,
    type=Code(value="53085002", scheme="SCT", meaning="Right ventricle"),
)
GENERATED = Generated(frames=12, interval=840.0)


def beat_of(seconds: Sequence[float | None], *, modality: str = "MR", interval: float | None = 0.84) -> Beat:
    moments = tuple(
        Moment(number=number, of=len(seconds), seconds=one, clock="TriggerTime")
        for number, one in enumerate(seconds, 1)
    )
    return Beat(moments=moments, modality=modality, interval=interval)


EVEN = [time / 1000 for time in GENERATED.times]
BEAT = beat_of(EVEN)
TWICE = [0.07 * index for index in range(24)]
TWO_BEATS = [*GENERATED.volumes, *GENERATED.volumes]


def of(
    volumes: Sequence[float], beat: Beat = BEAT, label: Label = VENTRICLE, labels: tuple[Label, ...] = (MUSCLE,)
) -> Ejection:
    curve = Curve(tracking_uid="2.25.1", label=label, volumes=tuple(volumes))
    (found,) = ejections([curve], beat, labels=[label, *labels])
    return found


def test_the_fraction_is_that_of_the_largest_and_smallest_volume_with_their_codes() -> None:
    found = of(GENERATED.volumes)
    assert found.fraction is not None
    assert found.end_diastolic is not None
    assert found.end_systolic is not None
    assert found.fraction.value == pytest.approx(100 * GENERATED.ejection_fraction)
    assert (found.diastole, found.systole) == (0, int(np.argmin(GENERATED.volumes)))
    assert (found.end_diastolic.value, found.end_systolic.value) == (max(GENERATED.volumes), min(GENERATED.volumes))
    assert found.fraction.unit.value == "%"
    assert found.fraction.interval is None


@pytest.mark.parametrize(
    ("label", "modality", "wanted"),
    [
        (VENTRICLE, "MR", codes.cid3833.LeftVentricularEjectionFractionByMR),
        (VENTRICLE, "CT", codes.cid3833.LeftVentricularEjectionFractionByCT),
        (RIGHT, "MR", codes.cid3833.RightVentricularEjectionFractionByMR),
        (RIGHT, "CT", codes.cid3833.RightVentricularEjectionFractionByCT),
        (VENTRICLE, "", codes.SCT.CardiacEjectionFraction),
    ],
)
def test_names_are_those_of_the_standard(label: Label, modality: str, wanted: object) -> None:
    found = of(GENERATED.volumes, replace(BEAT, modality=modality), label)
    assert found.fraction is not None
    assert (found.fraction.name.value, found.fraction.name.scheme) == (wanted.value, wanted.scheme_designator)  # type: ignore[attr-defined]
    assert found.end_diastolic is not None
    volumes = (
        (codes.cid3468.RightVentricularEDVolume, codes.cid3469.RightVentricularESVolume)
        if label is RIGHT
        else (codes.cid3468.LeftVentricularEDVolume, codes.cid3469.LeftVentricularESVolume)
    )
    assert [one.name.value for one in (found.end_diastolic, found.end_systolic) if one] == [v.value for v in volumes]


def test_a_label_that_is_only_called_a_ventricle_has_no_fraction() -> None:
    brain = replace(VENTRICLE, type=Code(value="35764002", scheme="SCT", meaning="Brain ventricle"))
    assert ejections([Curve(tracking_uid="1", label=brain, volumes=(1.0,) * 12)], BEAT, labels=[brain]) == ()


def test_the_ventricle_as_a_whole_is_no_cavity_until_something_says_so() -> None:
    assert "nothing says that its wall is not in it" in of(GENERATED.volumes, labels=()).refused
    assert not of(GENERATED.volumes, label=replace(VENTRICLE, name="left ventricle cavity"), labels=()).refused
    assert "its wall" in of(GENERATED.volumes, label=replace(RIGHT, name="Right ventricle")).refused


@pytest.mark.parametrize(
    ("beat", "volumes", "reason"),
    [
        (beat_of(EVEN[:9]), GENERATED.volumes[:9], "9 frames, and 10"),
        (BEAT, [*GENERATED.volumes[:3], np.nan, *GENERATED.volumes[4:]], "frames without a volume: 4"),
        (beat_of([None] * 12), GENERATED.volumes, "nothing says when the frames were taken"),
        (beat_of([*EVEN[:6], *(one + 0.07 for one in EVEN[6:])]), GENERATED.volumes, "not evenly spaced"),
        (beat_of(EVEN, interval=1.4), GENERATED.volumes, "cover 60 % of a heartbeat of 1400 ms"),
        (beat_of(EVEN, interval=0.42), GENERATED.volumes, "cover 200 % of a heartbeat"),
        (beat_of([60.0 * one for one in EVEN], interval=None), GENERATED.volumes, "which is no heartbeat"),
        (BEAT, sorted(GENERATED.volumes, reverse=True), "the heartbeat was not seen whole"),
        (BEAT, sorted(GENERATED.volumes), "the heartbeat was not seen whole"),
        (BEAT, Generated(frames=12, part=0.6).volumes, "the heartbeat was not seen whole"),
        (BEAT, [120, 119, 121, 120, 122, 118, 60, 120, 121, 119, 120, 121], "one frame alone"),
        (BEAT, [*[120.0] * 5, 1.0, *[120.0] * 6], "one frame alone"),
        (beat_of(TWICE, interval=None), TWO_BEATS, "falls to the end of systole 2 times"),
        (BEAT, [80.0] * 12, "does not change"),
        (BEAT, [0.0] * 12, "0 in every frame"),
        (replace(BEAT, cut=frozenset({("2.25.1", 4)})), GENERATED.volumes, "reaches the edge of the image in frame 5"),
    ],
)
def test_what_is_no_whole_heartbeat_is_refused_with_its_reason(beat: Beat, volumes: list[float], reason: str) -> None:
    found = of(volumes, beat)
    assert reason in found.refused
    assert found.fraction is None
    assert found.diastole is None


def test_a_cut_at_the_end_of_diastole_which_makes_another_frame_the_largest_is_refused() -> None:
    volumes = [*(0.9 * one for one in GENERATED.volumes[:2]), *GENERATED.volumes[2:]]
    cut = replace(BEAT, cut=frozenset({("2.25.1", 0), ("2.25.1", 1)}))
    assert of(volumes, BEAT).diastole == 11
    assert "reaches the edge of the image in frame 1, 2" in of(volumes, cut).refused


def test_a_cut_of_other_structures_does_not_matter() -> None:
    assert not of(GENERATED.volumes, replace(BEAT, cut=frozenset({("2.25.2", 4)}))).refused
