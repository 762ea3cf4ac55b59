"""Coded concepts (DICOM PS3.16, SNOMED CT, UCUM) and the labels that are made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from slicermedai.errors import CodeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A coded concept (PS3.3 8.1). Two codes are equal by value and scheme; the meaning is for people.

    Raises
    ------
    CodeError
        Where value, scheme or meaning is empty, or the meaning is longer than 64 characters (VR LO).
    """

    value: str
    scheme: str
    meaning: str = field(compare=False)

    def __post_init__(self) -> None:
        for name in ("value", "scheme", "meaning"):
            if not str(getattr(self, name)).strip():
                raise CodeError("a code needs a value, a scheme and a meaning", attribute=name)
        if len(self.meaning) > 64:
            raise CodeError("a code meaning has at most 64 characters", attribute="meaning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A structure or lesion that a model can name. Without codes it cannot be made.

    Parameters
    ----------
    name:
        What people read: "Brain".
    category, type:
        Segmented Property Category and Type (PS3.16 CID 7150 and 7151 ff.).
    modifier:
        Type modifier, laterality for one.
    color:
        sRGB, 0 to 255.
    definition:
        What a number about the structure covers, in a sentence, where its name alone may mislead.
    """

    name: str
    category: Code
    type: Code
    modifier: Code | None = None
    color: tuple[int, int, int] = (255, 255, 0)
    definition: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise CodeError("a label needs a name", attribute="name")
        for part in ("category", "type"):
            if not isinstance(getattr(self, part), Code):
                raise CodeError(f"label {self.name!r} needs a code", attribute=part)
        if len(self.color) != 3 or not all(0 <= c <= 255 for c in self.color):
            raise CodeError("a label colour is three numbers from 0 to 255", attribute="color")


def ucum(unit: str, meaning: str | None = None) -> Code:
    """A unit of measurement in UCUM (PS3.16 CID 82 names the meanings): ``ucum("ml", "milliliter")``."""
    return Code(value=unit, scheme="UCUM", meaning=meaning or unit)


def written(unit: str) -> str:
    """A unit of UCUM as people write it, "mm²" for "mm2"; "" for a number without one. Objects keep UCUM's own text."""
    if unit in _WRITTEN:
        return _WRITTEN[unit]
    return _RAISED.sub(lambda found: _FIGURES[found[0]], unit).replace("{", " ").replace("}", "")


_WRITTEN = {"1": "", "[hnsf'U]": "HU", "deg": "°"}
_FIGURES = {"2": "²", "3": "³"}
_RAISED = re.compile(r"(?<=[a-zA-Z])[23](?![0-9])")
"""The power of a length: UCUM writes it behind the unit."""
MILLILITER = ucum("ml", "milliliter")
MILLIMETER = ucum("mm", "millimeter")
NO_UNITS = ucum("1", "no units")
HOUNSFIELD = ucum("[hnsf'U]", "Hounsfield unit")

VOLUME = Code(value="118565006", scheme="SCT", meaning="Volume")
LONG_AXIS = Code(value="103339001", scheme="SCT", meaning="Long axis")
SHORT_AXIS = Code(value="103340004", scheme="SCT", meaning="Short axis")
IN_BOX = Code(value="MEDAI-IN-BOX", scheme="99MEDAI", meaning="Half of contrast in the box, not validated")
"""How a lesion's size in a detector's box was found: :mod:`slicermedai.measure.in_box`."""
VOXEL_SUMMATION = Code(value="126030", scheme="DCM", meaning="Sum of segmented voxel method for volume")

ANATOMY = Code(value="123037004", scheme="SCT", meaning="Anatomical Structure")
BRAIN = Code(value="12738006", scheme="SCT", meaning="Brain")
