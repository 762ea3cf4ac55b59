"""The child that looks what installing would do; it asks pip's records and nvidia-smi, and changes nothing."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from slicermedai.app.answering import answer_one
from slicermedai.domain import settings
from slicermedai.domain.observer import Progress
from slicermedai.jobs.distributions import name_of
from slicermedai.jobs.install import plan
from slicermedai.jobs.install_record import InstallRecord
from slicermedai.jobs.torch_build import Graphics, look


def main() -> int:
    """Answer one request: what is missing, why it cannot be installed, from where, for which graphics processors."""
    return answer_one(_answer)


def _answer(asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    wheels, found = settings.value("wheels"), list[Graphics]()

    def find() -> list[Graphics]:
        found.extend(look())
        return found

    made = plan(asked["packages"], wheels=Path(wheels) if wheels else None, torch=settings.present("torch"), find=find)
    return {
        "missing": list(made.missing),
        "refused": list(made.refused),
        "wheels": os.fspath(made.wheels) if made.wheels else "",
        "needs_build": made.build is not None and any(name_of(one) == "torch" for one in made.missing),
        "graphics": [dataclasses.asdict(one) for one in found],
        "torch": settings.present("torch"),
        "busy": InstallRecord().is_busy,
    }


if __name__ == "__main__":
    raise SystemExit(main())
