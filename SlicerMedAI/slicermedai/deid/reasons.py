"""Why an attribute was treated as it was: the row of the table, or the rule."""

from __future__ import annotations

import contextlib
import functools

from slicermedai.deid.dictionary import tag_of, vr_of
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.table import Row, load_table

_OUTSIDE = "attribute that the table does not list"
_MARKS = frozenset({"PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"})
_SAMPLES = frozenset({"PixelData", "FloatPixelData", "DoubleFloatPixelData", "WaveformData"})
_FOLLOWING = frozenset(
    {"BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionMethod", "PhotometricInterpretation"}
)
_TEXT = frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"})


def reason(label: str, action: str, profile: Profile) -> str:
    """Why an attribute (as counted by the engine) was treated like that: which rule it was."""
    return _reason(label, action, profile.option_codes)


@functools.lru_cache(maxsize=8192)
def _reason(label: str, action: str, codes: frozenset[str]) -> str:
    if label in _MARKS:
        return "says that and how identity was removed (PS3.15 E.1.1)" if action == "D" else _listed(label, codes)
    if label == "PrivateAttributes":
        safe = Option.RETAIN_SAFE_PRIVATE.value in codes
        return "private, not on the list of safe ones or with identity in it" if safe else "private (Table E.1-1)"
    if label in _FOLLOWING and action == "D":
        return "follows what was done to pixels or document"
    if label in _SAMPLES and action == "C":
        return "bits or bytes that are no pixel or sample were cleared"
    listed = _listed(label, codes)
    if listed and (action != "C" or "option" in listed):
        return listed
    return {
        "C": "identity of the patient stood in it",
        "Z": f"name or date in an {_OUTSIDE}",
        "U": f"instance UID in an {_OUTSIDE}",
        "D": "free text, which goes whole" if _is_text(label) else "pixels or document written anew",
        "X": listed or "no content, or identity of the patient stood in it",
    }.get(action, "")


def _is_text(label: str) -> bool:
    with contextlib.suppress(KeyError):
        return vr_of(tag_of(label)) in _TEXT
    return False


def _listed(label: str, codes: frozenset[str]) -> str:
    """The table's row of a keyword or of "(gggg,eeee)", in words; "" where it has none."""
    row = _row_of(label)
    if row is None:
        return ""
    options = ", ".join(f"option {code}: {row.options[code]}" for code in sorted(codes) if code in row.options)
    return f"Table E.1-1: {row.basic}" + (f", {options}" if options else "")


def _row_of(label: str) -> Row | None:
    try:
        tag = int(label[1:5] + label[6:10], 16) if label.startswith("(") else tag_of(label)
    except (KeyError, ValueError):
        return None
    return load_table().row(tag)
