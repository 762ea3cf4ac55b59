"""Runs to be planned on: a generated liver with lesion and veins, and a scene of paper to plan in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from slicermedai.domain.codes import Code
from slicermedai.domain.decisions import decided
from slicermedai.domain.edits import packed
from slicermedai.domain.finding import Finding, PackedMask, tracking_uid
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.plan import Cut, Plan
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity, Study
from slicermedai.domain.volume import Volume
from Testing.fixtures import liver
from Testing.fixtures.series_writer import SeriesSpec, write_series
from Testing.plan.cases import LABELS, a_result

COARSE = replace(
    liver.covering(spacing=(6.0, 5.0, 5.0), extent=(230.0, 150.0, 144.0)), frame_of_reference_uid="2.25.300"
)
"""Few voxels, where nothing but the way through the module is looked at."""


def a_liver_run(folder: Path, geometry: Geometry = COARSE, *, result: AnalysisResult | None = None) -> Path:
    """The output of a run, as far as a plan needs it."""
    (result or a_result(geometry)).save(folder / "result")
    return folder


ARTERY = replace(
    LABELS["portal vein"], name="artery", type=Code(value="76015000", scheme="SCT", meaning="Hepatic artery")
)


def two_phases(folder: Path) -> tuple[Path, Path]:
    """Runs of the venous and of the arterial phase of a CT with their own copies; the later one lies a little off.

    The arterial one has the liver and an artery.
    """
    masks = liver.structures_on(COARSE)
    shift = liver.rigid((0.0, 0.0, 4.0), (5.0, -3.0, 2.0))
    arterial = liver.phase("arterial", liver.moved(COARSE, shift), transform=shift)
    result = a_result(arterial.geometry, masks={"liver": masks["liver"]})
    region = PackedMask.from_array(liver.inside(liver.ARTERY, COARSE), arterial.geometry)
    artery = Finding(tracking_uid=tracking_uid("liver phantom", "artery"), label=ARTERY, region=region)
    result = replace(result, findings=(*result.findings, artery))
    runs = ((liver.phase("venous", COARSE), a_result(COARSE, masks=masks)), (arterial, result))
    return _phase(folder / "venous", *runs[0]), _phase(folder / "arterial", *runs[1])


def _phase(folder: Path, volume: Volume, result: AnalysisResult) -> Path:
    write_series(volume, folder / "dicom" / "source", spec=SeriesSpec())
    return a_liver_run(folder, result=result)


def pseudonymous(result: AnalysisResult) -> AnalysisResult:
    """As the route "deidentify" leaves it: no patient."""
    return replace(result, study=Study(study_uid="2.25.9", identity=Identity.DEIDENTIFY), sources=())


def uid_of(result: AnalysisResult, name: str) -> str:
    """The tracking UID of the finding of that name."""
    return next(one.tracking_uid for one in result.findings if one.label.name == name)


def smaller_lesion(geometry: Geometry) -> PackedMask:
    """What a person draws: the lesion, 4 mm smaller on all sides."""
    ball = replace(liver.LESION, radii=(11.0, 11.0, 11.0))
    return PackedMask.from_array(liver.inside(ball, geometry), geometry)


def nothing(geometry: Geometry) -> PackedMask:
    """No voxel at all."""
    return PackedMask.from_array(np.zeros(geometry.shape, dtype=bool), geometry)


class PaperPlan:
    """A :class:`~slicermedai.app.plan_state.Stage` without MRML: what is shown, drawn and moved is kept in memory."""

    def __init__(self, *, holds_image: bool = True) -> None:
        self.holds_image = holds_image
        self.image_node: object = None
        self.is_there = False
        self.changed: frozenset[str] = frozenset()
        self.shown: AnalysisResult | None = None
        self.image: Volume | None = None
        self.places: list[tuple[float, ...]] = []
        self.edited: list[str] = []
        self.cuts: dict[str, Cut | None] = {}
        self.shapes: tuple[Finding, ...] = ()
        self.meshes: Mapping[str, Any] = {}
        self.contours = False
        self._drawn: dict[str, PackedMask] = {}
        self._told: Callable[[], object] = lambda: None

    def when_changed(self, told: Callable[[], object]) -> None:
        self._told = told

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
        return ""

    def apply(self, result: AnalysisResult) -> None:
        self.shown = decided(result)

    def forget(self) -> None:
        self.is_there, self.image_node, self.shown, self.cuts, self.shapes = False, None, None, {}, ()

    leave = forget

    def jump(self, place: Sequence[float]) -> None:
        self.places.append(tuple(place))

    def edit(self, uid: str) -> None:
        self.edited.append(uid)

    def draw(self, uid: str, region: PackedMask) -> None:
        """What a person would do in the Segment Editor."""
        self._drawn[uid], self.changed = region, self.changed | {uid}
        self._told()

    def drawn(self, uid: str) -> PackedMask:
        assert self.shown is not None
        shown = next(one.region for one in self.shown.findings if one.tracking_uid == uid)
        return self._drawn.get(uid) or packed(shown)  # type: ignore[arg-type]  # it is a mask

    def take(self, uid: str, region: PackedMask) -> None:
        self.changed -= {uid}
        self._drawn.pop(uid, None)

    def show_cuts(self, plan: Plan) -> None:
        self.cuts = {one.name: one for one in plan.cuts}

    def move(self, name: str, cut: Cut | None) -> None:
        """What a person would do in the views; None deletes the markup."""
        self.cuts[name] = cut
        self._told()

    def moved(self, plan: Plan) -> dict[str, Cut | None]:
        known = [one for one in plan.cuts if one.name in self.cuts]
        return {one.name: self.cuts[one.name] for one in known if self.cuts[one.name] != one}

    def show_shapes(self, shapes: Sequence[Finding], meshes: Mapping[str, Any]) -> None:
        self.shapes, self.meshes = tuple(shapes), meshes

    def show_contours(self, *, on: bool) -> bool:
        self.contours = on
        return any(one.tracking_uid.startswith("inner:") for one in self.shapes)
