"""Which model runs on what comes in: one TOML file that a person reads and writes.

.. code-block:: toml

    quiet_seconds = 60               # a study is complete when nothing came for so long,
    expected_from = "archive"        # and as many objects are here as this archive has of it (optional)
    incomplete_after_seconds = 3600  # after that a study that is still short of objects is set aside
    most_tries = 3                   # then a study is set aside, and the rest goes on
    most_minutes = 60                # a run that takes longer is stopped, and counts as a try
    keep_days = 7                    # studies and results that are done with are removed after that

    [listen]                         # storage SCP, and orders by HL7
    port = 11112
    ae_title = "SLICERMEDAI"
    senders = ["SCANNER1"]           # none: everybody
    hl7_port = 2575

    [poll]                           # look for new studies at an archive
    peer = "archive"
    every_seconds = 60
    days = 2

    [[rule]]                         # the first that matches a series is taken
    name = "brain MR"
    modality = "MR"                  # regular expressions over the whole value, in any case; left out: any
    body_part = "BRAIN|HEAD"
    description = ".*T1.*"
    sender = "SCANNER1|archive"
    bundle = "brain"
    identity = "keep"                # or "deidentify"
    destination = "archive"          # where results go; left out: nowhere
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from slicermedai.domain.routes import check_destination
from slicermedai.domain.study import Identity
from slicermedai.errors import IdentityError, InputError
from slicermedai.pacs.peers import load_peer

_T = TypeVar("_T")
_MATCHED = ("modality", "body_part", "description", "sender")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What rules look at: Modality, BodyPartExamined and SeriesDescription of a series, and who sent it."""

    uid: str
    modality: str
    body_part: str
    description: str
    sender: str
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Run ``bundle`` on a series that matches; "" matches any value."""

    name: str
    bundle: str
    identity: str = "keep"
    destination: str = ""
    modality: str = ""
    body_part: str = ""
    description: str = ""
    sender: str = ""

    def matches(self, series: Series) -> bool:
        """True where every pattern fits the whole value, in any case."""
        return all(
            re.fullmatch(getattr(self, name), getattr(series, name), re.IGNORECASE | re.DOTALL)
            for name in _MATCHED
            if getattr(self, name)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where we listen; port 0 is nowhere."""

    port: int = 0
    ae_title: str = "SLICERMEDAI"
    senders: tuple[str, ...] = ()
    host: str = ""
    hl7_port: int = 0
    hl7_host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """An archive that is asked for the studies of the last ``days`` days; "" is none."""

    peer: str = ""
    every_seconds: float = 60.0
    days: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The whole file; times are in seconds, minutes and days as their names say."""

    rules: tuple[Rule, ...]
    quiet_seconds: float = 60.0
    expected_from: str = ""
    incomplete_after_seconds: float = 3600.0
    most_tries: int = 3
    most_minutes: float = 60.0
    keep_days: float = 7.0
    listen: Listen = dataclasses.field(default_factory=Listen)
    poll: Poll = dataclasses.field(default_factory=Poll)

    def choose(self, series: Series) -> Rule | None:
        """The first rule that matches, or None."""
        return next((rule for rule in self.rules if rule.matches(series)), None)


def load_rules(path: Path) -> Rules:
    """Read and check the file; destinations are looked up, and must be of the rule's identity route.

    Raises
    ------
    InputError
        It cannot be read, or a setting is unknown, missing or of the wrong type (its name is given).
    UnknownPeerError, IdentityError
        A destination that does not exist, or that would refuse what a rule makes.
    """
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({type(error).__name__})", file=path, advice="Is it right TOML?") from error
    rules = tuple(_made(Rule, one, path, f"rule {number + 1}") for number, one in enumerate(_tables(body, path)))
    parts = {
        "listen": _made(Listen, body.pop("listen", {}), path, "listen"),
        "poll": _made(Poll, body.pop("poll", {}), path, "poll"),
    }
    made = _made(Rules, body | parts | {"rules": rules}, path, "")
    for rule in rules:
        _check(rule, path)
    if made.listen.hl7_port and not made.poll.peer:
        raise InputError("is needed to fetch what orders name", file=path, attribute="poll peer")
    for name in filter(None, (made.expected_from, made.poll.peer)):
        load_peer(name)
    return made


def _tables(body: dict[str, Any], path: Path) -> list[Any]:
    rules = body.pop("rule", None)
    if not isinstance(rules, list) or not rules:
        raise InputError("no [[rule]] is there", file=path, attribute="rule")
    return rules


def _made(kind: type[_T], values: Any, path: Path, place: str) -> _T:
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # all are dataclasses
    if not isinstance(values, dict):
        raise InputError("must be a table", file=path, attribute=place)
    checked = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for name, value in checked.items():
        if name not in fields or not _has_type(value, str(fields[name].type)):
            raise InputError("is no setting, or of the wrong type", file=path, attribute=f"{place} {name}".strip())
    missing = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING and name not in checked
    ]
    if missing:
        raise InputError("is needed", file=path, attribute=f"{place} {missing[0]}".strip())
    return kind(**checked)


def _has_type(value: Any, wanted: str) -> bool:
    if wanted == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    if wanted == "int":
        return type(value) is int and value >= 0
    return type(value).__name__ == wanted.partition("[")[0]


def _check(rule: Rule, path: Path) -> None:
    if rule.identity not in tuple(Identity):
        raise InputError("must be keep or deidentify", file=path, attribute=f"rule {rule.name} identity")
    for name in _MATCHED:
        try:
            re.compile(getattr(rule, name))
        except re.error as error:
            raise InputError(
                f"is no regular expression ({error.msg})", file=path, attribute=f"rule {rule.name} {name}"
            ) from error
    if rule.destination:
        try:
            check_destination(Identity(rule.identity), destination_is_research=load_peer(rule.destination).research)
        except IdentityError as error:
            raise IdentityError(
                error.message, file=path, attribute=f"rule {rule.name} destination", advice=error.advice
            ) from error
