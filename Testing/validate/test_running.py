"""What a model is held against references by: all that a run finds, whatever form its labels have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
from slicermedai.validate.running import model_run, run_cases
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
    run = model_run(overlapping, device="cpu", seed=0)
    (done,), _ = run_cases([a_case(tmp_path)], manifest=manifest_of(overlapping), labels=None, run=run, progress=silent)
    assert done.scores[1].dice > 0.97
    assert done.scores[1].predicted_ml == pytest.approx(done.scores[1].reference_ml, rel=0.05)


def test_overlapping_findings_are_known_to_the_trust_layer_by_their_label(overlapping: BundleRef) -> None:
    volume, _ = body_on(AXIAL)
    trust = RunTrust(manifest_of(overlapping), volume)
    found = findings_of(overlapping, predict(overlapping, volume), seed="s")
    assert [trust._observed(finding).value for finding in found] == [1, 2, 3]


def test_a_model_whose_answers_are_no_masks_is_refused_by_its_task(overlapping: BundleRef) -> None:
    with pytest.raises(InputError, match="does detection, and only segmentations"):
        model_run(replace(overlapping, task="detection"), device="cpu", seed=0)
