"""Size suggests a Lung-RADS category in MedAI Review only where a named person said what type of nodule it is."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from slicermedai.app.review_run import ReviewRun
from slicermedai.app.review_words import detail_text
from slicermedai.audit.log import log_path
from slicermedai.domain.codes import IN_BOX, Label
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Box
from slicermedai.domain.lung_rads import advice, in_words
from slicermedai.domain.nodule import Nodule, NoduleChange, NoduleType
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.export import words as exported
from slicermedai.report.findings import reviews_section
from Testing.app.reviews import NODULE, PaperScene, a_nodule, a_run, bigger, pseudonymous
from Testing.app.runs import until_idle
from Testing.scene.samples import VENTRICLE_UID, SmallHead

JANE, JOHN = "Jane van Roe", "John Doe"
SUGGESTED = "Lung-RADS 3 (ACR Lung-RADS v2022, by size alone)"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and an application's data of the test's own."""
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "data"))


_numbers = itertools.count()


def opened(tmp_path: Path, head: SmallHead, person: str = JANE) -> ReviewRun:
    """The nodule is looked at by ``person``."""
    review = ReviewRun(PaperScene())
    review.choose_folder(str(a_run(tmp_path / f"run-{next(_numbers)}", head)))
    until_idle(review)
    review.choose_person(person)
    assert review.state.chosen == VENTRICLE_UID
    return review


def accepted(tmp_path: Path, head: SmallHead | None = None) -> ReviewRun:
    review = opened(tmp_path, head or a_nodule())
    review.accept()
    return review


def told(review: ReviewRun) -> str:
    return detail_text(review.row, review.state)


def saved(review: ReviewRun) -> AnalysisResult:
    review.save()
    until_idle(review)
    assert review.state.saved is not None, review.state.message
    return AnalysisResult.load(review.state.saved)


# --- entering --------------------------------------------------------------------------------------------------------


def test_nothing_is_suggested_without_a_type(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    assert "Lung-RADS" not in told(review)
    assert in_words(review.state.effective, review.rows[0].finding) == ""  # type: ignore[arg-type]  # it is there
    assert exported.entered(saved(review)) == ()


def test_what_is_entered_is_shown_with_size_and_name_and_can_be_undone_and_redone(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    review.enter_nodule("solid", "baseline")
    assert f"Nodule: solid, baseline, 7.3 mm as measured, entered by {JANE}." in told(review)
    assert f"{SUGGESTED}: suggestion by size and type entered by {JANE}; a person decides." in told(review)
    assert "Lung-RADS 3" in review.state.message
    review.undo()
    assert "Lung-RADS" not in told(review)
    assert review.rows[0].review.decision is Decision.ACCEPTED  # type: ignore[union-attr]  # it was decided
    review.redo()
    assert SUGGESTED in told(review)


def test_the_decision_comes_first_and_a_rejected_finding_has_no_type(tmp_path: Path) -> None:
    review = opened(tmp_path, a_nodule())
    review.enter_nodule("solid", "baseline")
    assert review.state.pending == ()
    assert "Accept or edit the finding first" in review.state.message
    review.accept()
    review.enter_nodule("solid", "baseline")
    review.reject("an artefact")
    assert not review.can_enter_nodule
    assert "Lung-RADS" not in told(review)
    review.accept()
    assert "Lung-RADS" not in told(review), "what was said of a rejected finding does not come back by itself"


@pytest.mark.parametrize(
    ("kind", "change", "sizes", "why"),
    [
        ("solid", "", {}, "baseline, new, growing or stable was not entered"),
        ("part-solid", "baseline", {}, "needs the size of its solid component"),
    ],
)
def test_what_is_not_enough_is_not_taken(
    tmp_path: Path, kind: str, change: str, sizes: dict[str, float], why: str
) -> None:
    review = accepted(tmp_path)
    review.enter_nodule(kind, change, **sizes)
    assert why in review.state.message
    assert len(review.state.pending) == 1


def test_a_part_solid_nodule_goes_by_its_solid_part(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    review.enter_nodule("part-solid", "baseline", solid_part=6.2)
    assert "part-solid, solid part 6.2 mm, baseline, 7.3 mm as measured" in told(review)
    assert "Lung-RADS 4A" in told(review)
    review.enter_nodule("part-solid", "baseline", solid_part=7.5)
    assert "No Lung-RADS suggestion: the solid component is larger than the nodule." in told(review)


def test_a_person_s_own_size_counts_and_is_said_to_be_theirs(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    review.enter_nodule("solid", "baseline", diameter=8.0)
    assert "8.0 mm as the person measured it" in told(review)
    assert "Lung-RADS 4A" in told(review)


def test_a_size_that_nobody_measured_suggests_nothing_until_a_person_enters_one(tmp_path: Path) -> None:
    review = accepted(tmp_path, a_nodule(None))
    review.enter_nodule("solid", "baseline")
    assert "No Lung-RADS suggestion: its size was not measured." in told(review)
    review.enter_nodule("solid", "baseline", diameter=5.0)
    assert "Lung-RADS 2" in told(review)


def test_sizes_of_a_finding_that_is_edited_afterwards_count_no_more(tmp_path: Path) -> None:
    head = a_nodule()
    review = accepted(tmp_path, head)
    review.enter_nodule("solid", "baseline")
    review._scene.draw(VENTRICLE_UID, bigger(head.result))  # type: ignore[attr-defined]  # it is of paper
    review.finish_editing()
    assert review.rows[0].review.decision is Decision.EDITED  # type: ignore[union-attr]  # it was decided
    assert "No Lung-RADS suggestion: its size was not measured." in told(review)


def test_a_person_s_own_size_is_not_that_of_voxels_that_another_draws_since(tmp_path: Path) -> None:
    head = a_nodule()
    review = accepted(tmp_path, head)
    review.enter_nodule("solid", "baseline", diameter=5.0)
    review.choose_person(JOHN)
    review._scene.draw(VENTRICLE_UID, bigger(head.result))  # type: ignore[attr-defined]  # it is of paper
    review.finish_editing()
    assert "5.0 mm" not in told(review)
    assert "No Lung-RADS suggestion: its size was not measured." in told(review)
    again = decided(saved(review))
    assert "5.0 mm" not in in_words(again, next(one for one in again.findings if one.tracking_uid == VENTRICLE_UID))


def test_the_numbers_of_a_saved_edit_stay_with_what_is_entered_and_rated_later(tmp_path: Path) -> None:
    head = a_nodule()
    review = accepted(tmp_path, head)
    review._scene.draw(VENTRICLE_UID, bigger(head.result))  # type: ignore[attr-defined]  # it is of paper
    review.finish_editing()
    saved(review)
    assert review.state.saved is not None
    later = ReviewRun(PaperScene())
    later.choose_folder(str(review.state.saved))
    until_idle(later)
    later.choose_person(JOHN)
    later.choose(VENTRICLE_UID)
    measured = later.row.review.measurements  # type: ignore[union-attr]  # it was decided
    assert measured
    later.enter_nodule("solid", "baseline")
    later.rate(4)
    again = decided(saved(later))
    shown = in_words(again, next(one for one in again.findings if one.tracking_uid == VENTRICLE_UID))
    assert later.row.review.measurements == measured  # type: ignore[union-attr]  # it was decided
    for words in (told(later), shown):
        assert "No Lung-RADS suggestion: its size was not measured." in words, "no category that nobody saw"


def test_numbers_measured_after_an_edit_make_no_category_in_the_name_of_who_entered_the_type() -> None:
    head = a_nodule()
    finding = head.result.findings[0]
    entered = Nodule(kind=NoduleType.SOLID, change=NoduleChange.BASELINE, person=JANE, time="2026-11-23T00:00:00+00:00")
    review = Review(tracking_uid=finding.tracking_uid, person=JOHN, decision=Decision.ACCEPTED, nodule=entered)
    found = advice(head.result, finding, review)
    assert found is not None and found.category == "3"
    edited = advice(head.result, finding, dataclasses.replace(review, decision=Decision.EDITED, region=finding.region))
    assert edited is not None and (edited.category, edited.size) == ("", None)


def test_the_name_stays_that_of_who_entered_it(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    review.enter_nodule("solid", "baseline")
    review.choose_person(JOHN)
    review.accept()
    review.rate(4)
    assert f"type entered by {JANE}" in told(review)
    assert f"type entered by {JANE}" in in_words(decided(saved(review)), review.rows[0].finding)


def test_who_enters_a_type_is_not_who_decided(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    review.choose_person(JOHN)
    review.enter_nodule("solid", "baseline")
    last = review.rows[0].review
    assert last is not None and last.nodule is not None
    assert (last.person, last.nodule.person) == (JANE, JOHN)
    assert f"type entered by {JOHN}" in in_words(decided(saved(review)), review.rows[0].finding)


def test_what_was_saved_is_taken_back_by_name(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    review.enter_nodule("solid", "baseline")
    saved(review)
    review.enter_nodule("", "")
    assert "taken back: nothing is suggested" in review.state.message
    result = saved(review)
    assert result.reviews[-1].nodule.person == JANE  # type: ignore[union-attr]  # it is one that takes back
    assert exported.entered(decided(result)) == ()


# --- sizes from inside a detector's box ------------------------------------------------------------------------------


def of_a_box() -> SmallHead:
    """The nodule as a detector finds it: a box, with axes that were segmented inside."""
    head = a_nodule()
    nodule, brain = head.result.findings
    middle = nodule.region.geometry.to_lps(np.argwhere(nodule.region.to_array()).mean(axis=0))  # type: ignore[union-attr]
    box = Box(low=tuple((middle - 4).tolist()), high=tuple((middle + 4).tolist()))
    sizes = tuple(dataclasses.replace(one, method=IN_BOX) for one in nodule.measurements)
    findings = (dataclasses.replace(nodule, region=box, measurements=sizes), brain)
    return SmallHead(volume=head.volume, result=dataclasses.replace(head.result, findings=findings))


@pytest.mark.parametrize(("kind", "category"), [("solid", "3"), ("non-solid", "2")])
def test_the_size_inside_a_box_suggests_and_says_where_it_comes_from(tmp_path: Path, kind: str, category: str) -> None:
    review = accepted(tmp_path, of_a_box())
    assert "In its box, by half of its contrast, not validated: Volume 0.2 ml, Long axis 8.0 mm" in told(review)
    review.enter_nodule(kind, "baseline")
    assert "7.3 mm as found in the box by half of its contrast, not validated" in told(review)
    assert f"Lung-RADS {category}" in told(review)
    (line,) = exported.entered(decided(saved(review)))
    assert "7.3 mm as measured in this result (half of contrast in the box, not validated)" in line
    review.write_table()
    with next(tmp_path.glob("run-*/decisions.csv")).open(encoding="utf-8", newline="") as stream:
        row = next(csv.DictReader(stream))
    assert row["nodule_mm_is"] == "as measured in this result (half of contrast in the box, not validated)"


def test_a_part_solid_nodule_in_a_box_needs_the_size_that_a_person_measured(tmp_path: Path) -> None:
    review = accepted(tmp_path, of_a_box())
    review.enter_nodule("part-solid", "baseline", solid_part=4.0)
    assert "No Lung-RADS suggestion: its size in the box may be that of its solid part alone." in told(review)
    assert "7.3" not in told(review).split("Nodule:")[1]
    review.enter_nodule("part-solid", "baseline", diameter=9.0, solid_part=6.2)
    assert "9.0 mm as the person measured it" in told(review) and "Lung-RADS 4A" in told(review)


def test_a_box_without_a_lesion_suggests_nothing(tmp_path: Path) -> None:
    head = of_a_box()
    nodule, brain = head.result.findings
    lost = tuple(dataclasses.replace(one, value=math.nan, missing="no border") for one in nodule.measurements)
    findings = (dataclasses.replace(nodule, measurements=lost), brain)
    review = accepted(
        tmp_path, SmallHead(volume=head.volume, result=dataclasses.replace(head.result, findings=findings))
    )
    assert "Not measured: no border." in told(review) and "nan" not in told(review)
    review.enter_nodule("part-solid", "baseline", solid_part=4.0)
    assert "No Lung-RADS suggestion: its size was not measured." in told(review)


# --- what the rule is not for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (a_nodule(modality="MR"), "the images are not known to be CT"),
        (a_nodule(modality=""), "the images are not known to be CT"),
        (a_nodule(label=dataclasses.replace(NODULE, name="Thyroid nodule")), "does not say that it is of the lung"),
    ],
)
def test_nodules_of_other_organs_and_images_are_refused(tmp_path: Path, head: SmallHead, why: str) -> None:
    review = accepted(tmp_path, head)
    assert review.is_nodule and not review.can_enter_nodule
    review.enter_nodule("solid", "baseline")
    assert why in review.state.message
    assert len(review.state.pending) == 1


def test_weights_for_demonstration_suggest_nothing(tmp_path: Path) -> None:
    head = a_nodule()
    made = dataclasses.replace(head.result.provenance, demonstration=True)
    head = SmallHead(volume=head.volume, result=dataclasses.replace(head.result, provenance=made))
    assert accepted(tmp_path, head).nodule_refusal == "demonstration weights found it"


@pytest.mark.parametrize("name", ["Lung nodule", "Left pulmonary nodule", "nodule", "Right lung nodules"])
def test_a_lung_s_nodule_by_any_name_may_be_entered(tmp_path: Path, name: str) -> None:
    label: Label = dataclasses.replace(NODULE, name=name)
    assert accepted(tmp_path, a_nodule(label=label)).can_enter_nodule


def test_what_is_no_nodule_is_not_asked_about(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    review.step(1)
    review.accept()
    assert not review.is_nodule
    review.enter_nodule("solid", "baseline")
    assert all(one.nodule is None for one in review.state.pending)


# --- what is kept and written ----------------------------------------------------------------------------------------


def test_it_is_kept_in_the_result_and_written_as_the_persons(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    review.enter_nodule("non-solid", "growing", diameter=31.0)
    result = decided(saved(review))
    (kept,) = [one.nodule for one in result.reviews if one.nodule]
    assert (kept.kind, kept.diameter, kept.person) == (NoduleType.NON_SOLID, 31.0, JANE)
    (line,) = exported.entered(result)
    assert f"entered by {JANE}. No Lung-RADS suggestion: size alone does not decide this nodule." in line
    assert line in list(exported.lines(result))
    assert f"entered by {JANE}" in str(reviews_section(result))


def test_the_table_and_the_log_have_it(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    review.enter_nodule("solid", "new")
    review.write_table()
    path = next(tmp_path.glob("run-*/decisions.csv"))
    with path.open(encoding="utf-8", newline="") as stream:
        row = next(csv.DictReader(stream))
    assert (row["nodule_type"], row["nodule_change"], row["nodule_mm"]) == ("solid", "new", "7.3")
    assert row["nodule_mm_is"] == "as measured in this result"
    assert (row["lung_rads"], row["nodule_entered_by"]) == ("4A", JANE)
    saved(review)
    logged = log_path().read_text("utf-8").splitlines()[-1]
    assert '"nodules": 1' in logged or '"nodules":1' in logged
    assert JANE not in logged and "solid" not in logged


def test_on_the_pseudonymous_route_nobody_is_named_in_what_is_written(tmp_path: Path) -> None:
    head = pseudonymous(a_nodule())
    sources = a_nodule().result.sources
    head = SmallHead(volume=head.volume, result=dataclasses.replace(head.result, sources=sources))
    review = accepted(tmp_path, head)
    review.enter_nodule("solid", "baseline")
    result = decided(saved(review))
    assert "type entered by a person" in exported.entered(result)[0]
    assert JANE not in str(reviews_section(result))
    review.write_table()
    assert JANE not in next(tmp_path.glob("run-*/decisions.csv")).read_text("utf-8")


def test_every_sentence_can_be_translated(tmp_path: Path) -> None:
    review = accepted(tmp_path)
    review.translate = lambda text: f"<{text}>"
    review.enter_nodule("part-solid", "baseline", solid_part=4.0)
    assert "<Nodule: <part-solid>, <solid part 4.0 mm>, <baseline>, <7.3 mm as measured>" in review.state.message
    assert "<Lung-RADS 3 (<ACR Lung-RADS v2022, by size alone>)" in review.state.message
