"""Segments of an answer to marks, brought up to date: what a person set or drew in them stays."""

from __future__ import annotations

import hashlib
from typing import Any

from slicermedai.domain.finding import Finding, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import AnalysisResult
from slicermedai.scene.plan_drawn import drawn_part
from slicermedai.scene.segments import fill_segmentation, has_mask, mask_from_segment, redraw, segment_tag, tag_segment

SHOWN = "MedAI.Shown"
"""The tag of a segment that says which voxels were last shown; segments of other results have none."""


def is_redrawn(node: Any) -> bool:
    """True where ``node`` shows an answer to marks, or showed one."""
    names = node.GetSegmentation().GetSegmentIDs()
    return bool(names) and any(segment_tag(node, name, SHOWN) for name in names)


def show_marked(node: Any, result: AnalysisResult) -> str:
    """Make the segments of ``node`` those of ``result``; returns a remark on what a person drew, which stays as it is.

    Names, colours and display settings of segments stay. A segment whose voxels are not those that were last shown is
    a person's, and neither changed nor removed.
    """
    findings = [one for one in result.findings if has_mask(one)]
    if not is_redrawn(node):
        fill_segmentation(node, findings, geometry=result.volume_geometry, made_by=result.provenance)
        for one in findings:
            _note(node, one.tracking_uid, _digest(one.region))
        return ""
    shown = {one.tracking_uid: _digest(one.region) for one in findings}
    drawn = _drawn_by_a_person(node, shown, result.volume_geometry)
    segmentation = node.GetSegmentation()
    wanted = {one.tracking_uid for one in findings}
    for name in [n for n in segmentation.GetSegmentIDs() if n not in wanted and n not in drawn]:
        segmentation.RemoveSegment(name)
    for one in findings:
        if one.tracking_uid not in drawn:
            _bring(node, one, result, shown[one.tracking_uid])
    segmentation.CollapseBinaryLabelmaps(False)
    names = ", ".join(segmentation.GetSegment(name).GetName() for name in drawn)
    return f"segments that a person drew or changed stay as they are: {names}" if drawn else ""


def _bring(node: Any, finding: Finding, result: AnalysisResult, digest: str) -> None:
    name = finding.tracking_uid
    known = node.GetSegmentation().GetSegment(name) is not None
    if not known or segment_tag(node, name, SHOWN) != digest:
        redraw(node, finding, made_by=result.provenance)
    tag_segment(node, finding, made_by=result.provenance)
    _note(node, name, digest)


def _drawn_by_a_person(node: Any, wanted: dict[str, str], geometry: Geometry) -> list[str]:
    """Segments whose voxels are neither those that were last shown, nor those that are to be shown."""
    found = []
    for name in node.GetSegmentation().GetSegmentIDs():
        region = drawn_part(node, name, geometry) or mask_from_segment(node, name)
        if _digest(region) not in (segment_tag(node, name, SHOWN), wanted.get(name)):
            found.append(name)
    return found


def _note(node: Any, name: str, digest: str) -> None:
    node.GetSegmentation().GetSegment(name).SetTag(SHOWN, digest)


def _digest(region: Any) -> str:
    """Of where a region lies in its grid, and of its voxels there: large images have few of these."""
    packed = region if isinstance(region, PackedMask) else PackedMask.from_array(region.to_array(), region.geometry)
    where = [int(number) for number in (*packed.start, *packed.stop)]
    return hashlib.sha256(repr(where).encode("ascii") + packed.bits.tobytes()).hexdigest()[:32]
