"""``slicermedai deid-key FILE``: make the key of a project, with which the pseudonyms of its jobs agree; or, with
``--table``, find the way back from a pseudonym.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from slicermedai.cli.parser import Parser
from slicermedai.cli.passphrase import asked, asked_twice
from slicermedai.errors import IdentityError, ResultExistsError

HELP = "make a project key for pseudonyms, or look up who is behind one"
_WAY_BACK = (
    "With --table, look up in a re-identification table: what is printed is patient data. The audit log says that "
    "somebody looked, and not for whom."
)


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser: Parser = commands.add_parser("deid-key", help=HELP, description=f"{do.__doc__} {_WAY_BACK}")
    parser.add_argument(
        "path", metavar="FILE", type=Path, nargs="?", help="file to make; hand it to --key or --project-key"
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--plain", action="store_true", help="do not encrypt it: a file that you alone can read")
    ways.add_argument("--show", action="store_true", help="make nothing: print the fingerprint of the key in FILE")
    parser.add_argument("--table", metavar="TABLE", type=Path, help="re-identification table that a job has written")
    parser.add_argument("--who", metavar="PSEUDONYM", help="print who that is; a UID of a copy: print the original one")
    parser.add_argument("--table-csv", metavar="OUT", type=Path, help="write the whole table in plain text, mode 0600")
    parser.set_defaults(do=partial(_chosen, parser))


def _chosen(parser: Parser, given: argparse.Namespace) -> int:
    """The key or the table, whichever the words are about."""
    if given.table is None and (given.who or given.table_csv):
        parser.error("--who and --table-csv look into a table: name it with --table")
    if given.table is None and given.path is None:
        parser.error("the following arguments are required: FILE, or --table")
    if given.table is None:
        return do(given)
    if given.path is not None or given.plain or given.show:
        parser.error("--table looks into a table, and makes or shows no key")
    if not given.who and not given.table_csv:
        parser.error("--table needs --who or --table-csv")
    return look_up(given)


def do(given: argparse.Namespace) -> int:
    """Make a secret key, sealed by a passphrase (asked for, or in the variable SLICERMEDAI_PASSPHRASE). Keep it away
    from what is de-identified with it: who has both can tell whether a known patient is among the pseudonyms. An
    existing file is never overwritten.
    """
    if given.show:
        return _show(given.path)
    from slicermedai.deid.keystore import save_key
    from slicermedai.deid.pseudonym import ProjectKey

    if os.path.lexists(given.path):
        raise ResultExistsError("is there already, and a key cannot be made twice", file=given.path, attribute="FILE")
    key = ProjectKey.generate()
    path = key.save(given.path) if given.plain else save_key(given.path, key, asked_twice())
    print(f"{path}  fingerprint {key.fingerprint}")
    return 0


def look_up(given: argparse.Namespace) -> int:
    """Print who is behind a pseudonym, or write all of the table; 1 where nobody is.

    Raises
    ------
    IdentityError
        There is no such table, or it does not open.
    ResultExistsError
        The file for the whole table exists.
    """
    from slicermedai.audit.steps import record_table_read
    from slicermedai.deid.keystore import ReidentificationTable, way_back

    if not given.table.is_file():
        raise IdentityError("is no re-identification table", file=given.table, attribute="--table")
    if given.table_csv is not None and os.path.lexists(given.table_csv):
        raise ResultExistsError("is there already", file=given.table_csv, attribute="--table-csv")
    table = ReidentificationTable(given.table, asked())
    rows = way_back(table, given.who) if given.who else []
    record_table_read(found=bool(rows), exported=given.table_csv is not None)
    for attribute, original in rows:
        print(f"{attribute}\t{original}")
    if given.table_csv is not None:
        print(table.export_csv(given.table_csv))
    if given.who and not rows:
        print("slicermedai: the table knows no such pseudonym or UID", file=sys.stderr)
        return 1
    return 0


def _show(path: Path) -> int:
    from slicermedai.deid.keystore import load_key, needs_passphrase

    key = load_key(path, asked() if needs_passphrase(path) else None)
    print(f"{path}  fingerprint {key.fingerprint}")
    return 0
