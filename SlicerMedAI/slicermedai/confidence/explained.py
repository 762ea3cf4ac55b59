"""Which findings a map of saliency is about, so that reports can name what explains them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from slicermedai.confidence.saliency import SALIENCY
from slicermedai.domain.finding import Finding
from slicermedai.domain.result import Map
from slicermedai.inference.saliency_target import in_words

_TARGET = "target"
_PART = ", part "
_BOX = re.compile("(.*), box ([0-9]+) by score")


def explained(maps: Sequence[Map], findings: Sequence[Finding]) -> tuple[Map, ...]:
    """``maps``, those of saliency with the tracking UIDs of the findings of their target's name and side.

    A map of one part of a structure is of the finding that holds that part, and one of a box of that box alone. Where
    no finding has that name, there is no link.
    """
    return tuple(_linked(one, findings) if one.quantity == SALIENCY else one for one in maps)


def _linked(one: Map, findings: Sequence[Finding]) -> Map:
    target = dict(one.about).get(_TARGET, "")
    box = _BOX.fullmatch(target)
    name, number = (box[1], int(box[2])) if box else (target.partition(_PART)[0], 0)
    own = [found for found in findings if in_words(found.label) == name]
    if number:
        own = sorted(own, key=lambda found: -(found.confidence.raw_score or 0.0))[number - 1 : number]
    return replace(one, explains=tuple(found.tracking_uid for found in own))
