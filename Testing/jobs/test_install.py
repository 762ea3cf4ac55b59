"""Packages from a folder of wheels into a throw-away Python: all or none, nothing else touched, and gone again."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from Testing.fixtures.wheels import ThrowAway, make_wheel

pytestmark = pytest.mark.skipif(os.name == "nt", reason="absent: symbolic links without special rights")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> ThrowAway:
    """With a package in it that came otherwise, as Slicer's own do."""
    made = ThrowAway(tmp_path_factory.mktemp("first"))
    made.pip_install(make_wheel(tmp_path_factory.mktemp("slicers"), "base", "1.0"))
    return made


@pytest.fixture
def python(first: ThrowAway, tmp_path: Path) -> ThrowAway:
    """A copy of it."""
    return first.copy(tmp_path / "throw away")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """alpha needs beta and gamma, and base, of which a newer one lies there too."""
    folder = tmp_path / "wheel folder"
    make_wheel(folder, "alpha", "1.0", requires=["beta", "gamma>=2", "base", "nowhere; python_version < '3'"])
    make_wheel(folder, "beta", "1.0", requires=["optional; extra == 'more'"])
    make_wheel(folder, "gamma", "2.1")
    make_wheel(folder, "base", "2.0")
    return folder


def install(python: ThrowAway, shelf: Path, *wanted: str) -> subprocess.CompletedProcess[str]:
    return python.run("packages", "install", "--wheels", str(shelf), *(wanted or ("alpha>=1",)))


def test_a_throw_away_python_has_no_way_into_this_one(python: ThrowAway, shelf: Path) -> None:
    make_wheel(shelf, "numpy", "99.0")
    assert install(python, shelf, "numpy>=99").returncode == 0
    assert [path for path in python.library.rglob("*") if path.is_symlink()] == []
    assert (python.library / "numpy.py").is_file()
    assert not (python.folder / "lent" / "numpy" / "numpy.py").exists()


def test_what_is_missing_comes_with_what_it_needs_and_all_else_keeps_its_version(
    python: ThrowAway, shelf: Path
) -> None:
    done = install(python, shelf)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Added: alpha 1.0, beta 1.0, gamma 2.1"
    assert python.installed() == {"alpha": "1.0", "base": "1.0", "beta": "1.0", "gamma": "2.1"}
    listed = python.run("packages", "list", "alpha>=1").stdout.splitlines()
    assert listed == ["installed  alpha 1.0", "installed  beta 1.0", "installed  gamma 2.1"]
    assert install(python, shelf).stdout.splitlines()[-1] == "Added: nothing"


def test_all_wheels_that_lack_are_named_before_anything_is_touched(python: ThrowAway, shelf: Path) -> None:
    (shelf / "beta-1.0-py3-none-any.whl").unlink()
    (shelf / "gamma-2.1-py3-none-any.whl").unlink()
    make_wheel(shelf, "gamma", "1.5")
    make_wheel(shelf, "delta", "1.0", tag="cp27-cp27m-win32")
    done = install(python, shelf, "alpha>=1", "delta", "epsilon==3")
    assert done.returncode == 1
    told = done.stderr
    assert "lacks: beta (for alpha)" in told
    assert "lacks: gamma>=2 (for alpha): there is gamma-1.5-py3-none-any.whl, which is another version" in told
    assert "lacks: delta: there is delta-1.0-cp27-cp27m-win32.whl, which is another Python or system" in told
    assert "lacks: epsilon==3" in told
    assert "nowhere" not in told and "optional" not in told and "base" not in told
    assert told.rstrip().endswith("Nothing was changed.")
    assert python.installed() == {"base": "1.0"}


def test_a_package_of_somebody_else_is_never_changed(python: ThrowAway, shelf: Path) -> None:
    done = install(python, shelf, "base>=2", "beta")
    assert done.returncode == 1
    assert "base 1.0 is installed and base>=2 is needed: it is not MedAI's" in done.stderr
    assert python.installed() == {"base": "1.0"}


def test_what_medai_brought_may_be_renewed(python: ThrowAway, shelf: Path) -> None:
    install(python, shelf, "beta")
    make_wheel(shelf, "beta", "1.5")
    done = install(python, shelf, "beta>=1.2")
    assert done.stdout.splitlines()[-1] == "Added: beta 1.5", done.stderr
    assert python.run("packages", "list", "beta").stdout.splitlines() == ["installed  beta 1.5"]


def test_a_package_that_would_lie_over_slicers_own_is_not_installed(python: ThrowAway, shelf: Path) -> None:
    make_wheel(shelf, "zeta", "1.0", requires=["vtk"])
    make_wheel(shelf, "vtk", "9.4.0")
    done = install(python, shelf, "zeta")
    assert done.returncode == 1
    assert "zeta 1.0 depends on vtk" in done.stderr and "vtk<0" in done.stderr
    assert python.installed() == {"base": "1.0"}


def test_removing_takes_exactly_what_was_added(python: ThrowAway, shelf: Path) -> None:
    install(python, shelf)
    done = python.run("packages", "remove")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Removed: alpha 1.0, beta 1.0, gamma 2.1"
    assert python.installed() == {"base": "1.0"}
    assert python.run("packages", "remove").stdout.splitlines()[-1] == "Removed: nothing"


def test_what_another_package_needs_by_now_stays_and_so_does_what_somebody_renewed(
    python: ThrowAway, shelf: Path, tmp_path: Path
) -> None:
    install(python, shelf)
    python.pip_install(make_wheel(tmp_path / "others", "other", "1.0", requires=["alpha"]))
    python.pip_install(make_wheel(tmp_path / "others", "gamma", "2.2"))
    done = python.run("packages", "remove")
    assert "Kept: alpha, which other needs" in done.stdout
    assert "Kept: beta, which alpha needs" in done.stdout
    assert python.installed() == {"alpha": "1.0", "base": "1.0", "beta": "1.0", "gamma": "2.2", "other": "1.0"}


def test_two_installations_at_once_are_one_too_many(python: ThrowAway, shelf: Path) -> None:
    from slicermedai.jobs.install_record import InstallRecord

    record = InstallRecord(python.home / "packages", place=python.library)
    with record.alone():
        assert record.is_busy
        done = install(python, shelf)
        assert done.returncode == 1
        assert "by another process" in done.stderr
    assert not record.is_busy
    assert python.installed() == {"base": "1.0"}


def test_an_installation_that_is_killed_is_accounted_for_and_can_be_removed(python: ThrowAway, tmp_path: Path) -> None:
    shelf, names = tmp_path / "many", [f"part{number:02}" for number in range(60)]
    for name in names:
        make_wheel(shelf, name, "1.0")
    command = [python.python, "-m", "slicermedai", "packages", "install", "--wheels", str(shelf), *names]
    process = subprocess.Popen(
        command, env=python.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Installing collected packages"):
            break
    end = time.monotonic() + 30
    while not list(python.library.glob("part*.dist-info")) and time.monotonic() < end:
        time.sleep(0.005)
    os.killpg(process.pid, 9)
    process.wait()
    process.stdout.close()
    there = python.installed()
    assert len(there) > 1
    listed = python.run("packages", "list", *names).stdout.splitlines()
    assert {line.split()[1] for line in listed if line.startswith("missing")} == set(names) - set(there)
    done = python.run("packages", "remove")
    assert done.returncode == 0, done.stderr
    assert python.installed() == {"base": "1.0"}


def test_a_package_that_pip_was_killed_at_before_it_wrote_its_list_is_removed(python: ThrowAway, shelf: Path) -> None:
    assert install(python, shelf, "beta").returncode == 0
    (about,) = python.library.glob("beta-*.dist-info")
    (about / "RECORD").unlink()
    assert any(path.stem == "beta" for path in python.library.iterdir())
    done = python.run("packages", "remove")
    assert done.returncode == 0, done.stderr
    assert python.installed() == {"base": "1.0"}
    assert not [path for path in python.library.iterdir() if path.name.startswith("beta")]


@pytest.mark.parametrize("size", [0, 20, -1, None], ids=["empty", "cut", "cut in its last line", "the wheel's own"])
def test_a_package_that_pip_was_killed_at_while_it_wrote_its_list_is_removed(
    python: ThrowAway, shelf: Path, size: int | None
) -> None:
    """The wheel's own list knows nothing of what pip adds to the package's metadata."""
    assert install(python, shelf, "beta").returncode == 0
    (about,) = python.library.glob("beta-*.dist-info")
    lines = (about / "RECORD").read_text(encoding="utf-8").splitlines(keepends=True)
    added = re.compile(r".*(INSTALLER|REQUESTED|direct_url\.json|__pycache__)")
    of_wheel = "".join(line for line in lines if not added.match(line))
    assert len(of_wheel) < len("".join(lines))
    (about / "RECORD").write_text(of_wheel[:size], encoding="utf-8")
    done = python.run("packages", "remove")
    assert done.returncode == 0, done.stderr
    assert python.installed() == {"base": "1.0"}
    assert not [path for path in python.library.iterdir() if path.name.startswith("beta")]


def test_a_wheel_that_is_damaged_is_named(python: ThrowAway, shelf: Path) -> None:
    (shelf / "beta-1.0-py3-none-any.whl").write_bytes(b"PK no")
    done = install(python, shelf)
    assert done.returncode == 1
    assert "beta-1.0-py3-none-any.whl: the wheel is damaged" in done.stderr
    assert python.installed() == {"base": "1.0"}


def test_a_folder_that_is_not_there_is_named_and_the_setting_counts(python: ThrowAway, shelf: Path) -> None:
    done = install(python, shelf / "gone")
    assert done.returncode == 1 and "the wheel folder cannot be read" in done.stderr
    python.run("settings", "wheels", str(shelf))
    done = python.run("packages", "install", "beta")
    assert done.stdout.splitlines()[-1] == "Added: beta 1.0", done.stderr


def test_a_record_that_cannot_be_read_is_named_and_nothing_is_installed(python: ThrowAway, shelf: Path) -> None:
    install(python, shelf, "beta")
    (path,) = [one for one in (python.home / "packages").glob("*.json")]
    path.write_text("{")
    done = install(python, shelf, "gamma")
    assert done.returncode == 1
    assert path.name in done.stderr and "Remove the file" in done.stderr
    assert "gamma" not in python.installed()


def test_without_a_network_a_package_that_is_nowhere_is_told_in_pips_words(python: ThrowAway) -> None:
    done = python.run("packages", "install", "alpha>=1")
    assert done.returncode == 1
    assert "No matching distribution found for alpha>=1" in done.stderr
    assert python.installed() == {"base": "1.0"}


def test_an_index_of_pytorch_that_is_not_reached_is_named_with_the_way_around_it(
    python: ThrowAway, shelf: Path
) -> None:
    make_wheel(shelf, "torch", "2.9.1")
    done = python.run("packages", "install", "torch>=2.8", "--torch", "cu126")
    assert done.returncode == 1
    assert "PyTorch: build cu126 (as it is set)" in done.stdout
    assert "If https://download.pytorch.org/whl/cu126 cannot be reached, set torch to pypi" in done.stderr
    variables = {**python.environment, "PIP_FIND_LINKS": shelf.as_uri()}
    command = [python.python, "-m", "slicermedai", "packages", "install", "torch>=2.8", "--torch", "pypi"]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120)
    assert done.stdout.splitlines()[-1] == "Added: torch 2.9.1", done.stderr


def test_torchvision_comes_of_the_build_that_pytorch_is_of(python: ThrowAway, shelf: Path) -> None:
    """Of another one it would lie there and not work."""
    python.pip_install(make_wheel(shelf, "torch", "2.9.1+cpu"))
    done = python.run("packages", "install", "torchvision>=0.23")
    assert done.returncode == 1
    assert "PyTorch: build cpu (that of the installed PyTorch)" in done.stdout
    assert "If https://download.pytorch.org/whl/cpu cannot be reached" in done.stderr


def test_wheels_are_collected_for_a_computer_without_a_network(python: ThrowAway, shelf: Path, tmp_path: Path) -> None:
    """Another folder stands in for the network."""
    make_wheel(shelf, "base", "1.0")
    variables = {**python.environment, "PIP_FIND_LINKS": shelf.as_uri()}
    folder = tmp_path / "stick"
    command = [python.python, "-m", "slicermedai", "wheels", str(folder), "--torch", "pypi", "--package", "alpha>=1"]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 wheels" in done.stdout.splitlines()[-1]
    assert sorted(path.name.split("-")[0] for path in folder.iterdir()) == ["alpha", "base", "beta", "gamma"]
    other = ThrowAway(tmp_path / "other")
    assert install(other, folder).returncode == 0
    assert set(other.installed()) == {"alpha", "base", "beta", "gamma"}


def test_inside_of_slicer_pip_is_not_called_by_slicer_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There ``sys.executable`` may be Slicer's own program, and a second Slicer would open."""
    from slicermedai.jobs import install as installing
    from slicermedai.jobs import interpreter
    from slicermedai.jobs.torch_build import Build

    program, noted = tmp_path / "PythonSlicer", tmp_path / "noted"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{noted}"\n')
    program.chmod(0o755)
    monkeypatch.setattr(interpreter, "python", lambda: str(program))
    build = Build(name="cpu", index="https://index.example/cpu", why="")
    assert installing.collect(["torch>=2.8", "torchvision", "monai"], tmp_path / "stick", build=build, say=print) == []
    calls = [line.split() for line in noted.read_text().splitlines()]
    assert [words[:3] for words in calls] == [["-m", "pip", "download"]] * 2
    assert calls[0][-4:] == ["--index-url", "https://index.example/cpu", "torch>=2.8", "torchvision"]
    assert calls[1][-3:] == ["torch>=2.8", "torchvision", "monai"]
