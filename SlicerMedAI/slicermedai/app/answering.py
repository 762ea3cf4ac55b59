"""The child's side of :class:`slicermedai.jobs.inquiry.Inquiry`: one request on stdin, JSON lines on stdout."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from slicermedai.domain.observer import Progress
from slicermedai.errors import MedAIError
from slicermedai.jobs.interrupts import EXIT_CANCELLED, interruptible

Tell = Callable[[dict[str, Any]], None]
"""Says something, as JSON values, before the answer: a row of a table, or where one of many stands."""


def answer_one(answer: Callable[[dict[str, Any], Progress], Any]) -> int:
    """Read one request, say what ``answer(request, progress)`` makes of it, or its error; ends with whoever asked.

    A request to stop raises KeyboardInterrupt in ``answer``, so that it leaves nothing half-written.
    """
    return answer_telling(lambda asked, progress, tell: answer(asked, progress))


def answer_telling(answer: Callable[[dict[str, Any], Progress, Tell], Any]) -> int:
    """As :func:`answer_one`, where there is also something to tell before the answer."""
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    stream = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)  # what libraries print is not for the pipe

    def say(event: dict[str, Any]) -> None:
        stream.write(json.dumps(event) + "\n")
        stream.flush()

    def progress(stage: str, fraction: float) -> None:
        say({"progress": [stage, fraction]})

    def tell(what: dict[str, Any]) -> None:
        say({"told": what})

    try:
        with interruptible():
            say({"answer": answer(asked, progress, tell)})
    except MedAIError as error:
        say({"error": error.to_dict()})
    except KeyboardInterrupt:
        return EXIT_CANCELLED
    stream.close()
    return 0


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)
