"""Makes ``e1_1.json`` from a transcript of PS3.15 Table E.1-1: ``python -m slicermedai.deid.build_table SOURCE``.

The transcript is JSON: ``{"rows": [{"name", "tag", "id", "basicProfile", "edition", <option columns>}]}``. Option
columns that it lacks are filled in from ``options_by_hand.json``, and marked so. The types (1, 2, 3) that decide
compound actions are taken from highdicom's transcript of the PS3.3 modules.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from pydicom.datadict import keyword_for_tag

from slicermedai.deid.table import DATA

BY_HAND = Path(__file__).with_name("options_by_hand.json")

OPTION_COLUMNS = {
    "cleanGraphOpt": "113103",
    "cleanStructContOpt": "113104",
    "cleanDescOpt": "113105",
    "rtnLongFullDatesOpt": "113106",
    "rtnLongModifDatesOpt": "113107",
    "rtnPatCharsOpt": "113108",
    "rtnDevIdOpt": "113109",
    "rtnUIDsOpt": "113110",
    "rtnSafePrivOpt": "113111",
    "rtnInstIdOpt": "113112",
}
_WILDCARDS = {"50xxxxxx": "50xxxxxx", "60xx3000": "60xx3000", "60xx4000": "60xx4000"}


def build(source: Path) -> dict[str, Any]:
    """The content of ``e1_1.json``: edition, rows, and the types of the attributes with compound actions."""
    by_hand = json.loads(BY_HAND.read_text(encoding="utf-8"))["cells"]
    rows = [_row(raw, by_hand) for raw in json.loads(source.read_text(encoding="utf-8"))["rows"]]
    rows.sort(key=lambda row: str(row["tag"]))
    editions = Counter(row["edition"] for row in rows)
    main, newest = min(editions), max(editions)
    return {
        "edition": main,
        "newer": newest,
        "note": f"PS3.15 Table E.1-1 of {main}; option cells of rows marked by_hand are ours",
        "rows": rows,
        **_types({row["keyword"] for row in rows if "/" in row["basic"]}),
    }


def write(source: Path, target: Path = DATA) -> Path:
    """Write the table, one row a line, so that a new edition can be read as a difference."""
    body = build(source)
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in body.pop("rows"))
    rest = json.dumps(body, ensure_ascii=False)
    target.write_text(f'{rest[:-1]}, "rows": [\n{lines}\n]}}\n', encoding="utf-8", newline="\n")
    return target


def _row(raw: dict[str, Any], by_hand: dict[str, dict[str, str]]) -> dict[str, Any]:
    tag = raw["id"].lower()
    tag = "private" if tag.startswith("gggg") else tag
    wild = tag == "private" or tag in _WILDCARDS
    keyword = "" if wild else keyword_for_tag(int(tag, 16))
    guessed = bool(raw.get("options_unknown"))
    options = {code: raw[column] for column, code in OPTION_COLUMNS.items() if column in raw}
    return {
        "tag": tag,
        "name": raw.get("name", ""),
        "keyword": keyword,
        "basic": raw["basicProfile"],
        "options": by_hand.get(tag, {}) if guessed else options,
        "edition": raw["edition"],
        **({"by_hand": True} if guessed else {}),
    }


def _types(keywords: set[str]) -> dict[str, Any]:
    """Per keyword the strictest type at the top level by SOP class, and inside each parent sequence."""
    from highdicom._iods import IOD_MODULE_MAP, SOP_CLASS_UID_IOD_KEY_MAP
    from highdicom._modules import MODULE_ATTRIBUTE_MAP

    top: dict[str, dict[str, str]] = defaultdict(dict)
    inside: dict[str, dict[str, str]] = defaultdict(dict)
    for uid, iod in SOP_CLASS_UID_IOD_KEY_MAP.items():
        for module in IOD_MODULE_MAP[iod]:
            for attribute in MODULE_ATTRIBUTE_MAP[module["key"]]:
                if attribute["keyword"] in keywords:
                    path = attribute["path"]
                    place, where = (inside, path[-1]) if path else (top, uid)
                    known = place[attribute["keyword"]]
                    known[where] = min(known.get(where, "9"), attribute["type"][0])
    classes = sorted(SOP_CLASS_UID_IOD_KEY_MAP)
    types = {k: {"top": _grouped(top[k], classes), "inside": dict(sorted(inside[k].items()))} for k in sorted(keywords)}
    return {"sop_classes": classes, "types": types}


def _grouped(by_class: dict[str, str], classes: list[str]) -> dict[str, list[int]]:
    """{"1": [numbers of SOP classes], "2": ...}; type 3 is what is left."""
    return {kind: [n for n, uid in enumerate(classes) if by_class.get(uid) == kind] for kind in "12"}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
