"""``slicermedai audit verify``: is the audit log as it was written?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

HELP = "check the audit log"
ABSENT = 3
"""Exit code where there is no log: neither "unchanged" nor "changed" would be true."""


def add(commands: Any) -> None:
    """Add the command's parser with its action."""
    actions = commands.add_parser("audit", help=HELP, description="The audit log.").add_subparsers(
        required=True, metavar="ACTION"
    )
    checking = actions.add_parser(
        "verify", help=f"exit code 1 where it was changed, {ABSENT} where there is none", description=do_verify.__doc__
    )
    checking.add_argument("path", metavar="LOG", nargs="?", type=Path, help="default: the log of this installation")
    checking.add_argument("--absent-ok", action="store_true", help="end with 0 where there is no log yet")
    checking.set_defaults(do=do_verify)


def do_verify(given: argparse.Namespace) -> int:
    """Check every entry of the audit log, its chain of hashes and its head."""
    from slicermedai.audit.log import log_path, verify

    found, path = verify(given.path), given.path or log_path()
    if not found.ok:
        print(f"{path}: BROKEN at entry {found.first_bad}: {found.reason}")
        return 1
    if not found.is_there:
        print(f"no audit log at {path}; nothing has been run with this home", file=sys.stderr)
        return 0 if given.absent_ok else ABSENT
    torn = "; an unfinished line at its end, left by a kill, will be recorded by the next entry" if found.torn else ""
    print(f"{path}: {found.entries} entries, unchanged{torn}")
    return 0
