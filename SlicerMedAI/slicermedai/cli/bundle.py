"""``slicermedai bundle list`` and ``bundle fetch``: the models."""

from __future__ import annotations

import argparse
from typing import Any

HELP = "list and fetch models"


def add(commands: Any) -> None:
    """Add the command's parser with its two actions."""
    actions = commands.add_parser("bundle", help=HELP, description="List and fetch models.").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = actions.add_parser("list", help="the installed models", description="List the installed models.")
    listing.set_defaults(do=do_list)
    fetching = actions.add_parser("fetch", help="install a known model", description="Install a known model.")
    fetching.add_argument("name", metavar="NAME", help="name or name@version")
    fetching.set_defaults(do=do_fetch)


def do_list(given: argparse.Namespace) -> int:
    """Print one line for each installed model: name@version, task, licence, intended use."""
    from slicermedai.bundles.registry import list_bundles

    for ref in list_bundles():
        print("  ".join(part for part in (ref.title, ref.task, ref.licence, ref.intended_use) if part))
    return 0


def do_fetch(given: argparse.Namespace) -> int:
    """Fetch, verify and print where the model lies."""
    from slicermedai.bundles.registry import fetch

    print(fetch(given.name).path)
    return 0
