"""Jobs that need no process of their own: for programs that try what becomes of a cohort, not of a model."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from slicermedai.batch.cohort import Cohort
from slicermedai.batch.work import PAUSE, Worker
from slicermedai.errors import DiskFullError, MedAIError
from slicermedai.jobs import supervisor


class CopyJob:
    """Has its result after ``seconds``: a copy of ``prepared``. Its process is the one that runs it."""

    job_id = "copy"

    def __init__(self, prepared: Path, output: Path, seconds: float) -> None:
        self.pid = os.getpid()
        self.error: MedAIError | None = None
        self.state = supervisor.State.RUNNING
        self._prepared, self._output, self._ready = prepared, output, time.monotonic() + seconds

    def poll(self) -> None:
        if self.state is not supervisor.State.RUNNING or time.monotonic() < self._ready:
            return
        try:
            shutil.copytree(self._prepared, self._output / "result")
            self.state = supervisor.State.DONE
        except OSError:
            self.error, self.state = DiskFullError("no space left on the device"), supervisor.State.FAILED

    def cancel(self) -> None:
        self._ready = 0.0
        self.poll()

    def close(self) -> None:
        self.state = supervisor.State.CANCELLED


def work_of(cohort: Cohort, prepared: Path, *, seconds: float = 0.0, journal: Path | None = None) -> MedAIError | None:
    """Run all that waits; returns what stopped it. The journal gets a line for each job that began."""

    def started(job: Any, *, folder: Any, secrets: Any) -> CopyJob:
        folder.remove()
        if journal is not None:
            with journal.open("a", encoding="utf-8") as stream:
                stream.write(f"{Path(job.output).parents[1].name}\n")
        return CopyJob(prepared, Path(job.output), seconds)

    try:
        with Worker(cohort, start=started) as worker:  # type: ignore[arg-type]  # as much of a job as is used
            while not worker.done:
                worker.poll()
                time.sleep(PAUSE / 5)
    except MedAIError as error:
        return error
    return worker.error
