"""What people type for many studies: preview, make, run, look; behind ``slicermedai batch`` and the module.

>>> from slicermedai.console import cohorts
>>> preview = cohorts.preview("STUDIES", "rules.toml", bundle="brain")     # reads headers, writes nothing
>>> for row in preview.to_rows(): print(row["study"], row["series"], row["taken_as"] or row["reason"])
>>> cohort = cohorts.make("COHORT", "STUDIES", "rules.toml", bundle="brain")
>>> cohorts.run("COHORT", processes=2)                                     # BLOCKS; may be killed, and run again
>>> rows = cohorts.to_rows("COHORT")

Inside Slicer, :func:`start` returns at once: a timer calls ``job.poll()``, and reads ``Cohort(folder).counts()``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.domain.observer import Progress, silent
from slicermedai.jobs.command import Command

if TYPE_CHECKING:
    from slicermedai.batch.cohort import Cohort, Standing
    from slicermedai.batch.listing import Source
    from slicermedai.batch.outputs import Outputs
    from slicermedai.batch.planning import Preview
    from slicermedai.batch.work import Change
    from slicermedai.scene.filing import FilingAll

FILE = "cohort.json"
_TICK = 100


def preview(source: Source, rules: str | Path, *, progress: Progress = silent, **settings: Any) -> Preview:
    """What would be run of ``source`` and what not, with the reason for every series; nothing is written. BLOCKS.

    Parameters
    ----------
    source:
        A DICOM folder, a table (CSV with a column ``path``), or a list of lists of files, one list a study.
    rules:
        A TOML file (see :mod:`slicermedai.batch.rules`).
    progress:
        Told how far the reading is.
    settings:
        Fields of :class:`slicermedai.batch.settings.Settings`: bundle, identity, project_key, exclude, tilt ...
        Device and, to de-identify, project key are those of the person's settings where they are not given.

    Raises
    ------
    InputError, IdentityError, NoImagesError, UnreadableFileError
        Rules, settings or source cannot be used; the setting is named.
    """
    from slicermedai.batch.planning import plan
    from slicermedai.batch.rules import load_rules

    return plan(source, load_rules(Path(rules)), _settings(settings, is_new=True), progress=progress)


def make(
    folder: str | Path, source: Source, rules: str | Path, *, progress: Progress = silent, **settings: Any
) -> Cohort:
    """Make a cohort in a new folder, or add to the one that is there; parameters as :func:`preview`. BLOCKS.

    Adding the same studies again changes nothing; a study with other images is a new case, and supersedes the old one.
    A cohort that is there keeps its settings, those that are not given too: one that is given and differs is refused by
    name. Only a list of people who opted out can be given to a cohort that had none; it holds for all its cases.

    Raises
    ------
    InputError, IdentityError, NoImagesError, UnreadableFileError, BundleError
    ResultExistsError, OutputError, DiskFullError
        The folder holds something else, lies in the source, or cannot be written.
    """
    from slicermedai.batch import making
    from slicermedai.batch.cohort import Cohort as Found
    from slicermedai.batch.planning import plan
    from slicermedai.batch.rules import load_rules
    from slicermedai.errors import OutputError
    from slicermedai.jobs.places import holds

    place = Path(folder).expanduser().absolute()
    if isinstance(source, (str, Path)) and Path(source).is_dir() and holds(Path(source), place):
        raise OutputError("lies in the folder that is read, and would be read as images", file=place)
    is_new = not (place / FILE).is_file()
    given = _settings(settings, is_new=is_new).absolute()
    wanted = load_rules(Path(rules))
    text = Path(rules).read_text(encoding="utf-8")
    if is_new:
        return making.make(place, plan(source, wanted, given, progress=progress), given, rules_text=text)
    found = Found(place)
    making.agree(found, {name: getattr(given, name) for name in settings})
    making.add(found, plan(source, wanted, found.settings, progress=progress), rules_text=text)
    return found


def run(
    folder: str | Path,
    *,
    processes: int = 1,
    passphrase: str = "",
    on_change: Callable[[Change], object] = lambda change: None,
) -> Outputs:
    """Run all that waits and BLOCK until nothing does; then write table, summary and sheet.

    Several may run on one folder, also on several machines. Killed at any moment, the next run goes on; no case is run
    twice. An interrupt stops the jobs within two seconds.

    Raises
    ------
    DiskFullError, OutputError, BundleError, IdentityError, InputError
        What no single case can help; all that was done is kept, and the rest waits.
    """
    from slicermedai.batch.cohort import Cohort
    from slicermedai.batch.outputs import write_outputs
    from slicermedai.batch.work import PAUSE, Worker

    cohort = Cohort(folder)
    with Worker(cohort, processes=processes, secrets=_secrets(passphrase)) as worker:
        while not worker.done:
            for change in worker.poll():
                on_change(change)
            time.sleep(PAUSE)
    if worker.error is not None:
        raise worker.error
    return write_outputs(cohort)


def start(folder: str | Path, *, processes: int = 1, passphrase: str = "") -> Command:
    """Run all that waits in a child process, and return at once: poll, cancel and close are those of :class:`Command`.

    Raises
    ------
    WorkerCrashed, OutputError
        The child cannot be started.
    """
    words = ("-m", "slicermedai", "batch", "run", str(Path(folder).absolute()), "--processes", str(processes))
    return Command(words, secrets=_secrets(passphrase))


def cases(folder: str | Path) -> list[dict[str, Any]]:
    """Where each case stands, without patient data: case, patient (its number here), state, error, reason, tries,
    seconds (of its last run) and ended (UTC).
    """
    from slicermedai.batch.cohort import Cohort

    cohort = Cohort(folder)
    return [_case(name, cohort.case(name).patient, cohort.standing(name)) for name in cohort.names()]


def retry(folder: str | Path, names: Sequence[str] = ()) -> list[str]:
    """Let cases wait again: those named as :func:`cases` names them (failed, refused or excluded), or all that failed.

    Returns their names; :func:`run` runs them. Raises InputError for a name that is not there or cannot be run.
    """
    from slicermedai.batch.cohort import Cohort

    return Cohort(folder).retry(names)


def exclude(folder: str | Path, people: str | Path) -> list[str]:
    """Give a cohort that has none a list of people who opted out; returns the waiting cases that it excludes.

    It holds for all cases from then on, also in workers that run just then. Who opts out later is written into it.
    Raises InputError where it cannot be read, or the cohort has another.
    """
    from slicermedai.batch import making
    from slicermedai.batch.cohort import Cohort

    return making.exclude(Cohort(folder), people)


def objects(folder: str | Path, names: Sequence[str] = ()) -> list[dict[str, str]]:
    """The DICOM objects of all cases that are done, or of those named: case, folder, study_uid, patient_id, identity,
    and why they may go into no database ("" where they may). It is patient data on the route "keep". BLOCKS for a
    moment a case. Raises InputError for a name that is not there.
    """
    import dataclasses

    from slicermedai.batch.cohort import Cohort
    from slicermedai.batch.objects import done_cases, objects_of

    cohort = Cohort(folder)
    exclusions = cohort.settings.exclusions()
    done = done_cases(cohort, names)
    found = {name: dataclasses.asdict(objects_of(cohort, name, exclusions)) for name in done}
    return [{"case": name, **{key: str(value) for key, value in one.items()}} for name, one in found.items()]


def add_to_database(folder: str | Path, names: Sequence[str] = ()) -> FilingAll:
    """In Slicer: start to add the :func:`objects` of all cases, or of those named, to its DICOM database.

    A timer drives it to its end. ``done`` tells the end, ``added`` the cases that the database took, ``refused`` why
    others are not in it; ``cancel`` stops it. The identified and the pseudonymous route are never mixed. Looking at the
    results BLOCKS.

    Raises
    ------
    OutputError
        There is no database that is open.
    """
    from slicermedai.scene.filing import CaseObjects, file_all, slicer_database
    from slicermedai.scene.ticker import every

    filing = file_all(slicer_database(), [CaseObjects(**one) for one in objects(folder, names)])
    stops: list[Callable[[], None] | None] = []

    def poll() -> None:
        filing.poll()
        for stop in stops if filing.done else ():
            if stop is not None:
                stop()

    stops.append(every(_TICK, poll))
    return filing


def to_rows(folder: str | Path) -> list[dict[str, Any]]:
    """The cohort's long table as it stands: a row for each measurement, and one for every other case."""
    from slicermedai.batch import table
    from slicermedai.batch.cohort import Cohort

    return table.to_rows(Cohort(folder))


def write_tables(folder: str | Path) -> Outputs:
    """Write table, summary and quality sheet as the cohort stands; raises :class:`OutputError`."""
    from slicermedai.batch.cohort import Cohort
    from slicermedai.batch.outputs import write_outputs

    return write_outputs(Cohort(folder))


def _case(name: str, patient: str, now: Standing) -> dict[str, Any]:
    row: dict[str, Any] = {"case": name, "patient": patient, "state": str(now.state), "error": now.error}
    return row | {"reason": now.reason, "tries": now.tries, "seconds": now.seconds, "ended": now.ended}


def _settings(values: dict[str, Any], *, is_new: bool) -> Any:
    """Those that are given by name; a new cohort has the person's own where a run has them."""
    from slicermedai.batch.settings import Settings
    from slicermedai.errors import InputError
    from slicermedai.jobs.defaults import with_settings
    from slicermedai.jobs.specs import RunJob

    known = Settings.__dataclass_fields__
    for name in values:
        if name not in known:
            raise InputError("is no setting of a cohort", attribute=name, advice=f"There are: {', '.join(known)}.")
    chosen = with_settings(RunJob, values) if is_new else values
    texts = {name: str(value) if isinstance(value, Path) else value for name, value in chosen.items()}
    return Settings.of({name: value for name, value in texts.items() if name in known})


def _secrets(passphrase: str) -> dict[str, str]:
    if not passphrase:
        return {}
    from slicermedai.deid.sealed import PASSPHRASE_VARIABLE

    return {PASSPHRASE_VARIABLE: passphrase}
