"""``slicermedai deid-key FILE``: make the key of a project, with which the pseudonyms of its jobs agree."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from slicermedai.cli.passphrase import asked, asked_twice
from slicermedai.errors import ResultExistsError

HELP = "make a project key for pseudonyms"


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("deid-key", help=HELP, description=do.__doc__)
    parser.add_argument("path", metavar="FILE", type=Path, help="file to make; hand it to --key or --project-key")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--plain", action="store_true", help="do not encrypt it: a file that you alone can read")
    ways.add_argument("--show", action="store_true", help="make nothing: print the fingerprint of the key in FILE")
    parser.set_defaults(do=do)


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


def _show(path: Path) -> int:
    from slicermedai.deid.keystore import load_key, needs_passphrase

    key = load_key(path, asked() if needs_passphrase(path) else None)
    print(f"{path}  fingerprint {key.fingerprint}")
    return 0
