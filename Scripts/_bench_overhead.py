"""What everything costs beside the networks: end-to-end time over the forward time of the same windows.

Three child processes measure: one the engine (runs and bare forwards interleaved, medians), one a single run's peak
memory without the windows that the first keeps, one the whole job as a person starts it: DICOM series in,
de-identified, result, SEG, SR, scene, pictures and report out. The image is Colin27 where it was fetched, else the
head phantom.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

RATIO_GOAL = 1.5
MEMORY_GOAL = 3.0


def main(arguments: list[str]) -> int:
    """Measure in children and print; 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="Scripts/bench overhead", description=__doc__)
    parser.add_argument("--bundle", default="brain", help="model, as name or name@version")
    parser.add_argument("--input", default="", help="NIfTI or NRRD file; default: Colin27, else the head phantom")
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repetitions")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves torch's choice")
    parser.add_argument("--measure", choices=("times", "memory", "job"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.measure:
        print(json.dumps(MEASURES[chosen.measure](chosen)))
        return 0
    times, memory, job = (_in_child(kind, arguments) for kind in ("times", "memory", "job"))
    if times is None or memory is None or job is None:
        print("NOT MEASURED: the reason is above.")
        return 1
    _print(times, memory)
    _print_job(job, times["forward"])
    return 0


def _in_child(kind: str, arguments: list[str]) -> dict[str, Any] | None:
    command = [sys.executable, __file__, *arguments, "--measure", kind]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


# --- in the child ------------------------------------------------------------------------------------------------


@dataclass
class Recorder:
    """Loads networks as the engine does, and keeps every window that they are given."""

    windows: list[tuple[Any, Any]] = field(default_factory=list)

    def __call__(self, manifest: Any, *, part: str, weights: str, device: str) -> Any:
        from slicermedai.inference.network import load_network

        network = load_network(manifest, part=part, weights=weights, device=device)

        def watched(window: Any, *rest: Any, **named: Any) -> Any:
            self.windows.append((network, window.clone()))
            return network(window, *rest, **named)

        return watched


def measure_times(chosen: argparse.Namespace) -> dict[str, Any]:
    """Medians over the repetitions: end to end, bare forwards, and each stage, in seconds."""
    ref, volume, name = _bundle(chosen.bundle), *_image(chosen.input)
    recorder = Recorder()
    prediction = _predict(ref, volume, chosen.threads, recorder)
    whole, forward, processor, stages = [], [], [], []
    for _ in range(chosen.repeats):
        start, cpu = time.perf_counter(), time.process_time()
        prediction = _predict(_bundle(chosen.bundle), volume, chosen.threads, None)
        whole.append(time.perf_counter() - start)
        processor.append(time.process_time() - cpu)
        stages.append({step.name: step.seconds for step in prediction.steps})
        stages[-1]["hashes, configuration"] = whole[-1] - sum(stages[-1].values())
        forward.append(_forward(recorder.windows, chosen.threads))
    return {
        "image": f"{name}, {'x'.join(map(str, volume.geometry.shape))}",
        "bundle": ref.title,
        "machine": f"{os.cpu_count()} CPUs, {prediction.threads} threads, {prediction.device}",
        "versions": dict(prediction.versions),
        "windows": ["x".join(map(str, window.shape[1:])) for _, window in recorder.windows],
        "repeats": chosen.repeats,
        "whole": statistics.median(whole),
        "cpu": statistics.median(processor),
        "forward": statistics.median(forward),
        "stages": {key: statistics.median(run[key] for run in stages) for key in stages[0]},
    }


def measure_memory(chosen: argparse.Namespace) -> dict[str, Any]:
    """Peak resident memory of one run in a process of its own, GB (10**9 bytes), and before the run."""
    ref, (volume, _) = _bundle(chosen.bundle), _image(chosen.input)
    importlib.import_module("slicermedai.inference.segment")  # what torch and MONAI take by themselves is told apart
    before = _peak()
    _predict(ref, volume, chosen.threads, None)
    return {"peak": _peak(), "before": before}


def measure_job(chosen: argparse.Namespace) -> dict[str, Any]:
    """Seconds (wall, CPU) of one ``slicermedai run`` on a DICOM series, its steps, and its largest process, GB."""
    from slicermedai import load
    from Testing.fixtures.identity import Identity
    from Testing.fixtures.series_spec import SeriesSpec
    from Testing.fixtures.series_writer import write_series

    _bundle(chosen.bundle)
    volume, _ = _image(chosen.input)
    with tempfile.TemporaryDirectory() as scratch:
        study, out = Path(scratch) / "study", Path(scratch) / "out"
        write_series(replace(volume, modality="MR", name="T1"), study, spec=SeriesSpec(identity=Identity()))
        command = [sys.executable, "-m", "slicermedai", "run", str(study), "--bundle", chosen.bundle]
        start, before = time.perf_counter(), os.times()
        subprocess.run([*command, "--output", str(out), "--identity", "deidentify"], check=True, stdout=sys.stderr)
        wall, after = time.perf_counter() - start, os.times()
        steps = [(step.name, step.seconds) for step in load(out).provenance.steps]
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": wall, "cpu": cpu, "steps": steps, "peak": _peak_of_children()}


MEASURES = {"times": measure_times, "memory": measure_memory, "job": measure_job}


def _peak_of_children() -> float:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e9


def _peak() -> float:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    usage = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage) * unit / 1e9


def _predict(ref: Any, volume: Any, threads: int, recorder: Recorder | None) -> Any:
    from slicermedai.inference.segment import Segmentation
    from slicermedai.inference.task import Listeners, RunSettings

    task = Segmentation(load=recorder) if recorder else Segmentation()
    return task.predict(ref, {"image": volume}, settings=RunSettings(threads=threads), listeners=Listeners())


def _forward(windows: list[tuple[Any, Any]], threads: int) -> float:
    import torch

    from slicermedai.inference.device import choose_device, reproducible
    from slicermedai.inference.task import RunSettings

    settings = RunSettings(threads=threads)
    with reproducible(settings, choose_device(settings.device)), torch.inference_mode():
        start = time.perf_counter()
        for network, window in windows:
            network(window)
        return time.perf_counter() - start


def _bundle(name: str) -> Any:
    from slicermedai.bundles.registry import fetch, resolve
    from slicermedai.errors import UnknownBundleError

    try:
        return resolve(name)
    except UnknownBundleError:
        wheels = Path(os.environ.get("SLICERMEDAI_TEST_DATA", "")) / "deepbet"
        return fetch(name, wheel=wheels if wheels.is_dir() else None)


def _image(path: str) -> tuple[Any, str]:
    from slicermedai.dicom.inputs import open_source

    colin27 = Path(os.environ.get("SLICERMEDAI_TEST_DATA", "")) / "mricron" / "ch2.nii.gz"
    if not path and not colin27.is_file():
        from Testing.fixtures.phantoms import head_phantom

        return head_phantom()[0], "generated head phantom"
    return open_source(Path(path) if path else colin27).volume, Path(path).name if path else "Colin27"


# --- for people --------------------------------------------------------------------------------------------------


def _print(times: dict[str, Any], memory: dict[str, Any]) -> None:
    versions = ", ".join(f"{name} {number}" for name, number in times["versions"].items())
    print(f"{times['bundle']} on {times['image']}; {times['machine']}; {versions}")
    print(f"medians of {times['repeats']} interleaved repetitions; windows: {', '.join(times['windows'])}\n")
    for name, seconds in times["stages"].items():
        print(f"  {name:<24}{seconds:8.3f} s")
    print(f"  {'engine, end to end':<24}{times['whole']:8.3f} s   ({times['cpu']:.2f} CPU s)")
    print(f"  {'forward alone':<24}{times['forward']:8.3f} s\n")
    _goal("engine, end to end / forward", times["whole"] / times["forward"], RATIO_GOAL, "")
    _goal("peak memory", memory["peak"], MEMORY_GOAL, f" GB ({memory['before']:.2f} GB of it before the run)")


def _print_job(job: dict[str, Any], forward: float) -> None:
    """No goal is set for it: start of Python, reading, copies, pictures and report are the same for any network."""
    print("\nthe whole job as a person starts it (series in; copies, SEG, SR, scene, pictures, report out), once")
    for name, seconds in job["steps"]:
        print(f"  {name:<24}{seconds:8.3f} s")
    print(f"  {'wall':<24}{job['wall']:8.3f} s   ({job['cpu']:.2f} CPU s, largest process {job['peak']:.2f} GB)")
    print(f"  whole job / forward: {job['wall'] / forward:.1f}")


def _goal(name: str, value: float, goal: float, unit: str) -> None:
    word = "ok    " if value <= goal else "MISSED"
    print(f"{word} {name}: {value:.2f}{unit}, goal <= {goal:g}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
