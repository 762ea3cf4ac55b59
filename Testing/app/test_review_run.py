"""From a saved result to a reviewed one, without Qt and MRML: look, decide, edit, rate, undo, save."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.app.result_choice import PERSON, RESULTS
from slicermedai.app.review_run import ReviewRun
from slicermedai.app.review_state import Around, Row
from slicermedai.app.state import Phase
from slicermedai.console.verbs import open_image
from slicermedai.domain.decisions import decided
from slicermedai.domain.digests import digest_of
from slicermedai.domain.finding import ConfidenceState, PackedMask
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.reviewed import newest, save_reviewed
from slicermedai.measure.methods import measure
from Testing.app.reviews import PaperScene, a_head, a_run, bigger, pseudonymous
from Testing.app.runs import until_idle
from Testing.fixtures.series_writer import SeriesSpec, write_series
from Testing.scene.samples import BRAIN_UID, VENTRICLE_UID, SmallHead


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and an application's data of the test's own."""
    (tmp_path / "user" / "Documents").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "data"))
    return tmp_path


class Desk:
    """A presenter with a scene of paper, and the settings of one person."""

    def __init__(self, *, holds_image: bool = True, files: tuple[str, ...] = ()) -> None:
        self.settings = dict[str, str]()
        self.scene = PaperScene(holds_image=holds_image)
        self.editor = 0
        self.asked: list[str] = []
        self._files = files
        around = Around(
            files_of=self._of,
            open_editor=self._open,
            recall=lambda name: self.settings.get(name, ""),
            remember=self.settings.__setitem__,
        )
        self.review = ReviewRun(self.scene, around=around)

    def _of(self, uid: str) -> tuple[str, ...]:
        self.asked.append(uid)
        return self._files

    def _open(self) -> None:
        self.editor += 1

    def open(self, folder: Path, person: str = "Jane van Roe") -> ReviewRun:
        self.review.choose_folder(str(folder))
        until_idle(self.review)
        self.review.choose_person(person)
        return self.review


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="module")
def head() -> SmallHead:
    return a_head()


@pytest.fixture
def run(tmp_path: Path, head: SmallHead) -> Path:
    return a_run(tmp_path / "run", head)


def row_of(review: ReviewRun, uid: str) -> Row:
    return next(one for one in review.rows if one.uid == uid)


def save(review: ReviewRun) -> None:
    review.save()
    until_idle(review)
    assert review.state.phase is Phase.DONE, review.state.message


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_result_is_opened_and_the_first_finding_is_looked_at(desk: Desk, run: Path, head: SmallHead) -> None:
    review = desk.open(run)
    assert review.state.in_scene, review.state.message
    assert [one.quality.light for one in review.rows] == ["green", "amber", "not assessed"]
    assert review.state.chosen == BRAIN_UID
    region = head.result.findings[0].region
    index = np.rint(region.geometry.to_index(desk.scene.places[-1])).astype(int)  # type: ignore[union-attr]
    assert region.to_array()[tuple(index)]  # type: ignore[union-attr]
    assert desk.settings[RESULTS] == str(run)


def test_a_damaged_result_is_told_and_nothing_is_shown(desk: Desk, run: Path) -> None:
    (run / "result" / "result.json").write_text("{}")
    review = desk.open(run)
    assert review.state.phase is Phase.FAILED
    assert review.state.result is None
    assert review.rows == ()
    assert not desk.scene.is_there


def test_the_image_is_read_again_where_the_scene_has_it_not(tmp_path: Path, head: SmallHead) -> None:
    files = write_series(head.volume, tmp_path / "series", spec=SeriesSpec())
    desk = Desk(holds_image=False, files=tuple(str(path) for path in files))
    desk.open(a_run(tmp_path / "run", head))
    assert desk.asked == [series.series_uid for series in head.result.sources]
    assert desk.scene.image is not None, desk.review.state.message
    assert desk.scene.image.geometry.same_box(head.volume.geometry)
    assert desk.review.state.has_image


def test_an_image_that_cannot_be_read_is_said_and_the_findings_are_shown(tmp_path: Path, head: SmallHead) -> None:
    (tmp_path / "one.dcm").write_bytes(b"no DICOM")
    desk = Desk(holds_image=False, files=(str(tmp_path / "one.dcm"),))
    review = desk.open(a_run(tmp_path / "run", head))
    assert review.state.in_scene
    assert not review.state.has_image
    assert "Shown without its image" in review.state.remark
    assert "one.dcm" in review.state.remark


def test_a_pseudonymous_result_is_shown_on_its_own_copies_and_on_no_original(tmp_path: Path, head: SmallHead) -> None:
    files = write_series(head.volume, tmp_path / "originals", spec=SeriesSpec())
    desk = Desk(holds_image=False, files=tuple(str(path) for path in files))
    hidden = pseudonymous(head)
    desk.open(a_run(tmp_path / "run", hidden))
    assert desk.asked == []
    assert desk.scene.image is None
    again = Desk(holds_image=False)
    write_series(head.volume, tmp_path / "other" / "dicom" / "source", spec=SeriesSpec())
    again.open(a_run(tmp_path / "other", hidden))
    assert again.scene.image is not None


def test_the_newest_decisions_of_a_run_are_opened(desk: Desk, run: Path) -> None:
    review = desk.open(run)
    review.accept()
    save(review)
    later = Desk().open(run)
    assert later.state.folder == run / "reviewed-1"
    assert row_of(later, BRAIN_UID).review is not None


# --- deciding --------------------------------------------------------------------------------------------------------


def test_a_decision_needs_a_name_which_is_kept_for_all_modules(desk: Desk, run: Path) -> None:
    review = desk.open(run, person="")
    assert not review.can_decide
    review.accept()
    assert "name" in review.state.message
    assert not list(review.state.pending)
    review.choose_person(" Jane  van Roe ")
    review.accept("as expected")
    assert desk.settings[PERSON] == "Jane van Roe"
    made = review.state.pending[-1]
    assert (made.person, made.reason, made.decision) == ("Jane van Roe", "as expected", Decision.ACCEPTED)
    assert made.time


def test_a_rejection_needs_a_reason_and_keeps_what_the_model_said(desk: Desk, run: Path) -> None:
    review = desk.open(run)
    review.reject("  ")
    assert not list(review.state.pending)
    review.reject("an artefact")
    row = row_of(review, BRAIN_UID)
    assert row.review is not None
    assert row.quality.light == "green"
    assert desk.scene.shown is not None
    assert BRAIN_UID not in {one.tracking_uid for one in desk.scene.shown.findings}


def test_a_rating_goes_with_a_decision_and_stays_when_that_changes(desk: Desk, run: Path) -> None:
    review = desk.open(run)
    review.rate(4)
    assert "Decide first" in review.state.message
    review.accept()
    review.rate(4, "clear")
    row = row_of(review, BRAIN_UID)
    assert row.review is not None
    assert (row.review.rating, row.review.reason, row.review.decision) == (4, "clear", Decision.ACCEPTED)
    review.reject("too large")
    row = row_of(review, BRAIN_UID)
    assert row.review is not None
    assert (row.review.rating, row.review.decision) == (4, Decision.REJECTED)
    review.rate(7)
    assert len(review.state.pending) == 3


def test_undo_and_redo_go_through_all_decisions_and_a_new_one_ends_redoing(desk: Desk, run: Path) -> None:
    review = desk.open(run)
    review.accept()
    review.step(1)
    review.reject("an artefact")
    review.undo()
    review.undo()
    assert not list(review.state.pending)
    review.undo()
    review.redo()
    assert [one.decision for one in review.state.pending] == [Decision.ACCEPTED]
    review.reject("wrong side")
    review.redo()
    assert [one.decision for one in review.state.pending] == [Decision.ACCEPTED, Decision.REJECTED]


def test_the_worklist_goes_round(desk: Desk, run: Path) -> None:
    review = desk.open(run)
    seen = [review.state.chosen]
    for _ in range(3):
        review.step(1)
        seen.append(review.state.chosen)
    assert seen[0] == seen[3] != seen[1]
    review.step(-1)
    assert review.state.chosen == seen[2]


def test_decisions_that_are_in_no_file_are_not_thrown_away_by_another_result(
    desk: Desk, run: Path, tmp_path: Path, head: SmallHead
) -> None:
    review = desk.open(run)
    review.accept()
    review.choose_folder(str(a_run(tmp_path / "other", head)))
    assert review.state.asked.folder == str(run)
    assert "saved nowhere" in review.state.message
    review.undo()
    desk.open(tmp_path / "other")
    assert review.state.folder == tmp_path / "other" / "result"
    assert review.state.undone == ()


# --- editing ---------------------------------------------------------------------------------------------------------


def edit(desk: Desk, region: PackedMask) -> None:
    review = desk.review
    review.choose(VENTRICLE_UID)
    review.edit()
    desk.scene.draw(VENTRICLE_UID, region)
    review.finish_editing("a part was missing")


def test_an_edit_takes_every_prediction_away_at_once(desk: Desk, run: Path, head: SmallHead) -> None:
    review = desk.open(run)
    before = row_of(review, VENTRICLE_UID)
    assert before.quality.expected_dice == 0.74
    edit(desk, bigger(head.result))
    assert desk.editor == 1
    assert desk.scene.edited == [VENTRICLE_UID]
    row = row_of(review, VENTRICLE_UID)
    assert (row.quality.expected_dice, row.quality.interval, row.quality.light) == (None, None, "not assessed")
    assert row.quality.state == "not assessed (edited)"
    assert row.finding.confidence.state is ConfidenceState.NOT_ASSESSED_EDITED
    assert row.finding.confidence.probability is None
    assert row.spread is None
    assert row.volume is not None
    assert before.volume is not None
    assert row.review is not None
    assert row.review.edit is not None
    assert row.volume.value == pytest.approx(before.volume.value + row.review.edit.added)
    assert row.volume.interval is None
    assert row_of(review, BRAIN_UID).quality.light == "green", "the others stay as they are"


def test_nothing_changed_is_no_decision_and_nothing_left_is_a_rejection(desk: Desk, run: Path, head: SmallHead) -> None:
    review = desk.open(run)
    edit(desk, desk.scene.drawn(VENTRICLE_UID))
    assert "nothing is decided" in review.state.message
    assert (review.state.pending, review.state.editing) == ((), "")
    nothing = PackedMask.from_array(np.zeros(head.volume.array.shape, bool), head.result.volume_geometry)
    edit(desk, nothing)
    assert "reject the finding" in review.state.message
    assert not list(review.state.pending)
    assert review.state.editing == VENTRICLE_UID


def test_a_second_edit_is_measured_from_the_model_too(desk: Desk, run: Path, head: SmallHead) -> None:
    review = desk.open(run)
    edit(desk, bigger(head.result))
    array = bigger(head.result).to_array()
    array[1] = False
    edit(desk, PackedMask.from_array(array, head.result.volume_geometry))
    first, second = (one.edit for one in review.state.pending)
    assert first is not None
    assert second is not None
    assert second.added == pytest.approx(first.added / 2)
    review.undo()
    row = row_of(review, VENTRICLE_UID)
    assert row.review is not None
    assert row.review.edit == first


def test_voxels_on_another_grid_are_refused_with_what_to_do(desk: Desk, run: Path, head: SmallHead) -> None:
    grid = head.result.volume_geometry
    matrix = np.array(grid.affine)
    matrix[0, 3] += 7.0
    moved = dataclasses.replace(grid, affine=matrix)
    review = desk.open(run)
    edit(desk, PackedMask.from_array(bigger(head.result).to_array(), moved))
    assert "Segment Editor" in review.state.message
    assert not list(review.state.pending)


def test_who_accepts_an_edited_finding_accepts_the_edit(desk: Desk, run: Path, head: SmallHead) -> None:
    review = desk.open(run)
    edit(desk, bigger(head.result))
    review.choose_person("Ann Other")
    review.accept()
    row = row_of(review, VENTRICLE_UID)
    assert row.review is not None
    assert (row.review.decision, row.review.person) == (Decision.EDITED, "Ann Other")
    assert row.review.edit is not None
    assert np.array_equal(row.finding.region.to_array(), bigger(head.result).to_array())  # type: ignore[union-attr]


def test_drawn_voxels_that_nobody_took_stop_the_saving_and_equal_ones_do_not(
    desk: Desk, run: Path, head: SmallHead
) -> None:
    review = desk.open(run)
    review.accept()
    desk.scene.draw(VENTRICLE_UID, bigger(head.result))
    review.save()
    assert "not taken: Left lateral ventricle" in review.state.message
    assert not review.busy
    desk.scene.draw(VENTRICLE_UID, desk.scene.drawn(VENTRICLE_UID))
    desk.scene.take(VENTRICLE_UID, bigger(head.result))
    desk.scene.changed = frozenset({VENTRICLE_UID})
    save(review)


# --- saving ----------------------------------------------------------------------------------------------------------


def test_saving_makes_a_new_result_and_the_old_one_stays(desk: Desk, run: Path, head: SmallHead) -> None:
    review = desk.open(run)
    review.accept()
    edit(desk, bigger(head.result))
    review.rate(3)
    save(review)
    assert not list(review.state.pending)
    assert desk.scene.kept == 3
    saved = AnalysisResult.load(newest(run))
    last = saved.reviews[-1]
    assert (last.decision, last.rating, last.reason) == (Decision.EDITED, 3, "a part was missing")
    assert np.array_equal(last.region.to_array(), bigger(head.result).to_array())  # type: ignore[union-attr]
    assert last.edit is not None
    assert last.edit.added > 0
    assert AnalysisResult.load(run / "result").reviews == ()
    review.reject("too large")
    save(review)
    assert newest(run).name == "reviewed-2"
    assert len(AnalysisResult.load(newest(run)).reviews) == 4


@pytest.mark.parametrize("named", ["", "result"])
def test_decisions_of_others_since_it_was_opened_are_not_lost_and_ones_own_stay(
    desk: Desk, run: Path, named: str
) -> None:
    review = desk.open(run / named)
    review.accept()
    other = Review(tracking_uid=VENTRICLE_UID, person="Ann Other", decision=Decision.REJECTED, reason="an artefact")
    others = save_reviewed(run, [other])
    for _ in range(2):
        review.save()
        until_idle(review)
        assert review.state.phase is Phase.FAILED
        assert "reviewed-1" in review.state.message
        assert "Open the result again" in review.state.message
        assert len(review.state.pending) == 1, "what was decided is still there"
        assert newest(run) == others
    review.choose_folder(str(run / named))
    until_idle(review)
    decisions = {one.uid: one.review.decision for one in review.rows if one.review is not None}
    assert decisions == {BRAIN_UID: Decision.ACCEPTED, VENTRICLE_UID: Decision.REJECTED}
    save(review)
    kept = AnalysisResult.load(run / "reviewed-2").reviews
    assert [(one.person, one.decision) for one in kept] == [
        ("Ann Other", Decision.REJECTED),
        ("Jane van Roe", Decision.ACCEPTED),
    ]


def test_a_chosen_result_folder_is_followed(desk: Desk, run: Path) -> None:
    review = desk.open(run / "result")
    review.accept()
    save(review)
    assert review.state.asked.folder == str(run / "reviewed-1")


def test_a_child_that_dies_is_told_and_it_can_be_saved_again(desk: Desk, run: Path) -> None:
    review = desk.open(run)
    review.accept()
    review.save()
    os.kill(review._working._process.pid, signal.SIGKILL)
    until_idle(review)
    assert review.state.phase is Phase.FAILED
    assert not (run / "reviewed-1").exists()
    save(review)


def test_the_log_counts_decisions_and_names_nobody(desk: Desk, run: Path, tmp_path: Path, head: SmallHead) -> None:
    review = desk.open(run)
    review.reject("Doctor Who said so")
    edit(desk, bigger(head.result))
    save(review)
    lines = (tmp_path / "data" / "audit" / "audit.jsonl").read_text().splitlines()
    entry = next(json.loads(line) for line in lines if "result reviewed" in line)
    told = entry["details"]
    assert (told["decisions"], told["accepted"], told["edited"], told["rejected"]) == (2, 0, 1, 1)
    assert entry["job_id"] == head.result.provenance.job_id
    for word in ("Roe", "Who", "ventricle", "part was missing"):
        assert word not in "".join(lines)


@pytest.mark.parametrize("is_named", [True, False])
def test_the_table_names_people_only_where_the_patient_is_named_too(
    desk: Desk, tmp_path: Path, head: SmallHead, is_named: bool
) -> None:
    case = head if is_named else pseudonymous(head)
    run = a_run(tmp_path / "run", case)
    review = desk.open(run)
    edit(desk, bigger(head.result))
    review.write_table()
    with (run / "decisions.csv").open(encoding="utf-8", newline="") as stream:
        rows = {one["tracking_uid"]: one for one in csv.DictReader(stream)}
    told = rows[VENTRICLE_UID]
    assert (told["person"], told["reason"]) == (("Jane van Roe", "a part was missing") if is_named else ("", ""))
    assert told["decision"] == "edited"
    assert told["expected_dice"] == "not assessed (edited)"
    assert float(told["added_ml"]) > 0 == float(told["removed_ml"])
    assert rows[BRAIN_UID]["decision"] == "not reviewed"
    assert rows[BRAIN_UID]["expected_dice"] == "0.9500"


def test_a_closed_scene_loses_no_decision(desk: Desk, run: Path) -> None:
    review = desk.open(run)
    review.accept()
    review.scene_closed()
    assert (review.state.in_scene, review.can_edit) == (False, False)
    review.look()
    until_idle(review)
    assert review.state.in_scene
    assert len(review.state.pending) == 1
    save(review)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_saved_edit_has_its_sizes_and_in_its_image_its_intensities(
    tmp_path: Path, head: SmallHead, is_known: bool
) -> None:
    files = write_series(head.volume, tmp_path / "series", spec=SeriesSpec())
    image = open_image(tmp_path / "series")
    ventricle = next(one for one in head.result.findings if one.tracking_uid == VENTRICLE_UID)
    measured = dataclasses.replace(ventricle, measurements=measure(ventricle.region, volume=image))
    findings = tuple(measured if one is ventricle else one for one in head.result.findings)
    made = dataclasses.replace(head.result.provenance, input=digest_of(files, image))
    sources = (dataclasses.replace(head.result.sources[0], series_uid=image.series_uid),)
    result = dataclasses.replace(head.result, findings=findings, provenance=made, sources=sources)
    case = dataclasses.replace(head, result=result)
    desk = Desk(files=tuple(str(path) for path in files) if is_known else ())
    run = a_run(tmp_path / "run", case)
    review = desk.open(run)
    edit(desk, bigger(case.result))
    save(review)
    saved = decided(AnalysisResult.load(newest(run)))
    (found,) = (one.measurements for one in saved.findings if one.tracking_uid == VENTRICLE_UID)
    wanted = measure(bigger(case.result), volume=image)
    assert len(found) == len(wanted) == 7
    assert found[:5] == wanted[:5]
    if is_known:
        assert found == wanted
    else:
        assert all("not at hand" in one.missing for one in found[5:])


class Waiting:
    """Segments without a surface."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.put_in: list[str] = []

    def put(self, name: str, mesh: Any) -> bool:
        self.put_in.append(name)
        return True


def test_surfaces_are_made_beside_the_review_and_of_what_was_decided(
    desk: Desk, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting(BRAIN_UID, VENTRICLE_UID)
    monkeypatch.setattr(desk.scene, "awaited", lambda: waiting)
    review = desk.open(run)
    assert review.aside.busy
    assert not review.busy, "nobody waits for surfaces"
    assert review.can_decide
    first = review.aside._working
    review.accept()
    assert review.aside._working is first, "the same surfaces are not begun again"
    until_idle(review.aside)
    assert set(waiting.put_in) == {BRAIN_UID, VENTRICLE_UID}
    waiting.names = (VENTRICLE_UID,)
    waiting.put_in.clear()
    review.accept()
    assert review.aside.busy
    review.scene_closed()
    until_idle(review.aside)
    assert waiting.put_in == [], "what is forgotten comes no more"
