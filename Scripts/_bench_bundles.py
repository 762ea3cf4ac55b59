"""Which bundles of a folder run here: the compatibility matrix, each bundle in a process of its own.

Bundles need no weights: networks get random ones, and labels a placeholder instead of a code, for this table alone.
Their own code runs (expressions, scripts): give folders that you trust. Each runs on generated images of its modality;
those that segment or detect in volumes must go the whole way too: a DICOM series, a job, and SEG and SR that are read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SECONDS = 480
TRIES = 3


def main(arguments: list[str]) -> int:
    """Print a line for each bundle: runs, is refused because of something, or fails; 1 where the folder holds none."""
    parser = argparse.ArgumentParser(prog="Scripts/bench bundles", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of bundle folders")
    parser.add_argument("--words", action="store_true", help="print the rules of every bundle too")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.one:
        print(json.dumps(check_one(chosen.folder)))
        return 0
    folders = sorted(path.parent.parent for path in chosen.folder.glob("*/configs/metadata.json"))
    rows = [_print(folder.name, _in_child(folder), words=chosen.words) for folder in folders]
    print(summed(rows))
    return 0 if folders else 1


def _in_child(folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        return json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        why, seconds = f"it did not end in {SECONDS} s", SECONDS
    except (IndexError, ValueError):
        why, seconds = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1], 0
    return {"runs": False, "failed": True, "why": why, "rules": [], "seconds": seconds, "whole": ""}


def _print(name: str, found: dict[str, Any], *, words: bool) -> dict[str, Any]:
    rules = ", ".join(sorted({line.partition(":")[0] for line in found["rules"]}))
    state = "runs" if found["runs"] else "FAILED" if found.get("failed") else "refused"
    told = f"because {found['why']}" if found["why"] else found["whole"] or f"the check alone; {rules}"
    print(f"{name:34s} {found.get('task', ''):15s} {state:8s} {found['seconds']:6.1f} s  {told}", flush=True)
    for line in found["rules"] if words else ():
        print(f"    {line}")
    return found


def summed(rows: list[dict[str, Any]]) -> str:
    """How many run, how many of these went from series to objects, and how many do not run."""
    running = [row for row in rows if row["runs"]]
    whole, failed = sum(bool(row["whole"]) for row in running), sum(bool(row.get("failed")) for row in rows)
    refused = len(rows) - len(running) - failed
    told = f"{len(running)} of {len(rows)} run, {whole} of them from series to objects"
    return f"{told}; {refused} refused, {failed} failed"


# --- in the child ------------------------------------------------------------------------------------------------


def check_one(folder: Path, *, formats: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run one bundle with random weights, from a copy that is completed with what it lacks.

    One that finds places in volumes counts as running where it went the whole way, into objects that say what its
    result says (:func:`go_whole`, with ``formats``); of the others the check alone is asked.
    """
    from _bench_bundles_whole import Whole, go_whole, keep_weights, takes_volumes

    from slicermedai.bundles.registry import resolve
    from slicermedai.errors import MedAIError

    with tempfile.TemporaryDirectory(prefix="medai-bench-") as scratch:
        copy = Path(scratch) / "bundle@0"
        shutil.copytree(folder, copy)
        task, made, whole = "", RandomNetwork(), Whole()
        try:
            task = complete(copy)
            found = _checked(resolve(str(copy), consent="whoever started this bench"), made)
        except MedAIError as error:
            return {
                "task": task,
                "runs": False,
                "why": _plain(str(error), copy),
                "rules": [],
                "seconds": 0.0,
                "whole": "",
            }
        if found.runs and takes_volumes(copy, task):
            keep_weights(made.last, copy)
            whole = go_whole(copy, Path(scratch), formats=formats)
    return {
        "task": task,
        "runs": found.runs and not whole.why,
        "why": _plain(found.report.refused or whole.why, copy),
        "rules": [f"{item.rule}: {item.detail}" for item in found.report.applied],
        "seconds": round(found.seconds, 1),
        "whole": whole.in_words,
    }


def _checked(ref: Any, made: RandomNetwork) -> Any:
    """The check with the first random weights that find anything."""
    import torch

    from slicermedai.inference.check import check_bundle
    from slicermedai.inference.task import make_task

    for seed in range(TRIES):
        torch.manual_seed(seed)
        found = check_bundle(ref, task=type(make_task(ref))(load=made))
        if found.regions or not found.runs:
            break
    return found


def _plain(text: str, folder: Path) -> str:
    return text.replace(f"{folder}, ", "").replace(str(folder), "")


class RandomNetwork:
    """Makes networks of configurations without weights; ``last`` is the one that was made last."""

    last: Any = None

    def __call__(self, manifest: Any, *, part: str, weights: str, device: str) -> Any:
        """The network as it is made."""
        from slicermedai.inference.parts import make_part, parser_of

        self.last = make_part(parser_of(manifest), part, file=manifest.ref.path).to(device).eval()
        return self.last


def complete(folder: Path) -> str:
    """Write placeholders for weights, labels and a searched architecture into a copied bundle; returns its task.

    Raises :class:`BundleError` where its own words name no task that is known here.
    """
    from slicermedai.bundles.draft import Answers, task_of

    metadata = json.loads((folder / "configs" / "metadata.json").read_text("utf-8"))
    stated = metadata.get("network_data_format", {})
    answer = next(iter(stated.get("outputs", {}).values()), {})
    image = next(iter(stated.get("inputs", {}).values()), {})
    text = "\n".join(path.read_text("utf-8") for path in sorted((folder / "configs").glob("inference.*")))
    words = str(metadata.get("task", ""))
    task = task_of(words, Answers(), file=folder / "configs" / "metadata.json")
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / "model.pt").write_bytes(b"none")
    entry = {
        "medai": 1,
        "task": task,
        "modality": [m for m in [str(image.get("modality", ""))] if m in ("CT", "MR", "PT")],
        "weights": {"file": "models/model.pt", "sha256": hashlib.sha256(b"none").hexdigest()},
        "labels": [_label(value) for value in range(1, _labels(answer, task, text) + 1)],
    }
    (folder / "medai.json").write_text(json.dumps(entry))
    _architecture(folder, text)
    return task


def _labels(answer: dict[str, Any], task: str, text: str) -> int:
    channels = int(answer.get("num_channels") or len(answer.get("channel_def") or ()) or 2)
    background = task == "segmentation" and '"sigmoid": true' not in text
    return max(1, channels - 1 if background else channels)


def _label(value: int) -> dict[str, Any]:
    code = {"scheme": "99BENCH", "meaning": "placeholder"}
    return {
        "value": value,
        "name": f"output {value}",
        "category": {"value": "0", **code},
        "type": {"value": str(value), **code},
    }


def _architecture(folder: Path, text: str) -> None:
    """A searched network needs its architecture: here one whose blocks all stay at full resolution."""
    import re

    import numpy as np
    import torch

    for name in re.findall(r"models/([\w.]+)'?\"?", text):
        path = folder / "models" / name
        if "arch_code" not in text or path.exists():
            continue
        blocks, depths = 12, 4
        straight = np.zeros((blocks, 3 * depths - 2))
        straight[:, 0] = 1
        nodes = np.zeros((blocks + 1, depths))
        nodes[:, 0] = 1
        torch.save({"node_a": nodes, "arch_code_a": straight, "arch_code_c": np.ones_like(straight)}, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
