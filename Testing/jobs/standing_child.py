"""A child for the tests of standing children: what it does is what it is asked."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from slicermedai.domain.observer import Progress
from slicermedai.errors import InputError
from slicermedai.jobs.standing import answer_requests


def answer(asked: dict[str, Any], progress: Progress) -> Any:
    """Say something, work for long with or without progress, fail, or die."""
    what = asked["what"]
    if what == "refuse":
        raise InputError("is refused", attribute="what")
    if what == "stumble":
        raise ZeroDivisionError("Doe^Jane")
    if what == "die":
        os.abort()
    for step in range(int(asked.get("steps", 0))):
        progress("work", step / 100)
        time.sleep(0.02)
    os.write(1, b"noise of a library\n")
    return {"pid": os.getpid(), "what": what}


if __name__ == "__main__":
    raise SystemExit(answer_requests(answer, idle=float(sys.argv[1])))
