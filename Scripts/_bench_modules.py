"""How long the tests of each module take, beside the limit: all in one process, one after the other.

A test counts for the module whose name is among its parameters, or else for the one whose file it stands in; what is of
none in particular is told apart. Making ready and taking down are in it, starting Python and finding the tests are not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "Testing" / "modules"
LIMIT = 20.0
"""Seconds that the tests of one module may take."""
SHARED = "of no module alone"


def main(arguments: list[str]) -> int:
    """Run and print; 1 where a test failed, so that nothing was measured."""
    parser = argparse.ArgumentParser(prog="Scripts/bench modules", description=__doc__)
    parser.add_argument("tests", nargs="*", default=[str(TESTS)], help="files or folders; default: Testing/modules")
    chosen = parser.parse_args(arguments)
    data = Path(os.environ.get("SLICERMEDAI_TEST_DATA", ROOT / ".data"))
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.xml"
        options = ["-q", "-p", "no:cacheprovider", "-o", "junit_duration_report=total", f"--junitxml={told}"]
        variables = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "SLICERMEDAI_HOME": str(data / "home")}
        done = subprocess.run([sys.executable, "-m", "pytest", *options, *chosen.tests], cwd=ROOT, env=variables)
        if done.returncode:
            print("NOT MEASURED: a test failed, see above.")
            return 1
        _print(seconds_of(told, modules()))
    return 0


def modules() -> list[str]:
    """The names of all modules."""
    return sorted(path.stem for path in (ROOT / "SlicerMedAI").glob("*.py"))


def seconds_of(told: Path, names: Sequence[str]) -> dict[str, list[float]]:
    """Of a report of pytest's (JUnit): the seconds of each test by the module that it is of."""
    found = defaultdict[str, list[float]](list)
    for case in ElementTree.parse(told).iter("testcase"):
        found[_module_of(case, names)].append(float(case.get("time", 0)))
    return dict(found)


def _module_of(case: ElementTree.Element, names: Sequence[str]) -> str:
    _, _, parameters = str(case.get("name")).rstrip("]").partition("[")
    stem = str(case.get("classname")).rpartition(".")[2].removeprefix("test_").partition("_")[0]
    lower = {name.lower(): name for name in names}
    named = [one for one in parameters.split("-") if one in names]
    return named[0] if named else lower.get(stem, SHARED)


def _print(found: dict[str, list[float]]) -> None:
    for line in rows(found):
        print(line)


def rows(found: dict[str, list[float]]) -> Iterator[str]:
    """A line for each module, beside the limit, and one for all."""
    yield f"{'module':20} {'tests':>6} {'seconds':>9}   goal: {LIMIT:.0f} s at most"
    for name, seconds in sorted(found.items()):
        total = sum(seconds)
        verdict = "" if name == SHARED else "met" if total <= LIMIT else f"MISSED ({total:.1f} s)"
        yield f"{name:20} {len(seconds):6} {total:9.1f}   {verdict}".rstrip()
    yield f"{'all':20} {sum(map(len, found.values())):6} {sum(map(sum, found.values())):9.1f}"
