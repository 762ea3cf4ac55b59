"""Makes ``dictionary.json`` and ``safe_private.json``: ``python -m slicermedai.deid.build_dictionary [SAFE_CSV]``.

The first holds what the rewriter needs of PS3.6, so that it starts without pydicom: VR and keyword by tag, and the
SOP classes that are images. The second is DICOM's list of safe private attributes (PS3.15 Table E.3.10-1), read from a
table with the columns Group, Element, Private Creator, VR and IsInDICOMRetainSafePrivateTags.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from pydicom._dicom_dict import DicomDictionary
from pydicom._uid_dict import UID_dictionary

from slicermedai.deid.dictionary import DATA
from slicermedai.deid.private import DATA as SAFE


def dictionary() -> dict[str, Any]:
    """The content of ``dictionary.json``."""
    elements = {f"{tag:08x}": f"{entry[0][:2]} {entry[4]}" for tag, entry in sorted(DicomDictionary.items())}
    images = sorted(uid for uid, entry in UID_dictionary.items() if "Image Storage" in entry[0])
    signed = [f"{tag:08x}" for tag, entry in sorted(DicomDictionary.items()) if entry[0].startswith("US or SS")]
    return {"images": images, "signed": signed, "elements": elements}


def safe_private(source: Path) -> dict[str, dict[str, str]]:
    """The content of ``safe_private.json``: VR by private creator and "gggg,ee" (group, last byte of the element)."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    with source.open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["IsInDICOMRetainSafePrivateTags"] == "True":
                found[row["Private Creator"]][f"{row['Group'].lower()},{row['Element'][2:].lower()}"] = row["VR"]
    return {creator: dict(sorted(found[creator].items())) for creator in sorted(found)}


def write(body: dict[str, Any], target: Path) -> Path:
    """Write ``body`` as JSON, one entry a line, so that a new edition can be read as a difference."""
    target.write_text(json.dumps(body, ensure_ascii=False, indent=0) + "\n", encoding="utf-8", newline="\n")
    return target


if __name__ == "__main__":
    write(dictionary(), DATA)
    for name in sys.argv[1:]:
        write(safe_private(Path(name)), SAFE)
