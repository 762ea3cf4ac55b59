"""Makes ``clinical_words.json``: ``python -m slicermedai.deid.build_words``.

Words of the meanings of DICOM's codes (PS3.16, as pydicom has them), where they are written small: what begins with a
capital letter within a meaning may be somebody's name.
"""

from __future__ import annotations

import re
from typing import Any

from pydicom._dicom_dict import DicomDictionary
from pydicom.sr._concepts_dict import concepts

from slicermedai.deid.build_dictionary import write
from slicermedai.deid.clinical import DATA

_WORD = re.compile(r"(?<![^\W\d_])[a-z]{5,}(?![^\W\d_])")
_IN_NAMES = re.compile(r"[A-Za-z]{5,}")


def words() -> dict[str, Any]:
    """The content of ``clinical_words.json``: a list for each first letter."""
    schemes: dict[str, Any] = concepts
    meanings = (said[0] for named in schemes.values() for codes in named.values() for said in codes.values())
    found = {word for meaning in meanings for word in _WORD.findall(meaning)}
    found |= {word.lower() for entry in DicomDictionary.values() for word in _IN_NAMES.findall(entry[2])}
    letters = sorted({word[0] for word in found})
    return {letter: " ".join(sorted(word for word in found if word[0] == letter)) for letter in letters}


if __name__ == "__main__":
    write(words(), DATA)
