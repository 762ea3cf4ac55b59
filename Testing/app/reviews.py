"""Runs to be reviewed: a generated head with two structures, lights, samples and a map, and the images they were of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slicermedai.domain.codes import LONG_AXIS, MILLIMETER, NO_UNITS, SHORT_AXIS, Code, Label
from slicermedai.domain.decisions import decided
from slicermedai.domain.edits import packed
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Interval, Mask, Measurement, PackedMask
from slicermedai.domain.result import AnalysisResult, Map, Quality
from slicermedai.domain.study import Identity, Study
from slicermedai.domain.uncertainty import StructureSpread, Uncertainty
from slicermedai.domain.volume import Volume
from Testing.scene.samples import BRAIN_UID, VENTRICLE_UID, SmallHead, small_head, volume_of

DISAGREEMENT = Code(value="SAMPLE-DISAGREEMENT", scheme="99MEDAI", meaning="Share of samples that disagree")
WHY_AMBER = "predicted Dice 0.74, and green begins at 0.81"


def a_head(*, oblique: bool = False) -> SmallHead:
    """Brain with a green light and calibrated, ventricle with an amber one, a third finding of the whole image."""
    head = small_head(oblique=oblique)
    brain, ventricle = head.result.findings
    sure = Confidence(state=ConfidenceState.CALIBRATED, probability=0.97, calibration="Platt, 30 patients")
    volume = dataclasses.replace(brain.measurements[0], interval=Interval(low=900.0, high=1100.0))
    findings = (
        dataclasses.replace(brain, confidence=sure, measurements=(volume,)),
        dataclasses.replace(ventricle, confidence=Confidence(state=ConfidenceState.NOT_CALIBRATED, raw_score=0.98765)),
        Finding(tracking_uid="2.25.333", label=dataclasses.replace(ventricle.label, name="Contrast agent")),
    )
    result = dataclasses.replace(
        head.result,
        findings=findings,
        quality=(
            _quality(BRAIN_UID, "green", 0.95, ("at least 90% of such predictions have a Dice of 0.8 or more",)),
            _quality(VENTRICLE_UID, "amber", 0.74, (WHY_AMBER,)),
        ),
        uncertainty=_samples(ventricle),
        maps=(_map(head),),
    )
    return SmallHead(volume=head.volume, result=result)


def a_run(folder: Path, head: SmallHead) -> Path:
    """The output of a run, as far as a review needs it."""
    head.result.save(folder / "result")
    return folder


def pseudonymous(head: SmallHead) -> SmallHead:
    """As the route "deidentify" leaves it: no patient."""
    study = Study(study_uid="2.25.9", identity=Identity.DEIDENTIFY)
    geometry = dataclasses.replace(head.volume.geometry, frame_of_reference_uid="")
    volume = dataclasses.replace(head.volume.voxels_alone(), geometry=geometry)
    return SmallHead(volume=volume, result=dataclasses.replace(head.result, study=study, sources=()))


def bigger(result: AnalysisResult, uid: str = VENTRICLE_UID) -> PackedMask:
    """The region of a finding with a block in a corner more."""
    region = next(one.region for one in result.findings if one.tracking_uid == uid)
    whole = packed(region)  # type: ignore[arg-type]  # it is a mask
    array = whole.to_array()
    array[1:3, 2:5, 1:4] = True
    return PackedMask.from_array(array, whole.geometry)


def _quality(uid: str, light: str, dice: float, reasons: tuple[str, ...]) -> Quality:
    between = Interval(low=dice - 0.1, high=min(dice + 0.1, 1.0))
    return Quality(
        tracking_uid=uid, expected_dice=dice, interval=between, state="calibrated", light=light, reasons=reasons
    )


def _samples(ventricle: Finding) -> Uncertainty:
    inner = packed(ventricle.region)  # type: ignore[arg-type]  # it is a mask
    spread = StructureSpread(
        tracking_uid=VENTRICLE_UID,
        pairwise_dice=0.91,
        volume_mean=1.0,
        volume_deviation=0.1,
        volume_low=0.9,
        volume_high=1.2,
        found_in=4,
        band_ml=0.2,
        inner=inner,
        outer=inner,
    )
    return Uncertainty(method="flips", samples=4, cost=3.0, level=0.9, structures=(spread,))


def _map(head: SmallHead) -> Map:
    values = np.zeros(head.volume.array.shape, np.float32)
    values[20:30, 20:25, 10:20] = 0.5
    values[22:28, 21:24, 12:18] = 1.0
    return Map(
        name="Disagreement", quantity=DISAGREEMENT, unit=NO_UNITS, array=values, geometry=head.result.volume_geometry
    )


NODULE = Label(
    name="Lung nodule",
    category=Code(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure"),
    type=Code(value="27925004", scheme="SCT", meaning="Nodule"),
)


def a_nodule(
    axes: tuple[float, float] | None = (8.0, 6.6), *, label: Label = NODULE, modality: str = "CT"
) -> SmallHead:
    """The generated head as if it were a chest: two voxels are a nodule, with ``axes`` in mm where it has any."""
    head = small_head()
    brain, ventricle = head.result.findings
    named = zip((LONG_AXIS, SHORT_AXIS), axes or (), strict=False)
    sizes = tuple(Measurement(name=name, value=size, unit=MILLIMETER) for name, size in named)
    region = _two_voxels(ventricle.region)  # type: ignore[arg-type]  # it is a mask
    nodule = dataclasses.replace(ventricle, label=label, region=region, measurements=(volume_of(region), *sizes))
    sources = tuple(dataclasses.replace(one, modality=modality) for one in head.result.sources)
    result = dataclasses.replace(head.result, findings=(nodule, brain), sources=sources)
    return SmallHead(volume=head.volume, result=result)


def _two_voxels(region: Mask | PackedMask) -> PackedMask:
    array = np.zeros(region.geometry.shape, bool)
    place = tuple(np.argwhere(region.to_array()).mean(axis=0).round().astype(int))
    array[place] = array[place[0], place[1], place[2] + 1] = True
    return PackedMask.from_array(array, region.geometry)


class PaperScene:
    """A :class:`~slicermedai.app.review_state.Stage` without MRML: what is shown and drawn is kept in memory."""

    def __init__(self, *, holds_image: bool = True) -> None:
        self.holds_image = holds_image
        self.image_node: object = None
        self.is_there = False
        self.changed: frozenset[str] = frozenset()
        self.shown: AnalysisResult | None = None
        self.image: Volume | None = None
        self.places: list[tuple[float, ...]] = []
        self.edited: list[str] = []
        self.outlined = ""
        self.laid: tuple[int, float] = (-1, 0.0)
        self.kept = 0
        self._drawn: dict[str, PackedMask] = {}

    def has_image(self, result: AnalysisResult) -> bool:
        return self.holds_image

    def comparing(self, result: AnalysisResult) -> None:
        return None

    def preparing(self, result: AnalysisResult, image: Volume | None = None, *, known: str = "") -> Iterator[None]:
        return iter([None])

    def open(self, result: AnalysisResult, image: Volume | None = None, *, prepared: Any = None) -> str:
        self.image, self.is_there = image, True
        self.image_node = "a node" if image is not None or self.holds_image else None
        self.apply(result)
        return "" if self.image_node else "no image"

    def apply(self, result: AnalysisResult) -> None:
        self.shown = decided(result)

    def awaited(self) -> None:
        return None

    def keep(self, result: AnalysisResult) -> None:
        self.kept = len(result.reviews)

    def forget(self) -> None:
        self.is_there, self.image_node, self.shown = False, None, None

    def jump(self, place: Sequence[float]) -> None:
        self.places.append(tuple(place))

    def outline(self, uid: str) -> bool:
        self.outlined = uid
        return bool(uid)

    def lay_map(self, number: int, *, share: float) -> float | None:
        self.laid = (number, share)
        return share if number >= 0 else None

    def edit(self, uid: str) -> None:
        self.edited.append(uid)

    def draw(self, uid: str, region: PackedMask) -> None:
        """What a person would do in the Segment Editor."""
        self._drawn[uid], self.changed = region, self.changed | {uid}

    def drawn(self, uid: str) -> PackedMask:
        assert self.shown is not None
        shown = next(one.region for one in self.shown.findings if one.tracking_uid == uid)
        return self._drawn.get(uid) or packed(shown)  # type: ignore[arg-type]  # it is a mask

    def take(self, uid: str, region: PackedMask) -> None:
        self.changed -= {uid}
        self._drawn.pop(uid, None)
