"""What the modules cost when Slicer starts: each file imported and its description made, beside an empty module.

Each run is a process of its own, in which Slicer's own parts (a stand-in for its GUI, its real MRML) are loaded before
the clock runs, and which takes the modules in Slicer's order; panels are made later, when a module is opened, and are
not part of it. The empty module is the same with nothing in it but what Slicer's template has. Medians are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _environment import ROOT

MODULES = ROOT / "SlicerMedAI"
HEAVY = ("torch", "monai", "highdicom", "SimpleITK", "pydicom")
"""What no start of Slicer may load for us."""
EMPTY = '''"""An empty module."""

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class Empty(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Empty")
        self.parent.categories = ["Examples"]


class EmptyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    pass


class EmptyLogic(ScriptedLoadableModuleLogic):
    pass


class EmptyTest(ScriptedLoadableModuleTest):
    pass
'''


def main(arguments: list[str]) -> int:
    """Measure in children and print; 1 where something could not be measured, or something heavy was loaded."""
    parser = argparse.ArgumentParser(prog="Scripts/bench startup", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="processes of each kind, interleaved")
    parser.add_argument("--modules", default=str(MODULES), help="folder of modules; default: this checkout's")
    parser.add_argument("--measure", default="", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.measure:
        print(json.dumps(start(Path(chosen.measure))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Empty.py").write_text(EMPTY, encoding="utf-8")
        runs = [[in_child(Path(one)) for one in (chosen.modules, folder)] for _ in range(chosen.repeats + 1)]
    if any(one is None for pair in runs for one in pair):
        print("NOT MEASURED: the reason is above.")
        return 1
    ours, empty = zip(*runs[1:], strict=True)  # the first pair warms files and compiled Python
    return _print(list(ours), list(empty))


def in_child(folder: Path) -> dict[str, Any] | None:
    """One start with the modules of ``folder``: seconds of each, and what it loaded; None where it failed."""
    command = [sys.executable, __file__, "--measure", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def start(folder: Path) -> dict[str, Any]:
    """Import the modules of ``folder`` here, as Slicer does when it starts, with the clock running."""
    from Testing.Harness import install
    from Testing.Harness.pythonqt import dicom_lib
    from Testing.Harness.pythonqt.objects import wrapper_class

    scratch = tempfile.TemporaryDirectory()
    made = install(folder=Path(scratch.name))
    sys.path.insert(0, str(folder))
    with dicom_lib.installed():
        before, seconds, cpu = set(sys.modules), dict[str, float](), time.process_time()
        for path in sorted(folder.glob("*.py")):
            begun = time.perf_counter()
            described = getattr(__import__(path.stem), path.stem)
            described(wrapper_class("qSlicerScriptedLoadableModule")())
            seconds[path.stem] = time.perf_counter() - begun
        cpu = time.process_time() - cpu
    loaded = set(sys.modules) - before
    made.close()
    scratch.cleanup()
    return {"seconds": seconds, "cpu": cpu, **_told(loaded, {path.stem for path in folder.glob("*.py")})}


def _told(loaded: set[str], own: set[str]) -> dict[str, Any]:
    tops = {name.partition(".")[0] for name in loaded} - own - {"slicermedai"} - set(sys.stdlib_module_names)
    return {
        "files": len(loaded),
        "packages": sorted(tops),
        "heavy": [name for name in HEAVY if name in sys.modules],
    }


def _print(ours: list[dict[str, Any]], empty: list[dict[str, Any]]) -> int:
    for name in ours[0]["seconds"]:
        print(f"{name:20} {_median(ours, name):8.1f} ms")
    total, bare = (statistics.median(sum(run["seconds"].values()) for run in runs) * 1e3 for runs in (ours, empty))
    used, bare_used = (statistics.median(run["cpu"] for run in runs) * 1e3 for runs in (ours, empty))
    count = len(ours[0]["seconds"])
    print(f"all {count} modules       {total:8.1f} ms ({used:.0f} ms of CPU), {ours[0]['files']} Python modules loaded")
    print(f"one empty module     {bare:8.1f} ms ({bare_used:.0f} ms of CPU), {empty[0]['files']} Python modules loaded")
    print(f"packages of others that they load: {', '.join(ours[0]['packages']) or 'none'}")
    print(f"of {', '.join(HEAVY)}: {', '.join(ours[0]['heavy']) or 'none'} (goal: none)")
    print(f"medians of {len(ours)} processes of each kind, in turn; the first module pays for what all share")
    return 1 if ours[0]["heavy"] else 0


def _median(runs: list[dict[str, Any]], name: str) -> float:
    return statistics.median(run["seconds"][name] for run in runs) * 1e3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
