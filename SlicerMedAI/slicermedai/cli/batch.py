"""``slicermedai batch``: a cohort from preview to table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slicermedai.batch.work import Change

HELP = "run many studies by rule, and go on after any stop"
_SETTINGS = (
    *("bundle", "identity", "project_key", "exclude", "device", "precision", "formats", "tilt", "preset", "folds"),
    *("body_part", "uncertainty", "stability", "report", "seed"),
)


_OWN = ("tries", "minutes")


def add(commands: Any) -> None:
    """Add the command's parser with its actions."""
    parser = commands.add_parser("batch", help=HELP, description="Many studies: rules, queue, table, quality sheet.")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    looking = _action(actions, "preview", "say which series would be run, and why not the others", do_preview)
    _add_source(looking)
    looking.add_argument("--output", type=Path, metavar="FILE", help="CSV file to write (default: print it)")
    making = _action(actions, "make", "make a cohort, or add studies to one", do_make)
    _add_source(making)
    making.add_argument("--output", type=Path, required=True, metavar="COHORT", help="folder of the cohort")
    running = _action(actions, "run", "run all that waits; begin again after any stop", do_run)
    running.add_argument("cohort", type=Path, metavar="COHORT")
    running.add_argument("--processes", type=int, default=1, help="cases at once (default: 1)")
    listing = _action(actions, "list", "where each case stands", do_list)
    listing.add_argument("cohort", type=Path, metavar="COHORT")
    again = _action(actions, "retry", "let cases that failed wait again", do_retry)
    again.add_argument("cohort", type=Path, metavar="COHORT")
    again.add_argument("cases", nargs="*", metavar="CASE", help="as list names them (default: all that failed)")
    leaving = _action(actions, "exclude", "give a cohort that has none a list of people who opted out", do_exclude)
    leaving.add_argument("cohort", type=Path, metavar="COHORT")
    leaving.add_argument("people", type=Path, metavar="FILE", help="who opts out later is written into it")
    writing = _action(actions, "table", "write table, summary and quality sheet as they stand", do_table)
    writing.add_argument("cohort", type=Path, metavar="COHORT")


def do_preview(given: argparse.Namespace) -> int:
    """Read the headers of all studies and say of each series what it would be taken for, or why not. Runs nothing."""
    from slicermedai.batch.planning import words_of
    from slicermedai.console import cohorts

    found = cohorts.preview(given.source, given.rules, **_settings(given, is_new=True))
    if given.output is None:
        sys.stdout.write(found.to_csv().replace("\r\n", "\n"))
    else:
        print(found.write(given.output))
    print(f"{len(found.planned)} studies: {words_of(found.counts)}", file=sys.stderr)
    return 0


def do_make(given: argparse.Namespace) -> int:
    """Plan as preview does and keep the plan as a cohort; nothing is run yet. A cohort that is there takes new studies
    by its own settings: an option that says otherwise is refused, but for a first --exclude, which it keeps.
    """
    from slicermedai.batch.planning import words_of
    from slicermedai.console import cohorts

    is_new = not (given.output / cohorts.FILE).is_file()
    made = cohorts.make(given.output, given.source, given.rules, **_settings(given, is_new=is_new))
    print(f"{made.folder}: {words_of(made.counts())}")
    return 0


def do_run(given: argparse.Namespace) -> int:
    """Run all that waits, each case as a job of its own. Several of this command may run on one cohort, also on several
    machines. Ends with 0 where every case has come to its end, whatever that was.
    """
    from slicermedai.batch.cohort import Cohort
    from slicermedai.batch.planning import words_of
    from slicermedai.console import cohorts
    from slicermedai.jobs.interrupts import interruptible

    cohort = Cohort(given.cohort)
    with interruptible():
        made = cohorts.run(given.cohort, processes=given.processes, passphrase=_passphrase(cohort), on_change=_tell)
    for line in made.absent:
        print(line, file=sys.stderr)
    print(f"{words_of(cohort.counts())}\n{made.table}\n{made.summary}\n{made.sheet}")
    return 0


def do_list(given: argparse.Namespace) -> int:
    """Print a line a case: its number, the patient's number here, its state, and why."""
    from slicermedai.batch.cohort import Cohort

    cohort = Cohort(given.cohort)
    for case in map(cohort.case, cohort.names()):
        now = cohort.standing(case.name)
        print("  ".join(filter(None, (case.name, case.patient, str(now.state), now.error, now.reason))))
    return 0


def do_retry(given: argparse.Namespace) -> int:
    """Let cases wait again: those named, or all that failed."""
    from slicermedai.batch.cohort import Cohort

    print(f"{len(Cohort(given.cohort).retry(given.cases))} wait again")
    return 0


def do_exclude(given: argparse.Namespace) -> int:
    """Keep a list of people who opted out in a cohort that has none; it holds for all cases from then on."""
    from slicermedai.console import cohorts

    print(f"{len(cohorts.exclude(given.cohort, given.people))} waiting cases are excluded")
    return 0


def do_table(given: argparse.Namespace) -> int:
    """Write table.csv, summary.csv and sheet.html into the cohort's folder."""
    from slicermedai.console import cohorts

    made = cohorts.write_tables(given.cohort)
    print(f"{made.table}\n{made.summary}\n{made.sheet}")
    return 0


def _add_source(parser: argparse.ArgumentParser) -> None:
    """Options that are fields of a run are described where runs are; the others are the cohort's own."""
    from slicermedai.cli.options import add_option
    from slicermedai.jobs.specs import DeidJob, RunJob

    parser.add_argument("source", metavar="SOURCE", help="DICOM folder, or CSV table with the column path")
    parser.add_argument("--rules", type=Path, required=True, metavar="FILE", help="TOML file with the series rules")
    for name in _SETTINGS:
        add_option(parser, DeidJob if name == "exclude" else RunJob, name)
    parser.set_defaults(**dict.fromkeys(_SETTINGS))
    parser.add_argument("--tries", type=int, help="how often a case whose process died is begun (default: 2)")
    parser.add_argument("--minutes", type=float, help="how long one case may take (default: 120)")


def _settings(given: argparse.Namespace, *, is_new: bool) -> dict[str, Any]:
    """Those that were given; the others are a cohort's own, or its defaults. A new one has a run's model and device."""
    from slicermedai.jobs.defaults import with_settings
    from slicermedai.jobs.specs import RunJob

    chosen = {name: value for name in (*_SETTINGS, *_OWN) if (value := getattr(given, name)) is not None}
    if not is_new:
        return chosen
    known = with_settings(RunJob, chosen)
    return {"bundle": _default(RunJob, "bundle")} | {name: known[name] for name in known if name in (*_SETTINGS, *_OWN)}


def _default(kind: type, name: str) -> Any:
    import dataclasses

    return next(field.default for field in dataclasses.fields(kind) if field.name == name)


def _tell(change: Change) -> None:
    now = change.standing
    print("  ".join(filter(None, (change.case, str(now.state), now.error, now.reason))), file=sys.stderr, flush=True)


def _passphrase(cohort: Any) -> str:
    from slicermedai.cli.passphrase import asked

    return asked() if cohort.settings.needs_passphrase else ""


def _action(actions: Any, name: str, text: str, do: Any) -> Any:
    parser = actions.add_parser(name, help=text, description=do.__doc__)
    parser.set_defaults(do=do)
    return parser
