"""What network libraries log names patients (queries, identifiers) and tokens: it goes nowhere."""

from __future__ import annotations

import logging

_TALKATIVE = ("pynetdicom", "dicomweb_client", "retrying", "urllib3")


def silence() -> None:
    """Drop the records of the network libraries in this process, children of their loggers included."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
