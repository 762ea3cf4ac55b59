"""``slicermedai trust show`` and ``trust use``: what is known of how far a model can be trusted."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slicermedai.confidence.record import TrustRecord

HELP = "show and use trust records"


def add(commands: Any) -> None:
    """Add the command's parser with its two actions."""
    text = "Show and use trust records, which the command calibrate makes."
    actions = commands.add_parser("trust", help=HELP, description=text).add_subparsers(required=True, metavar="ACTION")
    showing = actions.add_parser("show", help="what a record knows", description="Say what a trust record knows.")
    showing.add_argument("record", metavar="RECORD", help="file of a record, or a model as name or name@version")
    showing.set_defaults(do=do_show)
    using = actions.add_parser("use", help="use a record", description="Use a record for its model from now on.")
    using.add_argument("record", metavar="RECORD", help="file of a record")
    using.set_defaults(do=do_use)


def do_show(given: argparse.Namespace) -> int:
    """Print a record in words."""
    record = _record(given.record)
    if record is None:
        print(f"There is no trust record for {given.record}: its scores are not calibrated.")
        return 0
    from slicermedai.console.models import record_lines

    print("\n".join(record_lines(record)))
    return 0


def do_use(given: argparse.Namespace) -> int:
    """Copy a record to where runs look for it, and print the place."""
    from slicermedai.confidence.models import records_folder
    from slicermedai.confidence.record import load_record

    print(load_record(Path(given.record)).save(records_folder()))
    return 0


def _record(text: str) -> TrustRecord | None:
    from slicermedai.confidence.record import load_record

    if Path(text).is_file():
        return load_record(Path(text))
    from slicermedai.bundles.registry import resolve
    from slicermedai.confidence.models import manifest_of, record_of

    return record_of(manifest_of(resolve(text)))
