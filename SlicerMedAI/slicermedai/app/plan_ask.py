"""What the module MedAI Plan asks its child process: one child answers all, and keeps what it has worked out.

So a plane that is moved leaves distances and margins as they are known. The child is started when something is asked,
and again after it was stopped or has died: every request says all that it needs.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any

from slicermedai.app.meshes import MESHES, Mesh, each_mesh
from slicermedai.app.moments import Left
from slicermedai.domain.codec import load_object, loading, write_object
from slicermedai.domain.finding import Finding
from slicermedai.domain.plan import Plan
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.scratch import ScratchFolder, emptying
from slicermedai.domain.volume import Volume
from slicermedai.errors import JobCancelled, MedAIError, UnreadableFileError, WorkerCrashed, from_dict
from slicermedai.jobs.standing import Standing

CHILD = "slicermedai.app.plan_answer"
OPENED, IMAGE, PLAN, SHAPES = "opened", "image", "plan", "shapes"
"""The kinds of what lies in the folder between both processes."""
ANOTHER, NO_VIEW = "another-plan:", "no-view"
"""How the child says that a saved plan is of other findings (why follows), and that nothing can be drawn."""
GRACE = 1.0
"""Seconds between asking the child to stop and killing it."""


class Child:
    """One process that answers one request after another, and the folders of what goes along."""

    def __init__(self) -> None:
        self._standing = Standing(CHILD)
        self._asked = 0
        self._dropped: list[ScratchFolder] = []

    @property
    def number(self) -> int | None:
        """Of the process, None where there is none."""
        return self._standing.pid

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
            self._standing.send({"what": what, "id": self._asked, "place": str(place.path), **more})
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
        self._standing.stop()

    def kill(self) -> None:
        """Kill it, with all that it started; does not wait."""
        self._standing.kill()

    def close(self) -> None:
        """End it, and wait until it is gone: a moment."""
        self._standing.close()
        self.clean()

    def ended(self) -> MedAIError | None:
        """Why there is none any more; None while it lives."""
        error = self._standing.ended()
        if self.number is not None:
            return None
        self.clean()
        return error or WorkerCrashed("ended before it was done", file=CHILD)

    def events(self) -> Iterator[dict[str, Any]]:
        """What it said since the last time."""
        return self._standing.events()


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
        self._left = Left(self._steps)

    def poll(self) -> None:
        """Take in what was said; kill the child where it was asked to stop and does not."""
        if self.done:
            return
        for event in self._child.events():
            self._take(event)
        if self.answer is not None:
            self.done, self.error = self._left.poll()
        self.done = self.done or self.error is not None
        if self.done or self.answer is not None:
            return
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._child.kill()
        gone = self._child.ended()
        if gone is not None:
            self.done = True
            self.error = JobCancelled("it was cancelled") if self._deadline is not None else gone

    def cancel(self) -> None:
        """Ask the child to stop and return at once; what is asked next starts another."""
        if self.answer is not None and not self.done:
            self.done, self.error = True, self._left.cancel()
        if not self.done and self._deadline is None:
            self._deadline = time.monotonic() + GRACE
            self._child.stop()

    def opened(self) -> AnalysisResult:
        """The result that the child opened."""
        found: AnalysisResult = self._read(OPENED)
        return found

    def image(self) -> Volume:
        """The image that the child read."""
        found: Volume = self._read(IMAGE)
        return found

    def plan(self) -> Plan | None:
        """The plan that the child made or found; None where it has none."""
        place = self._place.path / PLAN
        return load_object(place, Plan, kind=PLAN) if place.is_dir() else None

    def shapes(self) -> tuple[Finding, ...]:
        """What is planned, as regions with names and colours."""
        found: tuple[Finding, ...] = self._read(SHAPES)
        return found

    def meshes(self) -> dict[str, Mesh]:
        """Surfaces of the shapes, by their tracking UID."""
        found: dict[str, Mesh] = self._read(MESHES)
        return found

    def _read(self, kind: str) -> Any:
        if kind not in self._left.value:
            raise UnreadableFileError("is not there, though the child has answered", file=str(self._place.path / kind))
        return self._left.value[kind]

    def _steps(self) -> Generator[None, None, dict[str, Any]]:
        """Read what the child has left, by its kind."""
        found: dict[str, Any] = {}
        kinds: dict[str, type] = {OPENED: AnalysisResult, IMAGE: Volume, SHAPES: tuple}
        for kind in [one for one in kinds if (self._place.path / one).is_dir()]:
            found[kind] = yield from loading(self._place.path / kind, kinds[kind], kind=kind)
            yield from emptying(self._place.path / kind)
        if (self._place.path / MESHES).is_file():
            found[MESHES] = {}
            for one in each_mesh(self._place.path / MESHES):
                found[MESHES] |= () if one is None else (one,)
                yield
        return found

    def drop(self) -> None:
        """Nobody waits for the answer any more; the child ends the request when it sees the next one."""
        self.done = True
        self._left.cancel()
        self._child.keep_until_answered(self._place)

    def clean(self) -> None:
        """Remove what lies between both processes; what is read of it is let go first, Windows keeps open files."""
        self._left.cancel()
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
