"""What a model is held against references by: all that a run finds, whatever form its labels have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from slicermedai.bundles.registry import resolve
from slicermedai.confidence.findings import findings_of
from slicermedai.confidence.models import manifest_of
from slicermedai.confidence.run import RunTrust
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.observer import silent
from slicermedai.errors import InputError
from slicermedai.inference.task import predict
from slicermedai.validate.cases import ListedCase
from slicermedai.validate.running import ModelRun, run_cases
from Testing.fixtures.grids import covering
from Testing.inference.conftest import body_on
from Testing.inference.zoo import write_zoo_bundle

AXIAL = covering("SPL", spacing=(4.0, 4.0, 4.0), extent=(100.0, 126.0, 116.0))


@pytest.fixture
def overlapping(tmp_path: Path) -> BundleRef:
    write_zoo_bundle(tmp_path / "zoo@0.1", "overlapping")
    return resolve(str(tmp_path / "zoo@0.1"), consent="the test")


def a_case(folder: Path) -> ListedCase:
    volume, truth = body_on(AXIAL)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ AXIAL.ijk_to_lps
    for name, array in (("image", volume.array), ("reference", truth.astype(np.uint8))):
        nibabel.save(nibabel.Nifti1Image(array.transpose(2, 1, 0), affine), folder / f"{name}.nii")
    return ListedCase(case="a", image=folder / "image.nii", reference=folder / "reference.nii", subject="s")


def test_labels_that_overlap_are_scored_as_they_were_found(overlapping: BundleRef, tmp_path: Path) -> None:
    run = ModelRun(ref=overlapping, device="cpu")
    (done,), _ = run_cases([a_case(tmp_path)], manifest=manifest_of(overlapping), labels=None, run=run, progress=silent)
    assert done.scores[1].dice > 0.97
    assert done.scores[1].predicted_ml == pytest.approx(done.scores[1].reference_ml, rel=0.05)


def test_a_probe_is_told_whose_image_it_sees(overlapping: BundleRef, tmp_path: Path) -> None:
    told: list[str] = []

    def probe(subject: str) -> Callable[[Any], None]:
        return lambda answered: told.append(f"{subject} {answered.grid.shape}")

    run = ModelRun(ref=overlapping, device="cpu", probe=probe)
    run_cases([a_case(tmp_path)], manifest=manifest_of(overlapping), labels=None, run=run, progress=silent)
    assert len(told) == 1 and told[0].startswith("s (")


def test_overlapping_findings_are_known_to_the_trust_layer_by_their_label(overlapping: BundleRef) -> None:
    volume, _ = body_on(AXIAL)
    trust = RunTrust(manifest_of(overlapping), volume)
    found = findings_of(overlapping, predict(overlapping, volume), seed="s")
    assert [trust._observed(finding).value for finding in found] == [1, 2, 3]


def test_a_model_of_another_task_is_refused_and_so_are_samples_of_other_than_masks(overlapping: BundleRef) -> None:
    with pytest.raises(InputError, match="does registration: that cannot be held against references"):
        ModelRun(ref=replace(overlapping, task="registration"), device="cpu")
    for task in ("classification", "detection"):
        with pytest.raises(InputError, match=f"does {task}, and samples are of segmentations alone"):
            ModelRun(ref=replace(overlapping, task=task), device="cpu", uncertainty="flips")
