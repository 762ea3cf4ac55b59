"""Slicer's own list of DICOM servers, as its settings hold it. The settings are handed in; no Qt in here."""

from __future__ import annotations

import json
from typing import Any

_FIELDS = {
    "name": ("Name",),
    "host": ("Address",),
    "port": ("Port",),
    "ae_title": ("Called", "AETitle"),
    "calling_ae_title": ("Calling", "AETitle"),
}


def slicers_servers(settings: Any) -> list[dict[str, str]]:
    """Name, host, port and AE titles of each server that can be reached by an address; what is torn is left out.

    ``settings`` is a ``QSettings``. CTK keeps the list under "DICOM/ServerNodes/0" and so on, a map each in earlier
    versions and its JSON in later ones.
    """
    count = _number(settings.value("DICOM/ServerNodeCount"))
    nodes = [_node(settings.value(f"DICOM/ServerNodes/{number}")) for number in range(count)]
    found = [{field: str(node.get(" ".join(words)) or "") for field, words in _FIELDS.items()} for node in nodes]
    return [one for one in found if one["host"] and one["ae_title"]]


def _number(value: Any) -> int:
    text = str(value or "")
    return min(int(text), 1000) if text.isdigit() else 0


def _node(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raw = value.data() if hasattr(value, "data") else value
    try:
        found = json.loads(raw) if isinstance(raw, (str, bytes)) else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
