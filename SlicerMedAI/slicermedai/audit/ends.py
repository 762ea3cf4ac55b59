"""How a job ended: logged by the worker, and by its supervisor, since a dead worker cannot."""

from __future__ import annotations

import logging

from slicermedai.audit.log import append
from slicermedai.errors import AuditError
from slicermedai.jobs.supervisor import Running

_LOG = logging.getLogger("slicermedai")


def record_failure(action: str, error: BaseException, *, job_id: str) -> None:
    """Log that ``action`` ended with ``error``; a log that cannot be written does not hide the error."""
    try:
        append(action, job_id=job_id, error=type(error).__name__)
    except AuditError as broken:
        _LOG.error("%s", broken)


def record_end(running: Running) -> None:
    """Log that a job was cancelled or failed; a log that cannot be written hides neither and is told to people."""
    try:
        append(
            f"job {running.state.value}",
            job_id=running.job_id,
            error=type(running.error).__name__,
            seen_by="supervisor",
        )
    except AuditError as error:
        _LOG.error("%s", error)
