"""The child of the module MedAI Plan: works out numbers, shapes, pages. It loads what is heavy, and goes on living.

It is asked by :mod:`slicermedai.app.plan_ask`: a line of JSON from stdin for each request, lines of JSON to stdout as
answers; what is large lies in a folder. Regions that come again are recognized, so that what was measured on them is
known. It ends where stdin does.
"""

from __future__ import annotations

import functools
from typing import Any

from slicermedai.app.plan_ask import SHAPES
from slicermedai.domain.observer import Progress
from slicermedai.jobs.standing import answer_requests


def main() -> int:
    """Answer requests until there are no more; drawing shapes gives way to what is asked next."""
    return answer_requests(_answer, idle=None, gives_way=lambda asked: asked["what"] == SHAPES)


@functools.cache
def _bench() -> Any:
    from slicermedai.app.plan_bench import Bench

    return Bench()


def _answer(asked: dict[str, Any], progress: Progress) -> Any:
    progress(asked["what"], 0.0)
    return getattr(_bench(), f"answer_{asked['what']}")(asked, progress)


if __name__ == "__main__":
    raise SystemExit(main())
