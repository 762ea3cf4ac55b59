"""The private temporary folder of one job: inputs, job file, events, and whatever libraries put into a temp folder.

It is a :class:`~slicermedai.domain.scratch.ScratchFolder`: removed when the job ends and when this process ends. What a
killed process left is removed by the next :func:`sweep`, which every start calls, with what its worker left
half-written beside its output.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Self

from slicermedai.domain.scratch import ScratchFolder, orphans, remove_tree, temp_roots
from slicermedai.domain.storage import sweep_partials
from slicermedai.errors import MedAIError
from slicermedai.jobs.files import read_job

_JOB = "job.json"


class JobFolder(ScratchFolder):
    """A temporary folder that belongs to this process; use as context manager, or call :meth:`remove`."""

    @classmethod
    def create(cls, kind: str = "job") -> Self:
        """A new one; raises :class:`OutputError` where the temporary folder cannot be used."""
        return super().create(kind)

    @property
    def job_file(self) -> Path:
        """Where the job is written for the worker; not yet made."""
        return self.path / _JOB

    @property
    def inputs(self) -> Path:
        """Where inputs that exist only in memory are saved for the job; not yet made."""
        return self.path / "inputs"


def sweep(root: Path | None = None) -> list[Path]:
    """Remove the scratch folders of dead processes of this machine; returns what was removed.

    They are looked for in ``root``, or wherever they can lie.

    What their workers left half-written, wherever that lies, is removed before.
    """
    found = [path for place in (temp_roots() if root is None else [root]) for path in orphans(place)]
    for path in found:
        _sweep_output(path / _JOB)
        remove_tree(path)
    return found


def _sweep_output(job_file: Path) -> None:
    """A job file that is damaged or absent, or a place that cannot be reached now, tells of nothing to remove."""
    with contextlib.suppress(MedAIError, OSError):
        _, job = read_job(job_file)
        sweep_partials(Path(job.output).parent)
