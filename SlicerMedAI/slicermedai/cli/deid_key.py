"""``slicermedai deid-key FILE``: make the key of a project, with which the pseudonyms of its jobs agree."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from slicermedai.errors import ResultExistsError

HELP = "make a project key for pseudonyms"


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("deid-key", help=HELP, description=do.__doc__)
    parser.add_argument("path", metavar="FILE", type=Path, help="file to make; hand it to --project-key")
    parser.set_defaults(do=do)


def do(given: argparse.Namespace) -> int:
    """Make a secret key, readable by you alone. Keep it away from what is de-identified with it: who has both can tell
    whether a known patient is among the pseudonyms. An existing file is never overwritten.
    """
    from slicermedai.deid.pseudonym import ProjectKey

    if given.path.exists():
        raise ResultExistsError("is there already, and a key cannot be made twice", file=given.path, attribute="FILE")
    key = ProjectKey.generate()
    print(f"{key.save(given.path)}  fingerprint {key.fingerprint}")
    return 0
