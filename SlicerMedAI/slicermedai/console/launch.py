"""The one road from a job to its worker: what is wrong with it by name alone is refused before anything starts."""

from __future__ import annotations

from collections.abc import Mapping

from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.places import check_places
from slicermedai.jobs.specs import Job
from slicermedai.jobs.supervisor import Running, start


def launch(job: Job, *, folder: JobFolder | None = None, secrets: Mapping[str, str] | None = None) -> Running:
    """Start a worker for ``job`` and return at once; ``folder`` is the job's temporary folder where there is one.

    ``secrets`` are variables for the worker's environment alone.

    Raises
    ------
    FormatError
        A format that does not exist.
    OutputError
        The output would lie in the folder that is read, or the temporary folder cannot be used.
    WorkerCrashed
        The worker cannot be started.
    UnreadableFileError
        The settings are damaged, so that nobody knows what was set.
    """
    check_places(job)
    formats = getattr(job, "formats", ())
    if formats:
        from slicermedai.export.formats import chosen

        chosen(formats)
    return start(job, folder=folder, secrets=secrets)
