"""Detectors held against references from the command line: lesions of all kinds of reference, FROC, probability."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from slicermedai.bundles.registry import resolve
from slicermedai.cli.commands import obey, understand
from slicermedai.cli.execute import execute
from slicermedai.confidence.findings import findings_of
from slicermedai.confidence.models import manifest_of, records_folder
from slicermedai.confidence.record import NO_DICE, TrustRecord, load_record
from slicermedai.confidence.run import Origin, RunTrust
from slicermedai.domain.codes import ANATOMY, BRAIN, Label
from slicermedai.domain.finding import ConfidenceState, Finding
from slicermedai.domain.result import WARNINGS, AnalysisResult, Quality
from slicermedai.errors import GeometryError, InputError, SharedCasesError
from slicermedai.inference.task import RunSettings, predict
from slicermedai.jobs.specs import CalibrateJob, RunJob, ValidateJob
from slicermedai.validate.cases import EXCLUDED, NO_LESION, Match, match_labels, write_matches
from slicermedai.validate.detection import detection
from slicermedai.validate.froc import Candidate, Lesion, Outcome, Scan, matched, outcomes
from slicermedai.validate.lesions import components, cut_in, lesion_names, lesions_in, sketch_of
from slicermedai.validate.resampling import Resampling
from Testing.fixtures.grids import rotated
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.inference.conftest import points_of
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.validate.lesion_cohort import (
    GRID,
    PLACES,
    RADIUS,
    Ball,
    a_detector,
    balls,
    image_of,
    save_nifti,
    write_boxes,
    write_cohort,
    write_markups,
    write_mask,
    write_points,
)

pytest.importorskip("torchvision", reason="absent: torchvision, which MONAI's detectors need")

COUNT = 26
BODY, NUMBERED = Match(reference="Body", value=1), Match(reference="1", value=1)
TWO = tuple(Ball(place=place, brightness=1.2, is_lesion=True) for place in (PLACES[0], PLACES[5]))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SLICERMEDAI_MODELS", raising=False)
    return tmp_path / "home"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return a_detector(tmp_path)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> TrustRecord:
    """Calibrated by the command on a cohort of generated patients."""
    folder = tmp_path_factory.mktemp("calibrated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICERMEDAI_HOME", str(folder / "home"))
        made = a_detector(folder)
        rng = np.random.default_rng(11)
        table = write_cohort(folder / "cohort", [balls(rng) for _ in range(COUNT)])
        (folder / "labels.csv").write_text("reference,label\n1,1\nBody,1\n")
        job = CalibrateJob(
            source=str(table), output=str(folder / "out"), bundle=str(made), trained_on="none", generated=True,
            device="cpu", labels=str(folder / "labels.csv"),
        )  # fmt: skip
        out = execute(job, job_id="j")
        assert {path.name for path in out.iterdir()} >= {"cases.csv", "candidates.csv", "labels.csv", "sketches.zip"}
        (path,) = out.glob("*.trust.json")
        return load_record(path)


# --- lesions of references ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [write_mask, write_points, write_boxes])
def test_any_reference_gives_the_same_lesions(tmp_path: Path, write: object) -> None:
    name = write(tmp_path, 3, TWO)  # type: ignore[operator]  # a function
    match = BODY if write is not write_mask else Match(reference="1", value=1)
    found = sorted(lesions_in(tmp_path / name, [match], GRID)[1], key=lambda one: one.position)
    assert len(found) == 2
    for one, ball in zip(found, sorted(TWO, key=lambda ball: ball.place), strict=True):
        assert np.allclose(one.position, ball.place, atol=0.7)
        assert one.diameter == pytest.approx(2 * RADIUS, rel=0.06)


def test_a_segmentation_object_gives_its_lesions(tmp_path: Path) -> None:
    volume = image_of([Ball(place=PLACES[2], brightness=1.0, is_lesion=True)])
    write_series(volume, tmp_path / "series", spec=SeriesSpec(slope=1e-3))
    tiny = write_tiny_bundle(tmp_path / "tiny@0.1")
    job = RunJob(
        source=str(tmp_path / "series"), bundle=str(tiny), output=str(tmp_path / "out"), report=False, device="cpu",
        formats=("seg",),
    )  # fmt: skip
    folder = execute(job, job_id="j")
    (path,) = (folder / "dicom").glob("*.dcm")
    assert lesion_names(path) == ("Body",)
    geometry = AnalysisResult.load(folder).volume_geometry
    (found,) = lesions_in(path, [BODY], geometry)[1]
    assert np.allclose(found.position, PLACES[2], atol=0.5)
    assert found.diameter == pytest.approx(14, rel=0.1), "half as bright at half of 14 mm"


def test_connected_parts_are_lesions_wherever_the_grid_lies() -> None:
    grid = rotated(GRID, (20, -10, 30))
    points = points_of(grid)
    mask = np.any([np.linalg.norm(points - place, axis=-1) < RADIUS for place in PLACES[:3]], axis=0)
    found = components(mask, grid)
    assert len(found) == 3
    for place in PLACES[:3]:
        assert min(np.linalg.norm(np.subtract(one.position, place)) for one in found) < 0.7
    assert components(np.zeros(grid.shape, dtype=bool), grid) == ()


def test_voxels_that_share_a_corner_are_one_lesion() -> None:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[3, 3, 3] = mask[4, 4, 4] = mask[9, 9, 9] = True
    assert len(components(mask, GRID)) == 2


def test_the_word_none_is_a_scan_without_lesions_and_a_missing_file_is_not(tmp_path: Path) -> None:
    assert lesion_names(tmp_path / "none") == ()
    assert lesions_in(tmp_path / "none", [BODY], GRID) == {1: ()}
    with pytest.raises(InputError):
        lesion_names(tmp_path / "absent.nii")


def test_excluded_lesions_are_those_of_the_table_or_of_that_name(tmp_path: Path) -> None:
    points = [
        {"label": "Body-1", "description": "radius 5 mm", "position": list(PLACES[0])},
        {"label": "scar 2", "description": "radius 5 mm", "position": list(PLACES[1])},
        {"label": "excluded-3", "description": "radius 5 mm", "position": list(PLACES[2])},
    ]
    (tmp_path / "labels.csv").write_text("reference,label\nBody,Body\nscar,excluded\n")
    labels = ((1, Label(name="Body", category=ANATOMY, type=BRAIN)),)
    by_table = match_labels(tmp_path / "labels.csv", labels, [], further={EXCLUDED: 0})
    by_name = match_labels(None, labels, ["Body", "excluded"], further={EXCLUDED: 0})
    for matches, excluded in ((by_table, 1), (by_name, 2)):
        marked = [points[0], points[excluded]]
        write_markups(tmp_path / "a.mrk.json", [{"type": "Fiducial", "controlPoints": marked}])
        found = lesions_in(tmp_path / "a.mrk.json", matches, GRID)[1]
        assert [(one.position, one.excluded) for one in found] == [(PLACES[0], False), (PLACES[excluded], True)]
    write_matches(by_table, labels, tmp_path / "used.csv")
    assert (tmp_path / "used.csv").read_text().split() == ["reference,label", "Body,Body", "scar,excluded"]


def test_an_organ_in_a_reference_is_passed_over_and_forgives_no_candidate(tmp_path: Path) -> None:
    """A lung as boxes of a size that no lesion has, and as a curve beyond the image's middle."""
    points = [
        {"label": "Body-1", "description": "radius 5 mm", "position": list(PLACES[0])},
        {"label": "Lung-2", "description": "radius 30 mm", "position": [900.0, 0.0, 0.0]},
    ]
    write_markups(tmp_path / "a.mrk.json", [{"type": "Fiducial", "controlPoints": points}])
    (tmp_path / "labels.csv").write_text("reference,label\nBody,Body\nlung,No lesion\nLung,No lesion\n")
    labels = ((1, Label(name="Body", category=ANATOMY, type=BRAIN)),)
    matches = match_labels(tmp_path / "labels.csv", labels, [], further={EXCLUDED: 0, NO_LESION: -1})
    (found,) = lesions_in(tmp_path / "a.mrk.json", matches, GRID)[1]
    assert (found.position, found.excluded) == (PLACES[0], False)
    excluded = [replace(one, value=0) if one.value == -1 else one for one in matches]
    with pytest.raises(GeometryError):
        lesions_in(tmp_path / "a.mrk.json", excluded, GRID)
    write_matches(matches, labels, tmp_path / "used.csv")
    assert (tmp_path / "used.csv").read_text().splitlines()[-1] == "Lung,no lesion"


def test_parts_of_a_mask_that_are_no_lesions_are_passed_over(tmp_path: Path) -> None:
    mask = np.zeros(GRID.shape, dtype=np.uint8)
    mask[:12] = 2
    mask[20:23, 20:23, 20:23] = 1
    save_nifti(mask, tmp_path / "a.nii")
    matches = [NUMBERED, Match(reference="2", value=-1)]
    assert [one.excluded for one in lesions_in(tmp_path / "a.nii", matches, GRID)[1]] == [False]
    with pytest.raises(InputError, match="called '2'"):
        lesions_in(tmp_path / "a.nii", [NUMBERED], GRID)


def test_a_lesion_that_no_label_matches_is_refused_by_file_and_name(tmp_path: Path) -> None:
    """Left out, it would make a false alarm of the candidate that finds it."""
    placed = [
        {"label": name, "description": "radius 5 mm", "position": list(PLACES[number])}
        for number, name in enumerate(("Body-1", "Bodi-2"))
    ]
    write_markups(tmp_path / "a.mrk.json", [{"type": "Fiducial", "controlPoints": placed}])
    with pytest.raises(InputError, match="called 'Bodi'") as refused:
        lesions_in(tmp_path / "a.mrk.json", [BODY], GRID)
    assert refused.value.file == str(tmp_path / "a.mrk.json")
    assert (
        "label table" in refused.value.advice
        and "'excluded'" in refused.value.advice
        and "'no lesion'" in refused.value.advice
    )
    mapped = [BODY, Match(reference="Bodi", value=1)]
    assert len(lesions_in(tmp_path / "a.mrk.json", mapped, GRID)[1]) == 2


def test_a_lesion_beyond_the_image_is_refused(tmp_path: Path) -> None:
    placed = [{"label": "Body", "description": "radius 5 mm", "position": [400.0, 0.0, 0.0]}]
    write_markups(tmp_path / "a.mrk.json", [{"type": "Fiducial", "controlPoints": placed}])
    with pytest.raises(GeometryError, match="centre of a lesion lies beyond the image"):
        lesions_in(tmp_path / "a.mrk.json", [BODY], GRID)


# --- candidates --------------------------------------------------------------------------------------------------


def a_scan() -> Scan:
    """Two lesions, one excluded; candidates: best and second of the first, in the excluded one, nowhere."""
    lesions = (
        Lesion(position=(0.0, 0.0, 0.0), diameter=10.0),
        Lesion(position=(50.0, 0.0, 0.0), diameter=10.0, excluded=True),
    )
    places = {0.5: 1.0, 0.75: -2.0, 0.9: 52.0, 0.25: 100.0}
    found = tuple(Candidate(position=(x, 0.0, 0.0), score=score) for score, x in places.items())
    return Scan(subject="s", lesions=lesions, candidates=found)


def test_every_candidate_has_an_outcome_and_they_add_up_to_what_is_matched() -> None:
    scan = a_scan()
    assert outcomes(scan) == (Outcome.AGAIN, Outcome.HIT, Outcome.EXCLUDED, Outcome.FALSE_ALARM)
    found = matched(scan)
    assert (list(found.hits), list(found.false_alarms), found.lesions) == ([0.75], [0.25], 1)
    assert outcomes(replace(scan, candidates=())) == ()
    assert set(outcomes(replace(scan, lesions=()))) == {Outcome.FALSE_ALARM}


def test_hits_and_false_alarms_alone_calibrate() -> None:
    points = sketch_of(a_scan()).points()
    known = sorted(zip(points.margin, points.inside, strict=True))
    assert [inside for _, inside in known] == [False, True]
    assert [margin for margin, _ in known] == pytest.approx([-np.log(3), np.log(3)], abs=1e-5)


@pytest.mark.parametrize("excluded", [False, True])
def test_scans_that_have_excluded_lesions_alone_do_not_tell_whether_a_lesion_is_there(excluded: bool) -> None:
    """A detector that finds all, and no more, is perfect, whatever it says of what need not be found."""
    found = (Candidate(position=(0.0, 0.0, 0.0), score=0.7),)
    lesion = Lesion(position=(0.0, 0.0, 0.0), diameter=10.0)
    scans = [Scan(subject=f"there {n}", lesions=(lesion,), candidates=found) for n in range(10)]
    scans += [Scan(subject=f"none {n}") for n in range(5)]
    left = (replace(lesion, excluded=True),) if excluded else ()
    surer = tuple(replace(one, score=0.9) for one in found) if excluded else ()
    scans += [Scan(subject=f"left out {n}", lesions=left, candidates=surer) for n in range(5)]
    presence = detection("Body", scans, Resampling(rounds=20)).presence
    assert presence is not None and presence.value == 1.0


def test_a_sure_candidate_in_an_excluded_lesion_is_not_what_finds_the_other_lesion() -> None:
    lesions = (
        Lesion(position=(0.0, 0.0, 0.0), diameter=10.0),
        Lesion(position=(50.0, 0.0, 0.0), diameter=10.0, excluded=True),
    )
    sure, weak = (Candidate(position=(x, 0.0, 0.0), score=score) for x, score in ((50.0, 0.9), (0.0, 0.2)))
    scans = [Scan(subject=f"there {n}", lesions=lesions, candidates=(sure, weak)) for n in range(5)]
    scans += [Scan(subject=f"none {n}", candidates=(replace(weak, score=0.5),)) for n in range(5)]
    presence = detection("Body", scans, Resampling(rounds=20)).presence
    assert presence is not None and presence.value == 0.0


# --- calibrate, and a run ----------------------------------------------------------------------------------------


def test_a_detectors_record_makes_probabilities_of_scores(record: TrustRecord) -> None:
    (body,) = record.structures
    assert body.lesions and body.is_calibrated and body.patients == COUNT
    assert body.before is not None and body.after is not None and body.after.nll < body.before.nll
    assert body.after.ece < body.before.ece
    assert (body.dice, body.rule, body.volume, body.sampled, record.volumes) == (None, None, None, None, ())
    assert body.doubts == (NO_DICE,)
    assert record.ood is not None


def run_with_trust(bundle: Path, found: tuple[Ball, ...], origin: Origin) -> tuple[list[Finding], tuple[Quality, ...]]:
    ref, volume = resolve(str(bundle)), image_of(found, noise=0.01, seed=99)
    trust = RunTrust(manifest_of(ref), volume, origin=origin)
    prediction = predict(ref, volume, settings=RunSettings(device="cpu"))
    told, quality = trust.judged(findings_of(ref, prediction, seed="s"), precision=prediction.precision)
    return list(told), quality


def test_a_run_tells_the_probability_of_each_candidate_and_no_light(record: TrustRecord, bundle: Path) -> None:
    record.save(records_folder())
    shown = tuple(Ball(place=PLACES[n], brightness=b, is_lesion=False) for n, b in ((0, 0.85), (3, 1.15), (6, 1.45)))
    told, quality = run_with_trust(bundle, shown, Origin(generated=True))
    assert len(told) == 3, "the surest first"
    assert {one.confidence.state for one in told} == {ConfidenceState.CALIBRATED}
    sure, even, doubtful = (one.confidence.probability or 0.0 for one in told)
    assert sure > 0.85 > 0.65 > even > 0.35 > 0.15 > doubtful
    assert all(
        "Platt" in one.confidence.calibration and f"{COUNT} patients" in one.confidence.calibration for one in told
    )
    assert {one.light for one in quality} == {"not assessed"}
    assert all(NO_DICE in one.reasons for one in quality)


def test_a_record_of_generated_scans_tells_nothing_of_a_real_one(record: TrustRecord, bundle: Path) -> None:
    record.save(records_folder())
    told, quality = run_with_trust(bundle, TWO, Origin())
    assert {one.confidence.state for one in told} == {ConfidenceState.NOT_CALIBRATED}
    assert all(one.confidence.probability is None for one in told)
    assert all("generated data" in " ".join(one.reasons) and one.light == "not assessed" for one in quality)


def test_a_calibrated_probability_goes_from_a_run_into_report_and_objects(
    record: TrustRecord, bundle: Path, tmp_path: Path
) -> None:
    """As a record of real patients would make it."""
    replace(record, provenance=replace(record.provenance, generated=False)).save(records_folder())
    shown = balls(np.random.default_rng(3))
    write_series(image_of(shown, noise=0.01, seed=98), tmp_path / "series", spec=SeriesSpec(slope=1e-4))
    job = RunJob(source=str(tmp_path / "series"), bundle=str(bundle), output=str(tmp_path / "out"), device="cpu")
    folder = execute(job, job_id="j")
    result = AnalysisResult.load(folder)
    assert {one.confidence.state for one in result.findings} == {ConfidenceState.CALIBRATED}
    assert {one.light for one in result.quality} == {"not assessed"}
    (report,) = [dcmread(path) for path in (folder / "dicom").glob("*.dcm")]
    expected = sorted(one.confidence.probability or 0.0 for one in result.findings)
    assert sorted(probabilities(report)) == pytest.approx(expected, abs=1e-3)
    assert "probability of being a lesion" in (folder / "report.html").read_text("utf-8")


def probabilities(report: Dataset) -> list[float]:
    """Numbers of a structured report that are coded as probability (DCM 122157)."""
    found = []
    for item in report.get("ContentSequence", ()):
        found += probabilities(item)
        named = item.get("ConceptNameCodeSequence", ())
        if item.get("ValueType") == "NUM" and named and named[0].CodeValue == "122157":
            found.append(float(item.MeasuredValueSequence[0].NumericValue))
    return found


def test_trust_show_says_what_is_calibrated(
    record: TrustRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record.save(tmp_path)
    assert obey(understand(["trust", "show", str(path)])) == 0
    said = capsys.readouterr().out
    assert "ECE of the candidates" in said and "never green" in said and "probability of being a lesion" in said


# --- validate ----------------------------------------------------------------------------------------------------


def validate(table: Path, bundle: Path, output: Path, labels: Path) -> Path:
    job = ValidateJob(
        source=str(table), output=str(output), bundle=str(bundle), generated=True, device="cpu", labels=str(labels)
    )
    return execute(job, job_id="j")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("reference,label\n1,1\nBody,1\n")
    return path


def test_a_validation_of_a_detector_leaves_froc_curve_and_tables(bundle: Path, labels: Path, tmp_path: Path) -> None:
    """Each patient has a bright lesion and a dim ball that is none; every third has a ball alone."""
    lesion, other = (Ball(place=PLACES[n], brightness=b, is_lesion=b > 1) for n, b in ((1, 1.4), (6, 0.9)))
    table = write_cohort(tmp_path / "b", [(other,) if n % 4 == 3 else (lesion, other) for n in range(12)])
    folder = validate(table, bundle, tmp_path / "out", labels)
    page = (folder / "report.html").read_text()
    for words in (
        "9 lesions in 12 scans of 12 patients",
        "9 hit, 0 another of the same lesion, 0 in an excluded lesion, 12 false alarm",
        "FROC curve", "Sensitivity at false alarms per scan", "by the rules of LUNA16", "generated", "sex: F",
        "Reliability of the candidates", "Calibration of the candidates: ECE",
    ):  # fmt: skip
        assert words in page, words
    assert "1 (1 to 1)" in page, "every lesion is surer than every false alarm"
    assert "Dice" not in page
    with (folder / "cases.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["lesions"], r["found"], r["false_alarms"]) for r in rows[2:4]] == [("1", "1", "1"), ("0", "0", "1")]
    with (folder / "candidates.csv").open(newline="") as stream:
        first, second = list(csv.DictReader(stream))[:2]
    assert (first["outcome"], second["outcome"]) == ("hit", "false alarm") and first["score"] > second["score"]
    assert np.allclose([float(first[name]) for name in ("left", "posterior", "superior")], lesion.place, atol=4)


def test_contours_of_lesions_that_reach_beyond_the_image_are_warned_of(
    bundle: Path, labels: Path, tmp_path: Path
) -> None:
    """The first patient's lesion is a curve around the middle of an edge of its slice: half of it is cut off."""
    lesion = Ball(place=PLACES[1], brightness=1.4, is_lesion=True)
    table = write_cohort(tmp_path / "b", [(lesion,)] * 2)
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    middle = np.array([10.0, 12.0, 0.0])
    places = GRID.to_lps(middle + 4.3 * np.column_stack([0 * turn, np.cos(turn), np.sin(turn)]))
    points = [{"label": f"Body-{n}", "position": place.tolist()} for n, place in enumerate(places, 1)]
    curve = {"type": "ClosedCurve", "coordinateSystem": "LPS", "controlPoints": points}
    (tmp_path / "b" / "edge.mrk.json").write_text(json.dumps({"markups": [curve]}))
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[0]["reference"] = "edge.mrk.json"
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert cut_in(tmp_path / "b" / rows[1]["reference"], [BODY], GRID) == 0
    lost = cut_in(tmp_path / "b" / "edge.mrk.json", [BODY], GRID)
    assert lost == pytest.approx(np.pi * 4.3**2 / 2 - 4.3, rel=0.2)
    assert cut_in(tmp_path / "b" / "edge.mrk.json", [Match(reference="Body", value=-1)], GRID) == 0
    folder = validate(table, bundle, tmp_path / "out", labels)
    words = f"Contours of lesions reach beyond the image in 1 of 2 scans ({lost} voxels in all)"
    assert words in (folder / "report.html").read_text() and words in (folder / WARNINGS).read_text()


def test_a_name_that_no_label_matches_stops_a_validation_before_any_case_is_run(
    bundle: Path, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_cohort(tmp_path / "b", [TWO] * 3)
    labels.write_text("reference,label\nBody,1\n")
    ran: list[object] = []
    monkeypatch.setattr("slicermedai.validate.running.predict", lambda *given, **_: ran.append(given))
    with pytest.raises(InputError, match="no label of the model matches the lesions that are called '1'"):
        validate(table, bundle, tmp_path / "out", labels)
    assert not ran and not (tmp_path / "out").exists()


def test_patients_of_a_detectors_calibration_cannot_validate_it(
    record: TrustRecord, bundle: Path, labels: Path, tmp_path: Path
) -> None:
    record.save(records_folder())
    table = write_cohort(tmp_path / "b", [TWO] * 3)
    with pytest.raises(SharedCasesError, match="3 of 3 patients were in the calibration set"):
        validate(table, bundle, tmp_path / "out", labels)


def test_a_cohort_without_any_lesion_says_that_there_is_nothing_to_find(
    bundle: Path, labels: Path, tmp_path: Path
) -> None:
    table = write_cohort(tmp_path / "b", [(replace(TWO[0], is_lesion=False),)] * 2)
    with pytest.raises(InputError, match="nothing to find"):
        validate(table, bundle, tmp_path / "out", labels)
    assert not (tmp_path / "out").exists()


def test_a_detector_is_calibrated_without_samples(bundle: Path, labels: Path, tmp_path: Path) -> None:
    table = write_cohort(tmp_path / "b", [TWO] * 20)
    job = CalibrateJob(
        source=str(table), output=str(tmp_path / "out"), bundle=str(bundle), trained_on="none", device="cpu",
        labels=str(labels), uncertainty="flips",
    )  # fmt: skip
    with pytest.raises(InputError, match="samples are of segmentations alone"):
        execute(job, job_id="j")


def test_a_scan_that_the_references_do_not_know_of_is_no_reason_to_leave_it_out(tmp_path: Path) -> None:
    save_nifti(np.zeros(GRID.shape, dtype=np.uint8), tmp_path / "empty.nii")
    assert lesion_names(tmp_path / "empty.nii") == ()
    assert lesions_in(tmp_path / "empty.nii", [BODY], GRID) == {1: ()}
