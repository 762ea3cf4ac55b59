"""``slicermedai run job.json``: the worker that does a job of any kind."""

from __future__ import annotations

from pathlib import Path

_SUPERVISED = "--supervised"


def job_file(arguments: list[str]) -> Path | None:
    """The job file, where the arguments are the worker's: ``run [--supervised] JOB.json``."""
    rest = [argument for argument in arguments[1:] if argument != _SUPERVISED]
    is_worker = arguments[:1] == ["run"] and len(rest) == 1 and rest[0].lower().endswith(".json")
    return Path(rest[0]) if is_worker else None


def work(path: Path, arguments: list[str]) -> int:
    """Be the worker for the job in ``path``: JSON lines on stdout, see :mod:`slicermedai.jobs.child`."""
    from slicermedai.cli.execute import execute
    from slicermedai.jobs.child import serve

    return serve(path, execute, supervised=_SUPERVISED in arguments)
