"""The queue at work: what ends one case ends that case alone, what is stopped goes on, and no case is run twice."""

from __future__ import annotations

import errno
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

from slicermedai.batch import work
from slicermedai.batch.case_job import job_of
from slicermedai.batch.cohort import Cohort, Standing, State
from slicermedai.batch.settings import JOB_SETTINGS
from slicermedai.batch.summary import summarise
from slicermedai.console import cohorts
from slicermedai.errors import BundleError, DiskFullError, InputError, OutputError, ResultExistsError
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.specs import RunJob
from Testing.batch.conftest import MakeWorker, drive
from Testing.batch.studies import write, write_study
from Testing.fixtures import faults

FOREVER = "while True:\n    progress('segment', 0.5)\n    time.sleep(0.01)"


def jobs(journal: Path) -> Counter[str]:
    """Case -> how many jobs were begun for it."""
    return Counter(Path(line).parent.parent.name for line in journal.read_text().splitlines())


def states(cohort: Cohort) -> list[str]:
    return [str(cohort.standing(name).state) for name in cohort.names()]


def test_every_setting_of_a_cohort_that_a_job_has_reaches_the_job(
    tmp_path: Path, three_studies: Path, rules: Path, tiny: Path
) -> None:
    asked = {"device": "cpu", "precision": "auto", "formats": ("seg",), "tilt": "resample", "folds": "all"}
    asked |= {"body_part": "HEAD", "uncertainty": "flips", "stability": 2, "report": True, "seed": 7}
    made = cohorts.make(tmp_path / "asked", three_studies, rules, bundle=str(tiny), **asked)
    again = Cohort(made.folder)
    job = job_of(again.cases()[0], again, tmp_path / "out", JobFolder.create("test"))
    assert {name: getattr(job, name) for name in asked} == asked
    assert set(JOB_SETTINGS) <= set(RunJob.__dataclass_fields__)


def test_every_case_is_run_once_and_leaves_its_result(cohort: Cohort, quick: MakeWorker, journal: Path) -> None:
    worker = quick(cohort, processes=2)
    changes = drive(worker)
    assert worker.error is None
    assert cohort.counts() == {"done": 3}
    assert jobs(journal) == dict.fromkeys(cohort.names(), 1)
    assert all((cohort.result(name) / "result" / "result.json").is_file() for name in cohort.names())
    assert Counter(str(one.standing.state) for one in changes) == {"running": 3, "done": 3}
    assert all(sorted(p.name for p in cohort.place(n).iterdir()) == ["case.json", "state.json"] for n in cohort.names())


def test_a_second_run_of_a_finished_cohort_runs_nothing(cohort: Cohort, quick: MakeWorker, journal: Path) -> None:
    drive(quick(cohort))
    drive(quick(cohort))
    assert jobs(journal).total() == 3


def test_two_workers_share_the_cases(cohort: Cohort, quick: MakeWorker, journal: Path) -> None:
    one, two = quick(cohort, "time.sleep(0.3)"), quick(cohort, "time.sleep(0.3)")
    while not (one.done and two.done):
        one.poll(), two.poll()
        time.sleep(0.02)
    assert jobs(journal) == dict.fromkeys(cohort.names(), 1)
    assert cohort.counts() == {"done": 3}


@pytest.mark.parametrize(
    ("body", "state", "error"),
    [
        ("raise UnreadableFileError('damaged', attribute='PixelData')", "refused", "UnreadableFileError"),
        ("raise BundleError('the network is broken')", "failed", "BundleError"),
        ("raise ZeroDivisionError", "failed", "WorkerCrashed"),
    ],
)
def test_one_case_that_ends_badly_stops_no_other(
    cohort: Cohort, quick: MakeWorker, body: str, state: str, error: str
) -> None:
    drive(quick(cohort, f"if '/0002/' in job.output:\n    {body}"))
    assert states(cohort) == ["done", state, "done"]
    now = cohort.standing("0002")
    assert (now.error, bool(now.reason)) == (error, True)
    assert not cohort.result("0002").exists()


def test_a_crash_is_tried_again_and_then_set_aside(cohort: Cohort, quick: MakeWorker, journal: Path) -> None:
    drive(quick(cohort, "if '/0002/' in job.output:\n    os.kill(os.getpid(), signal.SIGKILL)"))
    assert jobs(journal)["0002"] == cohort.settings.tries == 2
    assert states(cohort) == ["done", "failed", "done"]
    assert cohort.retry() == ["0002"]
    drive(quick(cohort))
    assert cohort.counts() == {"done": 3}


def test_retry_refuses_what_cannot_be_run_again(cohort: Cohort, quick: MakeWorker) -> None:
    drive(quick(cohort))
    with pytest.raises(InputError, match="cannot be run again"):
        cohort.retry(["0001"])
    with pytest.raises(InputError, match="no such case"):
        cohort.retry(["0009"])


def test_a_cancelled_worker_is_gone_within_two_seconds_and_its_case_waits(cohort: Cohort, quick: MakeWorker) -> None:
    worker = quick(cohort, f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{FOREVER}")
    drive(worker, until=lambda: bool(worker.running))
    time.sleep(1.0)
    began = time.monotonic()
    worker.cancel()
    drive(worker)
    assert time.monotonic() - began < 2.5
    assert cohort.counts() == {"waiting": 3}
    assert cohort.standing("0001").tries == 0


def test_a_case_that_takes_too_long_is_stopped_and_named(cohort: Cohort, quick: MakeWorker) -> None:
    object.__setattr__(cohort.settings, "minutes", 0.02)
    drive(
        quick(
            cohort, f"if '/0001/' in job.output:\n    time.sleep(0.1)\n    {FOREVER.replace(chr(10), chr(10) + '    ')}"
        )
    )
    assert states(cohort) == ["failed", "done", "done"]
    assert cohort.standing("0001").reason == "took longer than 0.02 minutes"


def test_no_space_left_stops_the_worker_and_loses_nothing(cohort: Cohort, quick: MakeWorker) -> None:
    worker = quick(cohort, "raise OSError(28, 'No space left on device')")
    drive(worker)
    assert isinstance(worker.error, DiskFullError)
    assert cohort.counts() == {"waiting": 3}
    drive(quick(cohort))
    assert cohort.counts() == {"done": 3}


def test_no_space_for_the_state_itself_leaves_the_old_state(
    cohort: Cohort, quick: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *rest: object, **named: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    worker = quick(cohort)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        drive(worker)
    assert isinstance(worker.error, (DiskFullError, OutputError))
    assert cohort.counts() == {"waiting": 3}
    drive(quick(cohort))
    assert cohort.counts() == {"done": 3}


def test_a_cohort_that_is_moved_while_it_runs_stops_by_name_and_goes_on_in_its_new_place(
    cohort: Cohort, quick: MakeWorker, journal: Path, tmp_path: Path
) -> None:
    worker = quick(cohort, "time.sleep(0.5 if '0001' in job.output else 30.0)")
    drive(worker, until=lambda: cohort.counts().get("done") == 1 and jobs(journal).total() == 2)
    cohort.folder.rename(tmp_path / "moved")
    (cohort.folder / "queue" / "0002" / "claim").mkdir(parents=True)  # as a job does that makes its output just then
    drive(worker)
    assert isinstance(worker.error, OutputError)
    assert worker.error.advice is not None
    assert "moved" in worker.error.advice
    assert [str(path) for path in cohort.folder.rglob("*")] == []
    moved = Cohort(tmp_path / "moved")
    drive(quick(moved))
    assert moved.counts() == {"done": 3}
    assert jobs(journal)["0001"] == 1
    assert len(list((moved.folder / "results").iterdir())) == 3


def test_results_that_are_moved_away_while_it_runs_stop_it_by_name_and_no_case_is_run_for_nothing(
    cohort: Cohort, quick: MakeWorker, journal: Path, tmp_path: Path
) -> None:
    worker = quick(cohort, "time.sleep(1.0)")
    drive(worker, until=lambda: cohort.counts().get("done") == 1 and jobs(journal).total() == 2)
    results = cohort.result("0001").parent.rename(tmp_path / "moved")
    drive(worker)
    assert isinstance(worker.error, OutputError)
    assert "results are gone" in worker.error.message
    assert jobs(journal).total() == 2
    with pytest.raises(OutputError, match="results are gone"):
        cohorts.write_tables(cohort.folder)
    results.rename(cohort.result("0001").parent)
    drive(quick(cohort))
    assert cohort.counts() == {"done": 3}
    assert jobs(journal)["0001"] == 1


def test_a_result_that_nobody_wrote_down_is_not_made_again(cohort: Cohort, quick: MakeWorker, journal: Path) -> None:
    """As after a kill between the two renames."""
    drive(quick(cohort))
    cohort.write("0002", Standing(state=State.WAITING, tries=1))
    drive(quick(cohort))
    assert jobs(journal).total() == 3
    assert cohort.written("0002").state is State.DONE


def test_who_opts_out_after_the_plan_is_not_run(
    tmp_path: Path, three_studies: Path, rules: Path, tiny: Path, quick: MakeWorker, journal: Path
) -> None:
    listed = tmp_path / "out.txt"
    listed.write_text("ZZ-2\n")
    cohort = cohorts.make(tmp_path / "c", three_studies, rules, bundle=str(tiny), exclude=listed)
    assert cohort.counts() == {"waiting": 2, "excluded": 1}
    worker = quick(cohort)
    drive(worker, until=lambda: worker.running == ["0001"])
    listed.write_text("ZZ-2\nZZ-1\n")
    drive(worker)
    assert states(cohort) == ["done", "excluded", "excluded"]
    assert set(jobs(journal)) == {"0001"}
    listed.unlink()
    with pytest.raises(Exception, match="cannot be read"):
        quick(cohort)


def test_who_opts_out_is_known_by_any_series_when_the_case_is_begun(
    tmp_path: Path, rules: Path, tiny: Path, quick: MakeWorker, journal: Path
) -> None:
    for name in ("a", "b"):
        files = write_study(tmp_path / "in" / name, patient="ZZ-1", study=name)
        faults.set_value(files["localizer"], "PatientID", "")
    listed = tmp_path / "out.txt"
    listed.write_text("somebody else\n")
    cohort = cohorts.make(tmp_path / "c", tmp_path / "in", rules, bundle=str(tiny), exclude=listed)
    assert [case.patient for case in cohort.cases()] == ["P0001", "P0001"]
    listed.write_text("ZZ-1\n")
    drive(quick(Cohort(cohort.folder)))
    assert cohort.counts() == {"excluded": 2}
    assert journal.read_text() == ""


def test_a_queue_that_is_gone_is_told_by_name(cohort: Cohort) -> None:
    shutil.rmtree(cohort.folder / "queue")
    with pytest.raises(OutputError, match="queue is gone"):
        cohort.settle("0001", Standing(state=State.DONE))
    with pytest.raises(OutputError, match="queue is gone"):
        cohorts.write_tables(cohort.folder)


def test_a_model_that_was_changed_meanwhile_is_refused(
    tmp_path: Path, three_studies: Path, rules: Path, tiny: Path, quick: MakeWorker
) -> None:
    copied = shutil.copytree(tiny, tmp_path / "mine@0.1")
    cohort = cohorts.make(tmp_path / "c", three_studies, rules, bundle=str(copied))
    (copied / "configs" / "note.txt").write_text("another")
    with pytest.raises(BundleError):
        quick(cohort)


def test_the_same_studies_again_add_nothing_and_a_study_that_grew_supersedes(
    tmp_path: Path, rules: Path, tiny: Path, quick: MakeWorker
) -> None:
    source = tmp_path / "in"
    files = write_study(source / "a", patient="ZZ-1", study="one")
    cohort = cohorts.make(tmp_path / "c", source, rules, bundle=str(tiny))
    drive(quick(cohort))
    assert cohorts.make(tmp_path / "c", source, rules).counts() == {"done": 1}
    files["wanted"][-1].unlink()
    assert cohorts.make(tmp_path / "c", source, rules).counts() == {"waiting": 1, "superseded": 1}
    drive(quick(cohort))
    write_study(source / "b", patient="ZZ-2", study="two")
    assert cohorts.make(tmp_path / "c", source, rules).counts() == {"waiting": 1, "done": 1, "superseded": 1}
    assert [case.patient for case in cohort.cases()] == ["P0001", "P0001", "P0002"]


@pytest.mark.parametrize(
    "ending",
    ["done", "cancelled", "closed", "raise BundleError('the network is broken')", "raise OSError(28, 'No space left')"],
)
def test_a_case_that_is_superseded_while_it_runs_stays_so_however_it_ends(
    tmp_path: Path, rules: Path, tiny: Path, quick: MakeWorker, ending: str
) -> None:
    source = tmp_path / "in"
    files = write_study(source / "a", patient="ZZ-1", study="one")
    cohort = cohorts.make(tmp_path / "c", source, rules, bundle=str(tiny))
    gate = tmp_path / "gate"
    waiting = f"while not Path({str(gate)!r}).exists():\n    progress('segment', 0.5)\n    time.sleep(0.01)"
    worker = quick(cohort, f"{waiting}\n{ending if ending.startswith('raise') else 'pass'}")
    drive(worker, until=lambda: bool(worker.running))
    files["wanted"][-1].unlink()
    assert cohorts.make(tmp_path / "c", source, rules).counts() == {"superseded": 1, "waiting": 1}
    if ending == "cancelled":
        worker.cancel()
    elif ending == "closed":
        worker.close()
    else:
        gate.touch()
    drive(worker)
    gate.touch()
    assert states(cohort) == ["superseded", "waiting"]
    drive(quick(cohort))
    assert states(cohort) == ["superseded", "done"]
    counted = [row["cases"] for row in summarise(cohorts.to_rows(cohort.folder))]
    assert set(counted) == {1}


def test_a_plan_that_now_refuses_what_waits_is_followed(tmp_path: Path, rules: Path, tiny: Path) -> None:
    source = tmp_path / "in"
    write_study(source / "a", patient="ZZ-1", study="one")
    cohort = cohorts.make(tmp_path / "c", source, rules, bundle=str(tiny))
    faults.drop_slices(write(source / "b", 9, patient="ZZ-1", study="one"))
    assert cohorts.make(tmp_path / "c", source, rules).counts() == {"refused": 1, "superseded": 1}
    assert "alike" in cohort.standing("0002").reason


def test_a_cohort_lies_neither_in_its_source_nor_on_something_else(
    tmp_path: Path, rules: Path, tiny: Path, cohort: Cohort
) -> None:
    write_study(tmp_path / "in", patient="ZZ-1", study="one")
    with pytest.raises(OutputError, match="lies in the folder that is read"):
        cohorts.make(tmp_path / "in" / "cohort", tmp_path / "in", rules, bundle=str(tiny))
    with pytest.raises(ResultExistsError):
        cohorts.make(tmp_path / "in", [[str(tmp_path / "in" / "s3")]], rules, bundle=str(tiny))
    with pytest.raises(InputError, match="other settings"):
        cohorts.make(cohort.folder, tmp_path / "in", rules, bundle=str(tiny), seed=7)
    with pytest.raises(InputError, match="no setting"):
        cohorts.make(tmp_path / "x", tmp_path / "in", rules, bndle="tiny")


def test_a_case_that_kills_its_worker_again_and_again_is_set_aside(cohort: Cohort, quick: MakeWorker) -> None:
    cohort.write("0001", Standing(state=State.WAITING, tries=work.MOST_BEGUN))
    drive(quick(cohort))
    assert states(cohort) == ["failed", "done", "done"]
    assert "never came to an end" in cohort.standing("0001").reason


@pytest.mark.parametrize("frames", ["same", "any"])
def test_a_job_is_told_that_its_images_are_registered_where_the_rules_say_so(
    tmp_path: Path, tiny: Path, frames: str
) -> None:
    for number, name in enumerate(("T1", "FLAIR"), 1):
        files = write(tmp_path / "in" / name, number, description=name, patient="ZZ-1", study="one")
        if frames == "any":
            faults.set_value(files, "FrameOfReferenceUID", f"1.2.3.{number}")
    rules = tmp_path / "rules.toml"
    text = "".join(f'[[rule]]\nname = "{name}"\ninput = "{name}"\ndescription = "{name}"\n' for name in ("T1", "FLAIR"))
    rules.write_text(f'frames_of_reference = "{frames}"\n{text}')
    made = cohorts.make(tmp_path / "c", tmp_path / "in", rules, bundle=str(tiny))
    (case,) = Cohort(made.folder).cases()
    with JobFolder.create() as folder:
        job = job_of(case, made, tmp_path / "out", folder)
    assert (job.other_frames, len(job.inputs)) == (frames == "any", 1)
