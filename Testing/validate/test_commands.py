"""The commands calibrate, validate and trust, on a real bundle and generated patients, from table to report."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.cli.commands import obey, understand
from slicermedai.cli.execute import execute
from slicermedai.cli.last_words import tell
from slicermedai.confidence.appearance import NETWORK, appearance
from slicermedai.confidence.findings import findings_of
from slicermedai.confidence.models import manifest_of, record_of, records_folder
from slicermedai.confidence.ood import fit_ood
from slicermedai.confidence.record import TrustRecord, load_record
from slicermedai.confidence.run import Origin, RunTrust
from slicermedai.confidence.sketch import load_cases
from slicermedai.domain.codes import VOLUME
from slicermedai.domain.finding import ConfidenceState, Finding
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.result import WARNINGS, AnalysisResult, Quality
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError, NoImagesError, SharedCasesError, TooFewCasesError
from slicermedai.inference.task import Listeners, RunSettings, predict
from slicermedai.jobs.specs import CalibrateJob, RunJob, ValidateJob
from slicermedai.validate.cases import list_cases, match_labels
from slicermedai.validate.references import masks_on, read_reference
from Testing.corpus.trust.phantoms import OFFSET, OVERCONFIDENCE, Phantom, phantom, phantoms
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series
from Testing.inference.test_again import leaning
from Testing.inference.tiny_bundle import write_folded_bundle, write_tiny_bundle

COUNT = 22
GRID = Geometry.from_axes((2, 2, 2), spacing=(1, 1, 1))
"""A grid that references with a grid of their own do not look at."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SLICERMEDAI_MODELS", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Many small networks, one after the other: threads that wait for each other cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny@0.1")


def write_nifti(array: np.ndarray, case: Phantom, path: Path) -> None:
    """The tiny network's margin is 20 * image - 10."""
    geometry = Geometry.from_axes(array.shape, spacing=case.spacing)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.ijk_to_lps
    nibabel.save(nibabel.Nifti1Image(array.transpose(2, 1, 0), affine), path)


def write_cohort(folder: Path, *, seed: int, count: int = COUNT) -> Path:
    """A table of patients whose images are such that the tiny network gives the planted margins."""
    folder.mkdir()
    with (folder / "cases.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case", "image", "reference", "subject", "sex", "age", "site"])
        for number, case in enumerate(phantoms(count, seed=seed)):
            image, reference = f"{number}.nii", f"{number}-reference.nii"
            write_nifti(((case.margin + 10) / 20).astype(np.float32), case, folder / image)
            write_nifti(case.truth.astype(np.uint8), case, folder / reference)
            who = f"patient {seed}-{number}"
            writer.writerow([f"case {number}", image, reference, who, "FM"[number % 2], 30 + number, "north"])
    return folder / "cases.csv"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("cohort") / "a", seed=81)


@pytest.fixture(scope="module")
def calibrated(table: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICERMEDAI_HOME", str(folder / "home"))
        job = CalibrateJob(
            source=str(table), output=str(folder / "out"), bundle=str(bundle), trained_on="none", generated=True,
            device="cpu",
        )  # fmt: skip
        return execute(job, job_id="j")


@pytest.fixture(scope="module")
def record(calibrated: Path) -> TrustRecord:
    (path,) = calibrated.glob("*.trust.json")
    return load_record(path)


def test_the_record_holds_the_planted_calibration(record: TrustRecord) -> None:
    (body,) = record.structures
    assert (body.name, record.provenance.patients, record.provenance.generated) == ("Body", COUNT, True)
    assert body.scaling.slope == pytest.approx(1 / OVERCONFIDENCE, rel=0.15)
    assert body.scaling.offset == pytest.approx(OFFSET, abs=0.3)
    assert body.after is not None and body.before is not None
    assert body.after.ece < 0.02 < body.before.ece
    assert body.dice is not None and body.volume is not None
    assert record.ood is not None and len(record.ood.largest) == COUNT
    assert NETWORK not in {shape.check for shape in record.ood.shapes}  # one layer alone, as fine as its window
    assert (record.scope.sites, record.scope.unknown["manufacturer"]) == (("north",), COUNT)
    assert [(found.name, 0 <= found.low < found.high) for found in record.volumes] == [("Body", True)]


def test_neither_record_nor_sketches_name_a_patient(calibrated: Path) -> None:
    (path,) = calibrated.glob("*.trust.json")
    assert "patient 81" not in path.read_text()
    assert all("patient" not in case.subject for case in load_cases(calibrated / "sketches.zip"))


def test_the_label_table_that_was_used_is_saved(calibrated: Path) -> None:
    assert (calibrated / "labels.csv").read_text().split() == ["reference,label", "1,Body"]
    assert len((calibrated / "cases.csv").read_text().splitlines()) == COUNT + 1


def test_a_calibration_asks_who_the_model_was_trained_on(table: Path, bundle: Path, tmp_path: Path) -> None:
    job = CalibrateJob(source=str(table), output=str(tmp_path / "out"), bundle=str(bundle))
    with pytest.raises(InputError, match="not trained on"):
        execute(job, job_id="j")
    assert not (tmp_path / "out").exists()


def test_patients_of_the_training_set_are_refused_before_anything_runs(
    table: Path, bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "trained.txt").write_text("somebody\npatient 81-3\n")
    job = CalibrateJob(
        source=str(table), output=str(tmp_path / "out"), bundle=str(bundle), trained_on=str(tmp_path / "trained.txt")
    )
    with pytest.raises(SharedCasesError, match="1 of 22 patients were in the training set"):
        execute(job, job_id="j")


def test_too_few_cases_are_refused_before_anything_runs(bundle: Path, tmp_path: Path) -> None:
    few = write_cohort(tmp_path / "few", seed=82, count=3)
    job = CalibrateJob(
        source=str(few), output=str(tmp_path / "out"), bundle=str(bundle), trained_on="none", device="cpu"
    )
    with pytest.raises(TooFewCasesError, match="3 patients are too few"):
        execute(job, job_id="j")
    assert not (tmp_path / "out").exists()


# --- trust -------------------------------------------------------------------------------------------------------


def test_trust_show_says_what_the_record_knows(calibrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = calibrated.glob("*.trust.json")
    assert obey(understand(["trust", "show", str(path)])) == 0
    said = capsys.readouterr().out
    for words in ("22 images of 22 patients", "GENERATED", "Platt scaling", "ECE around the prediction", "for north"):
        assert words in said


def test_a_record_that_is_used_is_found_for_its_model_alone(
    calibrated: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = manifest_of(resolve(str(bundle)))
    assert record_of(manifest) is None
    assert obey(understand(["trust", "show", str(bundle)])) == 0
    assert "not calibrated" in capsys.readouterr().out
    (path,) = calibrated.glob("*.trust.json")
    assert obey(understand(["trust", "use", str(path)])) == 0
    assert record_of(manifest) == load_record(path)


# --- a run -------------------------------------------------------------------------------------------------------

NORTH = Origin(site="north", generated=True)


def run_with_trust(
    case: Phantom, bundle: Path, origin: Origin, *, precision: str = "float32", uncertainty: str = "none"
) -> tuple[Finding, Quality, RunTrust]:
    """As a run does it: made before the network, told after it."""
    ref = resolve(str(bundle))
    image = ((case.margin + 10) / 20).astype(np.float32)
    volume = Volume(array=image, geometry=Geometry.from_axes(image.shape, spacing=case.spacing))
    trust = RunTrust(manifest_of(ref), volume, origin=origin, uncertainty=uncertainty)
    settings = RunSettings(device="cpu", precision=precision)
    listeners = Listeners(observer=trust.observer, samples=trust.samples, sampling=uncertainty)
    prediction = predict(ref, volume, settings=settings, listeners=listeners)
    assert prediction.precision == precision
    before = findings_of(ref, prediction, seed="s")
    (finding,), (quality,) = trust.judged(before, precision=prediction.precision)
    assert np.array_equal(finding.region.to_array(), before[0].region.to_array())  # type: ignore[union-attr]  # masks
    return finding, quality, trust


def test_a_run_with_a_record_tells_probability_dice_and_volume_interval(calibrated: Path, bundle: Path) -> None:
    (path,) = calibrated.glob("*.trust.json")
    understand(["trust", "use", str(path)])()
    case = next(case for case in phantoms(9, seed=84) if case.difficulty < 1)
    finding, quality, trust = run_with_trust(case, bundle, NORTH)
    assert trust.ood is not None and trust.ood.alarms == ()
    assert finding.confidence.state is ConfidenceState.CALIBRATED
    cited = trust.noted(Provenance(bundle="b", bundle_version="1", weights_sha256="")).trust_record
    assert cited is not None and cited.sha256 == json.loads(path.read_text())["sha256"]
    assert cited.sha256[:12] in finding.confidence.calibration
    true = float((case.truth & case.prediction).sum() / case.prediction.sum())
    assert finding.confidence.probability == pytest.approx(true, abs=0.06)
    dice = float(2 * (case.truth & case.prediction).sum() / (case.truth.sum() + case.prediction.sum()))
    assert quality.expected_dice == pytest.approx(dice, abs=0.08)
    volume = next(m for m in finding.measurements if m.name == VOLUME)
    assert volume.interval is not None and volume.interval.low < volume.value < volume.interval.high


def test_the_same_run_on_a_real_image_or_another_site_tells_nothing(calibrated: Path, bundle: Path) -> None:
    (path,) = calibrated.glob("*.trust.json")
    understand(["trust", "use", str(path)])()
    case = next(iter(phantoms(1, seed=85)))
    for origin, word in ((Origin(site="north"), "generated data"), (Origin(site="south", generated=True), "south")):
        finding, quality, trust = run_with_trust(case, bundle, origin)
        assert trust.ood is None
        assert trust.noted(Provenance(bundle="b", bundle_version="1", weights_sha256="")).trust_record is None
        assert finding.confidence.state is ConfidenceState.NOT_CALIBRATED
        assert (quality.light, quality.expected_dice) == ("not assessed", None)
        assert word in " ".join(quality.reasons)
        assert all(m.interval is None for m in finding.measurements)


def test_a_run_in_another_precision_than_the_records_is_neither_calibrated_nor_green(
    calibrated: Path, bundle: Path
) -> None:
    (path,) = calibrated.glob("*.trust.json")
    understand(["trust", "use", str(path)])()
    case = next(case for case in phantoms(9, seed=84) if case.difficulty < 1)
    assert run_with_trust(case, bundle, NORTH)[0].confidence.state is ConfidenceState.CALIBRATED
    finding, quality, trust = run_with_trust(case, bundle, NORTH, precision="bfloat16")
    assert trust.ood is None
    assert (finding.confidence.state, finding.confidence.probability) == (ConfidenceState.NOT_CALIBRATED, None)
    assert "made in float32, and this run was in bfloat16" in finding.confidence.reason
    assert (quality.light, quality.expected_dice) == ("not assessed", None)
    assert all(m.interval is None for m in finding.measurements)


def test_a_run_without_a_record_listens_to_nothing(bundle: Path) -> None:
    finding, quality, trust = run_with_trust(next(iter(phantoms(1, seed=85))), bundle, NORTH)
    assert (trust.observer, trust.ood) == (None, None)
    assert finding.confidence.state is ConfidenceState.NOT_CALIBRATED
    assert quality.light == "not assessed"


def run_to_the_end(case: Phantom, bundle: Path, folder: Path) -> AnalysisResult:
    image = ((case.margin + 10) / 20).astype(np.float32)
    write_nifti(image, case, folder / "image.nii")
    job = RunJob(
        source=str(folder / "image.nii"), bundle=str(bundle), output=str(folder / "out"), device="cpu", report=False
    )
    return AnalysisResult.load(execute(job, job_id="j") / "result")


def test_a_run_holds_its_image_against_the_record_that_is_in_use(
    calibrated: Path, bundle: Path, tmp_path: Path
) -> None:
    case = next(iter(phantoms(1, seed=86)))
    (tmp_path / "before").mkdir()
    before = run_to_the_end(case, bundle, tmp_path / "before")
    assert "There is no calibration record" in before.findings[0].confidence.reason
    assert any(line.startswith("Out of distribution: not assessed") for line in before.provenance.refusals)
    (path,) = calibrated.glob("*.trust.json")
    understand(["trust", "use", str(path)])()
    (tmp_path / "after").mkdir()
    after = run_to_the_end(case, bundle, tmp_path / "after")
    assert after.findings[0].confidence.state is ConfidenceState.NOT_CALIBRATED  # the record knows phantoms alone
    assert "generated data" in " ".join(after.quality[0].reasons)
    assert after.quality[0].light == "not assessed"
    (line,) = (line for line in after.provenance.refusals if line.startswith("Out of distribution"))
    assert "generated data" in line


def test_an_image_unlike_the_records_ends_in_a_warning(record: TrustRecord, bundle: Path, tmp_path: Path) -> None:
    replace(record, provenance=replace(record.provenance, generated=False)).save(records_folder())
    case = next(iter(phantoms(1, seed=86)))
    thick = replace(case, spacing=tuple(4 * step for step in case.spacing))
    result = run_to_the_end(thick, bundle, tmp_path)
    assert result.needs_a_look
    assert any("spacing" in warning or "mm" in warning for warning in result.provenance.warnings)


def test_what_the_network_makes_of_an_image_is_held_against_the_record(record: TrustRecord, bundle: Path) -> None:
    """An image like all others, of which the network makes something else; without its features there is no green."""
    rng = np.random.default_rng(4)
    cases = list(phantoms(40, seed=89, hard=False))
    volumes = [
        Volume(
            array=((c.margin + 10) / 20).astype(np.float32),
            geometry=Geometry.from_axes(c.image.shape, spacing=c.spacing),
        )
        for c in cases
    ]
    looks = [appearance(volume, network=rng.normal(size=4)) for volume in volumes]
    ood = fit_ood(looks, subjects=[c.subject for c in cases])
    replace(record, ood=ood, features_of="deep, 4 channels").save(records_folder())
    ref = resolve(str(bundle))
    found = {}
    for name, features, layer in (
        ("usual", (0.1, -0.2, 0.3, 0.0), "deep, 4 channels"),
        ("strange", (9.0, 9.0, 9.0, 9.0), "deep, 4 channels"),
        ("none", (), ""),
        ("of another layer", (9.0, 9.0, 9.0, 9.0), "deeper, 8 channels"),
    ):
        trust = RunTrust(manifest_of(ref), volumes[3], origin=NORTH)
        assert trust.wants_features and trust.ood is not None and trust.ood.alarms == ()
        prediction = predict(ref, volumes[3], listeners=Listeners(observer=trust.observer))
        _, (quality,) = trust.judged(
            findings_of(ref, prediction, seed="s"), precision="float32", features=features, features_of=layer
        )
        found[name] = quality
    assert found["usual"].light in ("green", "amber")
    assert not any("features of the network" in reason for reason in found["usual"].reasons)
    assert found["strange"].light == "red"
    assert found["strange"].reasons[0].startswith("features of the network: unlike the 40 patients")
    for name in ("none", "of another layer"):
        assert found[name].light not in ("green", "red")
        assert "features of the network: not known of this input" in found[name].reasons


def test_a_structure_that_is_expected_to_be_poor_ends_in_a_warning(calibrated: Path, bundle: Path) -> None:
    (path,) = calibrated.glob("*.trust.json")
    understand(["trust", "use", str(path)])()
    hard, usual = phantom((87, 34), hard=True), phantom((87, 0), hard=True)
    for case, light, count in ((hard, "red", 1), (usual, "amber", 0)):
        _, quality, trust = run_with_trust(case, bundle, NORTH)
        said = trust.noted(Provenance(bundle="b", bundle_version="1", weights_sha256="")).warnings
        warned = [line for line in said if "is generated" not in line]
        assert (quality.light, len(warned), len(said)) == (light, count, count + 1), said
        assert all(f"predicted Dice {quality.expected_dice:.2f}" in line for line in warned)


# --- validate ----------------------------------------------------------------------------------------------------


def validate(table: Path, bundle: Path, output: Path) -> Path:
    job = ValidateJob(source=str(table), output=str(output), bundle=str(bundle), generated=True, device="cpu")
    return execute(job, job_id="j")


def test_a_validation_leaves_a_report_of_every_case(calibrated: Path, bundle: Path, tmp_path: Path) -> None:
    (path,) = calibrated.glob("*.trust.json")
    understand(["trust", "use", str(path)])()
    folder = validate(write_cohort(tmp_path / "b", seed=83, count=12), bundle, tmp_path / "out")
    page = (folder / "report.html").read_text()
    for words in ("12 cases of 12 patients", "Reliability", "sex: F", "site: north", "generated", "too few"):
        assert words in page
    assert len((folder / "cases.csv").read_text().splitlines()) == 13


def test_patients_of_the_calibration_cannot_validate_it(
    calibrated: Path, table: Path, bundle: Path, tmp_path: Path
) -> None:
    (path,) = calibrated.glob("*.trust.json")
    understand(["trust", "use", str(path)])()
    with pytest.raises(SharedCasesError, match="22 of 22 patients were in the calibration set"):
        validate(table, bundle, tmp_path / "out")


def test_references_that_reach_beyond_their_image_are_warned_of(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image of the first case lacks columns that its reference has marks in."""
    table, lost = write_cohort(tmp_path / "c", seed=89, count=3), 0
    case = next(iter(phantoms(3, seed=89)))
    keep = int(np.flatnonzero(case.truth.any(axis=(0, 1))).mean())
    lost = int(case.truth[:, :, keep:].sum())
    write_nifti(((case.margin + 10) / 20).astype(np.float32)[:, :, :keep], case, table.parent / "0.nii")
    folder = validate(table, bundle, tmp_path / "out")
    words = f"reach beyond the image in 1 of 3 cases ({lost} voxels in all, {lost} at most in one)"
    assert lost > 20 and words in (folder / "report.html").read_text()
    with (folder / "cases.csv").open(newline="") as stream:
        assert [int(row["beyond"]) for row in csv.DictReader(stream)] == [lost, 0, 0]
    tell(folder)
    said = capsys.readouterr().err
    assert f"Warning: References of Body {words}" in said
    assert "the label that each was taken for:\n  1 = Body\n" in said


# --- cases and labels --------------------------------------------------------------------------------------------


def test_a_folder_of_cases_is_a_table_of_patients(tmp_path: Path) -> None:
    case = next(iter(phantoms(1, seed=1)))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_nifti(case.image, case, tmp_path / name / "image.nii")
        write_nifti(case.truth.astype(np.uint8), case, tmp_path / name / "reference.nii")
    assert [(c.case, c.image.name, c.subject) for c in list_cases(tmp_path)] == [
        ("one", "image.nii", "one"),
        ("two", "image.nii", "two"),
    ]
    (tmp_path / "two" / "reference-2.nii").touch()
    with pytest.raises(InputError, match="reference"):
        list_cases(tmp_path)


def test_a_table_without_a_column_or_a_case_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("case,image,subject\na,b,c\n")
    with pytest.raises(InputError, match="reference"):
        list_cases(path)
    path.write_text("case,image,reference,subject\n")
    with pytest.raises(NoImagesError):
        list_cases(path)
    path.write_text("case,image,reference,subject\na,b,c,d\na,b,c,d\n")
    with pytest.raises(InputError, match="stands twice"):
        list_cases(path)


def test_a_label_table_says_what_is_which(bundle: Path, tmp_path: Path) -> None:
    labels = resolve(str(bundle)).labels
    path = tmp_path / "labels.csv"
    path.write_text("reference,label\n7,body\n9,1\n")
    assert [(m.reference, m.value) for m in match_labels(path, labels, ["7", "9"])] == [("7", 1), ("9", 1)]
    path.write_text("reference,label\n7,Liver\n")
    with pytest.raises(InputError, match="no label 'Liver'"):
        match_labels(path, labels, ["7"])
    with pytest.raises(InputError, match="no structure of the references matches"):
        match_labels(None, labels, ["7"])


def test_a_reference_on_another_grid_is_brought_to_the_image(tmp_path: Path) -> None:
    case = next(iter(phantoms(1, seed=2)))
    write_nifti(case.truth.astype(np.uint8), case, tmp_path / "r.nii")
    fine = Geometry.from_axes(case.truth.shape, spacing=case.spacing).resized((56, 80, 80))
    (match,) = match_labels(None, ((1, _label()),), ["1"])
    found = masks_on(read_reference(tmp_path / "r.nii", fine), [match], fine)[1]
    assert found.sum() == pytest.approx(8 * case.truth.sum(), rel=0.02)


def test_a_label_that_a_reference_lacks_is_empty_and_not_missing(tmp_path: Path) -> None:
    case = next(iter(phantoms(1, seed=2)))
    write_nifti(np.zeros(case.truth.shape, dtype=np.uint8), case, tmp_path / "r.nii")
    structures = read_reference(tmp_path / "r.nii", GRID)
    (match,) = match_labels(None, ((1, _label()),), ["1"])
    assert not masks_on(structures, [match], structures.geometry)[1].any()


def test_an_image_that_is_no_label_map_is_refused(tmp_path: Path) -> None:
    case = next(iter(phantoms(1, seed=3)))
    write_nifti(case.image + np.float32(0.5), case, tmp_path / "r.nii")
    with pytest.raises(InputError, match="no label map"):
        read_reference(tmp_path / "r.nii", GRID)


def test_a_segmentation_object_is_a_reference(bundle: Path, tmp_path: Path) -> None:
    volume, _ = head_phantom(covering("SPL", spacing=(8.0, 8.0, 8.0)))
    write_series(volume, tmp_path / "study")
    job = RunJob(
        source=str(tmp_path / "study"), bundle=str(bundle), output=str(tmp_path / "out"), report=False, device="cpu",
        formats=("seg",),
    )  # fmt: skip
    folder = execute(job, job_id="j")
    (path,) = (folder / "dicom").glob("*.dcm")
    result = AnalysisResult.load(folder)
    region = result.findings[0].region
    assert region is not None and not hasattr(region, "position")
    structures = read_reference(path, GRID)
    matches = match_labels(None, ((1, _label()),), list(structures.masks))
    found = masks_on(structures, matches, result.volume_geometry)[1]
    assert np.array_equal(found, region.to_array())  # type: ignore[union-attr]  # a mask, by the bundle


def a_model_that_leans(folder: Path) -> Path:
    """A network that looks to one side, so that its mirror images differ."""
    return leaning(write_tiny_bundle(folder), roi=32)


@pytest.mark.parametrize(
    ("asked", "named", "make"),
    [
        ("flips", "flip test-time augmentation", a_model_that_leans),
        ("folds", "ensemble of 3 folds (0, 1, 2)", write_folded_bundle),
    ],
)
def test_a_record_with_samples_judges_runs_with_the_same_and_says_so_to_others(
    asked: str, named: str, make: Callable[[Path], Path], table: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model = make(tmp_path / "tiny@0.1")
    job = CalibrateJob(
        source=str(table), output=str(tmp_path / "out"), bundle=str(model), trained_on="none", generated=True,
        device="cpu", uncertainty=asked,
    )  # fmt: skip
    (path,) = execute(job, job_id="j").glob("*.trust.json")
    (body,) = load_record(path).structures
    assert body.sampled is not None and body.sampled.method == named
    assert len(body.sampled.dice.features) == 2 and body.dice is not None and len(body.dice.features) == 1
    understand(["trust", "use", str(path)])()
    assert obey(understand(["trust", "show", str(path)])) == 0
    assert f"with {named}: " in capsys.readouterr().out

    case = next(case for case in phantoms(9, seed=84) if case.difficulty < 1)
    said = {}
    for method in ("none", asked):
        _, quality, trust = run_with_trust(case, model, NORTH, uncertainty=method)
        said[method] = quality
        assert (trust.samples is not None) == (method == asked)
    assert "without samples" in said["none"].reasons[-1]
    assert not any("samples" in reason for reason in said[asked].reasons)
    assert said["none"].expected_dice != said[asked].expected_dice


def test_samples_that_a_model_cannot_give_are_refused_before_anything_runs(
    table: Path, bundle: Path, tmp_path: Path
) -> None:
    job = CalibrateJob(
        source=str(table), output=str(tmp_path / "out"), bundle=str(bundle), trained_on="none", uncertainty="folds"
    )
    stages: list[str] = []
    with pytest.raises(InputError, match=r"tiny@0\.1 has one network and no folds"):
        execute(job, job_id="j", progress=lambda stage, fraction: stages.append(stage))
    assert not stages


def test_nothing_is_fitted_to_boxes_and_a_run_says_why(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """References as markups in the table of a real calibration: their regions are boxes, which is said."""
    table = write_cohort(tmp_path / "boxes", seed=88)
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        (table.parent / row["reference"]).unlink()
        row["reference"] = write_box(table.parent / row["image"])
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    job = CalibrateJob(
        source=str(table), output=str(tmp_path / "out"), bundle=str(bundle), trained_on="none", generated=True,
        device="cpu",
    )  # fmt: skip
    (path,) = execute(job, job_id="j").glob("*.trust.json")
    record = load_record(path)
    (body,) = record.structures
    assert body.rough and body.patients >= 20 and not body.is_calibrated
    assert not (path.parent / WARNINGS).exists() and not any("beyond" in reason for reason in body.reasons)
    assert (body.dice, body.rule, body.volume, body.sampled, record.volumes) == (None, None, None, None, ())
    report = (validate_boxes(table, bundle, tmp_path / "v") / "report.html").read_text()
    assert "References of Body are boxes or balls" in report
    understand(["trust", "use", str(path)])()
    assert obey(understand(["trust", "show", str(path)])) == 0
    assert "boxes or balls" in capsys.readouterr().out

    case = next(case for case in phantoms(COUNT, seed=88) if case.difficulty < 1)  # an image like the record's
    finding, quality, _ = run_with_trust(case, bundle, NORTH)
    assert (finding.confidence.state, finding.confidence.probability) == (ConfidenceState.NOT_CALIBRATED, None)
    assert "boxes or balls" in finding.confidence.reason and "boxes or balls" in quality.reason
    assert (quality.light, quality.expected_dice) == ("not assessed", None)
    assert all(m.interval is None for m in finding.measurements)


def write_box(image: Path) -> str:
    """A box around what the tiny network finds in ``image``, as 3D Slicer saves it; returns its file's name."""
    loaded = nibabel.load(image)
    where = np.argwhere(np.asarray(loaded.dataobj) > 0.5)
    low, high = (loaded.affine @ [*corner, 1] for corner in (where.min(axis=0) - 0.5, where.max(axis=0) + 0.5))
    centre = ((low + high) / 2)[:3].tolist()
    markup = {
        "type": "ROI", "coordinateSystem": "RAS", "roiType": "Box", "center": centre,
        "orientation": np.eye(3).ravel().tolist(), "size": np.abs(high - low)[:3].tolist(),
        "controlPoints": [{"label": "Body-1", "position": centre}],
    }  # fmt: skip
    path = image.with_suffix(".mrk.json")
    path.write_text(json.dumps({"markups": [markup]}))
    return path.name


def validate_boxes(table: Path, bundle: Path, output: Path) -> Path:
    return execute(ValidateJob(source=str(table), output=str(output), bundle=str(bundle), device="cpu"), job_id="j")


def _label():  # type: ignore[no-untyped-def]
    from slicermedai.domain.codes import ANATOMY, BRAIN, Label

    return Label(name="Body", category=ANATOMY, type=BRAIN)
