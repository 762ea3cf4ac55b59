"""What CMake installs is all that the checkout has, and works as the checkout does."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from slicermedai import AnalysisResult
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.packaging import build
from Testing.packaging.build import ROOT

pytestmark = pytest.mark.xdist_group("packaging")
NOT_SHIPPED = {"CMakeLists.txt"}
SHIPPED = ("Docs/", "Screens", "Models/")


def files_below(folder: Path) -> set[str]:
    """All files by their paths, but for what Python and tools leave behind."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    hidden = re.compile(r"(^|/)(\.|__pycache__)|\.pyc$")
    return {path.as_posix() for path in found if not hidden.search(path.as_posix())}


def dead_links(page: Path) -> list[str]:
    """What the page links to, or shows, that is no file beside it."""
    found = re.findall(r'(?:href|src)="([^"]+)"', page.read_text(encoding="utf-8"))
    local = [link.partition("#")[0] for link in found if not link.startswith(("http", "data:", "#", "mailto:"))]
    return [link for link in local if not (page.parent / url2pathname(link)).exists()]


def run_alone(installed: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Python that finds the library in the installed tree alone, in a folder that holds nothing."""
    folder.mkdir(exist_ok=True)
    variables = {**build.environment(installed), "SLICERMEDAI_HOME": str(folder / "home")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)


def test_every_file_of_the_modules_and_the_library_is_installed(installed: Path) -> None:
    pages = {f"Resources/{name}" for name in files_below(ROOT / "Resources") if name.startswith(SHIPPED)}
    wanted = (files_below(ROOT / "SlicerMedAI") - NOT_SHIPPED) | pages
    assert wanted - files_below(installed) == set(), "forgotten in SlicerMedAI/CMakeLists.txt"
    assert files_below(installed) - wanted == set(), "nobody wants this installed"
    assert {Path(name).suffix for name in wanted} >= {".py", ".ui", ".png", ".json", ".css", ".html", ".txt", ".md"}


def test_a_new_kind_of_data_file_is_installed_too_and_what_tools_leave_is_not(installed: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in build.OURS:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, source / name)
    library = source / "SlicerMedAI" / "slicermedai"
    for name in ("report/logo.svg", "bundles/codes/table.parquet", "__pycache__/old.pyc", ".cache/left", "old.pyc"):
        (library / name).parent.mkdir(exist_ok=True)
        (library / name).write_text("", encoding="utf-8")
    modules = build.install(source, tmp_path)
    added = files_below(modules) - files_below(installed)
    assert added == {"slicermedai/report/logo.svg", "slicermedai/bundles/codes/table.parquet"}
    assert not (modules / "slicermedai" / "old.pyc").exists()
    (source / "SlicerMedAI" / "Resources" / "UI" / "MedAI.ui").unlink()
    with pytest.raises(subprocess.CalledProcessError) as refused:
        build.install(source, tmp_path / "again")
    assert "Resources/UI/MedAI.ui" in refused.value.stderr


def test_a_wheel_takes_every_kind_of_data_file(installed: Path) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["package-data"]["slicermedai"]
    data = {name for name in files_below(installed / "slicermedai") if not name.endswith(".py")}
    assert {name for name in data if not any(fnmatch.fnmatch(f"/{name}", f"*{one[2:]}") for one in patterns)} == set()


def test_all_modules_load_from_the_installed_tree_and_nothing_from_elsewhere(installed: Path, tmp_path: Path) -> None:
    pytest.importorskip("PySide6", reason="absent: PySide6")
    pytest.importorskip("slicer", reason="absent: slicer-core")
    variables = {
        **build.environment(installed, ROOT),
        "SLICERMEDAI_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
    }
    script = str(Path(__file__).parent / "load_modules.py")
    done = subprocess.run(
        [sys.executable, script, str(installed)], cwd=tmp_path, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["loaded"] == sorted(path.stem for path in (ROOT / "SlicerMedAI").glob("*.py"))
    assert seen["wrong"] == []
    assert len(seen["files"]) > 50
    assert [file for file in seen["files"] if not Path(file).is_relative_to(installed)] == []
    assert all(len(links) >= 2 for links in seen["help"].values()), seen["help"]
    for link in (link for links in seen["help"].values() for link in links):
        page = Path(url2pathname(urlsplit(link).path))
        assert page.is_relative_to(installed), link
        assert dead_links(page) == [], page.name


def test_the_command_line_of_the_installed_tree_runs_a_job(installed: Path, tmp_path: Path) -> None:
    said = run_alone(installed, "-m", "slicermedai", "--help", folder=tmp_path / "empty")
    assert said.returncode == 0, said.stderr
    assert "calibrate" in said.stdout
    volume, _ = head_phantom(covering("SPL", spacing=(8.0, 8.0, 8.0)))
    study = write_series(volume, tmp_path / "study")[0].parent
    model = write_tiny_bundle(tmp_path / "tiny@0.1")
    wanted = ["--bundle", str(model), "--output", "out", "--identity", "deidentify", "--device", "cpu", "--no-report"]
    done = run_alone(installed, "-m", "slicermedai", "run", str(study), *wanted, folder=tmp_path / "empty")
    assert done.returncode == 0, done.stderr
    assert AnalysisResult.load(tmp_path / "empty" / "out" / "result").findings
    assert sorted(path.name for path in (tmp_path / "empty" / "out" / "dicom").glob("*.dcm")) == ["seg.dcm", "sr.dcm"]


def test_tests_of_the_checkout_pass_on_the_installed_tree(installed: Path, tmp_path: Path) -> None:
    """A short choice of them, on all files that git has, no more and no less; ``Scripts/test --installed`` runs all."""
    files = ["Testing/modules/test_medaimodels.py", "Testing/modules/test_every_module.py"]
    chosen = [*files, "-k", "taken_in_looked_at or self_test or access_keys"]
    checkout = build.checkout_of(installed, tmp_path / "checkout")
    listed = [subprocess.run(["git", "ls-files"], cwd=one, capture_output=True, check=True) for one in (ROOT, checkout)]
    assert set(listed[0].stdout.splitlines()) == set(listed[1].stdout.splitlines())
    done = build.run_tests(checkout, *chosen)
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"\b(\d+) passed", done.stdout)
    panels = [*(ROOT / "SlicerMedAI" / "Resources" / "UI").glob("*.ui")]
    assert passed is not None and int(passed[1]) == 2 + len(panels), "they were found and not skipped"


def test_each_module_is_registered_with_its_self_test(prefix: Path) -> None:
    ctest = build.tool("ctest")
    listed = subprocess.run(
        [str(ctest), "-N"], cwd=prefix.parent / "build", capture_output=True, text=True, check=True
    ).stdout
    panels = [path.stem for path in (ROOT / "SlicerMedAI").glob("*.py") if not path.stem.endswith("Plugin")]
    assert set(re.findall(r": py_(MedAI\w*)", listed)) == set(panels)


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX file modes")
def test_what_is_installed_is_readable_by_everyone(installed: Path) -> None:
    assert [path for path in installed.rglob("*") if path.is_file() and not path.stat().st_mode & 0o004] == []


def test_the_demonstration_detector_is_fetched_from_what_is_installed(installed: Path, tmp_path: Path) -> None:
    done = run_alone(installed, "-m", "slicermedai", "bundle", "fetch", "synthetic-nodules", folder=tmp_path / "empty")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).name == "synthetic-nodules@0.1"
    assert list((tmp_path / "empty" / "home" / "trust").glob("*.trust.json"))
