"""What a worker says while it works: JSON lines, one event each, in a versioned envelope.

A line of the protocol begins with ``{"medai": 1,``. Anything else on the same stream is noise of a library and is
skipped by the reader; a line that begins right and cannot be understood is an error.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any

from slicermedai.errors import ProtocolError

PROTOCOL = 1
_PREFIX = f'{{"medai": {PROTOCOL}, "event": '


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where the job stands: ``fraction`` of the whole and ``stage_fraction`` of the stage, both 0 to 1.

    ``seconds_left`` is an estimate in seconds, or None while there is nothing to estimate from.
    """

    stage: str
    fraction: float
    stage_fraction: float
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A sentence for people; without patient data."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The end: ``error`` is :meth:`slicermedai.errors.MedAIError.to_dict`."""

    error: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The end: the result lies in ``folder``."""

    folder: str


Event = Progress | Note | Failed | Done
_EVENTS: dict[str, type[Event]] = {"progress": Progress, "note": Note, "failed": Failed, "done": Done}
_NAMES = {kind: name for name, kind in _EVENTS.items()}


def encode(event: Event) -> str:
    """One line of ASCII without its end of line."""
    body = {"medai": PROTOCOL, "event": _NAMES[type(event)], **dataclasses.asdict(event)}
    return json.dumps(body, allow_nan=False)


def is_event(line: str) -> bool:
    """True for a line of this protocol, False for the noise of a library."""
    return line.startswith(_PREFIX)


def decode(line: str) -> Event:
    """The event of a line.

    Raises
    ------
    ProtocolError
        Not JSON, another version, an unknown event or field, a value out of range. The line is not quoted.
    """
    try:
        body = json.loads(line)
    except ValueError as error:
        raise ProtocolError("an event is no JSON", attribute="event") from error
    if not isinstance(body, dict) or body.pop("medai", None) != PROTOCOL:
        raise ProtocolError(f"is no event of version {PROTOCOL}", attribute="medai")
    kind = _EVENTS.get(str(body.pop("event", None)))
    if kind is None:
        raise ProtocolError("unknown event", attribute="event")
    for field in dataclasses.fields(kind):
        if field.name in body and not _fits(field, body[field.name]):
            raise ProtocolError("a value of another type, or out of range", attribute=field.name)
    try:
        return kind(**body)
    except TypeError as error:
        raise ProtocolError("a field is missing or unknown", attribute="event") from error


def _fits(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.type == "str":
        return isinstance(value, str)
    if field.type == "float":
        return _is_number(value) and 0.0 <= value <= 1.0
    if field.type == "float | None":
        return value is None or (_is_number(value) and value >= 0.0)
    return isinstance(value, dict)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
