"""``slicermedai deid INPUT --preview``: what would be done, attribute by attribute, and with ``--show-values`` how."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from slicermedai.cli.supervise import ProgressLines
from slicermedai.jobs.interrupts import interruptible
from slicermedai.jobs.protocol import Progress
from slicermedai.jobs.specs import DeidJob

if TYPE_CHECKING:
    from slicermedai.deid.preview import Preview

_ACTIONS = {"X": "removed", "Z": "emptied", "D": "replaced", "U": "new UID", "C": "masked or moved"}


def show_preview(job: DeidJob, *, secrets: Mapping[str, str], values: bool) -> int:
    """Print what would be done. Nothing is written, and values only where ``values`` is True.

    Raises
    ------
    MedAIError
        What would end the job before it writes anything.
    """
    from slicermedai.deid.preview import look
    from slicermedai.deid.request import files_of, settings_of
    from slicermedai.deid.sealed import PASSPHRASE_VARIABLE

    lines = ProgressLines(sys.stderr)
    with interruptible():
        files = files_of(job)
        quiet = replace(job, table="", deface=False)
        settings = settings_of(quiet, files=len(files), passphrase=secrets.get(PASSPHRASE_VARIABLE))
        found = look(files, settings, progress=lambda stage, part: lines.show(_event(stage, part)))
        lines.end()
        _print_summary(found)
        if values:
            _print_values(found)
    return 0


def _event(stage: str, part: float) -> Progress:
    half = 0.5 * part + (0.5 if stage == "preview" else 0.0)
    return Progress(stage=stage, fraction=half, stage_fraction=part)


def _print_summary(found: Preview) -> None:
    for patient in found.patients:
        print(f"{patient.pseudonym}  {patient.files} files, {patient.series} series, {patient.studies} studies")
    print()
    for row in found.rows:
        print(f"{row.keyword:<44} {_ACTIONS.get(row.action, row.action):<16} {row.count:>7}  {row.reason}")
    if found.refused:
        print("\nwould be left out:")
    for one in found.refused:
        print(f"{one.number:>7}  {one.source}: {one.reason}")
    print("\nNothing was written. Pixels were not looked at.")


def _print_values(found: Preview) -> None:
    print("\nThe first file of each series. What follows is patient data:")
    for number, origin in enumerate(found.examples(), 1):
        print(f"\nseries {number}")
        for row in found.values(origin):
            print(f"  {row.path:<52} {_shown(row.before)}  ->  {_shown(row.after)}")


def _shown(value: str | None) -> str:
    return "(absent)" if value is None else repr(value)
