"""What a dead worker cannot log itself."""

from __future__ import annotations

import logging

from slicermedai.audit.log import append
from slicermedai.errors import AuditError
from slicermedai.jobs.supervisor import Running

_LOG = logging.getLogger("slicermedai")


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
