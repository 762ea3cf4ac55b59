"""Cases an hour through the queue, by 1 and 2 workers, against a plain loop of single runs; and the memory it takes.

The plain loop runs ``slicermedai run`` for one series after the other, as a shell script would. The queue's own cost is
what a case takes in it beyond that. Images are generated and the network is tiny: what is measured is everything else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from slicermedai.batch.cohort import Cohort
from slicermedai.console import cohorts
from Testing.batch.day import ROOT
from Testing.batch.studies import RULES, write_study
from Testing.inference.tiny_bundle import write_tiny_bundle

RATIO_GOAL = 0.9
GROWTH_GOAL = 0.1
_SECOND = 1.0


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where a case did not come to its end."""
    parser = argparse.ArgumentParser(prog="Scripts/bench batch", description=__doc__)
    parser.add_argument("--cases", type=int, default=12, help="studies in the cohort (default: 12)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder)
        os.environ["SLICERMEDAI_HOME"] = str(root / "home")
        bundle = write_tiny_bundle(root / "models" / "tiny@0.1")
        wanted = [
            write_study(root / "in" / f"s{n:04d}", patient=f"ZZ-{n}", study=f"s{n}")["wanted"][0].parent
            for n in range(given.cases)
        ]
        (root / "rules.toml").write_text(RULES)
        print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before; {given.cases} cases")
        loop = _loop(wanted, bundle, root / "loop")
        _tell("plain loop", given.cases, loop, None)
        found = {workers: _queue(root, bundle, workers) for workers in (1, 2)}
    for workers, (seconds, done, memory) in found.items():
        _tell(f"queue, {workers} worker{'s' * (workers > 1)}", given.cases, seconds, memory)
        if done != given.cases:
            print(f"NOT MEASURED: {done} of {given.cases} cases came to their end")
            return 1
    tell_goal("cases an hour, 1 worker / plain loop", loop / found[1][0], RATIO_GOAL, at_least=True)
    tell_goal("growth of the queue's own memory from the first to the last third", growth(found[1][2]), GROWTH_GOAL)
    return 0


def _loop(wanted: list[Path], bundle: Path, output: Path) -> float:
    began = time.perf_counter()
    for number, source in enumerate(wanted):
        words = ["run", str(source), "--bundle", str(bundle), "--output", str(output / str(number)), "--no-report"]
        _command([*words, "--device", "cpu"]).wait()
    return time.perf_counter() - began


def _queue(root: Path, bundle: Path, workers: int) -> tuple[float, int, list[float]]:
    """Seconds, cases done, and the resident memory of the process that drives the queue, MB, once a second."""
    place = root / f"cohort{workers}"
    cohorts.make(place, root / "in", root / "rules.toml", bundle=str(bundle), device="cpu")
    began = time.perf_counter()
    process = _command(["batch", "run", str(place), "--processes", str(workers)])
    memory: list[float] = []
    watching = threading.Thread(target=_watch, args=(process, memory))
    watching.start()
    process.wait()
    seconds = time.perf_counter() - began
    watching.join()
    return seconds, Cohort(place).counts().get("done", 0), memory


def _command(words: list[str]) -> subprocess.Popen[bytes]:
    paths = f"{ROOT / 'SlicerMedAI'}{os.pathsep}{ROOT}"
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "slicermedai", *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _watch(process: subprocess.Popen[bytes], memory: list[float]) -> None:
    while process.poll() is None:
        value = _resident(process.pid)
        memory += [value] if value else []
        time.sleep(_SECOND)


def _resident(pid: int) -> float:
    """MB (10**6 bytes), 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def growth(memory: list[float]) -> float | None:
    """How much larger the median of the last third is than that of the first third after its start; None if unknown."""
    samples = memory[len(memory) // 6 : -2]
    third = len(samples) // 3
    if not third:
        return None
    first, last = sorted(samples[:third]), sorted(samples[-third:])
    return last[third // 2] / first[third // 2] - 1


def _tell(name: str, cases: int, seconds: float, memory: list[float] | None) -> None:
    told = f"   driver {max(memory):.0f} MB at most" if memory else ""
    print(
        f"  {name:<18}{seconds:8.1f} s{cases / seconds * 3600:9.0f} cases/h{seconds / cases:8.2f} s a case{told}",
        flush=True,
    )


def tell_goal(name: str, value: float | None, goal: float, *, at_least: bool = False) -> None:
    """Print whether it is met; a figure that was not measured never is."""
    if value is None:
        print(f"NOT MEASURED {name}: too few samples; take more cases")
        return
    is_met = value >= goal if at_least else value <= goal
    print(f"{'ok    ' if is_met else 'MISSED'} {name}: {value:.2f}, goal {'>=' if at_least else '<='} {goal:g}")
