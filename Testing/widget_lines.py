"""Which lines of the panels' code the tests of the modules run: counted in every process, judged at the end.

Python 3.12 tells of each line once and then no more (PEP 669), so that counting costs next to nothing; older ones
cannot. What runs when a file is loaded is not counted: only lines within functions are. It is judged where every test
of the folder ran, and says by name why it was not.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = ROOT / "SlicerMedAI"
APP = MODULES / "slicermedai" / "app"
SCENE = MODULES / "slicermedai" / "scene"
WANTED = 0.9
"""The part of the lines of each file that must have run."""
_KEY = "widget_lines"


def widget_files() -> list[Path]:
    """The modules, and what of the library works with their widgets."""
    more = [APP / "batch_form.py", APP / "batch_table.py", APP / "settings_page.py", SCENE / "lifecycle.py"]
    return sorted([*MODULES.glob("*.py"), *APP.glob("*panel.py"), *more])


def lines_of(path: Path) -> set[int]:
    """The numbers of the lines within functions at which something is done."""
    whole = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    return {line for code in _functions(whole) for line in _lines(code)}


def _functions(code: CodeType, *, inside: bool = False) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            is_function = bool(one.co_flags & inspect.CO_OPTIMIZED) and not one.co_name.startswith("<")
            if inside or is_function:
                yield one
            yield from _functions(one, inside=inside or is_function)


def _lines(code: CodeType) -> set[int]:
    """Without the line of its head, which runs where it is defined."""
    return {line for _, _, line in code.co_lines() if line is not None} - {code.co_firstlineno}


class LineCounter:
    """Notes the lines of ``files`` that run in this process while :attr:`counts` is True."""

    def __init__(self, files: list[Path]) -> None:
        self.counts = False
        self.seen: dict[str, set[int]] = {str(path): set() for path in files}
        self._names = {path.name for path in files}
        self._tool: int | None = None

    def start(self) -> None:
        """From now on; :class:`RuntimeError` where this Python cannot."""
        monitoring: Any = getattr(sys, "monitoring", None)
        free = [number for number in (4, 2) if monitoring is not None and monitoring.get_tool(number) is None]
        if not free:
            raise RuntimeError("it needs sys.monitoring of Python 3.12")
        self._tool, events = free[0], monitoring.events
        monitoring.use_tool_id(self._tool, "lines of widgets")
        monitoring.register_callback(self._tool, events.PY_START, self._begins)
        monitoring.register_callback(self._tool, events.LINE, self._runs)
        monitoring.set_events(self._tool, events.PY_START)

    def stop(self) -> None:
        """No more."""
        if self._tool is not None:
            sys.monitoring.set_events(self._tool, 0)
            sys.monitoring.free_tool_id(self._tool)
            self._tool = None

    def _begins(self, code: CodeType, offset: int) -> Any:
        """A function is called for the first time: its lines are of interest, or it is forgotten."""
        if self._tool is not None and self._path(code) in self.seen:
            sys.monitoring.set_local_events(self._tool, code, sys.monitoring.events.LINE)
        return sys.monitoring.DISABLE

    def _runs(self, code: CodeType, line: int) -> Any:
        if not self.counts:
            return None
        self.seen[self._path(code)].add(line)
        return sys.monitoring.DISABLE

    def _path(self, code: CodeType) -> str:
        name = code.co_filename
        if name in self.seen or name.rpartition("/")[2] not in self._names:
            return name
        return str(Path(name).resolve())


def verdict(files: list[Path], seen: dict[str, set[int]]) -> tuple[str, list[str]]:
    """A line that tells how much ran, and for each file of which too little did, which lines did not."""
    wanted = {path: lines_of(path) for path in files}
    missing = {path: wanted[path] - seen.get(str(path), set()) for path in files}
    shares = {path: 1 - len(missing[path]) / len(wanted[path]) for path in files if wanted[path]}
    lowest = min(shares, key=lambda path: shares[path])
    total = 1 - sum(map(len, missing.values())) / sum(map(len, wanted.values()))
    told = f"{total:.1%} of the lines of {len(files)} files ran; lowest: {lowest.name}, {shares[lowest]:.1%}"
    failed = [path for path, share in shares.items() if share < WANTED]
    return told, [f"{path.name}: {shares[path]:.1%}, not run: {_spans(missing[path])}" for path in failed]


def _spans(lines: set[int]) -> str:
    """ "3, 7-9"."""
    starts = [line for line in sorted(lines) if line - 1 not in lines]
    ends = [line for line in sorted(lines) if line + 1 not in lines]
    return ", ".join(str(one) if one == other else f"{one}-{other}" for one, other in zip(starts, ends, strict=True))


class WidgetLines:
    """The plugin of pytest: counts in this process, takes in what workers counted, and judges.

    ``tests`` is the folder whose tests are to run ``files``.
    """

    def __init__(self, tests: Path, files: list[Path]) -> None:
        self.tests, self.files = tests, files
        self._counter = LineCounter(files)
        self._collected: set[str] = set()
        self._is_part = False
        self._told = ""
        self._failed: list[str] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        if config.pluginmanager.hasplugin("_cov"):
            self._told = "not counted: --cov counts already"
            return
        try:
            self._counter.start()
        except RuntimeError as error:
            self._told = f"not counted: {error}"

    def pytest_unconfigure(self) -> None:
        self._counter.stop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._counter.counts = self._is_ours(item)
        try:
            return (yield)
        finally:
            self._counter.counts = False

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._is_part = self._is_part or any(map(self._is_ours, items))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected |= {item.path.name for item in session.items if self._is_ours(item)}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker has ended: xdist."""
        counted = getattr(node, "workeroutput", {}).get(_KEY)
        if counted is None:
            self._is_part = True
            return
        self._collected |= set(counted["collected"])
        self._is_part = self._is_part or counted["is_part"]
        for name, lines in counted["seen"].items():
            self._counter.seen[name] |= set(lines)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Iterator[None]:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            seen = {name: sorted(lines) for name, lines in self._counter.seen.items()}
            output[_KEY] = {"collected": sorted(self._collected), "is_part": self._is_part, "seen": seen}
        elif not self._told:
            self._judge(session)
            if self._failed:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return (yield)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._collected and self._told:
            terminalreporter.write_sep("-", f"lines of the panels' code: {self._told}", red=bool(self._failed))
            for line in self._failed:
                terminalreporter.write_line(f"FAILED: less than {WANTED:.0%} ran of {line}", red=True)

    def _judge(self, session: pytest.Session) -> None:
        absent = {path.name for path in self.tests.glob("test_*.py")} - self._collected
        ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if absent or self._is_part or session.config.getoption("collectonly"):
            self._told = "not judged: a part of the modules' tests ran"
        elif not ended or (session.testsfailed and session.config.getoption("maxfail")):
            self._told = "not judged: the run was broken off"
        else:
            self._told, self._failed = verdict(self.files, self._counter.seen)

    def _is_ours(self, item: pytest.Item) -> bool:
        return item.path.parent == self.tests
