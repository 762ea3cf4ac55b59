"""Lines of the panels' code that no test of the modules runs are found, merged over processes, and named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from Testing.widget_lines import WANTED, lines_of, verdict, widget_files

ROOT = Path(__file__).resolve().parents[2]
WIDGET = '''"""A panel."""

import functools

SIZE = [number for number in range(3)]


class Panel:
    """Ten lines within functions."""

    shown = 0

    @functools.cache
    def show(self, number):
        """What is said here is no line."""
        if number > 1:
            self.shown = [
                one
                for one in range(number)
            ]
            return self.shown
        return 0

    def hide(self):
        self.shown = 0

        def later():
            return self.shown

        return later
'''
CONFTEST = """
from pathlib import Path

from Testing.widget_lines import WidgetLines

HERE = Path(__file__).resolve().parent


def pytest_configure(config):
    config.pluginmanager.register(WidgetLines(HERE / "tests", [HERE / "panel.py"]))
"""
HEAD = "import sys\nsys.path.insert(0, {folder!r})\nfrom panel import Panel\n\n\n"
SHOWS = "def test_shows():\n    assert Panel().show(2) == [0, 1]\n    assert Panel().show(0) == 0\n"
HIDES = "def test_hides():\n    assert Panel().hide()() == 0\n"
ELSEWHERE = pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="absent: sys.monitoring (Python 3.12)")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A panel, two tests that together run all of it, and one elsewhere, which does not count."""
    (tmp_path / "panel.py").write_text(WIDGET)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name in ("tests", "other"):
        (tmp_path / name).mkdir()
    head = HEAD.format(folder=str(tmp_path))
    (tmp_path / "tests" / "test_one.py").write_text(head + SHOWS)
    (tmp_path / "tests" / "test_two.py").write_text(head + HIDES)
    (tmp_path / "other" / "test_other.py").write_text(head + HIDES)
    return tmp_path


def run(project: Path, *arguments: str) -> tuple[int, str]:
    paths = os.pathsep.join([str(ROOT / "SlicerMedAI"), str(ROOT)])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *arguments]
    done = subprocess.run(command, cwd=project, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_only_lines_within_functions_count(project: Path) -> None:
    assert lines_of(project / "panel.py") == {16, 17, 18, 19, 21, 22, 25, 27, 28, 30}


@ELSEWHERE
def test_lines_of_all_processes_count_together(project: Path) -> None:
    code, told = run(project, "-n", "2")
    assert code == 0, told
    assert "lines of the panels' code: 100.0% of the lines of 1 files ran; lowest: panel.py, 100.0%" in told


@ELSEWHERE
def test_lines_that_no_test_of_the_folder_runs_are_named_and_fail_the_run(project: Path) -> None:
    (project / "tests" / "test_two.py").write_text("def test_nothing():\n    pass\n")
    code, told = run(project)
    assert code == 1, told
    assert "FAILED: less than 90% ran of panel.py: 60.0%, not run: 25, 27-28, 30" in told


@ELSEWHERE
@pytest.mark.parametrize("part", [["-k", "shows"], ["tests/test_one.py"], ["--collect-only"], ["-x", "--maxfail=1"]])
def test_a_part_of_the_tests_is_not_judged(project: Path, part: list[str]) -> None:
    if "-x" in part:
        (project / "tests" / "test_one.py").write_text("def test_wrong():\n    assert False\n")
    code, told = run(project, *part)
    assert code == ("-x" in part), told
    assert "not judged" in told
    assert "less than" not in told


def test_what_is_counted_is_all_code_of_modules_and_panels() -> None:
    names = {path.name for path in widget_files()}
    modules = {path.name for path in (ROOT / "SlicerMedAI").glob("*.py")}
    assert modules <= names
    assert {"run_panel.py", "review_panel.py", "lifecycle.py", "batch_form.py"} <= names
    told, failed = verdict(widget_files(), {})
    assert told.startswith("0.0% of the lines")
    assert len(failed) == len(names)
    assert WANTED == 0.9
