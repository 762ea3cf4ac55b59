"""What a child process looks up or makes while the window lives: a preview, a key.

Values of a preview come through a pipe, so that they are never on a disk, and none is logged. The passphrase goes in by
the other pipe. The list of files of a database lies in a temporary folder of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicermedai.app.deid_state import Change, PreviewShown
from slicermedai.errors import JobCancelled, MedAIError, WorkerCrashed, from_dict
from slicermedai.jobs import interpreter, tree
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.specs import DeidJob

GRACE = 1.0
"""Seconds between asking the child to stop and killing it."""
CHILD = "slicermedai.app.deid_look"
_AT_ONCE = 1 << 20
_running: set[Child] = set()


def start_preview(job: DeidJob, files: Sequence[Path] | None, passphrase: str) -> Child:
    """Start to look what ``job`` would do to its source, or to ``files``; its answer is for :func:`shown_from`."""
    folder = JobFolder.create("preview")
    if files is not None:
        from slicermedai.dicom.file_list import save_file_list

        job = dataclasses.replace(job, source=str(save_file_list(files, folder.inputs)))
    return Child({"job": dataclasses.asdict(job), "passphrase": passphrase}, folder)


def start_key(path: Path, passphrase: str) -> Child:
    """Start to make a sealed project key in ``path``; its answer is the fingerprint."""
    return Child({"key": str(path), "passphrase": passphrase}, JobFolder.create("key"))


class Child:
    """A child that was asked one thing; :meth:`poll` drives it and never blocks. A :class:`~.deid_state.Working`.

    Raises
    ------
    WorkerCrashed
        It cannot be started.
    """

    def __init__(self, request: dict[str, Any], folder: JobFolder) -> None:
        self.progress, self.stage = 0.0, "start"
        self.seconds_left: float | None = None
        self.done = False
        self.error: MedAIError | None = None
        self.answer: Any = None
        self._deadline: float | None = None
        self._rest = b""
        self._folder = folder
        try:
            self._process = self._started(request)
        except BaseException:
            self._folder.remove()
            raise
        _running.add(self)

    def poll(self) -> None:
        """Take in what it said since the last time; kill it where it was asked to stop and does not."""
        tree.reap()
        if self.done:
            return
        code = self._process.poll()
        self._listen()
        if self._deadline is not None and time.monotonic() >= self._deadline:
            tree.kill(self._process.pid)
        if code is not None:
            self._finish(code)

    def cancel(self) -> None:
        """Ask it to stop and return at once."""
        if not self.done and self._deadline is None:
            self._deadline = time.monotonic() + GRACE
            tree.ask_to_stop(self._process.pid)

    def close(self) -> None:
        """Kill it where it still runs, and wait until it is gone."""
        if not self.done:
            self._deadline = time.monotonic()
            tree.kill(self._process.pid)
            self._finish(self._process.wait())

    def _started(self, request: dict[str, Any]) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                [interpreter.python(), "-m", CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=interpreter.environment(self._folder.path),
                **tree.own_group(),
            )
        except OSError as error:
            raise WorkerCrashed("cannot be started", file=CHILD, attribute=str(error.strerror)) from error
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
        process.stdin.flush()
        os.set_blocking(process.stdout.fileno(), False)
        return process

    def _listen(self) -> None:
        for _ in range(_AT_ONCE >> 16):
            try:
                raw = os.read(self._process.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]  # it has a pipe
            except BlockingIOError:
                return
            if not raw:
                return
            *lines, self._rest = (self._rest + raw).split(b"\n")
            for line in lines:
                self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        if "progress" in event:
            self.stage, self.progress = event["progress"]
        elif "error" in event:
            self.error = from_dict(event["error"])
        elif "answer" in event:
            self.answer = event["answer"]

    def _finish(self, code: int) -> None:
        self._listen()
        if self._deadline is not None:
            self.error = JobCancelled("it was cancelled")
        elif self.error is None and self.answer is None:
            self.error = WorkerCrashed("ended before it was done", file=CHILD, attribute=f"status {code}")
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # both are pipes
        self._folder.remove()
        self.done = True
        _running.discard(self)


def shown_from(plain: dict[str, Any]) -> PreviewShown:
    """What the child wrote, as a value again."""
    return PreviewShown(
        files=plain["files"],
        patients=plain["patients"],
        elements=plain["elements"],
        refused=tuple((name, reason) for name, reason in plain["refused"]),
        examples=tuple(tuple(Change(**row) for row in rows) for rows in plain["examples"]),
    )


@atexit.register
def _close_all() -> None:
    for run in list(_running):
        run.close()
