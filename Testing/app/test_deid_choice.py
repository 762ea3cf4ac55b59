"""What can be chosen for a de-identification, what it needs, what is said about it, and what is left of it."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import pytest

from slicermedai.app import deid_words
from slicermedai.app.deid_choice import READER, SEALER
from slicermedai.app.deid_result import decide, decisions, read_result, review_folder
from slicermedai.app.deid_run import DeidRun
from slicermedai.app.deid_state import DeidResult, LeftOut, Working
from slicermedai.app.installing import InstallStep
from slicermedai.deid.dates import DateRule
from slicermedai.deid.keystore import save_key
from slicermedai.deid.presets import PRESETS
from slicermedai.deid.profile import Option
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.sealed import Cost
from slicermedai.jobs.kinds import KINDS
from Testing.app.test_words import SENTENCE, shouted, texts_of

ROOT = Path(__file__).resolve().parents[2]


class Refusing:
    """Starts nothing: these tests choose."""

    def submit(self, *given: object, **options: object) -> object:
        raise AssertionError("nothing is started here")

    def add(self, result: DeidResult) -> Working:
        raise AssertionError("nothing is added here")


def a_run(*missing: str, brain: bool = True) -> DeidRun:
    nobody = Refusing()
    run = DeidRun(
        submit=nobody.submit, add_to_database=nobody.add, missing=lambda: missing, has_brain_model=lambda: brain
    )
    run.refresh()
    return run


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_options_are_ticked_and_its_job_asks_for_no_others(name: str) -> None:
    run = a_run()
    run.choose_preset(name)
    assert run.ticked == PRESETS[name].options
    job = run.job(Path("out"))
    assert (job.preset, job.options, job.ocr, job.deface) == (name, (), None, None)


@pytest.mark.parametrize("option", Option)
def test_every_option_can_be_ticked_alone_and_reaches_the_job(option: Option) -> None:
    run = a_run()
    run.choose_options(frozenset({option}))
    assert run.ticked == {option}
    assert run.choice.profile.options == {option}


def test_steps_on_pixels_can_be_taken_out_of_a_preset_and_its_other_options_cannot() -> None:
    run = a_run()
    run.choose_preset("hipaa-safe-harbor")
    run.choose_options(frozenset())
    assert run.ticked == {Option.RETAIN_MODIFIED_DATES, Option.RETAIN_PATIENT_CHARACTERISTICS}
    assert run.choice.dates is DateRule.YEAR_ONLY
    assert run.held(Option.RETAIN_PATIENT_CHARACTERISTICS) == "Part of the preset."
    assert run.held(Option.CLEAN_PIXEL_DATA) == ""


def test_options_that_contradict_each_other_are_refused_and_the_choice_stays() -> None:
    run = a_run()
    run.choose_options(frozenset({Option.RETAIN_FULL_DATES}))
    run.choose_options(frozenset({Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES}))
    assert run.ticked == {Option.RETAIN_FULL_DATES}
    assert "at once" in run.state.message


def test_a_damaged_preset_is_refused_by_name_and_the_choice_stays(tmp_path: Path) -> None:
    (tmp_path / "ours.json").write_text("{}")
    run = a_run()
    run.choose_preset(str(tmp_path / "ours.json"))
    assert run.state.asked.preset == "basic"
    assert "ours.json" in run.state.message


def test_what_is_not_installed_stands_in_the_way_only_of_what_needs_it(tmp_path: Path) -> None:
    run = a_run(f"{READER}==1.4.4", f"{SEALER}>=42", brain=False)
    run.choose_source(str(tmp_path), "study")
    assert run.can_run
    run.choose(table=str(tmp_path / "who.table"), has_passphrase=True)
    assert run.lacking == [f"{SEALER}>=42"]
    assert not run.can_run
    run.choose(table="")
    run.choose_preset("research")
    assert run.lacking == [f"{READER}==1.4.4"]
    assert "Faces stay" in run.state.message


def test_a_passphrase_is_asked_for_where_a_key_is_sealed(tmp_path: Path) -> None:
    sealed, plain = tmp_path / "sealed.key", tmp_path / "plain.key"
    save_key(sealed, ProjectKey.generate(), "correct horse", cost=Cost(n=2))
    ProjectKey.generate().save(plain)
    run = a_run()
    run.choose_source(str(tmp_path), "study")
    run.choose(key=str(plain))
    assert run.can_run
    run.choose(key=str(sealed))
    assert not run.can_run
    assert not run.can_preview
    run.choose(has_passphrase=True)
    assert run.can_run
    assert run.can_preview


def test_copies_with_the_original_uids_do_not_go_into_the_database(tmp_path: Path) -> None:
    run = a_run()
    run.choose_source(str(tmp_path), "study")
    run.choose(into_database=True)
    assert run.can_run
    run.choose_options(frozenset({Option.RETAIN_UIDS}))
    assert "113110" in run.obstacle()


def test_the_passphrase_is_no_part_of_what_is_remembered() -> None:
    run = a_run()
    run.choose(has_passphrase=True)
    assert not any("passphrase" in name and name != "has_passphrase" for name in type(run.state.asked).__slots__)
    assert all("passphrase" not in name for name in type(run.job(Path())).__slots__)


def test_what_was_installed_can_be_chosen_at_once(tmp_path: Path) -> None:
    there = tmp_path / "reader"
    nobody = Refusing()
    run = DeidRun(
        submit=nobody.submit,
        add_to_database=nobody.add,
        missing=lambda: () if there.exists() else (READER,),
    )
    run.refresh()
    assert run.held(Option.CLEAN_PIXEL_DATA) == "The text reader is not installed."
    run.install([InstallStep(what="reader", arguments=("-c", f"open({str(there)!r}, 'w').close()"))])
    assert run.wait(20, breathe=lambda: None)
    assert run.missing == ()
    assert run.held(Option.CLEAN_PIXEL_DATA) == ""
    assert run.state.message.startswith("Installed: reader.")


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", Option)
def test_every_option_has_a_title_and_one_sentence_in_the_persons_language(option: Option) -> None:
    title, sentence = deid_words.option_texts(option)
    assert not title.endswith(".")
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    assert deid_words.option_texts(option, shouted) == (title.upper(), sentence.upper())


def test_every_stage_of_the_job_has_words() -> None:
    job = a_run().job(Path("out"))
    for stage in {*KINDS["deid"].stages(job), "collect identity", "de-identify", "verify", "preview"} - {"deidentify"}:
        assert deid_words.stage_text(stage, shouted) != stage


def test_no_sentence_of_the_module_is_shown_untranslated() -> None:
    tree = ast.parse((ROOT / "SlicerMedAI" / "MedAIDeidentify.py").read_text(encoding="utf-8"))
    shown = [part for part in tree.body if getattr(part, "name", "") != "MedAIDeidentifyTest"]
    assert len(shown) == len(tree.body) - 1
    found = {text for part in shown for text in texts_of(part) if SENTENCE.fullmatch(text)}
    assert found <= {"The SlicerMedAI contributors"}


def a_result(tmp_path: Path, *left_out: LeftOut) -> DeidResult:
    return DeidResult(folder=tmp_path, written=1, patients=1, left_out=left_out, pictures=())


def test_what_the_verifier_kept_back_is_said_first(tmp_path: Path) -> None:
    kept = LeftOut(name="a.dcm", reason="identity", kept_back=True, asked_for=False)
    lines = deid_words.summary(a_result(tmp_path, kept)).splitlines()
    assert lines[0].startswith("The verifier found identity in the copies of 1 file: they were kept back.")
    assert lines[1].startswith("1 file of 1 patient written")
    assert deid_words.summary(a_result(tmp_path)).splitlines() == lines[1:]


# --- what is left of it ----------------------------------------------------------------------------------------------


def test_the_packages_that_are_offered_are_those_of_the_extras() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = (ROOT / "SlicerMedAI" / "Resources" / "requirements-deid.txt").read_text().splitlines()
    offered = [line for line in lines if line and not line.startswith("#")]
    assert sorted(offered) == sorted([*extras["deid"], *extras["ocr"]])
    assert {line.partition("=")[0].rstrip(">") for line in offered} == {READER, SEALER}


def test_decisions_are_kept_beside_the_pictures_and_read_back(tmp_path: Path) -> None:
    assert decisions(tmp_path) == {}
    decide(tmp_path / "00001-01.png", "identity")
    decide(tmp_path / "00001-02.png", "harmless")
    decide(tmp_path / "00001-01.png", "harmless")
    assert decisions(tmp_path) == {"00001-01.png": "harmless", "00001-02.png": "harmless"}
    (tmp_path / "decisions.json").write_text("torn {")
    assert decisions(tmp_path) == {}


def test_files_that_were_left_out_have_their_own_names_where_the_folder_for_review_says_them(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    left = {"number": 2, "source": "file 2 (*.txt)", "reason": "no DICOM", "quarantined": False, "asked_for": False}
    report = {"counts": {"written": 1, "patients": 1}, "left_out": [left], "review": [], "files": []}
    (output / "report.json").write_text(json.dumps(report))
    review = review_folder(output)
    assert [one.name for one in read_result(output, review).left_out] == ["file 2 (*.txt)"]
    review.mkdir()
    (review / "left-out.csv").write_text("number,file,member,reason\n2,/in/notes.txt,,no DICOM\n")
    assert [one.name for one in read_result(output, review).left_out] == ["notes.txt"]
    assert "PATIENT-DATA" in review.name
    assert review.parent == output.parent
