"""``slicermedai settings``: what is set for all of MedAI, on the command line as on Slicer's page of settings."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from slicermedai.domain.settings import Source

HELP = "what is set for all of MedAI: folders, device, files"


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("settings", help=HELP, description=do.__doc__)
    parser.add_argument("name", metavar="NAME", nargs="?", help="one setting alone")
    parser.add_argument("value", metavar="VALUE", nargs="?", help="what it is to be from now on")
    parser.add_argument("--default", action="store_true", help="with NAME: let the default count again")
    parser.set_defaults(do=do)


def do(given: argparse.Namespace) -> int:
    """Print each setting, its value, where that comes from, and what is wrong with it; with NAME and VALUE set it. They
    lie in one file, which Slicer's page of settings writes too. 1 where a value cannot be used.
    """
    from slicermedai.console.settings import get_setting, list_settings, set_setting
    from slicermedai.domain import settings

    settings.check()
    if given.name and (given.value is not None or given.default):
        found = [set_setting(given.name, "" if given.default else given.value)]
    else:
        found = [get_setting(given.name)] if given.name else list_settings()
    for one in found:
        source = one.variable if one.source is Source.ENVIRONMENT else one.source.value
        print(f"{one.name:<12} {one.value or 'none'}  ({source})")
        if one.problem:
            print(f"slicermedai: {one.name}: {one.problem}", file=sys.stderr)
    for line in settings.unknown():
        print(f"slicermedai: {settings.settings_file()}: {line}", file=sys.stderr)
    return int(any(one.problem for one in found))
