"""HL7 version 2 orders and reports (ORM^O01, OMI^O23, ORU^R01): as much as it takes to know which studies are meant."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from slicermedai.errors import InputError
from slicermedai.pacs.objects import is_uid

KINDS = ("ORM^O01", "OMI^O23", "ORU^R01")
_CANCELLED = ("CA", "DC", "OC", "CR")
_CHARACTER_SETS = {"": "utf-8", "UNICODE UTF-8": "utf-8", "ASCII": "ascii", "8859/1": "latin-1", "8859/5": "iso8859-5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """One study, or all of one accession number, that a message names.

    ``accession`` is OBR-18 (IHE RAD-4), IPC-1 or OBR-3.1, and ``study_uid`` IPC-3, ZDS-1.1 or "". ``is_final``: a
    report whose images are there (OBR-25 is F). ``is_cancelled``: ORC-1 takes the order back.
    """

    accession: str
    study_uid: str
    is_final: bool
    is_cancelled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One message: ``kind`` is MSH-9, ``control_id`` MSH-10, ``patient_id`` PID-3.1; one or more are ordered."""

    kind: str
    control_id: str
    patient_id: str
    ordered: tuple[Ordered, ...]

    @property
    def wanted(self) -> tuple[Ordered, ...]:
        """What is not cancelled."""
        return tuple(one for one in self.ordered if not one.is_cancelled)


class _Message:
    """A message cut at its own separators (HL7 2.5.1 section 2.5.4)."""

    def __init__(self, text: str) -> None:
        lines = [line for line in re.split(r"[\r\n]+", text.strip("\x0b\x1c\r\n \t")) if line]
        if not lines or not lines[0].startswith("MSH") or len(lines[0]) < 8:
            raise InputError("begins with no header", attribute="MSH-1", advice="Is it an HL7 version 2 message?")
        self._field = lines[0][3]
        self._component, self._repetition, self._escape = lines[0][4], lines[0][5], lines[0][6]
        self._segments = [line.split(self._field) for line in lines]

    def orders(self) -> list[_Message]:
        """The message cut into its orders, each with the header: an ORC begins one, or an OBR that has no ORC; each
        further IPC (a procedure step of a study) of an order makes one more.
        """
        parts: list[list[list[str]]] = [[]]
        for segment in self._segments[1:]:
            have = {one[0] for one in parts[-1]}
            if segment[0] == "IPC" and "IPC" in have:
                parts.append([one for one in parts[-1] if one[0] != "IPC"])
            elif have & {"ORC", "OBR"} and (segment[0] == "ORC" or (segment[0] == "OBR" and "OBR" in have)):
                parts.append([])
            parts[-1].append(segment)
        return [self._part(part) for part in parts]

    def _part(self, segments: list[list[str]]) -> _Message:
        made = copy.copy(self)
        made._segments = [self._segments[0], *segments]
        return made

    def get(self, segment: str, field: int, component: int = 1) -> str:
        """One component of the first repetition of a field of the first such segment; "" where there is none."""
        values = next((one for one in self._segments if one[0] == segment), [])
        number = field - 1 if segment == "MSH" else field
        if number >= len(values):
            return ""
        parts = values[number].split(self._repetition)[0].split(self._component)
        return self._plain(parts[component - 1]) if component <= len(parts) else ""

    def _plain(self, text: str) -> str:
        named = {"F": self._field, "S": self._component, "R": self._repetition, "E": self._escape, "T": "&"}
        escape = re.escape(self._escape)
        return re.sub(f"{escape}([FSRET]){escape}", lambda match: named[match[1]], text).strip()


def parse_order(data: bytes) -> Order:
    """Read one message, with or without its MLLP frame.

    Raises
    ------
    InputError
        No HL7 version 2 message, one of another kind, or one that names no study; the field is named (OBR-18).
    """
    message = _Message(_decoded(data))
    kind = "^".join(filter(None, (message.get("MSH", 9), message.get("MSH", 9, 2))))
    if kind not in KINDS:
        raise InputError(f"is none of {', '.join(KINDS)}", attribute="MSH-9")
    found = dict.fromkeys(filter(None, (_ordered(one, kind) for one in message.orders())))
    if not found:
        raise InputError("names neither an accession number nor a study", attribute="OBR-18")
    return Order(kind=kind, control_id=message.get("MSH", 10), patient_id=message.get("PID", 3), ordered=tuple(found))


def _ordered(message: _Message, kind: str) -> Ordered | None:
    """What one order of the message names; None where it names nothing (a drug, a laboratory test)."""
    study = message.get("IPC", 3) or message.get("ZDS", 1)
    accession = message.get("OBR", 18) or message.get("IPC", 1) or message.get("OBR", 3)
    if study and not is_uid(study):
        raise InputError("is no UID", attribute="ZDS-1" if message.get("ZDS", 1) else "IPC-3")
    if re.search(r"[*?\\\x00-\x1f]", accession):
        raise InputError("holds characters that no accession number has", attribute="OBR-18")
    if not study and not accession:
        return None
    return Ordered(
        accession=accession,
        study_uid=study,
        is_final=kind == "ORU^R01" and message.get("OBR", 25) == "F",
        is_cancelled=message.get("ORC", 1) in _CANCELLED,
    )


def acknowledge(data: bytes, *, code: str, text: str = "") -> bytes:
    """The answer to a message (HL7 2.5.1 section 2.9.2): ``code`` AA taken, AE an error in it, AR refused."""
    try:
        message: _Message | None = _Message(_decoded(data))
    except InputError:
        message = None
    control, event = (message.get("MSH", 10), message.get("MSH", 9, 2)) if message else ("", "")
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
    safe = re.sub(r"[|^~\\&\r\n]", " ", text)
    header = f"MSH|^~\\&|SLICERMEDAI||||{now}||ACK{'^' + event if event else ''}|{control}-A|P|2.5.1"
    return f"{header}\rMSA|{code}|{control}|{safe}\r".encode()


def _decoded(data: bytes) -> str:
    """The text in the character set that MSH-18 names; UTF-8 where it names none."""
    header = data.split(b"\r", 1)[0].decode("ascii", errors="replace").strip("\x0b")
    fields = header.split(header[3]) if len(header) > 3 else []
    name = fields[17].strip() if len(fields) > 17 else ""
    if name not in _CHARACTER_SETS:
        raise InputError("is a character set that is not known here", attribute="MSH-18")
    try:
        return data.decode(_CHARACTER_SETS[name])
    except UnicodeDecodeError as error:
        raise InputError("is not the character set of the message", attribute="MSH-18") from error
