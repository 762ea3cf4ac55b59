"""The real children that are recorded: ``python -m Testing.recorded.real`` writes anew what they say.

Everything that a test plays is made here once, by the child that a panel would start, with the models and images that
the panels' tests have.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicermedai
from slicermedai.app import devices
from slicermedai.console.estimates import answer_to, ask, request_of
from slicermedai.domain.volume import Volume
from slicermedai.errors import MedAIError
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.inquiry import Inquiry
from Testing.fixtures.beating import Beat, beating_heart
from Testing.fixtures.grids import AXIAL, covering
from Testing.fixtures.series_writer import SeriesSpec, write_series
from Testing.fixtures.timed_writer import write_over_time
from Testing.inference.conftest import body_on
from Testing.inference.tiny_bundle import change_json, write_folded_bundle, write_tiny_bundle
from Testing.inference.zoo import write_zoo_bundle
from Testing.over_time.heart_bundle import write_heart_bundle

SAID = Path(__file__).with_name("said.json")
GRID = covering(spacing=(8.0, 8.0, 8.0), extent=(100.0, 126.0, 116.0))
HEART = covering(AXIAL, spacing=(8.0, 5.0, 5.0), extent=(140.0, 140.0, 140.0))
BEAT = Beat(frames=3)
CONTRASTS = ("T1c", "T1", "T2", "FLAIR")
_PAUSE = 0.02
_LONG = 120.0


def a_body() -> Volume:
    """What the tiny model finds, on few voxels."""
    return body_on(GRID)[0]


def write_cine(folder: Path) -> Path:
    """One generated cine series."""
    write_over_time(beating_heart(HEART, BEAT), BEAT.times, folder, interval=BEAT.interval, by_slice=True)
    return folder


def write_models(models: Path) -> None:
    """The models that are recorded, each where MedAI keeps models."""
    write_tiny_bundle(models / "tiny@0.1")
    change_json(write_folded_bundle(models / "folded@0.1") / "medai.json", name="folded")
    write_zoo_bundle(models / "of_several_channels@0.1", "of_several_channels")
    write_heart_bundle(models / "heart@0.1")


@dataclass(frozen=True, slots=True)
class Question:
    """One about time and memory: ``when`` tells a request of this kind from others, as a player of it needs."""

    when: Mapping[str, Any]
    source: Any
    bundle: str
    options: Mapping[str, Any]


def questions(place: Path) -> list[Question]:
    """What panels ask about time and memory; the images are made in ``place``."""
    cine = write_cine(place / "cine")
    write_series(beating_heart(HEART, BEAT)[0], place / "still", spec=SeriesSpec())
    body = a_body()
    named = {name: body for name in CONTRASTS[1:]}
    heart = "heart@0.1"
    return [
        Question({"bundle": "tiny"}, body, "tiny@0.1", {}),
        Question({"bundle": "folded"}, body, "folded@0.1", {}),
        Question({"bundle": "several"}, body, "of_several_channels@0.1", {"inputs": named, "shows": CONTRASTS[0]}),
        Question({"bundle": heart, "images": "cine", "over_time": True}, cine, heart, {"over_time": True}),
        Question({"bundle": heart, "images": "cine", "over_time": False}, cine, heart, {}),
        Question({"bundle": heart, "images": "still", "over_time": True}, place / "still", heart, {"over_time": True}),
        Question({"bundle": heart, "images": "still", "over_time": False}, place / "still", heart, {}),
    ]


def estimates(place: Path) -> list[dict[str, Any]]:
    """The answers to :func:`questions`, each as its child says it, beside what it is for.

    The first one is asked of a child, and so that it need not load PyTorch each time, the others of what a child runs.
    """
    found = []
    for one in questions(place):
        options = {"report": False, "device": "cpu", "identity": "keep", **one.options}
        request = request_of(one.source, one.bundle, options)
        said = json.dumps(_answered(request) if found else _said(ask(request)))
        found.append({"when": dict(one.when), "said": json.loads(said.replace(f"{place}{os.sep}", ""))})
    return found


def all_said(place: Path) -> dict[str, Any]:
    """All that is recorded, made in ``place``, which is MedAI's home meanwhile."""
    with _at_home(place / "home"):
        write_models(place / "home" / "models")
        cine = {"over_time": True, "bundle": "heart@0.1"}
        return {
            "devices": _said(devices.start()),
            "trust": trust(place / "home" / "models" / "tiny@0.1"),
            "estimates": estimates(place),
            "runs": {
                "tiny": lines_of(a_body(), place / "tiny", bundle="tiny@0.1"),
                "heart": lines_of(place / "cine", place / "heart", **cine),
            },
        }


def _answered(request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"answer": answer_to(request)}
    except MedAIError as error:
        return {"error": error.to_dict()}


def trust(model: Path) -> dict[str, Any]:
    """What is said of a model without a trust record."""
    asked = {"folder": str(model), "weights": "ab" * 32, "image": True, "modality": "MR", "file": "", "records": []}
    return _said(Inquiry(TRUST_CHILD, asked, JobFolder.create("trust")))


TRUST_CHILD = "slicermedai.app.trust_answer"


def lines_of(source: Any, output: Path, **options: Any) -> list[str]:
    """What the worker of a run says until it is done, which is left out."""
    handle = slicermedai.submit(source, output=output, report=False, device="cpu", **options)
    running = handle._running
    lines, place = list[str](), running._folder.path / "events"
    while not handle.done:
        lines = place.read_text("ascii").splitlines() if place.exists() else lines
        handle.poll()
        time.sleep(_PAUSE)
    handle.result()
    return [line for line in lines if json.loads(line)["event"] != "done"]


def _said(child: Inquiry) -> dict[str, Any]:
    """The one line with which a child ends."""
    lines, take = list[dict[str, Any]](), child._take

    def heard(event: dict[str, Any]) -> None:
        lines.append(event)
        take(event)

    child._take = heard  # type: ignore[method-assign]
    deadline = time.monotonic() + _LONG
    while not child.done:
        assert time.monotonic() < deadline
        child.poll()
        time.sleep(_PAUSE)
    return lines[-1]


@contextmanager
def _at_home(home: Path) -> Iterator[None]:
    """``home`` is MedAI's within the block."""
    before = os.environ.get("SLICERMEDAI_HOME")
    os.environ["SLICERMEDAI_HOME"] = str(home)
    try:
        yield
    finally:
        os.environ.pop("SLICERMEDAI_HOME")
        os.environ.update({} if before is None else {"SLICERMEDAI_HOME": before})


def main() -> int:
    """Write ``said.json``."""
    with tempfile.TemporaryDirectory() as folder:
        said = all_said(Path(folder))
    SAID.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
