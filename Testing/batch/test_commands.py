"""``slicermedai batch`` and the console: the same cohort by either, on either identity route."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from slicermedai.batch import claims
from slicermedai.batch.cohort import Cohort, Standing, State
from slicermedai.batch.settings import Settings
from slicermedai.cli.commands import understand
from slicermedai.console import cohorts
from slicermedai.deid.keystore import save_key
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.sealed import Cost
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.storage import process_alive
from slicermedai.errors import IdentityError, InputError
from Testing.batch.studies import FAULTS, RULES, Files, uid_of, write_study
from Testing.fixtures import faults
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.leaks import leaks

ROOT = Path(__file__).resolve().parents[2]
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
PASSPHRASE = "correct horse battery staple"


def say(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command prints, which must succeed."""
    assert understand(["batch", *map(str, words)])() == 0
    return capsys.readouterr().out


def test_preview_make_list_and_table_are_commands(
    tmp_path: Path, three_studies: Path, rules: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (three_studies, "--rules", rules, "--bundle", tiny)
    printed = say(capsys, "preview", *given)
    assert printed.splitlines()[0].startswith("study,state,why,series")
    assert printed.count("localizer") == 3
    assert say(capsys, "preview", *given, "--output", tmp_path / "p.csv").strip() == str(tmp_path / "p.csv")
    assert "3 waiting" in say(capsys, "make", *given, "--output", tmp_path / "c")
    assert "3 waiting" in say(capsys, "make", *given, "--output", tmp_path / "c")
    assert say(capsys, "list", tmp_path / "c").splitlines() == [f"000{n}  P000{n}  waiting" for n in (1, 2, 3)]
    assert "0 wait again" in say(capsys, "retry", tmp_path / "c")
    assert len(say(capsys, "table", tmp_path / "c").splitlines()) == 3
    assert (tmp_path / "c" / "sheet.html").is_file()


def test_what_a_cohort_takes_is_what_a_run_takes(three_studies: Path, rules: Path) -> None:
    words = ["batch", "preview", str(three_studies), "--rules", str(rules), "--tilt", "sideways"]
    with pytest.raises(SystemExit):
        understand(words)
    with pytest.raises(InputError, match="must be one of"):
        Settings(bundle="b", tilt="sideways")


def test_a_child_runs_a_pseudonymous_cohort_with_one_key_and_leaks_nobody(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two studies of one patient get one pseudonym; what may be handed on names nobody, also of studies that are
    refused because of series that have nothing but UIDs, or of files that are called by their patient.
    """
    for number, fault in enumerate((None, None, FAULTS["tie"], FAULTS["tilted"], _gap)):
        place = tmp_path / "in" / f"Quillfeather-{number}"
        files = write_study(place, patient=Identity().patient_id, study=f"s{number}")
        if fault is not None:
            fault(files, place)
    sources = sorted((tmp_path / "in").rglob("*.dcm"))
    for path in sources:
        path.rename(path.with_name(f"Quillfeather {path.name}"))
    sources = sorted((tmp_path / "in").rglob("*.dcm"))
    uids = {uid_of(path, name) for path in sources for name in UIDS}
    (tmp_path / "rules.toml").write_text(RULES)
    key = save_key(tmp_path / "keys" / "project.key", ProjectKey.generate(), PASSPHRASE, cost=Cost(n=2**4))
    settings = {"bundle": str(tiny), "identity": "deidentify", "project_key": key, "device": "cpu"}
    cohort = cohorts.make(tmp_path / "c", tmp_path / "in", tmp_path / "rules.toml", **settings)
    with pytest.raises(IdentityError):
        cohorts.run(cohort.folder)
    job = cohorts.start(cohort.folder, processes=2, passphrase=PASSPHRASE)
    deadline = time.monotonic() + 120
    while job.returncode is None:
        assert time.monotonic() < deadline
        job.poll()
        time.sleep(0.1)
    assert job.returncode == 0, job.last_line
    assert cohort.counts() == {"done": 2, "refused": 3}
    rows = cohorts.to_rows(cohort.folder)
    done = [name for name in cohort.names() if cohort.standing(name).state is State.DONE]
    assert {row["reason"] for row in rows if row["state"] == "refused"} == {
        "several series fit 'thin T1' alike (tie 'refuse'): series 3, series 4",
        "series 3: the gantry was tilted by 12.0 degrees",
        "series 3: ImagePositionPatient 1 slice missing, the first between file 5 and file 6",
    }
    assert len({row["patient_id"] for row in rows if row["state"] == "done"}) == 1
    assert len({row["study_uid"] for row in rows if row["state"] == "done"}) == 2
    shown = [cohort.folder / name for name in ("table.csv", "summary.csv", "sheet.html")]
    written = [path for path in cohort.result("0001").parent.rglob("*") if path.is_file()]
    said = [cohort.place(name) / "state.json" for name in cohort.names()]
    assert not leaks([*shown, *said, *written], [*identity_tokens(Identity()), "Quillfeather", *uids])
    assert all((cohort.result(name) / "thumbnail.png").is_file() for name in done)
    assert AnalysisResult.load(cohort.result(done[0])).deidentification is not None


def _gap(files: Files, place: Path) -> None:
    faults.drop_slices(files["wanted"], 5)


def test_what_an_earlier_version_wrote_of_a_refused_study_is_shown_without_uids_and_files(cohort: Cohort) -> None:
    case = cohort.cases()[0]
    file = case.images[0].files[3]
    uids = [uid_of(file), f"{uid_of(file)}#2"]
    reason = f"several fit: {', '.join(uids)}; {file.name} and {file} are one, by 12.0 degrees, software 1.2.3"
    cohort.write("0001", Standing(state=State.REFUSED, reason=reason))
    made = cohorts.write_tables(cohort.folder)
    told = "several fit: a UID, a UID; file 4 and file 4 are one, by 12.0 degrees, software 1.2.3"
    assert cohorts.to_rows(cohort.folder)[0]["reason"] == told
    assert not leaks([made.table, made.sheet], [uid_of(file), file.name, str(file)])


def test_a_cancelled_child_is_gone_within_two_seconds_with_all_jobs(
    tmp_path: Path, three_studies: Path, rules: Path, tiny: Path
) -> None:
    cohort = cohorts.make(tmp_path / "c", three_studies, rules, bundle=str(tiny), device="cpu")
    job = cohorts.start(cohort.folder, processes=2)
    deadline = time.monotonic() + 60
    while not all((owner := claims.holder(cohort.place(name))) and owner.child for name in ("0001", "0002")):
        assert time.monotonic() < deadline
        job.poll()
        time.sleep(0.05)
    children = [owner.child for name in ("0001", "0002") if (owner := claims.holder(cohort.place(name)))]
    began = time.monotonic()
    job.cancel()
    while job.returncode is None:
        job.poll()
        time.sleep(0.02)
    while any(process_alive(child) for child in children):
        assert time.monotonic() - began < 5
        time.sleep(0.02)
    assert time.monotonic() - began < 2.5
    assert cohort.counts() == {"waiting": 3}


def test_the_documented_script_names_what_is_there(three_studies: Path, rules: Path) -> None:
    """Every name that the page uses of the console is one, and its rules are right."""
    text = (ROOT / "Resources" / "Docs" / "batch.md").read_text(encoding="utf-8")
    used = set(re.findall(r"cohorts\.(\w+)\(", text))
    assert used == {
        *("preview", "make", "run", "start", "cases", "retry"),
        *("to_rows", "write_tables", "add_to_database"),
    }
    assert all(callable(getattr(cohorts, name)) for name in used)
    from slicermedai.batch.rules import parse_rules

    block = re.search(r"```toml\n(.*?)```", text, re.S)
    assert block is not None
    assert len(parse_rules(block[1]).rules) == 2


def test_how_often_and_how_long_a_case_may_be_tried_are_options(
    tmp_path: Path, three_studies: Path, rules: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (three_studies, "--rules", rules, "--bundle", tiny)
    say(capsys, "make", *given, "--output", tmp_path / "c", "--tries", 5, "--minutes", 1.5)
    assert (Cohort(tmp_path / "c").settings.tries, Cohort(tmp_path / "c").settings.minutes) == (5, 1.5)
    for wrong in (("--tries", 0), ("--minutes", "-1"), ("--minutes", "nan")):
        with pytest.raises(InputError, match="must be more than 0"):
            say(capsys, "make", *given, "--output", tmp_path / "d", *wrong)


def test_a_setting_that_changes_nothing_of_a_plan_is_kept_for_its_runs(
    tmp_path: Path, three_studies: Path, rules: Path, tiny: Path
) -> None:
    made = cohorts.make(tmp_path / "c", three_studies, rules, bundle=str(tiny), seed=7, formats=("seg",), minutes=3.5)
    again = Cohort(made.folder).settings
    assert (again.seed, again.formats, again.minutes) == (7, ("seg",), 3.5)
