"""Two studies of one patient: one identity a structure, and what changed, in how many days."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.cli.execute import execute
from slicermedai.domain.decisions import decided
from slicermedai.domain.follow_up import followed_up
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.errors import IdentityError, InputError
from slicermedai.report.follow_up import follow_up_section
from Testing.fixtures.beating import Beat, beating_heart
from Testing.fixtures.grids import AXIAL, covering
from Testing.fixtures.identity import Identity
from Testing.fixtures.timed_writer import HEART, write_over_time
from Testing.over_time.conftest import job

pytestmark = pytest.mark.xdist_group("beating heart")
SMALL = covering(AXIAL, spacing=(8.0, 5.0, 5.0), extent=(140.0, 140.0, 140.0))


def study_of(folder: Path, millilitres: float, day: str, identity: Identity | None = None) -> Path:
    """One image of a ventricle of that size, of a study of its own on that day."""
    beat = Beat(frames=1, end_diastolic=millilitres)
    who = replace(identity or Identity(), study_date=day)
    spec = replace(HEART, seed=f"heart {day}", identity=who)
    write_over_time(beating_heart(SMALL, beat), [0.0], folder, spec=spec)
    return folder


@pytest.fixture(scope="module")
def both(heart_bundle: Path, heart_home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The outputs of an earlier study, and of a later one that was given the earlier."""
    place = tmp_path_factory.mktemp("follow-up")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICERMEDAI_HOME", str(heart_home))
        first = execute(
            job(study_of(place / "a", 90.0, "20260105"), heart_bundle, place / "first", over_time=False), job_id="a"
        )
        later = job(
            study_of(place / "b", 120.0, "20260304"),
            heart_bundle,
            place / "second",
            over_time=False,
            previous=str(first),
        )
        return first, execute(later, job_id="b")


def test_structures_keep_their_identity_and_the_change_is_told_with_its_days(both: tuple[Path, Path]) -> None:
    before, after = map(AnalysisResult.load, both)
    assert [one.tracking_uid for one in after.findings] == [one.tracking_uid for one in before.findings]
    assert [one.tracking_uid for one in after.quality] == [one.tracking_uid for one in before.quality]
    found = after.follow_up
    assert found is not None
    assert (found.days, found.earlier_date) == (58, "20260105")
    ventricle, muscle = found.changes
    assert (ventricle.before, ventricle.after) == pytest.approx((90.0, 120.0), rel=0.03)
    assert ventricle.percent == pytest.approx(100 / 3, abs=3)
    assert muscle.percent == pytest.approx(0, abs=4)
    assert found.notes == ()
    assert before.follow_up is None


def test_the_report_says_it_and_that_it_is_not_assessed(both: tuple[Path, Path]) -> None:
    said = follow_up_section(AnalysisResult.load(both[1]))
    assert "Beside the earlier study of 2026-01-05, 58 days before" in said
    assert "Whether the body changed was not assessed" in said
    assert follow_up_section(AnalysisResult.load(both[0])) == ""


def test_another_model_is_told_and_a_structure_of_one_study_alone_is_named(both: tuple[Path, Path]) -> None:
    before, after = map(AnalysisResult.load, both)
    plain = replace(after, follow_up=None)
    alone = replace(plain, findings=plain.findings[:1])
    other = replace(before, provenance=replace(before.provenance, weights_sha256="0" * 64))
    found = followed_up(alone, other).follow_up
    assert found is not None
    assert len(found.changes) == 1
    assert found.notes[0].startswith("Another model analysed the earlier study")
    assert found.unmatched[0].startswith("Myocardium: not matched")


def test_where_no_structure_is_known_in_both_the_run_goes_on_and_says_so(both: tuple[Path, Path]) -> None:
    before, after = map(AnalysisResult.load, both)
    found = followed_up(replace(after, findings=after.findings[:1]), replace(before, findings=before.findings[1:]))
    assert found.follow_up is not None
    assert found.follow_up.changes == ()
    assert "no finding of the earlier result is known" in found.follow_up.notes[0]


def test_what_a_person_rejects_has_no_change(both: tuple[Path, Path]) -> None:
    after = AnalysisResult.load(both[1])
    review = Review(tracking_uid=after.findings[0].tracking_uid, person="R", decision=Decision.REJECTED)
    found = decided(replace(after, reviews=(review,))).follow_up
    assert found is not None
    assert [one.label.name for one in found.changes] == ["Myocardium"]
    assert found.unmatched[-1].startswith("Left ventricle: a person edited")


def test_a_table_of_a_person_goes_before_all_else(both: tuple[Path, Path], heart_bundle: Path, tmp_path: Path) -> None:
    ventricle, muscle = AnalysisResult.load(both[0]).findings
    table = tmp_path / "matches.csv"
    table.write_text(f"finding,earlier\n{ventricle.label.name},\n{muscle.label.name},{muscle.tracking_uid}\n")
    asked = job(
        study_of(tmp_path / "series", 120.0, "20260304"),
        heart_bundle,
        tmp_path / "out",
        over_time=False,
        previous=str(both[0]),
        matches=str(table),
    )
    after = AnalysisResult.load(execute(asked, job_id="c"))
    found = after.follow_up
    assert found is not None
    assert [(one.label.name, one.how) for one in found.changes] == [("Myocardium", "by the table")]
    assert found.unmatched[0] == "Left ventricle: not matched: the table says so"
    new, known = (one.tracking_uid for one in after.findings)
    assert (known, new == ventricle.tracking_uid) == (muscle.tracking_uid, False)


@pytest.mark.parametrize(
    ("text", "has_previous", "words"),
    [
        ("finding,earlier\nLeft ventricle,Spleen\n", True, "the table names a finding that is not there"),
        ("finding,earlier\na,Myocardium\nb,Myocardium\n", True, "the table names one finding twice"),
        ("one,other\na,b\n", True, "cannot be read as a table"),
        ("finding,earlier\n", False, "needs the earlier result that it is about.*`previous`"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_before_the_model_runs(
    both: tuple[Path, Path], heart_bundle: Path, tmp_path: Path, text: str, has_previous: bool, words: str
) -> None:
    seen: list[str] = []
    table = tmp_path / "matches.csv"
    table.write_text(text)
    asked = job(
        study_of(tmp_path / "series", 120.0, "20260304"),
        heart_bundle,
        tmp_path / "out",
        over_time=False,
        previous=str(both[0]) if has_previous else "",
        matches=str(table),
    )
    with pytest.raises(InputError, match=words):
        execute(asked, job_id="no", progress=lambda stage, fraction: seen.append(stage))
    assert "segment" not in seen
    assert not (tmp_path / "out").exists()


def test_a_table_that_names_what_the_model_did_not_find_keeps_the_result_and_compares_nothing(
    both: tuple[Path, Path],
) -> None:
    before, after = map(AnalysisResult.load, both)
    plain = replace(after, follow_up=None)
    found = followed_up(plain, before, pairs={"Spleen": before.findings[0].tracking_uid})
    assert found.findings == plain.findings
    assert found.follow_up is not None
    assert found.follow_up.changes == ()
    assert found.follow_up.notes == ("nothing was compared: the table names a finding that is not there.",)


@pytest.mark.parametrize(
    ("day", "identity", "error", "words"),
    [
        ("20250101", Identity(), InputError, "a later study"),
        ("20260105", Identity(), InputError, "the same study"),
        ("20260601", replace(Identity(), patient_id="OTHER"), IdentityError, "same patient"),
    ],
)
def test_a_result_that_is_no_earlier_one_of_the_patient_is_refused_before_the_model_runs(
    both: tuple[Path, Path],
    heart_bundle: Path,
    tmp_path: Path,
    day: str,
    identity: Identity,
    error: type[Exception],
    words: str,
) -> None:
    seen: list[str] = []
    study = study_of(tmp_path / "series", 100.0, day, identity)
    asked = job(study, heart_bundle, tmp_path / "out", over_time=False, previous=str(both[0]))
    with pytest.raises(error, match=words):
        execute(asked, job_id="no", progress=lambda stage, fraction: seen.append(stage))
    assert "segment" not in seen
    assert not (tmp_path / "out").exists()
