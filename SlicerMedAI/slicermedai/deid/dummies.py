"""Values that replace identity: valid for their VR (PS3.5 6.2), the same for everybody."""

from __future__ import annotations

from typing import Any

from slicermedai.domain.codes import Code

REMOVED = Code(value="REMOVED", scheme="99MEDAI", meaning="Removed")
_VALUES: dict[str, Any] = {
    "AS": "000Y",
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "IS": "0",
    "TM": "000000",
    "UI": "2.25.0",
    "UR": "urn:removed",
    "AT": 0,
    **dict.fromkeys(("FD", "FL"), 0.0),
    **dict.fromkeys(("SL", "SS", "SV", "UL", "US", "UV"), 0),
    **dict.fromkeys(("OB", "OW", "UN"), b"\0\0"),
    **dict.fromkeys(("OF", "OL"), b"\0" * 4),
    **dict.fromkeys(("OD", "OV"), b"\0" * 8),
}
_SIZES = {"SS": 2, "US": 2, "AT": 4, "FL": 4, "SL": 4, "UL": 4, "FD": 8, "SV": 8, "UV": 8}


def value_for(vr: str) -> Any:
    """A dummy value of that VR, text where it is text."""
    return _VALUES.get(vr, "REMOVED")


def bytes_for(vr: str) -> bytes:
    """The same as bytes, in either byte order."""
    value = value_for(vr)
    if isinstance(value, str):
        return value.encode("ascii")
    return value if isinstance(value, bytes) else b"\0" * _SIZES[vr]
