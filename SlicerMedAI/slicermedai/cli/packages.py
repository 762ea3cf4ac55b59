"""``slicermedai packages`` and ``slicermedai wheels``: what MedAI installs into a Python, and how it goes again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.domain import settings
from slicermedai.errors import PackagesError
from slicermedai.jobs.torch_build import CHOICES

if TYPE_CHECKING:
    from slicermedai.jobs.install import Plan

HELP = "Python packages that MedAI needs: look, install, remove"
WHEELS_HELP = "collect packages for a computer without a network"
PARTS = {"run": "requirements.txt", "deid": "requirements-deid.txt", "pacs": "requirements-pacs.txt"}
"""What the packages are for, and the file beside the modules that names them."""


def add(commands: Any) -> None:
    """Add the parsers of both commands."""
    actions = commands.add_parser("packages", help=HELP, description=HELP).add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = actions.add_parser("list", help="what is missing, and what MedAI installed", description=do_list.__doc__)
    _add_what(listing)
    listing.set_defaults(do=do_list)
    installing = actions.add_parser("install", help="install what is missing", description=do_install.__doc__)
    _add_what(installing)
    installing.add_argument("--wheels", type=Path, metavar="FOLDER", help="folder of wheels in place of the network")
    installing.set_defaults(do=do_install)
    removing = actions.add_parser("remove", help="remove what MedAI installed", description=do_remove.__doc__)
    removing.set_defaults(do=do_remove)
    collecting = commands.add_parser("wheels", help=WHEELS_HELP, description=do_wheels.__doc__)
    collecting.add_argument("folder", type=Path, metavar="FOLDER", help="where the wheels are put; made where missing")
    text = "this one (PEP 508; several times for several), and not what MedAI needs"
    collecting.add_argument("--package", dest="requirements", action="append", metavar="PACKAGE", help=text)
    _add_choices(collecting)
    collecting.set_defaults(do=do_wheels)


def do_list(given: argparse.Namespace) -> int:
    """Print what is missing, where PyTorch would come from, what stands against it, and what MedAI has installed. No
    network is used.
    """
    from slicermedai.jobs.install_record import InstallRecord

    made = _plan(given)
    for one in made.missing:
        print(f"missing    {one}")
    if made.build is not None:
        print(f"PyTorch    build {made.build.name}: {made.build.why}")
    for one in made.refused:
        print(f"refused    {one}")
    for name, version in sorted(InstallRecord().ours().items()):
        print(f"installed  {name} {version}")
    return 0


def do_install(given: argparse.Namespace) -> int:
    """Install what is missing into this Python with pip: from the network, or from a folder of wheels (--wheels, or the
    setting wheels). What is installed already keeps its version, and what is added is written down, to be removed again
    by packages remove. Where wheels lack, all of them are named and nothing is changed.
    """
    from slicermedai.jobs.install import install

    made = _plan(given)
    if made.build is not None:
        _say(f"PyTorch: build {made.build.name} ({made.build.why})")
    added = install(made, say=_say)
    _say("Added: " + (", ".join(f"{name} {version}" for name, version in sorted(added.items())) or "nothing"))
    return 0


def do_remove(given: argparse.Namespace) -> int:
    """Remove exactly what MedAI installed, where it is still there in that version. What another package needs stays,
    and is named; what came with Slicer is not touched.
    """
    from slicermedai.jobs.install import remove

    gone, kept = remove(say=_say)
    for name, owners in sorted(kept.items()):
        _say(f"Kept: {name}, which {', '.join(sorted(owners))} needs")
    _say("Removed: " + (", ".join(f"{name} {version}" for name, version in sorted(gone.items())) or "nothing"))
    return 0


def do_wheels(given: argparse.Namespace) -> int:
    """Download all that MedAI needs as wheels into FOLDER, for a computer of the same system and Python that has no
    network: carry the folder there and name it as the setting wheels. Without --torch the PyTorch build fits this
    computer.
    """
    from slicermedai.jobs.install import collect
    from slicermedai.jobs.torch_build import choose_build, look

    chosen = _torch(given)
    build = choose_build(look(), wanted=chosen)
    _say(f"PyTorch: build {build.name} ({build.why})")
    found = collect(_wanted(given), given.folder, build=build, say=_say)
    _say(f"{given.folder}: {len(found)} wheels, {sum(path.stat().st_size for path in found) / 2**20:.0f} MiB")
    return 0


def _add_what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("requirements", nargs="*", metavar="PACKAGE", help="these (PEP 508), and not what MedAI needs")
    _add_choices(parser)


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--for", dest="parts", choices=PARTS, action="append", help="what they are for (default: run)")
    parser.add_argument("--torch", choices=CHOICES, help="build of PyTorch (default: as set, or the one that fits)")


def _plan(given: argparse.Namespace) -> Plan:
    from slicermedai.jobs.install import plan

    named = getattr(given, "wheels", None) or settings.value("wheels")
    wheels = Path(named).expanduser() if named else None
    return plan(_wanted(given), wheels=wheels, torch=_torch(given))


def _torch(given: argparse.Namespace) -> str:
    return str(given.torch or settings.present("torch"))


def _wanted(given: argparse.Namespace) -> list[str]:
    """The packages that were named, or those of the files beside the modules."""
    return list(given.requirements or ()) or [one for part in given.parts or ["run"] for one in requirements_of(part)]


def requirements_of(part: str) -> list[str]:
    """The requirements for a part of MedAI; raises :class:`PackagesError` where the file is not beside the modules."""
    path = Path(__file__).resolve().parents[2] / "Resources" / PARTS[part]
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise PackagesError(
            "is not beside the library", file=path, attribute=part, advice="Name the packages that are to come."
        ) from error
    return [line for line in lines if line]


def _say(line: str) -> None:
    """At once, for whoever shows the last line."""
    print(line, flush=True)
