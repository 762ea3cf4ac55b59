"""Installing what is missing by child processes: the installer is a short Python program."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.install_ask import plan_of, question, refused_text, steps_of
from slicermedai.app.installing import Installation, InstallStep, extension_step
from slicermedai.app.state import Phase
from slicermedai.domain.bundle import BundleRef
from slicermedai.jobs import install_record, interpreter
from Testing.app.test_guided_run import Office, PlannedJob, a_bundle, a_result
from Testing.fixtures.wheels import ThrowAway, make_wheel


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


ANSWER: dict[str, Any] = {
    "missing": ["torch>=2.8", "monai>=1.6.1"],
    "refused": [],
    "wheels": "",
    "needs_build": True,
    "graphics": [{"name": "RTX 4090", "driver": [581, 29], "capability": 8.9}],
    "torch": "auto",
    "busy": False,
}


def test_the_build_is_chosen_and_shown_before_anything_is_installed() -> None:
    plan = plan_of(ANSWER, model="brain")
    assert plan.build is not None and plan.build.name == "cu130"
    asked = question(plan)
    assert "torch>=2.8, monai>=1.6.1, the brain model" in asked
    assert "PyTorch: the build cu130 (RTX 4090 with driver 581.29)." in asked
    assert "uses the network" in asked and "can be cancelled" in asked
    steps = steps_of(plan)
    assert [step.arguments for step in steps] == [
        ("-m", "slicermedai", "packages", "install", "torch>=2.8", "monai>=1.6.1"),
        ("-m", "slicermedai", "bundle", "fetch", "brain"),
    ]
    assert [step.what for step in steps] == ["PyTorch, MONAI and what they need", "the brain model"]


def test_from_a_wheel_folder_no_network_is_spoken_of(tmp_path: Path) -> None:
    plan = plan_of({**ANSWER, "wheels": str(tmp_path), "needs_build": False, "graphics": []})
    assert plan.build is None
    assert f"Packages come from the folder {tmp_path}, without the network." in question(plan)
    assert "uses the network" not in question(plan)
    (step,) = steps_of(plan)
    assert not step.network
    assert "uses the network" in question(
        plan_of({**ANSWER, "wheels": str(tmp_path), "needs_build": False}, model="brain")
    )


def test_torch_comes_by_slicers_extension_where_it_is_there_and_nothing_else_is_set() -> None:
    called = list[str]()
    plan = plan_of(ANSWER, extension=called.append)
    assert plan.build is None
    assert "PyTorch extension: the window stands still" in question(plan)
    first, second = steps_of(plan)
    assert first.call is not None and first.arguments == ()
    assert second.arguments[-1:] == ("monai>=1.6.1",)
    set_by_hand = plan_of({**ANSWER, "torch": "cpu"}, extension=called.append)
    assert set_by_hand.extension is None and set_by_hand.build is not None and set_by_hand.build.name == "cpu"
    assert plan_of({**ANSWER, "needs_build": False}, extension=called.append).extension is None
    assert called == []


def test_what_goes_with_pytorch_is_not_taken_for_it() -> None:
    missing = ["torchvision>=0.23", "torch>=2.8", "monai>=1.6.1"]
    first, second = steps_of(plan_of({**ANSWER, "missing": missing}, extension=[].append))
    assert first.what == "PyTorch" and second.arguments[-2:] == ("torchvision>=0.23", "monai>=1.6.1")
    (alone,) = steps_of(plan_of({**ANSWER, "missing": missing[:1], "needs_build": False}, extension=[].append))
    assert alone.what == "torchvision>=0.23" and alone.call is None


def test_what_stands_against_it_is_told() -> None:
    plan = plan_of({**ANSWER, "refused": ["/wheels lacks: monai>=1.6.1"], "busy": True})
    told = refused_text(plan)
    assert told.startswith("Nothing was installed: /wheels lacks: monai>=1.6.1; packages are being installed")


def test_the_extension_is_called_once_the_window_has_said_so_and_what_it_adds_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    there = {"numpy": "2.4.6"}
    monkeypatch.setattr(install_record, "installed", lambda names=None: dict(there))
    called = list[str]()

    def extension(versions: str) -> None:
        called.append(versions)
        there.update({"torch": "2.9.1+cu130", "torchvision": "0.24.1"})

    installation = Installation([extension_step(extension, ">=2.8", what="PyTorch")])
    assert "Installing PyTorch (step 1 of 1)" in installation.message
    installation.poll()
    assert called == []
    installation.poll()
    assert called == [">=2.8"]
    assert (installation.done, installation.outcome) == (True, "Installed: PyTorch.")
    assert install_record.InstallRecord().ours() == {"torch": "2.9.1+cu130", "torchvision": "0.24.1"}


def test_an_extension_that_fails_in_any_way_is_told_and_one_that_waits_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))

    def broken(versions: str) -> None:
        raise KeyError("backend")

    installation = Installation([extension_step(broken, ">=2.8", what="PyTorch")])
    installation.poll()
    installation.poll()
    assert installation.done and "Could not install PyTorch: 'backend'." in installation.failure
    waiting = Installation([extension_step(broken, ">=2.8", what="PyTorch")])
    waiting.cancel()
    assert (waiting.done, waiting.outcome) == (True, "Stopped.")


def test_a_step_without_a_network_is_not_blamed_on_one(tmp_path: Path) -> None:
    installation = Installation([InstallStep(what="monai", arguments=says("no room", code=1), network=False)])
    while not installation.done:
        time.sleep(0.01)
        installation.poll()
    assert installation.failure == "Could not install monai: no room."


# --- from the click to the packages ----------------------------------------------------------------------------------


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ThrowAway:
    """The workers' Python is a throw-away one, and its packages come from a folder of wheels."""
    made = ThrowAway(tmp_path / "throw away")
    monkeypatch.setattr(interpreter, "python", lambda: str(made.python))
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLICERMEDAI_WHEELS", str(tmp_path / "wheels"))
    (tmp_path / "wheels").mkdir()
    return made


def command_lines() -> Iterator[bytes]:
    """Of all processes that run."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


def asking(run: GuidedRun, *, agree: bool) -> list[str]:
    """Click, wait, and answer; the questions."""
    asked = list[str]()
    run.ask_and_install(lambda text: asked.append(text) or agree)
    until_idle(run)
    return asked


@pytest.mark.skipif(os.name == "nt", reason="absent: symbolic links without special rights")
def test_a_click_looks_asks_installs_from_the_folder_and_says_what_came(python: ThrowAway, tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    make_wheel(tmp_path / "wheels", "alpha", "1.0", requires=["beta"])
    run, _ = a_run(tmp_path, ("alpha>=1",))
    assert asking(run, agree=True) == []
    assert "lacks: beta (for alpha)" in run.state.message
    assert run.state.phase is Phase.FAILED
    assert python.installed() == {}
    make_wheel(tmp_path / "wheels", "beta", "1.0")
    (asked,) = asking(run, agree=False)
    assert "install into Slicer's Python, or fetch: alpha>=1." in asked
    assert run.state.phase is Phase.IDLE and python.installed() == {}
    asking(run, agree=True)
    assert run.state.message.startswith("Installed: alpha>=1."), run.state.message
    assert python.installed() == {"alpha": "1.0", "beta": "1.0"}


@pytest.mark.skipif(os.name == "nt", reason="absent: symbolic links without special rights")
def test_a_look_is_cancelled_and_nobody_is_asked(python: ThrowAway, tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    run, office = a_run(tmp_path, ("alpha>=1",))
    asked = list[str]()
    run.ask_and_install(lambda text: asked.append(text) or True)
    assert run.state.phase is Phase.INSTALLING and run.can_cancel
    run.cancel()
    assert (run.state.phase, run.editable, run.can_add) == (Phase.STOPPING, False, False)
    run.add()
    until_idle(run)
    assert run.state.phase is Phase.CANCELLED
    assert asked == []
    assert office.asked == [], "nobody would look after a run that was added to what is no run"
    assert run.editable


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="absent: /proc")
def test_pip_is_gone_with_all_it_started_when_it_is_cancelled_and_what_it_brought_is_known(
    python: ThrowAway, tmp_path: Path
) -> None:
    (tmp_path / "model").touch()
    names = [f"part{number:03}" for number in range(150)]
    for name in names:
        make_wheel(tmp_path / "wheels", name, "1.0")
    run, _ = a_run(tmp_path, tuple(names))
    run.ask_and_install(lambda text: True)
    end = time.monotonic() + 60
    while not list(python.library.glob("part*.dist-info")):
        assert time.monotonic() < end and run.busy, run.state.message
        time.sleep(0.005)
        run.poll()
    began = time.monotonic()
    run.cancel()
    until_idle(run)
    assert time.monotonic() - began < 2
    assert run.state.phase is Phase.CANCELLED
    assert [line for line in command_lines() if os.fsencode(python.folder) in line] == []
    there = python.installed()
    assert 0 < len(there) < len(names)
    assert python.run("packages", "remove").returncode == 0
    assert python.installed() == {}


def test_a_model_alone_is_asked_for_at_once(tmp_path: Path) -> None:
    run, _ = a_run(tmp_path)
    asked = list[str]()
    run.ask_and_install(lambda text: asked.append(text) or False)
    assert len(asked) == 1 and "fetch: the brain model." in asked[0]
    assert not run.busy


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
