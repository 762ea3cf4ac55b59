"""Classifiers: the words of a table become a calibrated probability, a report, and checks of the model's maps."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from slicermedai.bundles.consent import agree
from slicermedai.bundles.registry import resolve
from slicermedai.bundles.store import Title
from slicermedai.cli.commands import obey, understand
from slicermedai.cli.execute import execute
from slicermedai.confidence.calibrate import sketch_of_candidates
from slicermedai.confidence.findings import findings_of
from slicermedai.confidence.models import manifest_of
from slicermedai.confidence.plain import from_plain, to_plain
from slicermedai.confidence.record import TrustRecord, digest, load_record
from slicermedai.confidence.run import Origin, RunTrust
from slicermedai.confidence.sketch import CaseSketch
from slicermedai.dicom.inputs import open_source
from slicermedai.domain.finding import ConfidenceState, Finding
from slicermedai.domain.observer import silent
from slicermedai.domain.result import AnalysisResult, Quality
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.inference.task import predict
from slicermedai.jobs.specs import CalibrateJob, RunJob, ValidateJob
from slicermedai.validate.cases import list_cases
from slicermedai.validate.execute import _judged, _names
from slicermedai.validate.images import image_label, run_images
from slicermedai.validate.resampling import Resampling
from slicermedai.validate.running import DoneCase, ImageCase, ModelRun
from Testing.inference.test_saliency_labels import classifier

COUNT = 40
NAMES = ("Body 1", "Body 2")
SIZE = 16


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(home))


@pytest.fixture(scope="module")
def bundle(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says the more of its first label, the brighter the brightest place is; wrongly sure of it."""
    made = classifier(tmp_path_factory.mktemp("models") / "bright@0.1", 3, (SIZE,) * 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICERMEDAI_HOME", str(home))
        agree(Title(name="bright", version="0.1"), "the test", made)
    return made


def written(folder: Path, *, seed: int, words: tuple[str, str] = (NAMES[0], "none")) -> Path:
    """A table of images, and the label that each really has, which the brightness tells with errors."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    with (folder / "cases.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case", "image", "reference", "subject", "sex"])
        for number in range(COUNT):
            brightness = rng.uniform(0.0, 0.5)
            has = rng.random() < really(brightness)
            image = rng.uniform(0, 0.02, (SIZE,) * 3).astype(np.float32)
            image[2:7, 9:14, 3:8] += brightness
            nibabel.save(nibabel.Nifti1Image(image, np.diag([-2.0, -2, 2, 1])), folder / f"{number}.nii")
            writer.writerow(
                [number, f"{number}.nii", words[0] if has else words[1], f"{seed}-{number}", "FM"[number % 2]]
            )
    return folder / "cases.csv"


def really(brightness: float) -> float:
    """The probability of the label: its log-odds are 1.5 times those of the network, less 0.6."""
    return float(1 / (1 + np.exp(-12 * (brightness - 0.3))))


@pytest.fixture(scope="module")
def calibrated(bundle: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICERMEDAI_HOME", str(home))
        table = written(folder / "cases", seed=3)
        job = CalibrateJob(
            source=str(table), output=str(folder / "out"), bundle=str(bundle), trained_on="none", generated=True,
            saliency="gradient", device="cpu",
        )  # fmt: skip
        return execute(job, job_id="j")


@pytest.fixture(scope="module")
def record(calibrated: Path) -> TrustRecord:
    (path,) = calibrated.glob("*.trust.json")
    return load_record(path)


def test_scores_of_labels_become_probabilities_and_make_no_light(
    calibrated: Path, record: TrustRecord, bundle: Path, tmp_path: Path
) -> None:
    first = record.structures[0]
    assert first.of_image and first.is_calibrated and first.patients == COUNT and not first.lesions
    assert first.before is not None and first.after is not None and first.after.nll < first.before.nll - 0.05
    assert first.intervals["slope"].low < 1.5 < first.intervals["slope"].high
    assert first.intervals["offset"].low < -0.6 < first.intervals["offset"].high
    never = record.structures[1]
    assert never.of_image and not never.is_calibrated and never.reasons, "no image has it: nothing can be fitted"
    assert (first.dice, first.rule, first.volume, record.volumes) == (None, None, None, ())
    image = an_image(tmp_path / "a.nii", 0.36, noise=0.02)
    finding, _ = told(bundle, image)
    assert finding.confidence.state is ConfidenceState.NOT_CALIBRATED and finding.confidence.probability is None
    use(calibrated)
    finding, quality = told(bundle, image)
    assert finding.confidence.state is ConfidenceState.CALIBRATED
    assert finding.confidence.raw_score is not None and finding.confidence.probability is not None
    assert finding.confidence.probability == pytest.approx(really(0.36), abs=0.12)
    assert (quality.light, quality.expected_dice) == ("not assessed", None)
    assert "labels of the whole image" in quality.reason
    finding, quality = told(bundle, an_image(tmp_path / "b.nii", 0.36, noise=0.0))
    assert finding.confidence.state is ConfidenceState.NOT_ASSESSED and quality.light == "red", "unlike all the others"


def an_image(path: Path, brightness: float, *, noise: float) -> Volume:
    array = np.random.default_rng(1).uniform(0, noise, (SIZE,) * 3).astype(np.float32)
    array[2:7, 9:14, 3:8] += brightness
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-2.0, -2, 2, 1])), path)
    return open_source(path).volume


def told(bundle: Path, image: Volume) -> tuple[Finding, Quality]:
    """As a run does it, of an image that is generated."""
    ref = resolve(str(bundle))
    trust, found = RunTrust(manifest_of(ref), image, origin=Origin(generated=True)), predict(ref, image)
    findings, qualities = trust.judged(findings_of(ref, found, seed="s"), precision=found.precision)
    return findings[0], qualities[0]


def use(calibrated: Path) -> None:
    (path,) = calibrated.glob("*.trust.json")
    assert obey(understand(["trust", "use", str(path)])) == 0


def test_maps_of_a_classifier_are_checked_and_trust_show_says_how(
    calibrated: Path, record: TrustRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    (quality,) = record.saliency
    assert (quality.method, quality.cases, quality.seeds, quality.of_image) == ("gradient", 10, 5, True)
    measured = (quality.gain, quality.distance, quality.noise, quality.rho, quality.repeat, quality.additive)
    assert None not in measured and quality.shortcut is None
    (path,) = calibrated.glob("*.trust.json")
    assert obey(understand(["trust", "show", str(path)])) == 0
    said = capsys.readouterr().out
    assert "maps by gradient: saliency not validated" in said and "planted marker" in said
    with (calibrated / "cases.csv").open(newline="") as stream:
        having = sum(row["there"] == "1" and row["structure"] == NAMES[0] for row in csv.DictReader(stream))
    assert "ECE of the images" in said and f"{having} of {COUNT} images have it" in said and 0 < having < COUNT


def test_a_calibrated_label_and_the_checks_of_its_map_go_from_a_run_into_the_report(
    record: TrustRecord, bundle: Path, home: Path, tmp_path: Path
) -> None:
    """As if the patients of the record had been real: a file does not say of itself that it is generated."""
    real = replace(record, provenance=replace(record.provenance, generated=False))
    real.save(home / "trust")
    an_image(tmp_path / "a.nii", 0.36, noise=0.02)
    job = RunJob(
        source=str(tmp_path / "a.nii"), output=str(tmp_path / "out"), bundle=str(bundle), saliency="gradient",
        device="cpu",
    )  # fmt: skip
    folder = execute(job, job_id="j")
    result = AnalysisResult.load(folder)
    (finding,) = result.findings
    assert finding.region is None and finding.confidence.state is ConfidenceState.CALIBRATED
    assert finding.confidence.probability == pytest.approx(really(0.36), abs=0.12)
    page = (folder / "report.html").read_text("utf-8")
    assert f"Calibrated probability {finding.confidence.probability:.1%}" in page and real.name in page
    assert "saliency not validated" in page and "planted marker" in page


def test_how_a_score_varies_over_mirror_images_goes_from_a_run_into_the_report(bundle: Path, tmp_path: Path) -> None:
    """The brightest place is as bright in every mirror image, but its mean over a pace of two voxels is not."""
    array = np.zeros((SIZE,) * 3, dtype=np.float32)
    array[4, 4, 4] = 4.0
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-2.0, -2, 2, 1])), tmp_path / "a.nii")
    plain, asked = (
        execute(
            RunJob(source=str(tmp_path / "a.nii"), output=str(tmp_path / way), bundle=str(bundle), uncertainty=way,
                   device="cpu"),
            job_id="j",
        )
        for way in ("none", "flips")
    )  # fmt: skip
    before, result = AnalysisResult.load(plain), AnalysisResult.load(asked)
    assert [one.confidence for one in before.findings] == [one.confidence for one in result.findings]
    assert before.uncertainty is None and result.uncertainty is not None and result.uncertainty.samples == 8
    assert any("Uncertainty: not assessed" in line for line in before.provenance.refusals)
    assert not any("Uncertainty" in line for line in result.provenance.refusals)
    words = result.uncertainty.notes[0]
    assert f"score {result.findings[0].confidence.raw_score:.2f}; " in words and "its 7 mirror images" in words
    page = (asked / "report.html").read_text("utf-8")
    assert words in page and "Inner and outer regions" not in page and "no probability" in page


def test_records_without_labels_of_images_keep_their_hash(record: TrustRecord) -> None:
    plain = to_plain(record)
    plain["structures"] = [{**one, "of_image": False} for one in plain["structures"]]
    older = to_plain(from_plain(plain, TrustRecord))
    for one in older["structures"]:
        one.pop("of_image", None)
    assert digest(from_plain(older, TrustRecord)) == digest(from_plain(plain, TrustRecord)) != digest(record)


def test_a_validation_counts_every_image_of_both_kinds(bundle: Path, home: Path, tmp_path: Path) -> None:
    for used in (home / "trust").glob("*"):
        used.unlink()
    table = written(tmp_path / "b", seed=7)
    folder = execute(
        ValidateJob(source=str(table), output=str(tmp_path / "out"), bundle=str(bundle), device="cpu"), job_id="j"
    )
    with (folder / "cases.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["structure"] == NAMES[0]]
    with table.open(newline="") as stream:
        there = [row["reference"] == NAMES[0] for row in csv.DictReader(stream)]
    assert [row["there"] == "1" for row in rows] == there and len(rows) == COUNT
    assert [row["found"] == "1" for row in rows] == [float(row["score"]) > 0.5 for row in rows]
    page = (folder / "report.html").read_text()
    for words in (
        f"{COUNT} images of {COUNT} patients; {sum(there)} have it",
        "Sensitivity",
        "sex: F",
        "of the images",
    ):
        assert words in page


def test_decisions_and_ranks_of_a_label_are_those_of_a_count_by_hand() -> None:
    given = [(0.9, True, True), (0.8, True, False), (0.7, False, True), (0.1, False, False), (0.2, True, False)]
    cases = [
        ImageCase(case=str(n), subject=str(n), score=score, there=there, found=found)
        for n, (score, there, found) in enumerate(given)
    ]
    made = image_label("x", cases, Resampling(rounds=20))
    assert (made.cases, made.patients, made.there) == (5, 5, 3)
    assert made.found.sensitivity is not None and made.found.specificity is not None and made.scored.auc is not None
    assert made.found.sensitivity.value == pytest.approx(1 / 3) and made.found.specificity.value == 0.5
    assert made.scored.auc.value == pytest.approx(5 / 6)
    none = image_label("x", [one for one in cases if not one.there], Resampling(rounds=20))
    assert none.found.sensitivity is None and none.scored.auc is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("", "none"), "against words"),
        (("Nose", "none"), "matches a label"),
        (("Body 1; Nose",) * 2, "no label"),
        (("a/Body 1", "Body 2"), "no label"),
        (("0.nii", "none"), "against a file"),
    ],
)
def test_words_that_name_no_label_are_refused_before_anything_runs(
    bundle: Path, words: tuple[str, str], said: str, tmp_path: Path
) -> None:
    table, stages = written(tmp_path / "c", seed=5, words=words), list[str]()
    ref = resolve(str(bundle))
    with pytest.raises(InputError, match=said):
        run_images(
            list_cases(table), manifest=manifest_of(ref), labels=None, run=ModelRun(ref=ref, device="cpu"),
            progress=lambda stage, share: stages.append(stage),
        )  # fmt: skip
    assert not stages


def test_a_label_table_says_which_word_is_which_label_and_an_image_may_have_several(
    bundle: Path, tmp_path: Path
) -> None:
    table, matches = written(tmp_path / "d", seed=6, words=("bleeding; fracture", "None")), tmp_path / "labels.csv"
    matches.write_text(f"reference,label\nbleeding,{NAMES[0]}\nfracture,{NAMES[1]}\n")
    ref = resolve(str(bundle))
    done, _ = run_images(
        list_cases(table)[:4], manifest=manifest_of(ref), labels=matches, run=ModelRun(ref=ref, device="cpu"),
        progress=silent,
    )  # fmt: skip
    both = [one.said.startswith("bleeding") for one in list_cases(table)[:4]]
    assert [(case.images[1].there, case.images[2].there) for case in done] == [(one, one) for one in both]
    assert all(case.images[1].score + case.images[2].score == pytest.approx(1, abs=1e-5) for case in done)


def test_a_folder_called_like_a_label_is_no_reference(bundle: Path, tmp_path: Path) -> None:
    table = written(tmp_path / "e", seed=8)
    (table.parent / NAMES[0]).mkdir()
    ref, having = resolve(str(bundle)), [case for case in list_cases(table) if case.said == NAMES[0]]
    done, _ = run_images(
        having[:2], manifest=manifest_of(ref), labels=None, run=ModelRun(ref=ref, device="cpu"),
        progress=silent,
    )  # fmt: skip
    assert len(done) == 2


def test_two_labels_of_one_name_are_judged_apart(bundle: Path) -> None:
    manifest = manifest_of(resolve(str(bundle)))
    (one, label), (two, _) = manifest.ref.labels
    alike = replace(manifest, ref=replace(manifest.ref, labels=((one, label), (two, label))))
    sketches = {
        value: sketch_of_candidates(np.full(20, score, np.float32), np.arange(20) % 2 == 0)
        for value, score in ((one, 0.5), (two, 0.95))
    }
    cases = [
        DoneCase(
            subject=str(n),
            scores={},
            sketch=CaseSketch(subject=str(n), sketches=sketches),
            blind={},
            looks={},
            groups={},
        )
        for n in range(20)
    ]
    judged = _judged(cases, alike, None)
    assert list(judged) == [label.name, f"{label.name} ({two})"] == list(_names(alike).values())
    assert judged[label.name].metrics.brier < judged[f"{label.name} ({two})"].metrics.brier - 0.1
