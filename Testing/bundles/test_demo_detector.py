"""The demonstration detector as it is committed: small, made by its script, labelled wherever it appears."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from pydicom import Dataset, dcmread

from slicermedai.bundles import registry, shipped
from slicermedai.bundles.registry import RECIPES, fetch, resolve
from slicermedai.bundles.verify import content_sha256
from slicermedai.cli.execute import execute
from slicermedai.confidence.findings import findings_of
from slicermedai.confidence.models import manifest_of, record_of, records_folder
from slicermedai.confidence.record import load_record
from slicermedai.confidence.run import Origin, RunTrust
from slicermedai.domain.codes import IN_BOX, LONG_AXIS, SHORT_AXIS
from slicermedai.domain.finding import Box, ConfidenceState, Finding
from slicermedai.domain.lung_rads import mean_diameter
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import HashMismatchError
from slicermedai.export.read_back import read_result
from slicermedai.inference.spots import spots_in
from slicermedai.inference.task import RunSettings, predict
from slicermedai.jobs.home import home as home_folder
from slicermedai.jobs.specs import RunJob
from Testing.export.validators import dciodvfy_errors, pixelmed_errors
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.fixtures.thorax import Thorax, thorax

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "Resources" / "Models" / "synthetic-nodules@0.1"
WARNING = "synthetic-trained, not for patients"
SEEN_BY_NOBODY = (7001, 7003)


@pytest.fixture(scope="module")
def scripts() -> ModuleType:
    """What ``Scripts/train_demo_detector`` runs."""
    sys.path.insert(0, str(ROOT / "Scripts"))
    try:
        import _demo_detector

        return _demo_detector
    finally:
        sys.path.remove(str(ROOT / "Scripts"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))


def test_it_is_small_runs_no_code_and_says_what_it_is_everywhere() -> None:
    files = [path for path in BUNDLE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2e6
    ref = resolve(str(BUNDLE))
    assert ref.demonstration and not ref.runs_code
    ((_, label),) = ref.labels
    card = (BUNDLE / "docs" / "README.md").read_text("utf-8")
    metadata = json.loads((BUNDLE / "configs" / "metadata.json").read_text("utf-8"))
    for said in (label.name, ref.intended_use, metadata["name"], metadata["intended_use"], card.splitlines()[0]):
        assert WARNING in said.lower()
    assert "CPM" in card


def test_its_descriptions_are_those_that_its_script_writes(scripts: ModuleType) -> None:
    digest = resolve(str(BUNDLE)).weights_sha256
    for path, body in scripts.descriptions(digest).items():
        assert json.loads((BUNDLE / path).read_text("utf-8")) == body, path


def test_its_card_is_that_which_its_script_writes_and_says_of_what_its_record_speaks(scripts: ModuleType) -> None:
    card = (BUNDLE / "docs" / "README.md").read_text("utf-8")
    (line,) = [line for line in card.splitlines() if line.startswith("- **Validation**: ")]
    found = line.removeprefix("- **Validation**: ").removesuffix(" that neither training nor calibration saw.")
    assert scripts.card(found) == card
    assert "images alone whose headers\n  say that they are generated" in card and "no light green" in card


def sensitivity(boxes: list[Box], made: Thorax) -> tuple[int, int]:
    """How many nodules have a box whose middle lies in them, of how many."""
    middles = np.array([box.frame[0] for box in boxes]).reshape(-1, 3)
    near = [np.linalg.norm(middles - one.center, axis=1) < one.diameter / 2 for one in made.nodules]
    return sum(bool(hit.any()) for hit in near), len(near)


def test_it_finds_nodules_of_generated_patients_that_it_never_saw() -> None:
    ref, hits, nodules, boxes = resolve(str(BUNDLE)), 0, 0, 0
    for seed in SEEN_BY_NOBODY:
        made = thorax(seed)
        found = predict(ref, made.volume, settings=RunSettings(device="cpu"))
        sure = [one.region for one in found.regions if isinstance(one.region, Box) and (one.raw_score or 0) > 0.4]
        hit, there = sensitivity(sure, made)
        hits, nodules, boxes = hits + hit, nodules + there, boxes + len(sure)
    assert nodules >= 4 and hits >= 0.8 * nodules
    assert boxes <= 3 * nodules


def test_its_record_is_of_generated_patients_and_speaks_of_no_real_image() -> None:
    (path,) = (BUNDLE / "trust").glob("*.trust.json")
    record = load_record(path)
    assert record.provenance.generated and record.provenance.patients == 30
    (nodule,) = record.structures
    assert nodule.lesions and nodule.is_calibrated and nodule.after is not None and nodule.before is not None
    assert nodule.after.ece < nodule.before.ece
    record.save(records_folder())
    ref, made = resolve(str(BUNDLE)), thorax(SEEN_BY_NOBODY[0])
    prediction = predict(ref, made.volume, settings=RunSettings(device="cpu"))
    for origin, state in (
        (Origin(), ConfidenceState.NOT_CALIBRATED),
        (Origin(generated=True), ConfidenceState.CALIBRATED),
    ):
        trust = RunTrust(manifest_of(ref), made.volume, origin=origin)
        told, quality = trust.judged(findings_of(ref, prediction, seed="s"), precision="float32")
        assert told and {one.confidence.state for one in told} == {state}
        assert {one.light for one in quality} == {"not assessed"}


def test_it_is_fetched_from_the_programs_own_resources_with_its_record() -> None:
    ref = fetch("synthetic-nodules")
    assert Path(ref.path) == home_folder() / "models" / BUNDLE.name and content_sha256(BUNDLE) == shipped.CONTENT
    assert content_sha256(Path(ref.path)) == shipped.CONTENT
    record = record_of(manifest_of(ref))
    assert record is not None and record.provenance.generated
    (kept,) = records_folder().iterdir()
    kept.unlink()
    assert fetch("synthetic-nodules").title == ref.title and record_of(manifest_of(ref)) == record


def test_files_that_are_not_those_that_are_pinned_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(BUNDLE, changed)
    (changed / "docs" / "README.md").write_text("for patients", encoding="utf-8")
    recipe = next(one for one in RECIPES if one.name == shipped.NAME)
    monkeypatch.setattr(registry, "RECIPES", (replace(recipe, source=lambda: changed),))
    with pytest.raises(HashMismatchError):
        fetch("synthetic-nodules")
    assert not (home_folder() / "models" / BUNDLE.name).exists() and not records_folder().exists()


@pytest.mark.parametrize(("said", "state"), [("YES", "CALIBRATED"), ("NO", "NOT_CALIBRATED"), ("", "NOT_CALIBRATED")])
def test_a_run_tells_probabilities_of_images_alone_that_call_themselves_generated(said: str, state: str) -> None:
    ref, made = fetch("synthetic-nodules"), thorax(SEEN_BY_NOBODY[0])
    header = Dataset()
    header.Manufacturer = "SlicerMedAI"
    if said:
        header.SyntheticData = said
    prediction = predict(ref, made.volume, settings=RunSettings(device="cpu"))
    trust = RunTrust.of(ref, made.volume, [header])
    told, quality = trust.judged(findings_of(ref, prediction, seed="s"), precision="float32")
    assert told and {one.confidence.state.name for one in told} == {state}
    assert {one.light for one in quality} == {"not assessed"}
    warned = trust.noted(Provenance(bundle="b", bundle_version="1", weights_sha256="0")).warnings
    assert any("says of itself that it is generated" in line for line in warned) == (said == "YES")


def test_an_image_that_calls_itself_generated_counts_for_demonstrations_alone() -> None:
    ref, made = fetch("synthetic-nodules"), thorax(SEEN_BY_NOBODY[0])
    header = Dataset()
    header.SyntheticData = "YES"
    prediction = predict(ref, made.volume, settings=RunSettings(device="cpu"))
    trust = RunTrust.of(replace(ref, demonstration=False), made.volume, [header])
    told, _ = trust.judged(findings_of(ref, prediction, seed="s"), precision="float32")
    assert {one.confidence.state for one in told} == {ConfidenceState.NOT_CALIBRATED}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of the generated thorax ``SEEN_BY_NOBODY[1]`` leaves."""
    folder = tmp_path_factory.mktemp("run")
    spec = SeriesSpec(description="generated thorax", modality="CT", intercept=-1024.0)
    write_series(thorax(SEEN_BY_NOBODY[1]).volume, folder / "series", spec=spec)
    job = RunJob(
        source=str(folder / "series"), bundle=str(BUNDLE), output=str(folder / "out"), device="cpu", body_part="CHEST"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICERMEDAI_HOME", str(folder / "home"))
        return execute(job, job_id="j")


def test_a_result_of_it_says_that_it_is_not_for_patients(run: Path) -> None:
    result = AnalysisResult.load(run)
    assert {one.confidence.state for one in result.findings} == {ConfidenceState.NOT_CALIBRATED}, "as its card says"
    assert result.findings and all(WARNING in one.label.name.lower() for one in result.findings)
    assert result.provenance.demonstration
    page = (run / "report.html").read_text("utf-8")
    assert WARNING in page.lower() and "demonstration only" in page
    texts = [str(part.value) for part in dcmread(next((run / "dicom").glob("*.dcm"))).iterall()]
    named = [text for text in texts if text.startswith("synthetic-nodules ") and text[-1].isdigit() and "." not in text]
    assert len(named) == len(result.findings) and all(WARNING in text.lower() for text in named)


def off(findings: Sequence[Finding], made: Thorax) -> list[float]:
    """By how many mm the sizes of the boxes that lie on nodules differ from the nodules' own."""
    found = []
    for one in findings:
        lengths = {number.name: number.value for number in one.measurements}
        middle = one.region.frame[0] if isinstance(one.region, Box) else np.full(3, np.inf)
        for nodule in made.nodules:
            if np.linalg.norm(middle - nodule.center) < nodule.diameter / 2:
                found.append(mean_diameter(lengths[LONG_AXIS], lengths[SHORT_AXIS]) - nodule.diameter)
    return found


@pytest.mark.parametrize("seed", SEEN_BY_NOBODY)
def test_its_nodules_are_measured_inside_their_boxes(seed: int) -> None:
    ref, made = resolve(str(BUNDLE)), thorax(seed)
    found = predict(ref, made.volume, settings=RunSettings(device="cpu"))
    findings = findings_of(ref, found, seed="s", volume=made.volume)
    assert len(findings) > len(made.nodules) >= 2, "and some that are none"
    errors = off(findings, made)
    assert len(errors) == len(made.nodules) and np.abs(errors).max() < 1.5, "voxels are 2.5 x 2 x 2 mm"
    assert {number.method for one in findings for number in one.measurements} == {IN_BOX}
    judged, _ = RunTrust(manifest_of(ref), made.volume, origin=Origin(generated=True)).judged(
        findings, precision="float32"
    )
    assert [one.measurements for one in judged] == [one.measurements for one in findings], "no interval of volumes"


def test_a_run_writes_the_sizes_in_its_boxes_with_how_they_were_found(run: Path) -> None:
    result, made = AnalysisResult.load(run), thorax(SEEN_BY_NOBODY[1])
    measured = [one for one in result.findings if not one.why_not_measured]
    assert len(measured) >= len(made.nodules) and np.abs(off(measured, made)).max() < 1.5
    refused = [one.why_not_measured for one in result.findings if one.why_not_measured]
    assert refused and all(why.startswith("no lesion that can be measured in the box: ") for why in refused)
    page = (run / "report.html").read_text("utf-8")
    assert page.count(IN_BOX.meaning) >= 3 * len(measured) and refused[0] in page
    (report,) = (run / "dicom").glob("*.dcm")
    assert (dciodvfy_errors(report), pixelmed_errors(report)) == ([], [])
    read = {one.tracking_uid: one for one in read_result([report]).result.findings}
    for one in measured:
        again = read[one.tracking_uid].measurements
        assert [(n.name, n.method, n.unit) for n in again] == [(n.name, n.method, n.unit) for n in one.measurements]
        assert np.allclose([n.value for n in again], [n.value for n in one.measurements], rtol=1e-9)


def test_what_it_is_trained_on_is_what_its_detector_reads(scripts: ModuleType) -> None:
    """The maps that training asks for, decoded as a run decodes the network's."""
    import _train_detector as training

    centers, diameters = np.array([[10.3, 12.0, 20.9], [25.0, 6.4, 8.0]]), np.array([5.0, 3.2])
    target = torch.from_numpy(training.target_of(centers, diameters))
    maps = target[:5].clone()
    maps[0] = torch.logit(maps[0].clamp(1e-4, 1 - 1e-4))
    boxes, _ = spots_in(maps, threshold=0.9, most=9)
    middles, sizes = (boxes[:, :3] + boxes[:, 3:]) / 2, boxes[:, 3] - boxes[:, 0]
    order = middles[:, 0].argsort()
    assert np.allclose(middles[order], centers, atol=1e-4) and np.allclose(sizes[order], diameters, atol=1e-4)


def test_a_training_is_the_same_for_the_same_seed(scripts: ModuleType) -> None:
    import _train_detector as training

    first, again, other = (training.trained(seed, steps=2, patients=[1]).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["fine.0.0.weight"], other["fine.0.0.weight"])
