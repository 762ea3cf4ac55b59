"""The child that foresees what a run takes; it loads torch. It is asked by :mod:`slicermedai.console.estimates`."""

from __future__ import annotations

from typing import Any

from slicermedai.app.answering import answer_one
from slicermedai.console.estimates import answer_to
from slicermedai.domain.observer import Progress


def main() -> int:
    """Answer one request."""
    return answer_one(_answer)


def _answer(asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    progress("estimate", 0.0)
    return answer_to(asked)


if __name__ == "__main__":
    raise SystemExit(main())
