"""Whole runs that are killed, cancelled or starved of memory (``ulimit -v``) at random moments: what is said and left.

Each try must end in time, with the whole result or none; with a sentence instead of a traceback; and after one more
run, which clears away what a killed one could not, without a process or a file of its own. Linux alone.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK

from Testing.inference.tiny_bundle import write_tiny_bundle

KINDS = ("kill", "cancel", "limit")
MARK = "SLICERMEDAI_SOAK"
PATIENCE = 300.0
"""Seconds after which a run that should have ended counts as hanging."""
GIGABYTES = (0.3, 6.0)


@dataclass
class Place:
    """Folders of one soak, and what was found wrong."""

    root: Path
    faults: list[str] = field(default_factory=list)

    @property
    def results(self) -> Path:
        """Where outputs go: nothing else may lie there afterwards."""
        return self.root / "results"

    @property
    def scratch(self) -> Path:
        """The temporary folder of the runs."""
        return self.root / "tmp"

    def command(self, name: str) -> list[str]:
        """One run on the CPU."""
        given = [str(self.root / "image.nii"), "--bundle", str(self.root / "tiny@0.1"), "--device", "cpu"]
        return [sys.executable, "-m", "slicermedai", "run", *given, "--output", str(self.results / name)]

    def start(self, name: str, *, most: float | None = None) -> subprocess.Popen[str]:
        """A run whose address space ends at ``most`` GB."""
        own = {"TMPDIR": str(self.scratch), "SLICERMEDAI_HOME": str(self.root / "home"), MARK: str(self.root)}
        begun = partial(_begin, None if most is None else int(most * 1e9))
        return subprocess.Popen(
            self.command(name),
            text=True,
            env={**os.environ, **own},
            preexec_fn=begun,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def main(arguments: list[str]) -> int:
    """Print how the tries ended; 0 where nothing was wrong."""
    parser = argparse.ArgumentParser(prog="Scripts/soak ends", description=__doc__)
    parser.add_argument("--tries", type=int, default=60, help="how many (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of kinds and moments")
    given = parser.parse_args(arguments)
    chance, ended = random.Random(given.seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        place = _prepared(Path(folder))
        whole = _undisturbed(place, "first")
        for number in range(given.tries):
            kind = KINDS[number % len(KINDS)]
            ended[f"{kind}: {_try(place, f'{number}', kind, chance, whole)}"] += 1
        _undisturbed(place, "last")
        _look(place)
    print(f"{given.tries} tries, a run takes {whole:.0f} s")
    print("\n".join([*(f"{count:4d}  {what}" for what, count in sorted(ended.items())), *place.faults]))
    return 1 if place.faults else 0


def _prepared(root: Path) -> Place:
    place = Place(root)
    for folder in (place.results, place.scratch):
        folder.mkdir()
    write_tiny_bundle(root / "tiny@0.1")
    values = np.zeros((60, 90, 80), dtype=np.int16)
    values[15:45, 30:60, 25:55] = 1
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing((1.5, 1.5, 2.0))
    SimpleITK.WriteImage(image, str(root / "image.nii"))
    return place


def _undisturbed(place: Place, name: str) -> float:
    began, running = time.monotonic(), place.start(name)
    said = running.communicate(timeout=PATIENCE)[0]
    if running.returncode or not (place.results / name / "result").is_dir():
        place.faults.append(f"the {name} run failed: {said.strip().splitlines()[-1:]}")
    return time.monotonic() - began


def _try(place: Place, name: str, kind: str, chance: random.Random, whole: float) -> str:
    running = place.start(name, most=chance.uniform(*GIGABYTES) if kind == "limit" else None)
    if kind != "limit":
        time.sleep(chance.uniform(0, whole))
        running.send_signal(signal.SIGKILL if kind == "kill" else signal.SIGINT)
    try:
        said = running.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        running.kill()
        place.faults.append(f"try {name} ({kind}) did not end in {PATIENCE:.0f} s")
        return "hung"
    done = (place.results / name / "result").is_dir()
    if kind != "kill" and "Traceback" in said:
        place.faults.append(f"try {name} ({kind}) ended in a traceback: {said.strip().splitlines()[-1]}")
    if running.returncode == 0 and not done:
        place.faults.append(f"try {name} ({kind}) says that it is done, and left no result")
    return "done" if done else f"exit code {running.returncode}, {'told' if said.strip() else 'silent'}"


def _look(place: Place) -> None:
    """What is left after the last run, whose start clears away what killed ones left."""
    until = time.monotonic() + 30
    while _processes(place) and time.monotonic() < until:
        time.sleep(0.5)
    place.faults += [f"a process is left: {pid}" for pid in _processes(place)]
    place.faults += [f"left in the temporary folder: {path.name}" for path in place.scratch.glob("*/*")]
    for path in place.results.iterdir():
        if path.name.startswith(".") or not (path / "result").is_dir():
            place.faults.append(f"left beside the results: {path.name}")


def _processes(place: Place) -> list[int]:
    """Processes that this soak started, or that those did, by a mark in their environment."""
    mark, found = f"{MARK}={place.root}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _begin(most: int | None) -> None:
    """Before the run: Ctrl-C reaches it, also where the soak itself was started in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if most is not None:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
