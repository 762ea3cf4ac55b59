"""``slicermedai audit verify``: is the audit log as it was written?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

HELP = "check the audit log"


def add(commands: Any) -> None:
    """Add the command's parser with its action."""
    actions = commands.add_parser("audit", help=HELP, description="The audit log.").add_subparsers(
        required=True, metavar="ACTION"
    )
    checking = actions.add_parser("verify", help="exit code 1 where it was changed", description=do_verify.__doc__)
    checking.add_argument("path", metavar="LOG", nargs="?", type=Path, help="default: the log of this installation")
    checking.set_defaults(do=do_verify)


def do_verify(given: argparse.Namespace) -> int:
    """Check every entry of the audit log, its chain of hashes and its head."""
    from slicermedai.audit.log import log_path, verify

    found, path = verify(given.path), given.path or log_path()
    if not found.ok:
        print(f"{path}: BROKEN at entry {found.first_bad}: {found.reason}")
        return 1
    torn = "; an unfinished line at its end, left by a kill, will be recorded by the next entry" if found.torn else ""
    print(f"{path}: {found.entries} entries, unchanged{torn}")
    return 0
