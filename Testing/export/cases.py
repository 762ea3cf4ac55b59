"""Results to export: findings on the images of a series that was written and read back as files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from slicermedai.domain.codes import ANATOMY, BRAIN, Code, Label
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.domain.study import Identity, SeriesRef, Study
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.measure.methods import measure
from Testing.fixtures.grids import AXIAL, CORONAL, SAGITTAL, grid, rotated
from Testing.fixtures.series_writer import SeriesSpec, write_series

SHAPE = (7, 20, 18)
FINISHED = "2026-11-22T01:02:03.456789+00:00"
LESION = Label(
    name="Lesion",
    category=Code(value="49755003", scheme="SCT", meaning="Morphologically Altered Structure"),
    type=Code(value="108369006", scheme="SCT", meaning="Neoplasm"),
    color=(240, 80, 20),
)
LEFT_KIDNEY = Label(
    name="Left kidney",
    category=ANATOMY,
    type=Code(value="64033007", scheme="SCT", meaning="Kidney"),
    modifier=Code(value="7771000", scheme="SCT", meaning="Left"),
    color=(120, 60, 60),
)
BRAIN_LABEL = Label(name="Brain", category=ANATOMY, type=BRAIN, color=(250, 250, 225))

_ANISOTROPIC = (6.5, 0.6, 0.45)
GRIDS: dict[str, Geometry] = {
    "axial": grid(AXIAL, shape=SHAPE, spacing=(2.0, 1.0, 1.0), center=(3.2, -17.9, 44.1)),
    "sagittal": grid(SAGITTAL, shape=SHAPE, spacing=(1.0, 1.1, 0.9)),
    "coronal": grid(CORONAL, shape=SHAPE, spacing=(1.5, 1.0, 1.2)),
    "flipped slices": grid("IPL", shape=SHAPE, spacing=(2.0, 1.0, 1.0)),
    "flipped rows": grid("SAL", shape=SHAPE, spacing=(2.0, 1.0, 1.0)),
    "flipped everywhere": grid("IAR", shape=SHAPE, spacing=(2.0, 1.0, 1.0)),
    "anisotropic": grid(AXIAL, shape=SHAPE, spacing=_ANISOTROPIC),
    "oblique": rotated(grid(AXIAL, shape=SHAPE, spacing=(2.0, 1.0, 1.1)), (14.0, -9.0, 31.0)),
    "oblique and anisotropic": rotated(grid(CORONAL, shape=SHAPE, spacing=_ANISOTROPIC), (-21.3, 7.7, 3.1)),
    "one slice": grid(AXIAL, shape=(1, 20, 18), spacing=(5.0, 1.0, 1.0)),
}
SPECS: dict[str, SeriesSpec] = {
    "MR": SeriesSpec(),
    "MR shuffled": SeriesSpec(order="shuffled"),
    "CT": SeriesSpec(modality="CT"),
    "PET": SeriesSpec(modality="PT"),
    "enhanced MR": SeriesSpec(enhanced=True),
    "enhanced MR shuffled": SeriesSpec(enhanced=True, order="shuffled"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A result, the headers of its source, and the masks of its findings in order."""

    result: AnalysisResult
    headers: tuple[Dataset, ...]
    masks: tuple[NDArray[np.bool_], ...]

    @property
    def geometry(self) -> Geometry:
        return self.result.volume_geometry


def a_case(
    geometry: Geometry = GRIDS["axial"],
    *,
    spec: SeriesSpec | None = None,
    masks: tuple[NDArray[np.bool_], ...] | None = None,
    labels: tuple[Label, ...] = (BRAIN_LABEL, LESION, LEFT_KIDNEY),
    status: Status = Status.COMPLETE,
) -> Case:
    """Findings with ``masks`` (default: one ball) on a series of ``geometry``."""
    headers = headers_of(geometry, spec or SeriesSpec())
    placed = in_space(geometry, headers)
    masks = (a_ball(geometry),) if masks is None else masks
    findings = tuple(
        a_finding(mask, placed, label=label, number=n)
        for n, (mask, label) in enumerate(zip(masks, labels, strict=False), 1)
    )
    return Case(result=a_result(placed, headers, findings, status=status), headers=headers, masks=masks)


def headers_of(geometry: Geometry, spec: SeriesSpec) -> tuple[Dataset, ...]:
    """Pixel-free headers of a written series, in slice order."""
    volume = Volume(array=np.zeros(geometry.shape, np.int16), geometry=geometry, modality=spec.modality)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_series(volume, Path(folder), spec=spec)
        return tuple(dcmread(path, stop_before_pixels=True) for path in paths)


def in_space(geometry: Geometry, headers: tuple[Dataset, ...]) -> Geometry:
    """``geometry`` in the frame of reference of ``headers``."""
    return Geometry(
        shape=geometry.shape,
        affine=geometry.affine,
        frame_of_reference_uid=str(headers[0].FrameOfReferenceUID),
    )


def a_finding(mask: NDArray[np.bool_], geometry: Geometry, *, label: Label, number: int) -> Finding:
    """A finding with its volume and a raw score that must never leave the house."""
    region = PackedMask.from_array(mask, geometry)
    return Finding(
        tracking_uid=f"2.25.77700{number}",
        label=label,
        region=region,
        measurements=measure(region),
        confidence=Confidence(state=ConfidenceState.NOT_CALIBRATED, raw_score=0.98765432),
    )


def a_result(
    geometry: Geometry,
    headers: tuple[Dataset, ...],
    findings: tuple[Finding, ...],
    *,
    status: Status = Status.COMPLETE,
    identity: Identity = Identity.KEEP,
) -> AnalysisResult:
    return AnalysisResult(
        status=status,
        study=Study(study_uid=str(headers[0].StudyInstanceUID), identity=identity),
        volume_geometry=geometry,
        provenance=Provenance(
            bundle="brain", bundle_version="1.2.0", weights_sha256="5e" * 32, seed=7, finished=FINISHED
        ),
        findings=findings,
        sources=(SeriesRef(series_uid=str(headers[0].SeriesInstanceUID)),),
    )


def a_ball(
    geometry: Geometry,
    *,
    middle: tuple[float, float, float] = (0.5, 0.45, 0.4),
    radius: tuple[float, float, float] = (0.36, 0.3, 0.35),
) -> NDArray[np.bool_]:
    """An ellipsoid off the middle, so that no flip leaves it in place; parts of a whole grid, 0 to 1."""
    axes = [(np.arange(n) + 0.5) / n for n in geometry.shape]
    terms = [((axis - m) / r) ** 2 for axis, m, r in zip(axes, middle, radius, strict=True)]
    ball = terms[0][:, None, None] + terms[1][None, :, None] + terms[2][None, None, :] < 1
    ball[geometry.shape[0] // 2, 1, 2] = True
    return np.asarray(ball)


def with_label_map(case: Case) -> Case:
    """The findings of ``case`` on one shared label map, as a segmentation network leaves them."""
    array = np.zeros(case.geometry.shape, np.uint8)
    for number, mask in enumerate(case.masks, 1):
        array[mask] = number
    shared = LabelMap(array=array, geometry=case.geometry)
    masks = tuple(np.asarray(array == n) for n in range(1, len(case.masks) + 1))
    findings = tuple(
        Finding(
            tracking_uid=old.tracking_uid,
            label=old.label,
            region=Mask(label_map=shared, value=number),
            measurements=measure(Mask(label_map=shared, value=number)),
            confidence=old.confidence,
        )
        for number, old in enumerate(case.result.findings, 1)
    )
    return Case(result=a_result(case.geometry, case.headers, findings), headers=case.headers, masks=masks)
