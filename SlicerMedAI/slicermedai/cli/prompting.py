"""The child of a prompt session: opens the image once, keeps the network loaded, and answers marks.

``python -m slicermedai.cli.prompting SECONDS`` ends when nobody has asked for so many seconds. It is asked by
:mod:`slicermedai.console.prompting`: every request holds the whole job, so that a new child can go on where one was
killed. An answer follows from the job alone, never from what was asked before.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.audit import steps
from slicermedai.domain.codec import write_object
from slicermedai.domain.observer import Progress
from slicermedai.domain.result import RESULT, AnalysisResult
from slicermedai.domain.scratch import ScratchFolder
from slicermedai.jobs.files import make_job
from slicermedai.jobs.specs import RunJob
from slicermedai.jobs.standing import answer_requests

if TYPE_CHECKING:
    from slicermedai.domain.bundle import BundleRef
    from slicermedai.pipeline import Opened

STOP = "stop"
_SHARE = 0.25
"""Of the memory that is free at the start, for what is known of windows."""


class Sitting:
    """One image and one model, until a request names others."""

    def __init__(self) -> None:
        self._job: RunJob | None = None
        self._opened: Opened | None = None
        self._place = ScratchFolder.create("sitting")

    def answer(self, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Answer a request: analyse the image by the job's prompts, and leave the result in the folder ``place``.

        Raises
        ------
        MedAIError
            As a run; what is open stays open.
        """
        if asked["what"] == STOP:
            return {}
        from slicermedai.pipeline import analysed

        progress("read", 0.0)
        job = make_job(RunJob, asked["job"])
        opened = self._opened_for(job, asked["session"], progress)
        result = analysed(opened, job, job_id=asked["session"], progress=progress).result
        _log(result, opened.bundle, job.identity, asked["session"])
        place = Path(asked["place"])
        place.mkdir(parents=True)
        write_object(result, place, kind=RESULT, compress=False)
        return {"folder": str(place)}

    def _opened_for(self, job: RunJob, session: str, progress: Progress) -> Opened:
        """The image and the model of ``job``, opened before or now."""
        from slicermedai.inference.free_memory import available
        from slicermedai.inference.memory import WINDOWS_UP_TO, Memory
        from slicermedai.inference.task import predict
        from slicermedai.pipeline import now, opened

        plain = replace(job, prompts=())
        if self._opened is None or plain != self._job:
            self._opened, self._job = None, None
            made = opened(job, self._place.path / session, progress=progress)
            memory = Memory(limit=max(WINDOWS_UP_TO, _SHARE * available()))
            self._opened, self._job = replace(made, ask=partial(predict, memory=memory)), plain
        return replace(self._opened, started=now())


def _log(result: AnalysisResult, bundle: BundleRef, route: str, session: str) -> None:
    made = result.provenance
    slices = result.volume_geometry.shape[0]
    steps.record_read(made, slices=slices, job_id=session, route=route)
    steps.record_model(made, bundle, job_id=session, status=result.status.value)


def main(arguments: list[str]) -> int:
    """Answer until nobody asks any more."""
    return answer_requests(Sitting().answer, idle=float(arguments[0]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
