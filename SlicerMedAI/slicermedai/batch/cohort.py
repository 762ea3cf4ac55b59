"""A cohort as a folder: what is to be run, where each case stands, and the results. Any process may look at any time.

::

    COHORT/cohort.json, rules.toml      what holds for all cases
    COHORT/planning                     while a plan is being added, or where that was cut off
    COHORT/preview.csv                  every series, and why it was not taken
    COHORT/queue/0001/case.json         one study: files, patient, series; never changed
    COHORT/queue/0001/state.json        where it stands; replaced as a whole
    COHORT/queue/0001/claim/            while somebody works on it (:mod:`slicermedai.batch.claims`)
    COHORT/results/0001/                what the run left, whole or not at all
    COHORT/table.csv, summary.csv, sheet.html

``queue`` and ``preview.csv`` name patients on both identity routes; the other files follow the route. Paths within
the folder are relative: it may be moved while nobody works in it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import slicermedai
from slicermedai.batch import claims
from slicermedai.batch.choosing import Image
from slicermedai.batch.settings import Settings
from slicermedai.domain import locks
from slicermedai.domain.storage import named, refusal, write_text
from slicermedai.domain.words import Words
from slicermedai.errors import FolderBusyError, InputError, OutputError, UnreadableFileError

FORMAT = 1
QUEUE, RESULTS, PLANNING = "queue", "results", "planning"
_FILE, _CASE, _STATE = "cohort.json", "case.json", "state.json"
_WAIT = 60.0
_KEPT = 16
"""Cases that are kept in memory once they were read: each names all of its files."""


class State(Words):
    """Where a case stands. RUNNING is written nowhere: somebody living holds its claim."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    EXCLUDED = "excluded"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A state with its reason in words, without files and without patient data; ``error`` is the kind of error."""

    state: State
    reason: str = ""
    error: str = ""
    tries: int = 0
    seconds: float = 0.0
    job_id: str = ""
    host: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One study of a cohort. ``patient`` numbers the cohort's patients; ``who`` and ``also`` name this one, as those of
    :class:`~slicermedai.batch.choosing.Choice`, and are never shown.
    """

    name: str
    key: str
    patient: str
    study_uid: str
    study_time: str
    bundle: str
    images: tuple[Image, ...] = ()
    notes: tuple[str, ...] = ()
    who: dict[str, Any] = field(default_factory=dict, repr=False)
    also: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    other_frames: bool = False


class Cohort:
    """A cohort's folder. Everything it says is read from there; it keeps nothing but what never changes.

    Parameters
    ----------
    folder:
        As :func:`make` or an earlier call left it.

    Raises
    ------
    UnreadableFileError
        There is no cohort, it is damaged, or a newer version wrote it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().absolute()
        self._cases: dict[str, Case] = {}
        self.reload()

    def reload(self) -> None:
        """Read again what holds for all cases; errors as for a new one."""
        body = _read(self.folder / _FILE)
        if body.get("medai_cohort") != FORMAT:
            raise UnreadableFileError(f"is no cohort of version {FORMAT}", file=self.folder / _FILE)
        self.settings = Settings.of(body["settings"])
        self.models: dict[str, str] = body["models"]

    @property
    def is_there(self) -> bool:
        """False where the folder was moved or removed."""
        return (self.folder / _FILE).is_file()

    def names(self) -> list[str]:
        """The names of all cases, in their order; raises :class:`OutputError` where the folder is not whole."""
        self.check()
        with named(self.folder / QUEUE):
            found = sorted(path.name for path in (self.folder / QUEUE).iterdir() if path.name[0].isdigit())
        return [name for name in found if (self.place(name) / _CASE).exists()]

    def cases(self) -> list[Case]:
        """All cases, in their order."""
        return [self.case(name) for name in self.names()]

    def case(self, name: str) -> Case:
        """One case; raises :class:`UnreadableFileError` where it is not there or damaged."""
        found = self._cases.pop(name, None) or _case(_read(self.place(name) / _CASE))
        self._cases[name] = found
        if len(self._cases) > _KEPT:
            del self._cases[next(iter(self._cases))]
        return found

    def place(self, name: str) -> Path:
        """The folder of a case in the queue."""
        return self.folder / QUEUE / name

    def result(self, name: str) -> Path:
        """Where the result of a case lies, or will."""
        return self.folder / RESULTS / name

    def standing(self, name: str) -> Standing:
        """Where a case stands now. A result that is in its place is done, whatever was written of it."""
        found = self.written(name)
        if found.state is State.WAITING:
            owner = claims.holder(self.place(name))
            if owner is not None and not claims.is_stale(self.place(name), owner):
                return replace(found, state=State.RUNNING, host=owner.host)
        return found

    def written(self, name: str) -> Standing:
        """As :meth:`standing`, without asking who works on it."""
        found = self._kept(name)
        if found.state is State.WAITING and self.result(name).is_dir():
            return replace(found, state=State.DONE)
        return found

    def _kept(self, name: str) -> Standing:
        body = _read(self.place(name) / _STATE)
        return Standing(**{**body, "state": State(body["state"])})

    def counts(self) -> dict[str, int]:
        """State -> how many cases."""
        found = [self.standing(name).state for name in self.names()]
        return {str(state): found.count(state) for state in State if state in found}

    def write(self, name: str, standing: Standing) -> None:
        """Write where a case stands; raises :class:`OutputError` or :class:`DiskFullError`, and the old state stays."""
        self.check()
        body = {**dataclasses.asdict(standing), "state": str(standing.state)}
        write_text(self.place(name) / _STATE, json.dumps(body, indent=1))

    def check(self) -> None:
        """Raise :class:`OutputError` where the folder, its queue or its results are not there any more."""
        if not self.is_there:
            raise OutputError(
                "the cohort's folder is gone",
                file=self.folder,
                advice="Was it moved? Begin again in its new place; what was done is there.",
            )
        for name, what in ((QUEUE, "queue is"), (RESULTS, "results are")):
            if not (self.folder / name).is_dir():
                raise OutputError(
                    f"the cohort's {what} gone",
                    file=self.folder / name,
                    advice="Was the folder moved? Put it back and begin again; nothing that was done is made anew.",
                )

    def check_whole(self) -> None:
        """Raise :class:`OutputError` where the adding of a plan was cut off, so that studies are missing."""
        if (self.folder / PLANNING).exists():
            raise OutputError(
                "the making of this cohort was cut off, and studies are missing from it",
                file=self.folder,
                advice="Make it again of the same studies (batch make, or choose them in the module): that goes on.",
            )

    def wait_until_whole(self) -> None:
        """As :meth:`check_whole`; of a plan that somebody adds just now the end is waited for."""
        self.check()
        if (self.folder / PLANNING).exists():
            with self.alone():
                self.check_whole()

    def settle(self, name: str, standing: Standing) -> Standing:
        """As :meth:`write`, where the case still waits or is run; returns what is written of it now.

        What a plan made of it meanwhile (superseded, refused, excluded) stays.

        Raises
        ------
        OutputError, DiskFullError
        """
        with self.changing():
            now = self._kept(name)
            if now.state is not State.WAITING:
                return now
            self.write(name, standing)
        return standing

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Hold what keeps two processes from changing states at once; for as long as one file is written."""
        self.check()
        try:
            with locks.locked(self.folder / QUEUE / "states", wait=_WAIT):
                yield
        except BlockingIOError as error:
            raise FolderBusyError("somebody else keeps the states", file=self.folder, advice="Try again.") from error
        except OSError as error:
            raise refusal(error, "the queue cannot be locked", self.folder) from error

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of the whole cohort; raises :class:`FolderBusyError` where somebody else keeps it."""
        self.check()
        try:
            with locks.locked(self.folder / "lock", wait=_WAIT):
                yield
        except BlockingIOError as error:
            raise FolderBusyError(
                "somebody else plans or writes there", file=self.folder, advice="Try again."
            ) from error
        except OSError as error:
            raise refusal(error, "the cohort cannot be locked", self.folder) from error

    def retry(self, names: Sequence[str] = (), *, states: Sequence[State] = (State.FAILED,)) -> list[str]:
        """Let cases wait again: all that failed, or those named (failed, refused or excluded); returns them.

        A case that was refused when it was planned has no series: it needs a new plan.

        Raises
        ------
        InputError
            A name is not there, or of a case that cannot be run.
        """
        chosen = list(names) or [name for name in self.names() if self.written(name).state in states]
        for name in chosen:
            self._retry(name)
        return chosen

    def _retry(self, name: str) -> None:
        if name not in self.names():
            raise InputError("no such case", file=self.folder, attribute=name)
        again = (State.FAILED, State.REFUSED, State.EXCLUDED)
        with self.changing():
            if self.written(name).state not in again or not self.case(name).images:
                raise InputError("cannot be run again", file=self.folder, attribute=name, advice="Plan anew instead.")
            self.write(name, Standing(state=State.WAITING))

    def exclude_now(self) -> str:
        """The list of people who opted out as the folder has it now: one may have been given to it meanwhile."""
        self.settings = replace(self.settings, exclude=str(_read(self.folder / _FILE)["settings"]["exclude"]))
        return self.settings.exclude

    def put(self, case: Case, standing: Standing) -> None:
        """A new case; killed before the end of it, it is none."""
        with named(self.place(case.name)):
            self.place(case.name).mkdir(parents=True, mode=0o700, exist_ok=True)
        self.write(case.name, standing)
        write_text(self.place(case.name) / _CASE, json.dumps(_plain(case), indent=1))

    def write_settings(self) -> None:
        """Write the settings and the models' hashes; raises :class:`OutputError` or :class:`DiskFullError`."""
        write_cohort(self.folder, self.settings, self.models)


def write_cohort(place: Path, settings: Settings, models: Mapping[str, str]) -> None:
    """Write what holds for all cases of the cohort in the folder ``place``, as which it is known from then on."""
    body = {
        "medai_cohort": FORMAT,
        "software": slicermedai.__version__,
        "settings": dataclasses.asdict(settings),
        "models": dict(models),
    }
    write_text(place / _FILE, json.dumps(body, indent=1))


def _plain(case: Case) -> dict[str, Any]:
    return dataclasses.asdict(case) | {
        "images": [{**dataclasses.asdict(i), "files": list(map(str, i.files))} for i in case.images]
    }


def _case(body: dict[str, Any]) -> Case:
    several = {name: tuple(body.get(name, ())) for name in ("notes", "also")}
    return Case(**{**body, **several, "images": tuple(_images(body["images"]))})


def _images(values: Sequence[dict[str, Any]]) -> Iterator[Image]:
    for value in values:
        yield Image(**{**value, "files": tuple(map(Path, value["files"]))})


def _read(path: Path) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFileError(f"cannot be read ({type(error).__name__})", file=path) from error
    return body
