"""The table of the kinds of job: what a kind takes, what does it, and what its stages weigh.

Worker, command line, console and progress read this table. To add a kind:

1. write its spec, a frozen dataclass below :class:`~slicermedai.jobs.specs.Job` in :mod:`slicermedai.jobs.specs`; the
   metadata of its fields is the help of the command line's options, and the docstring the command's description;
2. write its executor, a function ``(job, *, job_id, progress) -> Path`` that makes ``job.output`` by
   :func:`~slicermedai.domain.storage.atomic_folder`, calls ``progress(stage, fraction)``, and returns the folder;
3. add one line to :data:`KINDS`.

The command ``slicermedai <kind>``, its help, the worker, supervision, cancelling, the audit log's entries of its start
and end, and its time left then follow. Executors are named, not imported: only the worker loads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from slicermedai.domain.observer import Progress
from slicermedai.jobs.specs import CalibrateJob, DeidJob, ExportJob, Job, RunJob, ValidateJob

STAGES: dict[str, float] = {
    "start": 2.0,
    "read": 6.0,
    "deidentify": 9.0,
    "load model": 22.0,
    "segment": 34.0,
    "measure": 3.0,
    "save": 2.0,
    "export": 6.0,
    "scene": 7.0,
    "pictures": 6.0,
    "report": 3.0,
}
"""Stage -> share of a whole run's time. The order is the order of the run."""

_PICTURED = ("scene", "pictures", "report")
_DEID = {"start": 1.0, "deidentify": 95.0, "report": 4.0}
_COHORT = {"start": 2.0, "segment": 95.0, "measure": 5.0}


class Executor(Protocol):
    """Does one job in the worker and returns the folder that it made."""

    def __call__(self, job: Any, *, job_id: str, progress: Progress) -> Path:
        """May raise any :class:`~slicermedai.errors.MedAIError`; lets JobCancelled from ``progress`` through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of job.

    Parameters
    ----------
    spec:
        The dataclass of its fields; ``spec.kind`` is its name.
    executor:
        ``package.module:function``, an :class:`Executor`.
    stages:
        From a job to the stages that it goes through, in their order, with their weights.
    help:
        A few words for the list of commands.
    copies:
        Folder of the output, with "/", that holds copies of source images: the log then names none of its files.
    """

    spec: type[Job]
    executor: str
    stages: Callable[[Any], Mapping[str, float]]
    help: str
    copies: str = ""

    def load(self) -> Executor:
        """The executor; its module is loaded now."""
        module, _, function = self.executor.partition(":")
        return cast(Executor, getattr(import_module(module), function))


def _of_run(job: RunJob) -> dict[str, float]:
    if job.over_time:
        return _of_frames(job)
    skipped = (() if job.identity == "deidentify" else ("deidentify",)) + (() if job.report else _PICTURED)
    kept = [(name, weight) for name, weight in STAGES.items() if name not in skipped]
    again = [("stability", STAGES["segment"] * job.stability)] if job.stability > 0 else []
    after = 1 + [name for name, _ in kept].index("segment")
    return dict([*kept[:after], *again, *kept[after:]])


def _of_frames(job: RunJob) -> dict[str, float]:
    """All that is done of each frame is one stage; reading, and what is made of the series, lie around it."""
    shown = {name: STAGES[name] for name in ("save", "export", *(_PICTURED if job.report else ()))}
    route = {"deidentify": STAGES["deidentify"]} if job.identity == "deidentify" else {}
    return {"start": STAGES["start"], "read": STAGES["read"], **route, "frames": 10 * STAGES["segment"], **shown}


def _of_export(job: ExportJob) -> dict[str, float]:
    return {name: STAGES[name] for name in ("start", "read", "export")}


KINDS: dict[str, Kind] = {
    kind.spec.kind: kind
    for kind in (
        Kind(
            spec=RunJob,
            executor="slicermedai.cli.execute:run_study",
            stages=_of_run,
            help="analyse a study and leave a result folder",
            copies="dicom/source",
        ),
        Kind(
            spec=ExportJob,
            executor="slicermedai.cli.execute:export_saved",
            stages=_of_export,
            help="write a saved result in other formats",
        ),
        Kind(
            spec=DeidJob,
            executor="slicermedai.cli.deidentify:deidentify_files",
            stages=lambda job: _DEID,
            help="write de-identified copies of DICOM files",
            copies="dicom",
        ),
        Kind(
            spec=CalibrateJob,
            executor="slicermedai.validate.execute:calibrate_model",
            stages=lambda job: _COHORT,
            help="fit a model's trust record to cases with references",
        ),
        Kind(
            spec=ValidateJob,
            executor="slicermedai.validate.execute:validate_model",
            stages=lambda job: {**_COHORT, "report": 1.0},
            help="say how well a model does on cases with references",
        ),
    )
}


def stages_of(job: Job) -> dict[str, float]:
    """The stages that ``job`` goes through, with their weights."""
    return dict(KINDS[job.kind].stages(job))
