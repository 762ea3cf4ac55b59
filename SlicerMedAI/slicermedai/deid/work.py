"""One file after the other, or several at once: what is done to each depends on nothing but the file and the patients.

Processes are started anew (spawn), on every system alike. They read the headers, and then get what all of them found
together, once. No process tells another one more than that, so that the output is the same for any number of them.
"""

from __future__ import annotations

import os
import pickle
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from slicermedai.deid.patients import Header, HeaderReader, Patients
from slicermedai.deid.pixel_step import decided
from slicermedai.deid.profile import Option
from slicermedai.deid.rewrite import rewrite_file
from slicermedai.deid.verify import Retained, check_file
from slicermedai.deid.window import Origin
from slicermedai.errors import IdentityError, InputError, MedAIError, WorkerCrashed, from_dict

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

_HEADERS, _BATCH = 32, 8
"""How many files a process is given at once: little is lost by a kill, and all end at about the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A file, where its copy goes, and the edit that takes the face out of its pixels.

    ``known`` is what an earlier run that was killed did to it; ``is_checked`` says that its copy passed the verifier.
    """

    origin: Origin
    target: Path
    face: Any = None
    claimed: frozenset[Option] = frozenset()
    known: Done | None = None
    is_checked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done; ``error`` is a :class:`MedAIError` as plain values, or None.

    ``claimed`` are the options of steps that ran for the file; ``verdict`` is there where a person should look at it.
    """

    tally: Counter[tuple[str, str]] = field(default_factory=Counter)
    claimed: frozenset[Option] = frozenset()
    verdict: Any = field(default=None, repr=False)
    error: dict[str, Any] | None = None

    def failure(self) -> MedAIError | None:
        """The error, if there was one."""
        return from_dict(self.error) if self.error else None


Step = Callable[[Patients, Task], Done]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_NOTICE = 0.3
"""Seconds after which this process has noticed too what ended the other one: a request to stop goes to all of them."""


def write(patients: Patients, task: Task) -> Done:
    """Write the de-identified copy, unless it is there."""
    if task.known is not None:
        return task.known
    try:
        with decided(patients, task.origin, task.face) as (pixels, claimed, verdict):
            context = patients.context(task.origin)
            tally = rewrite_file(task.origin, task.target, context, pixels=pixels, claimed=claimed)
    except InputError as error:
        return Done(error=error.to_dict())
    return Done(tally=tally, claimed=claimed, verdict=verdict)


def verify(patients: Patients, task: Task) -> Done:
    """Search the copy; one that holds identity, or cannot be read again, is removed."""
    if task.is_checked:
        return Done()
    owner = patients.instances[task.origin].owner
    codes = patients.profile.option_codes
    retained = Retained(days=patients.days[owner], uids=Option.RETAIN_UIDS.value in codes)
    try:
        known = patients.vocabularies[owner]
        check_file(task.target, known.tokens, source=task.origin.path, retained=retained, crowd=known.crowd)
    except (IdentityError, InputError) as error:
        task.target.unlink(missing_ok=True)
        return Done(error=error.to_dict())
    with task.target.open("rb+") as copy:
        os.fsync(copy)  # here, so that all processes wait for the disk at once
    return Done()


class Workers:
    """Reads headers and does steps for many files, in order."""

    def __init__(self, pool: ProcessPoolExecutor | None = None, inbox: Any = None, processes: int = 1) -> None:
        self._pool, self._inbox, self._processes = pool, inbox, processes
        self._patients: Patients

    def headers(self, origins: Sequence[Origin]) -> Iterator[Header]:
        """The headers of files."""
        if self._pool is None or len(origins) < 2:
            return HeaderReader().each(origins)
        return _whole(self._pool, _read_in_worker, origins, _HEADERS)

    def equip(self, patients: Patients) -> None:
        """Tell what all headers say together, before the first step."""
        self._patients = patients
        if self._pool is not None and len(patients.files) > 1:
            told = pickle.dumps(patients.for_workers())  # here: a queue would fail in a thread, and nobody hear of it
            for _ in range(self._processes):
                self._inbox.put(told)

    def each(self, step: Step, tasks: Sequence[Task]) -> Iterator[Done]:
        """The results, in the order of ``tasks``, each as soon as it and those before it are there."""
        if self._pool is None or len(self._patients.files) < 2:
            yield from (step(self._patients, task) for task in tasks)
            return
        away = [task for task in tasks if task.known is None]
        results = _whole(self._pool, _in_worker, [(step, task) for task in away], _BATCH)
        for task in tasks:
            yield next(results) if task.known is None else step(self._patients, task)


def _whole(
    pool: ProcessPoolExecutor, work: Callable[[_Item], _Result], items: Sequence[_Item], batch: int
) -> Iterator[_Result]:
    """The results; raises :class:`WorkerCrashed` where one of the processes is gone, before or during the work."""
    from concurrent.futures import BrokenExecutor

    try:
        yield from pool.map(work, items, chunksize=_size(len(items), batch))
    except BrokenExecutor as error:
        time.sleep(_NOTICE)
        raise WorkerCrashed(
            "a process ended before its work was done", advice="Run it again; with fewer processes if memory is short."
        ) from error


def _size(count: int, most: int) -> int:
    return max(1, min(most, count // 8))


@contextmanager
def workers(processes: int) -> Iterator[Workers]:
    """Workers for as long as the block lasts; what waits is given up where it ends with an error."""
    if processes == 1:
        yield Workers()
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    inbox = context.Queue()
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(inbox,))
    try:
        yield Workers(pool, inbox, processes)
    except BaseException:
        for process in list((pool._processes or {}).values()):  # whoever stops a job does not wait for a file's end
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    finally:
        inbox.cancel_join_thread()
        inbox.close()
    pool.shutdown(wait=True)


_inbox: list[Any] = []
_patients: list[Patients] = []
_reader = HeaderReader()


def _begin(inbox: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # go to the whole group; the first process ends the others
        signal.signal(number, signal.SIG_IGN)
    _inbox[:] = [inbox]


def _read_in_worker(origin: Origin) -> Header:
    return _reader.read(origin)


def _in_worker(job: tuple[Step, Task]) -> Done:
    if not _patients:
        _patients[:] = [pickle.loads(_inbox[0].get())]  # noqa: S301  # from the process that started this one
    step, task = job
    return step(_patients[0], task)
