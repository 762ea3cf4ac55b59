"""Links from a finding to the parametric maps that explain it: Visual explanation (130401, DCM; PS3.16 annex D).

A report, and an R5 bundle, cite the maps that are written beside them. Without these there are no links, and the
objects have other UIDs, for they say something else.
"""

from __future__ import annotations

from dataclasses import dataclass

from highdicom.sr.enum import RelationshipTypeValues
from highdicom.sr.value_types import ImageContentItem
from pydicom.dataset import Dataset

from slicermedai.domain.result import AnalysisResult
from slicermedai.export import pmap, subject
from slicermedai.export.codes import VISUAL_EXPLANATION, concept
from slicermedai.export.context import ExportContext
from slicermedai.export.multiframe import item, sop_reference


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedMap:
    """A map that is written beside the report, and the tracking UIDs of the findings that it explains."""

    sop_instance_uid: str
    series_uid: str
    explains: tuple[str, ...]


def cited_maps(result: AnalysisResult, context: ExportContext) -> tuple[CitedMap, ...]:
    """The maps that explain findings of ``result``; none where no maps are written in this export.

    An edited finding is explained by none: its voxels are a person's.
    """
    if not context.uids.links_maps:
        return ()
    found = subject.explainable(result)
    maps = [
        CitedMap(
            sop_instance_uid=context.uids.instance(pmap.KIND.name, number),
            series_uid=context.uids.series(pmap.KIND.name),
            explains=tuple(uid for uid in one.explains if uid in found),
        )
        for number, one in enumerate(result.maps, 1)
    ]
    return tuple(one for one in maps if one.explains)


def links(cited: tuple[CitedMap, ...], tracking_uid: str) -> list[ImageContentItem]:
    """The content items of a finding's measurement group that cite what explains it."""
    return [
        ImageContentItem(
            name=concept(VISUAL_EXPLANATION),
            referenced_sop_class_uid=pmap.KIND.sop_class,
            referenced_sop_instance_uid=one.sop_instance_uid,
            relationship_type=RelationshipTypeValues.CONTAINS,
        )
        for one in cited
        if tracking_uid in one.explains
    ]


def evidence(cited: tuple[CitedMap, ...]) -> list[Dataset]:
    """What the links refer to, as items of Referenced Series Sequence (PS3.3 C.17.2.3)."""
    if not cited:
        return []
    references = [sop_reference(pmap.KIND.sop_class, one.sop_instance_uid) for one in cited]
    return [item(SeriesInstanceUID=cited[0].series_uid, ReferencedSOPSequence=references)]
