"""How much of its blood a ventricle pumps: (largest - smallest volume) / largest volume, where the frames allow it.

The smallest and largest volume over the frames of one heartbeat are those at the end of systole and of diastole. The
names are those of PS3.16 CID 3833 (ejection fraction), 3468 and 3469 (volumes). Nothing is computed of a label by its
English name: it must bear the ventricle's code, and something must say that it is the cavity alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.codes import MILLILITER, VOXEL_SUMMATION, Code, Label, ucum
from slicermedai.domain.course import Curve, Ejection, Moment
from slicermedai.domain.finding import Measurement

FloatArray = NDArray[np.float64]

FRAMES = 10
"""Frames of a heartbeat that are needed: ten is what gated CT is cut into, and the end of systole is else missed."""
UNEVEN = 1.5
"""The longest step between frames, over the usual one."""
COVERED = (0.8, 1.25)
"""How much of the stated length of a heartbeat the frames must cover, at least and at most."""
HEARTBEAT = (0.3, 2.0)
"""Seconds (200 to 30 beats a minute) that the frames must cover where no length is stated."""
BACK = 0.8
"""Part of the stroke volume above the smallest volume that is reached before and after it: the beat was seen whole."""
EMPTY = 0.2
"""Part of the stroke volume below which the ventricle is at the end of systole; once in a heartbeat."""
SMOOTH = 0.75
"""Part of the stroke volume that must be left where each volume is the median of its own and its neighbours'."""

PERCENT = ucum("%", "percent")
_CAVITY = re.compile(r"\b(cavity|pool|lumen|blood)\b", re.IGNORECASE)
_GENERIC = Code(value="70822001", scheme="SCT", meaning="Cardiac ejection fraction")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ventricle:
    """The codes of one side: of the chamber, its muscle, its volumes, and its fraction by modality."""

    chamber: frozenset[tuple[str, str]]
    muscle: frozenset[tuple[str, str]]
    end_diastolic: Code
    end_systolic: Code
    fraction: dict[str, Code]


def _loinc(value: str, meaning: str) -> Code:
    return Code(value=value, scheme="LN", meaning=meaning)


_VENTRICLES = (
    _Ventricle(
        chamber=frozenset({("87878005", "SCT"), ("T-32600", "SRT")}),
        muscle=frozenset({("74281007", "SCT"), ("49848007", "SCT")}),
        end_diastolic=_loinc("8821-1", "Left Ventricular ED Volume"),
        end_systolic=_loinc("8823-7", "Left Ventricular ES Volume"),
        fraction={
            "MR": _loinc("8811-2", "Left ventricular ejection fraction by MR"),
            "CT": _loinc("8810-4", "Left ventricular ejection fraction by CT"),
        },
    ),
    _Ventricle(
        chamber=frozenset({("53085002", "SCT"), ("T-32500", "SRT")}),
        muscle=frozenset(),
        end_diastolic=_loinc("8822-9", "Right Ventricular ED Volume"),
        end_systolic=_loinc("8824-5", "Right Ventricular ES Volume"),
        fraction={
            "MR": _loinc("8818-7", "Right ventricular ejection fraction by MR"),
            "CT": _loinc("8817-9", "Right ventricular ejection fraction by CT"),
        },
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What is known of the frames beside the volumes.

    ``interval`` is the stated length of a heartbeat in s, or None. ``cut`` holds (tracking UID, index) of structures
    that reach the image's edge in a frame: they are not whole there.
    """

    moments: tuple[Moment, ...]
    modality: str = ""
    interval: float | None = None
    cut: frozenset[tuple[str, int]] = frozenset()


def ejections(curves: Iterable[Curve], beat: Beat, *, labels: Sequence[Label]) -> tuple[Ejection, ...]:
    """The ejection fraction of each curve whose label is coded as a ventricle, or why there is none.

    ``labels`` are all that the model can name: that it names the muscle by itself says that the chamber is without it.
    """
    found = [(curve, side) for curve in curves for side in _VENTRICLES if _coded(curve.label) in side.chamber]
    return tuple(_ejection(curve, side, beat, labels) for curve, side in found)


def _coded(label: Label) -> tuple[str, str]:
    return label.type.value, label.type.scheme


def _ejection(curve: Curve, side: _Ventricle, beat: Beat, labels: Sequence[Label]) -> Ejection:
    refused = _refused(curve, side, beat, labels)
    diastole, systole = curve.largest, curve.smallest
    if refused or diastole is None or systole is None:
        return Ejection(tracking_uid=curve.tracking_uid, label=curve.label, refused=refused)
    largest, smallest = curve.volumes[diastole], curve.volumes[systole]
    return Ejection(
        tracking_uid=curve.tracking_uid,
        label=curve.label,
        fraction=Measurement(
            name=side.fraction.get(beat.modality, _GENERIC),
            value=100 * (largest - smallest) / largest,
            unit=PERCENT,
            method=VOXEL_SUMMATION,
        ),
        end_diastolic=_volume(side.end_diastolic, largest),
        end_systolic=_volume(side.end_systolic, smallest),
        diastole=diastole,
        systole=systole,
    )


def _volume(name: Code, millilitres: float) -> Measurement:
    return Measurement(name=name, value=millilitres, unit=MILLILITER, method=VOXEL_SUMMATION)


def _refused(curve: Curve, side: _Ventricle, beat: Beat, labels: Sequence[Label]) -> str:
    """Why no ejection fraction may be told, in a sentence; "" where it may."""
    return (
        _not_a_cavity(curve.label, side, labels)
        or _not_all(curve, beat.moments)
        or _not_timed(beat)
        or _not_whole(curve, beat)
        or _not_a_beat(curve)
    )


def _not_a_cavity(label: Label, side: _Ventricle, labels: Sequence[Label]) -> str:
    if _CAVITY.search(label.name) or any(_coded(one) in side.muscle for one in labels):
        return ""
    return f"the label {label.name!r} is coded as the ventricle, and nothing says that its wall is not in it"


def _not_all(curve: Curve, moments: Sequence[Moment]) -> str:
    if len(moments) < FRAMES:
        return f"there are {len(moments)} frames, and {FRAMES} of one heartbeat are needed"
    missing = sorted(set(range(len(moments))) - set(curve.known))
    if missing:
        return f"frames without a volume: {', '.join(str(index + 1) for index in missing)}"
    return "the volume is 0 in every frame" if max(curve.volumes) <= 0 else ""


def _not_timed(beat: Beat) -> str:
    seconds = [moment.seconds for moment in beat.moments if moment.seconds is not None]
    if len(seconds) < len(beat.moments):
        return "nothing says when the frames were taken, so that nobody knows that they cover a heartbeat"
    steps = np.diff(seconds)
    usual = float(np.median(steps))
    if steps.max() > UNEVEN * usual:
        return (
            f"the frames are not evenly spaced in time: up to {steps.max() * 1000:.0f} ms, {usual * 1000:.0f} ms else"
        )
    covered = seconds[-1] - seconds[0] + usual
    if beat.interval and not COVERED[0] <= covered / beat.interval <= COVERED[1]:
        return f"the frames cover {100 * covered / beat.interval:.0f} % of a heartbeat of {beat.interval * 1000:.0f} ms"
    if not beat.interval and not HEARTBEAT[0] <= covered <= HEARTBEAT[1]:
        return f"the frames cover {covered:.3g} s, which is no heartbeat"
    return ""


def _not_whole(curve: Curve, beat: Beat) -> str:
    """Any frame counts: what is cut where it is largest or smallest makes another frame so."""
    cut = sorted(index + 1 for uid, index in beat.cut if uid == curve.tracking_uid)
    if not cut:
        return ""
    return f"it reaches the edge of the image in frame {', '.join(map(str, cut))}, and is not whole there"


def _not_a_beat(curve: Curve) -> str:
    volumes, smallest = np.array(curve.volumes, dtype=np.float64), int(np.argmin(curve.volumes))
    wanted = volumes.min() + BACK * np.ptp(volumes)
    if np.ptp(volumes) <= 0:
        return "the volume does not change"
    before, after = volumes[:smallest], volumes[smallest + 1 :]
    if not before.size or not after.size or before.max() < wanted or after.max() < wanted:
        return (
            f"the volume is smallest in frame {smallest + 1}, and the frames on either side of it do not come back to "
            f"{100 * BACK:.0f} % of the stroke: the heartbeat was not seen whole"
        )
    return _not_one_beat((volumes - volumes.min()) / np.ptp(volumes)) or _not_smooth(volumes)


def _not_one_beat(filled: FloatArray) -> str:
    """``filled``: 0 at the smallest volume, 1 at the largest."""
    ends = filled[(filled < EMPTY) | (filled > BACK)] < EMPTY
    often = int(ends[0]) + int(np.count_nonzero(ends[1:] & ~ends[:-1]))
    return f"the volume falls to the end of systole {often} times: that is no single heartbeat" if often > 1 else ""


def _not_smooth(volumes: FloatArray) -> str:
    around = np.stack([np.roll(volumes, 1), volumes, np.roll(volumes, -1)])
    left = float(np.ptp(np.median(around, axis=0)) / np.ptp(volumes))
    if left < SMOOTH:
        return f"one frame alone makes the stroke: held against its neighbours, {100 * left:.0f} % of it is left"
    return ""
