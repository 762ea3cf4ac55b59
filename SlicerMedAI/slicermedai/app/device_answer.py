"""The child that looks which devices there are; it loads torch. It is asked by :mod:`slicermedai.app.devices`."""

from __future__ import annotations

from typing import Any

from slicermedai.app.answering import answer_one
from slicermedai.domain.observer import Progress


def main() -> int:
    """Answer one request: each device with its name, title, cores, and bytes of memory in all and free."""
    return answer_one(_answer)


def _answer(asked: dict[str, Any], progress: Progress) -> list[dict[str, Any]]:
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        return []
    from slicermedai.inference.device import describe_devices

    return describe_devices()


if __name__ == "__main__":
    raise SystemExit(main())
