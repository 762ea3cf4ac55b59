"""``slicermedai bundle``: the models; what changes them stands in :mod:`slicermedai.cli.bundle_store`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from slicermedai.cli.bundle_store import add_actions

HELP = "list, fetch, import and check models"


def add(commands: Any) -> None:
    """Add the command's parser with its actions."""
    actions = commands.add_parser(
        "bundle", help=HELP, description="List, fetch, import and check models."
    ).add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the installed models", description="List the installed models.")
    listing.set_defaults(do=do_list)
    fetching = actions.add_parser("fetch", help="install a known model", description="Install a known model.")
    fetching.add_argument("name", metavar="NAME", help="name or name@version")
    fetching.set_defaults(do=do_fetch)
    checking = actions.add_parser(
        "check",
        help="whether a model runs here",
        description="Run a model on generated images of its modality, and print what had to be done for it.",
    )
    checking.add_argument("name", metavar="NAME", help="name, name@version or folder")
    checking.add_argument("--consent", default="", metavar="WHO", help="who agrees that the model runs code of its own")
    checking.set_defaults(do=do_check)
    add_actions(actions)


def do_list(given: argparse.Namespace) -> int:
    """Print one line for each installed model: name@version, task, state, size, licence, intended use."""
    from slicermedai.bundles.registry import list_bundles
    from slicermedai.bundles.store import disk_use, version_used

    for ref in list_bundles():
        state = "" if version_used(ref.name) in ("", ref.version) else "not in use"
        size = f"{disk_use(Path(ref.path)) / 2**20:.1f} MiB"
        parts = (ref.title, ref.task, state, size, ref.licence, ref.intended_use)
        print("  ".join(part for part in parts if part))
    return 0


def do_fetch(given: argparse.Namespace) -> int:
    """Fetch, verify and print where the model lies."""
    from slicermedai.bundles.registry import fetch

    print(fetch(given.name).path)
    return 0


def do_check(given: argparse.Namespace) -> int:
    """Print the rules that were applied, the steps, and whether it ran; 1 where it did not."""
    from slicermedai.bundles.registry import resolve
    from slicermedai.inference.check import check_bundle

    found = check_bundle(resolve(given.name, consent=given.consent))
    image = f"its sample {found.sample}" if found.sample else "generated images"
    print("\n".join(part for part in (found.report.in_words, *found.words) if part))
    print(f"{'runs' if found.runs else 'does not run'} on {image}: {found.regions} regions, {found.seconds:.1f} s")
    return 0 if found.runs else 1
