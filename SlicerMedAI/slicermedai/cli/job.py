"""``slicermedai run SOURCE``, ``slicermedai export RESULT``: one command for each kind of job, made from the table."""

from __future__ import annotations

import argparse
import dataclasses
from functools import partial
from typing import Any

from slicermedai.cli.options import add_options, job_from
from slicermedai.cli.parser import Parser
from slicermedai.cli.passphrase import asked
from slicermedai.cli.supervise import supervise
from slicermedai.jobs.kinds import KINDS
from slicermedai.jobs.specs import Job

_OWN = frozenset({"deid"})
"""Kinds whose command has a file of its own."""


def add(commands: Any) -> None:
    """Add a parser for each kind of job."""
    for name, kind in KINDS.items():
        if name in _OWN:
            continue
        parser: Parser = commands.add_parser(name, help=kind.help, description=kind.spec.__doc__)
        add_options(parser, kind.spec)
        parser.catalogue = partial(catalogue, kind.spec)
        parser.set_defaults(do=partial(do, kind.spec))


def do(spec: type[Job], given: argparse.Namespace) -> int:
    """Supervise a child that runs the job of the arguments."""
    job = job_from(spec, given)
    return supervise(job, secrets=_secrets(job))


def _secrets(job: Job) -> dict[str, str]:
    """The passphrase of a sealed project key, asked for before the worker starts."""
    path = getattr(job, "project_key", "")
    if not path:
        return {}
    from pathlib import Path

    from slicermedai.deid.keystore import needs_passphrase
    from slicermedai.deid.sealed import PASSPHRASE_VARIABLE

    return {PASSPHRASE_VARIABLE: asked()} if needs_passphrase(Path(path)) else {}


def catalogue(spec: type[Job]) -> str:
    """What there is to choose from for the fields of ``spec``, for the end of its help."""
    fields = {field.name for field in dataclasses.fields(spec)}
    parts = [_formats()] if "formats" in fields else []
    parts += [_bundles()] if "bundle" in fields else []
    return "\n".join(parts)


def _formats() -> str:
    from slicermedai.export.formats import FORMATS

    return _table("formats", [(name, made.title) for name, made in FORMATS.items()])


def _bundles() -> str:
    from slicermedai.bundles.registry import RECIPES, list_bundles

    installed = [(ref.title, ref.intended_use or ref.task) for ref in list_bundles()]
    titles = {title for title, _ in installed}
    more = [
        (recipe.title, f"slicermedai bundle fetch {recipe.name}") for recipe in RECIPES if recipe.title not in titles
    ]
    return _table("models (installed)", installed) + (_table("models (to be fetched)", more) if more else "")


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    return "".join([f"{title}:\n", *(f"  {name:<14} {text}\n" for name, text in rows or [("none", "")])])
