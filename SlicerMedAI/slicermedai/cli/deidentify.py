"""The executor of :class:`~slicermedai.jobs.specs.DeidJob`: copies, their report, and one folder that appears whole.

With a key file, copies are made in a hidden folder beside the output, ``.NAME.unfinished-<job>``, with a journal of
what is done. A kill leaves it, and the same command goes on there; a job that asks for something else, or a job that
is done, removes it. Without a key file there is nothing to go on with, since the next run has another key.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slicermedai.audit import steps
from slicermedai.cli.workplace import COPIES, refuse_used, workplace
from slicermedai.deid.journal import FileJournal, Journal, place_of
from slicermedai.deid.pixel_step import SCRATCH, unpacked
from slicermedai.deid.profile import Option
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.request import choice_of, files_of, settings_of
from slicermedai.deid.run import deidentify_into
from slicermedai.deid.sealed import PASSPHRASE_VARIABLE
from slicermedai.deid.settings import DeidOutcome, DeidSettings
from slicermedai.deid.sources import origins_of
from slicermedai.deid.table import load_table
from slicermedai.deid.window import Origin
from slicermedai.domain.observer import Progress
from slicermedai.domain.scratch import sweep_scratch
from slicermedai.domain.storage import atomic_file, atomic_folder, remove_halves, sha256_file, write_text
from slicermedai.jobs.specs import DeidJob
from slicermedai.report.deid_facts import DeidFacts, facts_of
from slicermedai.report.deid_page import write_deid_report

LEFT_OUT = "left-out.csv"
"""File in the folder for review that says which input was left out: file names may be identity."""
_JOURNAL = "journal.jsonl"


def deidentify_files(job: DeidJob, *, job_id: str, progress: Progress) -> Path:
    """Write ``job.output`` with the copies in ``dicom/``, ``report.html`` and ``report.json``.

    Raises
    ------
    MedAIError
        Nothing could be de-identified, or as :func:`slicermedai.deid.request.settings_of`; there is no output then.
    """
    passphrase = os.environ.pop(PASSPHRASE_VARIABLE, None)  # what this worker starts has no use for it
    began, output = _now(), Path(job.output)
    sweep_scratch(SCRATCH)
    refuse_used(output)
    files = files_of(job)
    settings = settings_of(job, files=len(files), passphrase=passphrase, brain_mask=_brain_finder(job))
    with _review_of(job) as review, _workplace(job, settings, files) as (folder, journal):
        outcome = deidentify_into(files, folder / COPIES, settings, progress=progress, journal=journal)
        progress("report", 0.0)
        facts = facts_of(job, outcome, folder / COPIES, settings=settings, times=(began, _now()))
        if review is not None:
            _write_review(review, outcome, files, output=output)
        with _finished(folder, output) as final:
            write_deid_report(facts, final)
            progress("report", 1.0)  # the last chance to stop before the folder gets its name
    _record(facts, output, job_id)
    return output


@contextlib.contextmanager
def _workplace(job: DeidJob, settings: DeidSettings, files: list[Path]) -> Iterator[tuple[Path, Journal]]:
    """(folder to work in, journal): one that outlives a kill where the job has a key of its own."""
    output = Path(job.output)
    if settings.key is None:
        with atomic_folder(output) as partial:
            (partial / COPIES).mkdir()
            yield partial, Journal()
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(workplace(output, _name_of(job, settings, settings.key, files)))
        yield folder, stack.enter_context(FileJournal(folder / _JOURNAL, folder / COPIES, settings.key))


@contextlib.contextmanager
def _finished(folder: Path, output: Path) -> Iterator[Path]:
    """Where the report goes: in the folder itself where that gets the output's name, or in the output to be."""
    if not (folder / _JOURNAL).exists():
        yield folder
        return
    with atomic_folder(output) as partial:
        yield partial
        remove_halves(folder / COPIES)
        (folder / COPIES).rename(partial / COPIES)


def _name_of(job: DeidJob, settings: DeidSettings, key: ProjectKey, files: list[Path]) -> str:
    """What changes with anything that changes the copies: program, table, settings, exclusion list, and all inputs."""
    from slicermedai import __version__

    excluded = sha256_file(Path(job.exclude)) if job.exclude else ""
    rules = (settings.date_rule.value, settings.ages.value, settings.text.value)
    asked = (sorted(settings.profile.option_codes), *rules, job.names, excluded, sorted(settings.decisions.items()))
    steps_on = (settings.ocr is not None, settings.deface, settings.brain_mask is not None)
    inputs = [place_of(Origin(path), key) for path in files]
    return key.digest("job", __version__, load_table().title, asked, steps_on, *inputs)[:8].hex()


def _review_of(job: DeidJob) -> contextlib.AbstractContextManager[Path | None]:
    """The folder for review, which gets its name after the output got its own: a job that is stopped leaves neither."""
    return atomic_folder(Path(job.review)) if job.review else contextlib.nullcontext()


def _write_review(folder: Path, outcome: DeidOutcome, files: list[Path], *, output: Path) -> None:
    """Pictures of doubtful text, and which refused file is which: patient data, in a folder of their own."""
    from slicermedai.deid.pixels.decisions import PIECES
    from slicermedai.deid.pixels.review import write_review

    pieces: dict[str, str] = {}
    for item in outcome.review:
        with unpacked(Origin(item.source, item.member)) as path:
            shown = write_review(path, item.verdict, folder, output=output, number=item.number)
        pieces |= {one.picture.name: one.piece for one in shown}
    if pieces:
        write_text(folder / PIECES, json.dumps(pieces, indent=1) + "\n")
    names = dict(enumerate(dict.fromkeys(origins_of(files)), 1))
    rows = [(row.number, names[row.number].path, names[row.number].member, row.refused) for row in outcome.files]
    with atomic_file(folder / LEFT_OUT) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("number", "file", "member", "reason"))
        writer.writerows(row for row in rows if row[-1])


def _brain_finder(job: DeidJob) -> Callable[..., Any] | None:
    """The brain model, where it is installed and faces are to be removed."""
    if Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES not in choice_of(job).profile.options:
        return None
    from slicermedai.inference.brain import brain_finder

    return brain_finder()


def _record(facts: DeidFacts, output: Path, job_id: str) -> None:
    steps.record_deidentified(facts.record, job_id=job_id)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
