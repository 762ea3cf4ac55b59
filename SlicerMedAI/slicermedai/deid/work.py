"""One file after the other, or several at once: what is done to each depends on nothing but the file and the patients.

Processes are started anew (spawn), on every system alike. They get what the first pass found, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.deid.patients import Patients
from slicermedai.deid.profile import Option
from slicermedai.deid.rewrite import rewrite_file
from slicermedai.deid.verify import Retained, check_file
from slicermedai.deid.window import Origin
from slicermedai.errors import IdentityError, InputError, MedAIError, from_dict

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

_BATCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A file, where its copy goes, and what was decided about its pixels.

    ``known`` is what an earlier run that was killed did to it; ``is_checked`` says that its copy passed the verifier.
    """

    origin: Origin
    target: Path
    pixels: Any = None
    claimed: frozenset[Option] = frozenset()
    known: Done | None = None
    is_checked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done; ``error`` is a :class:`MedAIError` as plain values, or None."""

    tally: Counter[tuple[str, str]] = field(default_factory=Counter)
    error: dict[str, Any] | None = None

    def failure(self) -> MedAIError | None:
        """The error, if there was one."""
        return from_dict(self.error) if self.error else None


Step = Callable[[Patients, Task], Done]


def write(patients: Patients, task: Task) -> Done:
    """Write the de-identified copy, unless it is there."""
    if task.known is not None:
        return task.known
    try:
        context = patients.context(task.origin)
        return Done(tally=rewrite_file(task.origin, task.target, context, pixels=task.pixels, claimed=task.claimed))
    except InputError as error:
        return Done(error=error.to_dict())


def verify(patients: Patients, task: Task) -> Done:
    """Search the copy; one that holds identity, or cannot be read again, is removed."""
    if task.is_checked:
        return Done()
    owner = patients.instances[task.origin].owner
    codes = patients.profile.option_codes
    retained = Retained(days=patients.days[owner], uids=Option.RETAIN_UIDS.value in codes)
    try:
        check_file(task.target, patients.vocabularies[owner].tokens, source=task.origin.path, retained=retained)
    except (IdentityError, InputError) as error:
        task.target.unlink(missing_ok=True)
        return Done(error=error.to_dict())
    return Done()


class Workers:
    """Does a step for many files, in order."""

    def __init__(self, patients: Patients, pool: ProcessPoolExecutor | None) -> None:
        self._patients, self._pool = patients, pool

    def each(self, step: Step, tasks: Sequence[Task]) -> Iterator[Done]:
        """The results, in the order of ``tasks``, each as soon as it and those before it are there."""
        if self._pool is None:
            yield from (step(self._patients, task) for task in tasks)
            return
        in_reach = [(number, task) for number, task in enumerate(tasks) if task.pixels is None and task.known is None]
        size = max(1, min(_BATCH, len(tasks) // 8))
        results = self._pool.map(_in_worker, [(step, task) for _, task in in_reach], chunksize=size)
        numbers = {number for number, _ in in_reach}
        for number, task in enumerate(tasks):
            yield next(results) if number in numbers else step(self._patients, task)


@contextmanager
def workers(patients: Patients, processes: int) -> Iterator[Workers]:
    """Workers for as long as the block lasts; what waits is given up where it ends with an error."""
    if processes == 1 or len(patients.files) < 2:
        yield Workers(patients, None)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(patients.for_workers(),))
    try:
        yield Workers(patients, pool)
    except BaseException:
        for process in list((pool._processes or {}).values()):  # whoever stops a job does not wait for a file's end
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown(wait=True)


_patients: list[Patients] = []


def _begin(patients: Patients) -> None:
    _patients[:] = [patients]


def _in_worker(job: tuple[Step, Task]) -> Done:
    step, task = job
    return step(_patients[0], task)
