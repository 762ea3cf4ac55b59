"""Installing what is missing by child processes: the installer is a short Python program."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.installing import Installation, InstallStep, model_step, packages_step, steps_for
from slicermedai.app.state import Phase
from slicermedai.domain.bundle import BundleRef
from slicermedai.jobs import interpreter
from Testing.app.test_guided_run import Office, PlannedJob, a_bundle, a_result


def says(*lines: str, code: int = 0, seconds: float = 0.0) -> tuple[str, ...]:
    program = (
        f"import time; [print(line, flush=True) for line in {lines!r}]; time.sleep({seconds}); raise SystemExit({code})"
    )
    return ("-c", program)


def a_step(what: str, arguments: tuple[str, ...]) -> InstallStep:
    return InstallStep(what=what, arguments=arguments)


def writes(path: Path) -> tuple[str, ...]:
    return ("-c", f"open({str(path)!r}, 'w').close()")


def a_run(tmp_path: Path, missing: tuple[str, ...] = ()) -> tuple[GuidedRun, Office]:
    """Its model is at hand once the file "model" is there, its packages once "packages" is."""

    def bundles() -> list[BundleRef]:
        return [a_bundle()] if (tmp_path / "model").exists() else []

    def lacking() -> tuple[str, ...]:
        return () if (tmp_path / "packages").exists() else missing

    office = Office(PlannedJob([], a_result()))
    run = GuidedRun(submit=office.submit, bundles=bundles, missing=lacking)
    run.refresh_bundles()
    run.choose_source("head", "Head")
    return run, office


def until_idle(run: GuidedRun) -> list[str]:
    """Poll to the end; the messages on the way."""
    told, end = [run.state.message], time.monotonic() + 20
    while run.busy:
        assert time.monotonic() < end, "it never ended"
        time.sleep(0.01)
        run.poll()
        if told[-1] != run.state.message:
            told.append(run.state.message)
    return told


def test_what_was_installed_can_be_used_at_once(tmp_path: Path) -> None:
    run, _ = a_run(tmp_path, ("torch>=2.8",))
    assert run.missing == ("torch>=2.8", "the brain model")
    assert not run.can_run
    run.install([a_step("packages", writes(tmp_path / "packages")), a_step("model", writes(tmp_path / "model"))])
    told = until_idle(run)
    assert told[0].startswith("Installing packages (step 1 of 2).")
    assert any(text.startswith("Installing model (step 2 of 2).") for text in told)
    assert run.state.message == "Installed: packages; model. Ready."
    assert run.missing == ()
    assert run.can_run


def test_a_missing_package_is_named_although_there_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    run, _ = a_run(tmp_path, ("torch>=2.8",))
    assert run.missing == ("torch>=2.8",)
    assert run.state.message == "Not installed: torch>=2.8. Install what is missing first."


def test_the_installers_last_line_is_shown(tmp_path: Path) -> None:
    run, _ = a_run(tmp_path)
    run.install([a_step("model", says("Collecting torch", "Downloading torch (900 MB)", "", seconds=0.5))])
    assert any(text.splitlines()[-1] == "Downloading torch (900 MB)" for text in until_idle(run)[:-1])


def test_it_stops_at_the_step_that_fails_and_says_what_is_there_and_why_not_the_rest(tmp_path: Path) -> None:
    run, _ = a_run(tmp_path)
    run.install(
        [
            a_step("packages", says("ok")),
            a_step("model", says("ERROR: no route to host", code=1)),
            a_step("never", writes(tmp_path / "never")),
        ]
    )
    until_idle(run)
    assert run.state.phase is Phase.FAILED
    assert run.state.message == (
        "Installed: packages. Could not install model: ERROR: no route to host. "
        "Check that this computer reaches the network, then install again."
    )
    assert not (tmp_path / "never").exists()


def test_an_installer_that_says_nothing_is_told_by_its_status(tmp_path: Path) -> None:
    run, _ = a_run(tmp_path)
    run.install([a_step("packages", says(code=3))])
    until_idle(run)
    assert "the installer ended with status 3" in run.state.message


def test_an_installer_that_cannot_be_started_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "python", lambda: str(tmp_path / "no-python"))
    run, _ = a_run(tmp_path)
    run.install([a_step("packages", says("ok"))])
    assert run.state.phase is Phase.FAILED
    assert "cannot be started" in run.state.message


def test_cancelling_ends_the_installer_and_all_that_it_started(tmp_path: Path) -> None:
    child = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    run, _ = a_run(tmp_path)
    run.install(
        [
            a_step("packages", says("ok")),
            a_step("model", ("-c", f"{stubborn}{child}print(p.pid, flush=True); p.wait()")),
        ]
    )
    end = time.monotonic() + 20
    while not run.state.message.splitlines()[-1].isdigit():
        assert time.monotonic() < end
        time.sleep(0.01)
        run.poll()
    pid = int(run.state.message.splitlines()[-1])
    began = time.monotonic()
    run.cancel()
    assert run.state.phase is Phase.STOPPING
    until_idle(run)
    assert time.monotonic() - began < 2
    assert run.state.phase is Phase.CANCELLED
    assert run.state.message.startswith("Stopped. Installed: packages.")
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < began + 5:
            os.kill(pid, 0)
            time.sleep(0.01)


def test_nothing_is_installed_or_started_within_an_installation(tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    run, office = a_run(tmp_path)
    run.install([a_step("model", says("ok"))])
    run.install([a_step("again", writes(tmp_path / "again"))])
    run.start()
    assert not run.can_run
    until_idle(run)
    assert office.asked == []
    assert not (tmp_path / "again").exists()


def test_only_what_is_missing_is_asked_of_the_installer() -> None:
    steps = steps_for(["torch>=2.8"], model="brain")
    assert [step.arguments[-1] for step in steps] == ["torch>=2.8", "brain"]
    assert steps[0].arguments[:3] == ("-m", "pip", "install")
    assert "--no-input" in steps[0].arguments
    assert steps[1] == model_step("brain", what="the brain model")
    assert steps_for(["torch"], model="") == [packages_step(["torch"], what=steps[0].what)]
    assert steps_for([], model="") == []


def test_without_anything_to_do_an_installation_is_over_at_once() -> None:
    installation = Installation([])
    assert installation.done
    assert installation.outcome == ""


def test_no_temporary_folder_of_an_installer_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    run, _ = a_run(tmp_path)
    run.install([a_step("model", ("-c", "import tempfile; print(tempfile.mkdtemp())"))])
    until_idle(run)
    assert list((tmp_path / "temp").glob("slicermedai-*/job-*")) == []
