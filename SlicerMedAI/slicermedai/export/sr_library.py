"""The Image Library of a report (TID 1600 to 1604): which images were analysed, and what is common to them.

What all images share is said once for the group; an image itself says its place alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from highdicom.sr.enum import RelationshipTypeValues
from highdicom.sr.value_types import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    UIDRefContentItem,
)
from pydicom.dataset import Dataset

from slicermedai.domain.codes import MILLIMETER, Code
from slicermedai.export import codes
from slicermedai.export.codes import concept
from slicermedai.export.context import ExportContext
from slicermedai.export.source import SourceFrame

_CONTEXT = RelationshipTypeValues.HAS_ACQ_CONTEXT
_CONTAINS = RelationshipTypeValues.CONTAINS


def image_library(context: ExportContext, frames: tuple[SourceFrame, ...]) -> ContainerContentItem:
    """The library of the images behind ``frames``, all of one series; of an image that was analysed in part, which."""
    entries = _entries(frames, context.chosen)
    group = _container(codes.IMAGE_LIBRARY_GROUP, [*_shared(context.header, frames[0]), *entries])
    return _container(codes.IMAGE_LIBRARY, [group])


def _container(name: Code, content: list[ContentItem]) -> ContainerContentItem:
    made = ContainerContentItem(name=concept(name), relationship_type=_CONTAINS)
    made.ContentSequence = ContentSequence(content)
    return made


def _shared(header: Dataset, frame: SourceFrame) -> list[ContentItem]:
    """TID 1602 and TID 1604, as far as all images agree; ``frame`` is one of them."""
    horizontal, vertical = (float(v) for v in np.linalg.norm(frame.axes, axis=0))
    cosines = (frame.axes / (horizontal, vertical)).T.ravel()
    modality = concept(codes.acquisition(str(header.get("Modality", ""))))
    return [
        CodeContentItem(name=concept(codes.MODALITY), value=modality, relationship_type=_CONTEXT),
        UIDRefContentItem(
            name=concept(codes.FRAME_OF_REFERENCE),
            value=str(header.FrameOfReferenceUID),
            relationship_type=_CONTEXT,
        ),
        _number(codes.PIXEL_ROWS, frame.size[0], codes.PIXELS),
        _number(codes.PIXEL_COLUMNS, frame.size[1], codes.PIXELS),
        _number(codes.HORIZONTAL_SPACING, horizontal, MILLIMETER),
        _number(codes.VERTICAL_SPACING, vertical, MILLIMETER),
        *[_number(name, float(v), codes.COSINE) for name, v in zip(codes.ORIENTATION, cosines, strict=True)],
    ]


def _entries(frames: tuple[SourceFrame, ...], chosen: Mapping[str, tuple[int, ...]]) -> list[ContentItem]:
    """TID 1601, once for each instance; frames of a multi-frame image have their places in that image."""
    instances = {frame.sop_instance_uid: frame for frame in frames}
    return [_entry(frame, chosen.get(uid)) for uid, frame in instances.items()]


def _entry(frame: SourceFrame, chosen: tuple[int, ...] | None) -> ImageContentItem:
    made = ImageContentItem(
        name=concept(codes.SOURCE),
        referenced_sop_class_uid=frame.sop_class_uid,
        referenced_sop_instance_uid=frame.sop_instance_uid,
        referenced_frame_numbers=list(chosen) if chosen else None,
        relationship_type=_CONTAINS,
    )
    if frame.number is None:
        places = zip(codes.POSITION, frame.position, strict=True)
        made.ContentSequence = ContentSequence([_number(name, float(v), MILLIMETER) for name, v in places])
    return made


def _number(name: Code, value: Any, unit: Code) -> NumContentItem:
    return NumContentItem(name=concept(name), value=value, unit=concept(unit), relationship_type=_CONTEXT)
