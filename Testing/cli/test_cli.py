"""The command line: its options come from the job specs, its exit codes mean something, Ctrl-C ends it."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import slicermedai
from slicermedai.audit.log import append_to, log_path, verify
from slicermedai.bundles.registry import RECIPES
from slicermedai.cli.commands import parser
from slicermedai.cli.main import main
from slicermedai.cli.options import job_from
from slicermedai.cli.supervise import ProgressLines, time_left
from slicermedai.cli.worker import job_file
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.export.formats import FORMATS
from slicermedai.jobs.files import make_job, read_job, write_job
from slicermedai.jobs.kinds import KINDS
from slicermedai.jobs.protocol import Failed, Note, Progress, decode
from slicermedai.jobs.specs import ExportJob, Job, RunJob
from slicermedai.jobs.unread import silent_where_unread

LIBRARY = Path(slicermedai.__file__).parent.parent
SPECS = [kind.spec for kind in KINDS.values()]
OPTIONS = [(kind, field) for kind in SPECS for field in dataclasses.fields(kind)]

word = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters=","), min_size=1).filter(
    lambda text: text.strip() == text and not text.startswith("-")
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application data and temp files of the test's own."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SLICERMEDAI_MODELS", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(LIBRARY))
    return tmp_path / "home"


def command(*words: str, code: str = "") -> list[str]:
    return [sys.executable, *(["-c", code] if code else ["-m", "slicermedai"]), *words]


def run_command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=60)


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "field"), OPTIONS, ids=[f"{kind.kind} {field.name}" for kind, field in OPTIONS])
def test_every_field_of_a_job_is_an_option_with_its_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: type[Job], field: dataclasses.Field
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit) as left:
        main([kind.kind, "--help"])
    assert left.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    name = field.name if field.default is dataclasses.MISSING else f"--{field.name.replace('_', '-')} "
    assert name in text
    assert field.metadata["help"] in text


@pytest.mark.parametrize("kind", SPECS, ids=KINDS)
def test_a_job_from_what_is_required_alone_has_the_defaults_of_its_spec(kind: type[Job]) -> None:
    required = [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    ordered = sorted(required, key=lambda name: name != "source")
    given = parser().parse_args([kind.kind, *(name.upper() for name in ordered)])
    assert job_from(kind, given) == kind(**{name: name.upper() for name in required})


@given(source=word, bundle=word, formats=st.lists(word), report=st.booleans(), seed=st.integers(0))
def test_what_is_typed_is_what_the_job_holds(
    source: str, bundle: str, formats: list[str], report: bool, seed: int
) -> None:
    words = ["run", source, "--bundle", bundle, "--formats", ",".join(formats), f"--seed={seed}"]
    words += ["--report" if report else "--no-report", "--identity", "deidentify", "--project-key", "key file"]
    job = job_from(RunJob, parser().parse_args(words))
    assert job == RunJob(
        source=source,
        bundle=bundle,
        formats=tuple(formats),
        report=report,
        seed=seed,
        identity="deidentify",
        project_key="key file",
    )


@pytest.mark.parametrize(
    "words",
    [[], ["dance"], ["run"], ["run", "a", "--identity", "maybe"], ["run", "a", "--seed", "x"], ["run", "a", "--what"],
     ["bundle"], ["bundle", "fetch"], ["audit"]],
)  # fmt: skip
def test_wrong_arguments_are_told_and_end_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "usage: slicermedai" in capsys.readouterr().err


def test_the_help_names_every_command_and_what_this_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    for name in (*KINDS, "bundle", "deid-key", "audit"):
        assert re.search(rf"\n    {name}\s", text)
    assert "not a medical device" in text


def test_the_version_is_the_packages() -> None:
    done = run_command("--version")
    assert (done.returncode, done.stdout) == (0, f"slicermedai {slicermedai.__version__}\n")


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="absent: pipes that tell that nobody reads")
@pytest.mark.parametrize(
    "words",
    ["--help", "--version", "deid --help", "run --help", "settings", "bundle list", "audit verify", "bundle no"],
)
@pytest.mark.parametrize("buffered", ["", "1"])
def test_output_that_nobody_reads_ends_without_a_traceback(tmp_path: Path, words: str, buffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    variables = {**os.environ, "SLICERMEDAI_HOME": str(tmp_path), "PYTHONUNBUFFERED": buffered}
    command = [sys.executable, "-m", "slicermedai", *words.split()]
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, env=variables)
        both = subprocess.run(command, stdout=writer, stderr=writer, timeout=60, env=variables)
    finally:
        os.close(writer)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    expected = subprocess.run(command, capture_output=True, timeout=60, env=variables).returncode
    assert {done.returncode, both.returncode} <= {expected, 141}


def test_another_pipe_that_breaks_is_an_error_as_before() -> None:
    with pytest.raises(BrokenPipeError, match="of a child"), silent_where_unread():
        raise BrokenPipeError("of a child")


def test_an_error_is_words_on_stderr_and_exit_code_1(tmp_path: Path) -> None:
    """The whole road: command line, supervisor, worker, reader."""
    (tmp_path / "empty").mkdir()
    done = run_command("run", str(tmp_path / "empty"), "--output", str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("slicermedai: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob("slicermedai-*/*")) == []
    assert verify().ok
    actions = [json.loads(line)["action"] for line in log_path().read_text().splitlines()]
    assert actions == ["run started", "run failed", "job failed"]


def test_no_models_are_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "list"]) == 0
    assert capsys.readouterr().out == ""


def test_a_model_that_nobody_knows_is_an_error_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "fetch", "tea"]) == 1
    assert "tea" in capsys.readouterr().err


def test_where_nothing_was_logged_nothing_is_called_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify"]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"no audit log at {log_path()}; nothing has been run with this home\n"
    assert main(["audit", "verify", "--absent-ok"]) == 0
    assert "no audit log at" in capsys.readouterr().err


def test_a_log_that_was_removed_is_no_absent_one(capsys: pytest.CaptureFixture[str]) -> None:
    append_to(log_path(), "step", job_id="j", details={})
    log_path().unlink()
    assert main(["audit", "verify", "--absent-ok"]) == 1
    assert "1 entries are missing" in capsys.readouterr().out


def test_a_project_key_is_made_once_for_its_owner_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "project.key"
    assert main(["deid-key", "--plain", str(path)]) == 0
    key = ProjectKey.from_file(path)
    told = capsys.readouterr().out
    assert told == f"{path}  fingerprint {key.fingerprint}\n"
    assert key.secret.hex() not in told
    assert os.name == "nt" or path.stat().st_mode & 0o777 == 0o600
    assert main(["deid-key", "--plain", str(path)]) == 1
    assert str(path) in capsys.readouterr().err
    assert ProjectKey.from_file(path) == key


def test_the_audit_log_is_verified_and_a_changed_one_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        append_to(log_path(), "step", job_id="j", details={"number": number})
    assert main(["audit", "verify"]) == 0
    assert "3 entries, unchanged" in capsys.readouterr().out
    log_path().write_text(log_path().read_text().replace('"number":1', '"number":7'))
    assert main(["audit", "verify", str(log_path())]) == 1
    assert "BROKEN at entry 2" in capsys.readouterr().out


def test_a_log_without_its_head_or_none_at_all_is_not_called_unchanged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["audit", "verify", str(tmp_path / "no-log.jsonl")]) == 1
    told = capsys.readouterr()
    assert "no-log.jsonl: is not there" in told.err
    assert told.out == ""
    append_to(log_path(), "step", job_id="j", details={})
    log_path().with_name("head.json").unlink()
    assert main(["audit", "verify"]) == 1
    assert "the head is missing" in capsys.readouterr().out


# --- the worker ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["run", "job.json"], "job.json"),
        (["run", "--supervised", "a/job.JSON"], "a/job.JSON"),
        (["run", "study"], None),
        (["run", "job.json", "--seed", "1"], None),
        (["export", "job.json"], None),
        ([], None),
    ],
)
def test_a_job_file_alone_makes_it_the_worker(words: list[str], path: str | None) -> None:
    assert job_file(words) == (None if path is None else Path(path))


def test_the_worker_says_what_is_wrong_with_its_job_in_one_line_of_the_protocol(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text('{"medai_job": 99}')
    done = run_command("run", str(path))
    event = decode(done.stdout.rstrip("\n"))
    assert isinstance(event, Failed)
    assert event.error["type"] == "ProtocolError"
    assert event.error["attribute"] == "medai_job"
    assert done.returncode == 1


def test_the_worker_speaks_nothing_but_the_protocol(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    job = RunJob(source=str(tmp_path / "empty"), output=str(tmp_path / "out"))
    done = run_command("run", str(write_job(job, tmp_path / "job.json", job_id="x")))
    events = [decode(line) for line in done.stdout.splitlines()]
    assert isinstance(events[-1], Failed)
    assert events[-1].error["type"] != "WorkerCrashed"


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        ({"medai_job": 2}, "medai_job"),
        ({"kind": "dance"}, "kind"),
        ({"spec": {"source": "a", "colour": "red"}}, "colour"),
        ({"spec": {}}, "source"),
        ({"spec": []}, "spec"),
        ({"spec": {"source": 5}}, "source"),
        ({"spec": {"source": "a", "identity": "maybe"}}, "identity"),
        ({"spec": {"source": "a", "seed": True}}, "seed"),
        ({"spec": {"source": "a", "formats": "seg"}}, "formats"),
    ],
)
def test_a_job_file_that_is_wrong_names_the_field(tmp_path: Path, change: dict, attribute: str) -> None:
    path = write_job(RunJob(source="a"), tmp_path / "job.json", job_id="x")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(slicermedai.MedAIError) as caught:
        read_job(path)
    assert caught.value.attribute == attribute
    assert caught.value.file == str(path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TwoRequired:
    """A job with two fields that must be given."""

    kind: ClassVar[str] = "two"
    source: str = dataclasses.field(metadata={"help": "one"})
    person: str = dataclasses.field(metadata={"help": "another"})


def test_a_missing_field_is_the_one_that_is_missing() -> None:
    with pytest.raises(slicermedai.MedAIError, match="missing") as caught:
        make_job(TwoRequired, {"source": "a"})
    assert caught.value.attribute == "person"


@given(source=st.text(), formats=st.lists(st.text()))
def test_a_job_survives_its_file(tmp_path_factory: pytest.TempPathFactory, source: str, formats: list[str]) -> None:
    job = ExportJob(source=source, formats=tuple(formats))
    if not source.isprintable():
        return
    path = write_job(job, tmp_path_factory.getbasetemp() / "job.json", job_id="x")
    assert read_job(path) == ("x", job)


# --- interrupts ------------------------------------------------------------------------------------------------------

BUSY_WORKER = """
import sys
from pathlib import Path
from slicermedai.domain.storage import atomic_folder
from slicermedai.jobs.child import serve

def execute(job, *, job_id, progress):
    with atomic_folder(Path(job.output)) as out:
        (out / "file").write_text("half")
        progress("segment", 0.1)
        sum(range(10**12))

sys.exit(serve(Path(sys.argv[1]), execute, supervised=True))
"""
WITH_WORKER = """
import functools, sys
from slicermedai.cli import main
from slicermedai.console import launch
from slicermedai.jobs import supervisor
worker, *words = sys.argv[1:]
launch.start = functools.partial(supervisor.start, command=[sys.executable, worker])
sys.argv[1:] = words
sys.exit(main.main())
"""


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX signals")
@pytest.mark.parametrize("signals", [["SIGINT"], ["SIGTERM"], ["SIGHUP"], ["SIGINT", "SIGINT"]])
def test_an_interrupt_ends_it_within_two_seconds_and_leaves_nothing(tmp_path: Path, signals: list[str]) -> None:
    (tmp_path / "worker.py").write_text(BUSY_WORKER)
    out = tmp_path / "here" / "out"
    words = [str(tmp_path / "worker.py"), "run", "study", "--output", str(out)]
    with subprocess.Popen(command(*words, code=WITH_WORKER), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "segment" not in (line := process.stderr.readline()):
            assert line, "it ended before it began"
        began = time.monotonic()
        for name in signals:
            process.send_signal(getattr(signal, name))
            time.sleep(0.1)
        assert process.wait(10) == 130
        assert time.monotonic() - began < 2.0
        assert process.stderr.read() == "slicermedai: cancelled, nothing was left behind\n"
    assert not out.parent.exists(), "the folders above it were made for it"
    assert list(tmp_path.glob("slicermedai-*/*")) == []
    assert [json.loads(line)["action"] for line in log_path().read_text().splitlines()] == ["job cancelled"]


def test_the_place_of_the_result_is_the_last_line_on_stdout(tmp_path: Path) -> None:
    worker = BUSY_WORKER.replace("sum(range(10**12))", "print('noise')\n    return Path(job.output)")
    (tmp_path / "worker.py").write_text(worker)
    words = [str(tmp_path / "worker.py"), "run", "study", "--output", str(tmp_path / "out")]
    done = subprocess.run(command(*words, code=WITH_WORKER), capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'out'}\n")


# --- progress --------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def progress(stage: str, fraction: float, left: float | None = None) -> Progress:
    return Progress(stage=stage, fraction=fraction, stage_fraction=fraction, seconds_left=left)


def test_a_terminal_has_one_line_that_is_rewritten() -> None:
    stream = Terminal()
    lines = ProgressLines(stream)
    lines.show(progress("load model", 0.1))
    lines.show(progress("segment", 0.5, 62.0))
    lines.end()
    assert stream.getvalue() == "\r 10%  load model\r 50%  segment  1:02 left\n"


def test_a_file_has_a_line_for_each_stage_and_each_tenth() -> None:
    stream = io.StringIO()
    lines = ProgressLines(stream)
    for step in range(101):
        lines.show(progress("segment", step / 100))
    lines.show(Note(text="a word"))
    lines.end()
    told = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue()
    assert 10 <= len(told) <= 12
    assert told[-1] == "a word"


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (5, "  0:05 left"), (59.6, "  1:00 left"), (600, "  10:00 left")]
)
def test_the_time_left_is_minutes_and_seconds(seconds: float | None, text: str) -> None:
    assert time_left(seconds) == text


# --- choosing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["rnu", "a"], "Did you mean 'run'?"),
        (["exprot", "a"], "Did you mean 'export'?"),
        (["run", "a", "--ouput", "b"], "Did you mean '--output'?"),
        (["run", "a", "--idenity=keep"], "Did you mean '--identity'?"),
        (["run", "a", "--identity", "de-identify"], "Did you mean 'deidentify'?"),
        (["bundle", "lst"], "Did you mean 'list'?"),
        (["run", "a", "--zzzz"], "unrecognized arguments: --zzzz."),
    ],
)
def test_a_mistyped_word_is_answered_with_what_may_be_meant(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert hint in capsys.readouterr().err


def test_the_help_of_a_run_lists_formats_and_models(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    text = capsys.readouterr().out
    for name, made in FORMATS.items():
        assert f"  {name:<14} {made.title}\n" in text
    assert "models (installed):\n  none" in text
    assert f"  {RECIPES[0].title:<14} slicermedai bundle fetch {RECIPES[0].name}\n" in text


def test_the_help_of_an_export_lists_formats_and_no_models(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    text = capsys.readouterr().out
    assert "formats:\n  seg" in text
    assert "models" not in text


def test_a_format_that_does_not_exist_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(tmp_path / "study"), "--formats", "seg,niftii", "--output", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert "niftii" in told
    assert "Did you mean 'nifti'?" in told
    assert not log_path().exists(), "no worker was started"


@pytest.mark.parametrize("way", ["inside", "deep inside", "through a link", "the same", "above"])
def test_an_output_in_the_folder_that_is_read_is_refused_before_anything_starts(
    tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "patient" / "study"
    source.mkdir(parents=True)
    (tmp_path / "link").symlink_to(source)
    output = {
        "inside": source / "out",
        "deep inside": source / "not" / "yet" / "there",
        "through a link": tmp_path / "link" / "out",
        "the same": source,
        "above": tmp_path / "patient",
    }[way]
    assert main(["run", str(source), "--output", str(output)]) == 1
    told = capsys.readouterr().err
    assert str(output) in told
    assert "output: " in told
    assert list(source.iterdir()) == []
    assert not log_path().exists(), "no worker was started"


def test_a_failed_run_leaves_no_folder_above_its_output(tmp_path: Path) -> None:
    done = run_command("run", str(tmp_path / "none"), "--output", str(tmp_path / "no" / "such" / "x"))
    assert done.returncode == 1
    assert not (tmp_path / "no").exists()


# --- programs as people start them -----------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX locales")
def test_a_path_of_any_script_survives_a_system_without_a_locale(tmp_path: Path) -> None:
    """To the worker and back: its answer names the folder, which ASCII cannot."""
    (tmp_path / "worker.py").write_text(BUSY_WORKER.replace("sum(range(10**12))", "return Path(job.output)"))
    out = tmp_path / "Müller 大"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = command(str(tmp_path / "worker.py"), "run", "study", "--output", str(out), code=WITH_WORKER)
    done = subprocess.run(words, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout.decode()) == (0, f"{out}\n")
    assert "Traceback" not in done.stderr.decode()
    assert (out / "file").read_text() == "half"
    done = subprocess.run(command("export", str(out)), env=environment, capture_output=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 1
    assert str(out) in done.stderr.decode()


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX signals")
@pytest.mark.parametrize("milliseconds", [0, 15, 30, 60, 120])
def test_an_early_interrupt_is_at_most_one_line(milliseconds: int, tmp_path: Path) -> None:
    """From when the program has said who handles Ctrl-C, its first act, no moment has a traceback."""
    code = "import os, signal, sys; real = signal.signal; "
    code += "signal.signal = lambda *a: (real(*a), setattr(signal, 'signal', real), os.write(1, b'.'))[0]; "
    code += "from slicermedai.cli.main import main; sys.exit(main())"
    words = command("run", str(tmp_path / "none"), "--output", str(tmp_path / "out"), code=code)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1) == "."
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) in (1, 130)
        told = process.stderr.read()
    assert "Traceback" not in told
    assert process.returncode == 1 or told.splitlines()[-1].startswith("slicermedai: cancelled, nothing was")
