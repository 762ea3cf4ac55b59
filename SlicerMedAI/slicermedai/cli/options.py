"""Command line options from the fields of a job spec: one source for names, defaults, choices and help."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from slicermedai.jobs.defaults import with_settings
from slicermedai.jobs.files import J, make_job
from slicermedai.jobs.specs import Job

Field = dataclasses.Field[Any]


def add_options(parser: argparse.ArgumentParser, kind: type[Job]) -> None:
    """Add an argument for each field of ``kind``: a positional one where there is no default, the source first."""
    for field in sorted(dataclasses.fields(kind), key=lambda field: field.name != "source"):
        if field.default is dataclasses.MISSING:
            parser.add_argument(field.name, help=_help(field))
        else:
            _add_option(parser, field)


def add_option(parser: argparse.ArgumentParser, kind: type[Job], name: str) -> None:
    """Add the option of one field of ``kind``, for commands that are no job themselves."""
    _add_option(parser, next(field for field in dataclasses.fields(kind) if field.name == name))


def job_from(kind: type[J], given: argparse.Namespace) -> J:
    """The job of the parsed arguments, and of the settings; raises :class:`~slicermedai.errors.ProtocolError`."""
    values = {field.name: getattr(given, field.name) for field in dataclasses.fields(kind)}
    return make_job(kind, with_settings(kind, values))


def _add_option(parser: argparse.ArgumentParser, field: Field) -> None:
    names = ["--" + field.name.replace("_", "-"), *field.metadata.get("aliases", ())]
    if field.type in ("bool", "bool | None"):
        parser.add_argument(*names, help=_help(field), default=field.default, action=argparse.BooleanOptionalAction)
        return
    parser.add_argument(
        *names,
        help=_help(field),
        default=None if "setting" in field.metadata else field.default,
        type=_CONVERTERS[str(field.type)],
        choices=field.metadata.get("choices"),
        metavar=None if field.metadata.get("choices") else field.name.upper(),
    )


def _help(field: Field) -> str:
    text = str(field.metadata["help"]).replace("%", "%%")
    default = "" if field.default in (dataclasses.MISSING, None) else _shown(field.default)
    told = ", ".join(filter(None, [default, "or as it is set" if "setting" in field.metadata else ""]))
    return f"{text} (default: {told})" if told else text


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return ",".join(default) if isinstance(default, tuple) else str(default)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


_CONVERTERS: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float, "tuple[str, ...]": _words}
