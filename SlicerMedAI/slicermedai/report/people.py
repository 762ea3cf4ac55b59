"""DICOM values as people write them: names, dates, times, codes, sizes."""

from __future__ import annotations

from slicermedai.domain.codes import Code, written
from slicermedai.report.markup import Html, tag


def person(name: str) -> str:
    """A DICOM person name (PS3.5 6.2.1.2), family name first: "Doe, Jane"."""
    parts = [part.strip() for part in name.split("=")[0].split("^") if part.strip()]
    return ", ".join([parts[0], " ".join(parts[1:])]) if len(parts) > 1 else "".join(parts)


def date(value: str) -> str:
    """YYYYMMDD as YYYY-MM-DD; anything else as it is."""
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if len(value) == 8 and value.isdigit() else value


def time(value: str) -> str:
    """HHMMSS as HH:MM:SS; anything else as it is."""
    clock = value.partition(".")[0]
    return f"{clock[:2]}:{clock[2:4]}:{clock[4:]}" if len(clock) == 6 and clock.isdigit() else value


def coded(value: Code | None) -> Html:
    """A code's meaning, with scheme and value beside it."""
    if value is None:
        return Html("")
    return Html(f"{tag('span', value.meaning)} {identifier(value)}")


def identifier(value: Code) -> Html:
    """A code's scheme and value, small."""
    return tag("small", f"{value.scheme} {value.value}", class_="code")


def unit(value: Code) -> Html:
    """A UCUM unit as its symbol, its name for those who point at it or hear it; nothing for a pure number."""
    shown = written(value.value)
    return tag("abbr", shown, title=value.meaning) if shown else Html("")


def size(count: int) -> str:
    """Bytes as B, kB, MB or GB (powers of 1000)."""
    amount = float(count)
    for name in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {name}" if name == "B" else f"{amount:.1f} {name}"
        amount /= 1000
    return f"{amount:.1f} GB"
