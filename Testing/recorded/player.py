"""Children that say again what real ones said: what a test gives its panel in place of children that load PyTorch."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from slicermedai.jobs import interpreter

HERE = Path(__file__).resolve().parent
DEVICES, ESTIMATE, TRUST = (f"slicermedai.app.{name}_answer" for name in ("device", "estimate", "trust"))
PAUSE = 0.01
"""Seconds between two lines of a run."""


def recorded() -> dict[str, Any]:
    """``said.json``: lines of runs, and answers, by the names of :mod:`Testing.recorded.real`."""
    found: dict[str, Any] = json.loads((HERE / "said.json").read_text(encoding="utf-8"))
    return found


class Player:
    """The program in ``folder`` that the children of a test run in.

    Questions about devices, estimates and trust records are answered as they were; runs are real ones, until
    :meth:`play` says which are not. ``python`` is the program that real children run in.
    """

    def __init__(self, folder: Path, *, python: str = sys.executable) -> None:
        self.folder = folder
        said = recorded()
        self._runs: dict[str, list[str]] = said["runs"]
        estimates = [{"when": one["when"], "said": one["said"]} for one in said["estimates"]]
        self._plan: dict[str, Any] = {
            "python": python,
            "pause": PAUSE,
            "answers": {
                DEVICES: [{"when": {}, "said": said["devices"]}],
                ESTIMATE: estimates,
                TRUST: [{"when": {}, "said": said["trust"]}],
            },
            "runs": [],
        }
        folder.mkdir(parents=True)
        self.program = folder / "python"
        source = (HERE / "child.py").read_text(encoding="utf-8")
        self.program.write_text(f"#!{sys.executable} -IS\n{source}", encoding="utf-8")
        self.program.chmod(0o755)
        self._write()

    def begin(self, patch: pytest.MonkeyPatch) -> None:
        """From now on children run in it."""
        patch.setattr(interpreter, "python", lambda: str(self.program))

    def play(self, lines: str, *, leaves: Path, when: Mapping[str, Any], **further: Any) -> None:
        """Runs whose job has what ``when`` says are played from now on.

        Parameters
        ----------
        lines:
            Which run was recorded.
        leaves:
            A folder: what is in it is in the output when the run ends.
        when:
            A job's fields: for a text, one that stands in the field; else the value.
        further:
            ``hold``: a fraction of progress at which it stays until somebody ends it. ``after``: how many jobs before
            it are real ones. ``at_home``: a folder, what is in it is in MedAI's home when the run ends.
        """
        usual = {"hold": 2.0, "after": 0, "at_home": str(self.folder / "nothing")}
        known = {"when": dict(when), "lines": self._runs[lines], "leaves": str(leaves)}
        self._plan["runs"].insert(0, usual | known | further)
        self._write()

    def answers_itself(self, module: str) -> None:
        """Questions that go to this module of the product are answered by the real child."""
        del self._plan["answers"][module]
        self._write()

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The jobs that were given to children, played or not, the first one first."""
        return [one["job"] for one in self._asked() if "job" in one]

    @property
    def questions(self) -> list[dict[str, Any]]:
        """What was asked and answered."""
        return [one["asked"] for one in self._asked() if "asked" in one]

    def _asked(self) -> list[dict[str, Any]]:
        path = self.folder / "asked.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def _write(self) -> None:
        written = self.folder / "plan.new"
        written.write_text(json.dumps(self._plan), encoding="utf-8")
        shutil.move(written, self.folder / "plan.json")
