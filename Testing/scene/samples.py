"""The analysis of a small generated head, put together by hand from the domain: no network and no files."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from slicermedai.domain.codes import ANATOMY, BRAIN, MILLILITER, VOLUME, VOXEL_SUMMATION, Code, Label
from slicermedai.domain.digests import digest_of
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Mask, Measurement, PackedMask
from slicermedai.domain.provenance import Provenance, Step
from slicermedai.domain.result import AnalysisResult, Quality, Status
from slicermedai.domain.study import InstanceRef, SeriesRef, Study
from slicermedai.domain.volume import LabelMap, Volume
from Testing.fixtures.grids import covering, rotated
from Testing.fixtures.phantoms import head_phantom

BRAIN_UID = "2.25.11111111111111111111111111111111"
VENTRICLE_UID = "2.25.22222222222222222222222222222222"
SERIES_UID = "2.25.301"
BRAIN_COLOR = (40, 200, 80)
VENTRICLE_COLOR = (230, 60, 200)
IN_VENTRICLE = 12.0, 8.0, 20.0
"""LPS mm: the middle of a voxel of the left ventricle, where the head has voxels of 8 mm."""
LEFT = Code(value="7771000", scheme="SCT", meaning="Left")
VENTRICLE = Code(value="66720007", scheme="SCT", meaning="Lateral ventricle")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmallHead:
    """An image and its analysis."""

    volume: Volume
    result: AnalysisResult


def small_head(*, codes: str = "SPL", spacing: float = 5.0, oblique: bool = False) -> SmallHead:
    """The generated head on a coarse grid (mm), with its brain and its left ventricle as findings."""
    geometry = covering(codes, spacing=(spacing, spacing, spacing))
    if oblique:
        geometry = rotated(geometry, (8.0, -5.0, 11.0))
    geometry = replace(geometry, frame_of_reference_uid="2.25.300")
    image, truth = head_phantom(geometry)
    volume = replace(image, name="T1 head", series_uid=SERIES_UID)
    label_map = LabelMap(array=truth["brain"].astype(np.uint8), geometry=geometry)
    left = PackedMask.from_array(truth["left ventricle"], geometry)
    study = a_study(geometry.shape[0])
    result = AnalysisResult(
        status=Status.COMPLETE,
        study=study,
        volume_geometry=geometry,
        provenance=replace(a_provenance(), input=digest_of((), volume)),
        findings=(_brain(label_map), _ventricle(left)),
        quality=(Quality(tracking_uid=BRAIN_UID, reason="this model has no quality estimate"),),
        sources=study.series,
    )
    return SmallHead(volume=volume, result=result)


def a_study(slices: int) -> Study:
    """An invented patient's study with one MR series of ``slices`` images."""
    instances = tuple(
        InstanceRef(sop_class_uid="1.2.840.10008.5.1.4.1.1.4", sop_instance_uid=f"{SERIES_UID}.{number}")
        for number in range(1, slices + 1)
    )
    series = SeriesRef(
        series_uid=SERIES_UID,
        modality="MR",
        description="T1 MPRAGE sagittal",
        number=4,
        frame_of_reference_uid="2.25.300",
        instances=instances,
    )
    return Study(
        study_uid="2.25.200",
        patient_id="QF-7391586",
        patient_name="Quillfeather^Ambrosia",
        birth_date="19510823",
        sex="F",
        accession="AC9064417",
        date="20190614",
        time="093517",
        description="MR head",
        body_part="HEAD",
        series=(series,),
    )


def a_provenance() -> Provenance:
    """A run of an invented bundle."""
    return Provenance(
        bundle="brain",
        bundle_version="1.2.0",
        weights_sha256="ab" * 32,
        licence="Apache-2.0",
        intended_use="Research: brain extraction on T1-weighted MR of adults",
        versions=(("torch", "2.8.0"), ("monai", "1.6.1")),
        steps=(Step(name="read", detail="50 files, 1 series", seconds=0.41), Step(name="segment", seconds=3.2)),
        refusals=("Expected Dice: this model has no quality estimate",),
        started="2026-01-05T08:00:00Z",
        finished="2026-01-05T08:00:05Z",
        job_id="0123456789abcdef0123456789abcdef",
    )


def volume_of(region: Mask | PackedMask) -> Measurement:
    """The region's volume, by counting voxels."""
    milliliters = float(region.to_array().sum()) * region.geometry.voxel_volume / 1000
    return Measurement(name=VOLUME, value=milliliters, unit=MILLILITER, method=VOXEL_SUMMATION)


def _brain(label_map: LabelMap) -> Finding:
    region = Mask(label_map=label_map, value=1)
    return Finding(
        tracking_uid=BRAIN_UID,
        label=Label(name="Brain", category=ANATOMY, type=BRAIN, color=BRAIN_COLOR),
        region=region,
        measurements=(volume_of(region),),
        confidence=Confidence(state=ConfidenceState.NOT_CALIBRATED, raw_score=0.97312),
    )


def _ventricle(region: PackedMask) -> Finding:
    return Finding(
        tracking_uid=VENTRICLE_UID,
        label=Label(
            name="Left lateral ventricle", category=ANATOMY, type=VENTRICLE, modifier=LEFT, color=VENTRICLE_COLOR
        ),
        region=region,
        measurements=(volume_of(region),),
    )
