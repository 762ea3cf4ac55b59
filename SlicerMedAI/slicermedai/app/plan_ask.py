"""What the module MedAI Plan asks its child process: one child answers all, and keeps what it has worked out.

So a plane that is moved leaves distances and margins as they are known. The child is started when something is asked,
and again after it was stopped or has died: every request says all that it needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.codec import load_object, write_object
from slicermedai.domain.finding import Finding
from slicermedai.domain.plan import Plan
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.scratch import ScratchFolder
from slicermedai.domain.volume import Volume
from slicermedai.errors import JobCancelled, MedAIError, WorkerCrashed, from_dict
from slicermedai.jobs import interpreter, tree
from slicermedai.jobs.folder import JobFolder

CHILD = "slicermedai.app.plan_answer"
OPENED, IMAGE, PLAN, SHAPES = "opened", "image", "plan", "shapes"
"""The kinds of what lies in the folder between both processes."""
ANOTHER, NO_VIEW = "another-plan:", "no-view"
"""How the child says that a saved plan is of other findings (why follows), and that nothing can be drawn."""
MESHES = "meshes.npz"
GRACE = 1.0
"""Seconds between asking the child to stop and killing it."""
_CHUNK, _AT_ONCE = 1 << 16, 16

Mesh = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]
"""Vertices (N, 3) LPS mm, faces (M, 3), normals (N, 3)."""


class Child:
    """One process that answers one request after another. No threads and no waiting here."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: JobFolder | None = None
        self._rest = b""
        self._asked = 0
        self._dropped: list[ScratchFolder] = []

    @property
    def number(self) -> int | None:
        """Of the process, None where there is none."""
        return None if self._process is None else self._process.pid

    def ask(self, what: str, *, plan: Plan | None = None, **more: Any) -> Errand:
        """Start to answer a request; ``plan`` goes along in a folder.

        Raises
        ------
        WorkerCrashed, OutputError
            The child cannot be started, or there is no room for what goes along.
        """
        place = ScratchFolder.create("plan")
        try:
            if plan is not None:
                (place.path / PLAN).mkdir()
                write_object(plan, place.path / PLAN, kind=PLAN, compress=False)
            self._asked += 1
            self._send({"what": what, "id": self._asked, "place": str(place.path), **more})
        except BaseException:
            place.remove()
            raise
        return Errand(self, place, number=self._asked)

    def keep_until_answered(self, place: ScratchFolder) -> None:
        """The folder of a request that nobody waits for any more: the child may still write into it."""
        self._dropped.append(place)

    def clean(self) -> None:
        """Remove such folders: the child has gone on to another request, or has ended."""
        for place in self._dropped:
            place.remove()
        self._dropped = []

    def stop(self) -> None:
        """Ask it to stop, and return at once."""
        if self._process is not None:
            tree.ask_to_stop(self._process.pid)
            if self._process.stdin is not None:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()

    def kill(self) -> None:
        """Kill it, with all that it started; does not wait."""
        if self._process is not None:
            tree.kill(self._process.pid)

    def close(self) -> None:
        """End it, and wait until it is gone: a moment."""
        self.kill()
        if self._process is not None:
            self._process.wait()
            self.has_ended()

    def has_ended(self) -> int | None:
        """Its exit status once it has ended, and then it is forgotten; None while it lives."""
        tree.reap()
        code = 0 if self._process is None else self._process.poll()
        if code is None or self._process is None:
            return code
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # both are pipes
        if self._folder is not None:
            self._folder.remove()
        self._process, self._folder, self._rest = None, None, b""
        self.clean()
        return code

    def events(self) -> Iterator[dict[str, Any]]:
        """What it said since the last time."""
        for _ in range(_AT_ONCE):
            if self._process is None or self._process.stdout is None:
                return
            try:
                raw = os.read(self._process.stdout.fileno(), _CHUNK)
            except BlockingIOError:
                return
            if not raw:
                return
            *lines, self._rest = (self._rest + raw).split(b"\n")
            yield from (json.loads(line) for line in lines)

    def _send(self, request: dict[str, Any]) -> None:
        line = json.dumps(request).encode("ascii") + b"\n"
        with contextlib.suppress(OSError):
            self._started().write(line)
            return
        self.close()  # it had died unseen
        self._started().write(line)

    def _started(self) -> Any:
        if self._process is not None and self._process.stdin is not None and self._process.stdin.closed:
            self.close()
        if self._process is None or self.has_ended() is not None:
            self._folder = JobFolder.create("plan")
            try:
                self._process = _start(self._folder.path)
            except BaseException:
                self._folder.remove()
                raise
        return self._process.stdin


class Errand:
    """A request that is being answered; :meth:`poll` drives it and never blocks. :meth:`clean` when it was used.

    ``answer`` is None until it has ended well, ``error`` says why it has not.
    """

    def __init__(self, child: Child, place: ScratchFolder, *, number: int) -> None:
        self.progress, self.stage = 0.0, "start"
        self.seconds_left: float | None = None
        self.done = False
        self.error: MedAIError | None = None
        self.answer: Any = None
        self._child, self._place, self._number = child, place, number
        self._deadline: float | None = None

    def poll(self) -> None:
        """Take in what was said; kill the child where it was asked to stop and does not."""
        if self.done:
            return
        for event in self._child.events():
            self._take(event)
        self.done = self.answer is not None or self.error is not None
        if self.done:
            return
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._child.kill()
        code = self._child.has_ended()
        if code is not None:
            self.done = True
            crash = WorkerCrashed("ended before it was done", file=CHILD, attribute=f"status {code}")
            self.error = JobCancelled("it was cancelled") if self._deadline is not None else crash

    def cancel(self) -> None:
        """Ask the child to stop and return at once; what is asked next starts another."""
        if not self.done and self._deadline is None:
            self._deadline = time.monotonic() + GRACE
            self._child.stop()

    def opened(self) -> AnalysisResult:
        """The result that the child opened."""
        return load_object(self._place.path / OPENED, AnalysisResult, kind=OPENED)

    def image(self) -> Volume:
        """The image that the child read."""
        return load_object(self._place.path / IMAGE, Volume, kind=IMAGE)

    def plan(self) -> Plan | None:
        """The plan that the child made or found; None where it has none."""
        place = self._place.path / PLAN
        return load_object(place, Plan, kind=PLAN) if place.is_dir() else None

    def shapes(self) -> tuple[Finding, ...]:
        """What is planned, as regions with names and colours."""
        found: tuple[Finding, ...] = load_object(self._place.path / SHAPES, tuple, kind=SHAPES)
        return found

    def meshes(self) -> dict[str, Mesh]:
        """Surfaces of the shapes, by their tracking UID."""
        return read_meshes(self._place.path / MESHES)

    def drop(self) -> None:
        """Nobody waits for the answer any more; the child ends the request when it sees the next one."""
        self.done = True
        self._child.keep_until_answered(self._place)

    def clean(self) -> None:
        """Remove what lies between both processes."""
        self._place.remove()

    def _take(self, event: dict[str, Any]) -> None:
        if event["id"] != self._number:
            return
        self._child.clean()
        if "progress" in event:
            self.stage, self.progress = event["progress"]
        elif "error" in event:
            self.error = from_dict(event["error"])
        elif "answer" in event:
            self.answer = event["answer"]


def read_meshes(path: Path) -> dict[str, Mesh]:
    """The surfaces in a file, by the tracking UID of their shapes."""
    with np.load(path, allow_pickle=False) as held:
        uids = [name.removesuffix(".faces") for name in held.files if name.endswith(".faces")]
        return {uid: (held[f"{uid}.vertices"], held[f"{uid}.faces"], held[f"{uid}.normals"]) for uid in uids}


def has_copies(folder: Path) -> bool:
    """True where the run of the result in ``folder`` left de-identified copies of its image."""
    return folder.parent.joinpath("dicom", "source").is_dir()


def _start(temporary: Path) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            [interpreter.python(), "-m", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=interpreter.environment(temporary),
            **tree.own_group(),
        )
    except OSError as error:
        raise WorkerCrashed("cannot be started", file=CHILD, attribute=str(error.strerror)) from error
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process
