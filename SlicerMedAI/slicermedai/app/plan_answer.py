"""The child of the module MedAI Plan: works out numbers, shapes, pages. It loads what is heavy, and goes on living.

It is asked by :mod:`slicermedai.app.plan_ask`: a line of JSON from stdin for each request, lines of JSON to stdout as
answers; what is large lies in a folder. Regions that come again are recognized, so that what was measured on them is
known. It ends where stdin does.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from slicermedai.app.plan_ask import SHAPES
from slicermedai.domain.observer import Progress
from slicermedai.errors import JobCancelled, MedAIError
from slicermedai.jobs.interrupts import EXIT_CANCELLED, interruptible


def main() -> int:
    """Answer requests until there are no more."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    stream = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)  # what libraries print is not for the pipe

    def say(event: dict[str, Any]) -> None:
        stream.write(json.dumps(event) + "\n")
        stream.flush()

    try:
        with interruptible():
            _serve(lines, say)
    except KeyboardInterrupt:
        return EXIT_CANCELLED
    return 0


def _serve(lines: queue.SimpleQueue[str], say: Callable[[dict[str, Any]], None]) -> None:
    from slicermedai.app.plan_bench import Bench

    bench = Bench()
    while True:
        asked = json.loads(lines.get())
        number = asked["id"]

        def progress(stage: str, fraction: float, *, what: str = asked["what"], number: int = number) -> None:
            say({"id": number, "progress": [stage, fraction]})
            if what == SHAPES and not lines.empty():
                raise JobCancelled("something else was asked for")

        try:
            say({"id": number, "answer": _answer(bench, asked, progress)})
        except MedAIError as error:
            say({"id": number, "error": error.to_dict()})


def _answer(bench: Any, asked: dict[str, Any], progress: Progress) -> Any:
    progress(asked["what"], 0.0)
    return getattr(bench, f"answer_{asked['what']}")(asked, progress)


def _listen(lines: queue.SimpleQueue[str]) -> None:
    """Hand on each request; with the asking process the work ends too."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main())
