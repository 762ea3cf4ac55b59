"""Where the finding of a measurement group lies, and on which side (PS3.16 TID 1501: Finding Site, one or more)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pydicom.dataset import Dataset

from slicermedai.domain.codes import Code
from slicermedai.export.codes import LATERALITY, SIDES, TOPOGRAPHY, from_item

SITE = Code(value="363698007", scheme="SCT", meaning="Finding Site")


def children_of(item: Dataset) -> Sequence[Dataset]:
    """The content items under ``item``."""
    return list(item.get("ContentSequence") or ())


def name_of(item: Dataset) -> Code | None:
    """What a content item is called; None where it has no Concept Name."""
    names = item.get("ConceptNameCodeSequence")
    return from_item(names[0]) if names else None


def code_of(item: Dataset) -> Code | None:
    """What a content item says as a code; None where it says none."""
    values = item.get("ConceptCodeSequence")
    return from_item(values[0]) if values else None


def sites_of(group: Dataset) -> list[Dataset]:
    """The Finding Sites of a measurement group."""
    return [one for one in children_of(group) if name_of(one) == SITE]


def modifiers_of(group: Dataset) -> tuple[Code, ...]:
    """Lateralities, then topographies, of all its Finding Sites, each once."""
    below = [one for site in sites_of(group) for one in children_of(site)]
    said = [code_of(one) for name in (LATERALITY, TOPOGRAPHY) for one in below if name_of(one) == name]
    return tuple(dict.fromkeys(filter(None, said)))


def one_side(modifiers: Iterable[Code]) -> Code | None:
    """The side, or where there is none the first modifier; None where several sides are said."""
    said = list(modifiers)
    sides = {one for one in said if one in SIDES}
    if len(sides) > 1:
        return None
    return next(iter([*sides, *said]), None)


def left_of_sites(group: Dataset) -> Iterator[str]:
    """Sentences on what of the sides of a group is not read."""
    said = modifiers_of(group)
    if len({one for one in said if one in SIDES}) > 1:
        yield "names several sides, of which none is read"
    elif len(said) > 1:
        yield "modifies where its finding lies more than once, and one modifier is read, the side before others"
