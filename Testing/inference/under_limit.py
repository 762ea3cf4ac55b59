"""Run by a process of its own: predictions whose memory is taken away at random moments (``ulimit -v``).

``python under_limit.py BUNDLE TRIES SEED`` prints one JSON object: how each try ended, and whether the last run without
a limit found what the first one found. The limit falls to what the process holds and a little more, at a random call of
the progress, so that allocations fail wherever the run is at that moment. ``MALLOC_MMAP_THRESHOLD_`` and the like in
the environment keep the C library from holding what was freed.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
from pathlib import Path

import numpy as np

from slicermedai.bundles.registry import resolve
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import MedAIError
from slicermedai.inference.task import Listeners, Prediction, RunSettings, predict

LITTLE = (0, 1, 2, 4)
"""MB beyond what is held."""
_, HARD = resource.getrlimit(resource.RLIMIT_AS)


def main(bundle: str, tries: int, seed: int) -> dict[str, object]:
    """All tries, then one more without a limit."""
    ref, image = resolve(bundle), picture()
    moments: list[str] = []
    first = run(ref, image, lambda stage: moments.append(stage))
    chance, ended = random.Random(seed), []
    for _ in range(tries):
        ended.append(limited(ref, image, chance.randrange(len(moments)), chance.choice(LITTLE)))
    last = run(ref, image, lambda stage: None)
    same = bool(np.array_equal(first.label_map.array, last.label_map.array))
    return {"moments": len(moments), "ended": ended, "same": same, "found": int(first.label_map.array.sum())}


def limited(ref: BundleRef, image: Volume, moment: int, megabytes: int) -> list[object]:
    """One try: the moment, what was left, how it ended and in which words."""
    seen = 0

    def take_away(stage: str) -> None:
        nonlocal seen
        if seen == moment:
            resource.setrlimit(resource.RLIMIT_AS, (held() + megabytes * 2**20, HARD))
        seen += 1

    try:
        run(ref, image, take_away)
    except MedAIError as error:
        said = [type(error).__name__, str(error)]
    except Exception as error:  # noqa: BLE001  # whatever else comes out is what the test is about
        said = ["stray", f"{type(error).__name__}: {error}"]
    else:
        said = ["done", ""]
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, HARD))
    return [moment, megabytes, *said]


def run(ref: BundleRef, image: Volume, tell) -> Prediction:  # type: ignore[no-untyped-def]  # a test's own process
    """One prediction on two threads, ``tell`` being told each stage."""
    listeners = Listeners(progress=lambda stage, fraction: tell(stage))
    return predict(ref, image, settings=RunSettings(device="cpu", threads=1), listeners=listeners)


def held() -> int:
    """Bytes of address space that this process has."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")


def picture() -> Volume:
    """A block in an image that is brought to another spacing."""
    values = np.zeros((70, 90, 80), dtype=np.int16)
    values[20:50, 30:60, 30:50] = 1
    return Volume(array=values, geometry=Geometry.from_axes(values.shape, spacing=(1.7, 1.4, 1.4)), modality="MR")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))) + "\n")
