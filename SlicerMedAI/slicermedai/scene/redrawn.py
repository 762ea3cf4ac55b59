"""Segments of an answer to marks, brought up to date: what a person set or drew in them stays."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.finding import Finding
from slicermedai.domain.result import AnalysisResult
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
            _note(node, one)
        return ""
    drawn = _drawn_by_a_person(node, {one.tracking_uid: _digest(_voxels(one)) for one in findings})
    segmentation = node.GetSegmentation()
    wanted = {one.tracking_uid for one in findings}
    for name in [n for n in segmentation.GetSegmentIDs() if n not in wanted and n not in drawn]:
        segmentation.RemoveSegment(name)
    for one in findings:
        if one.tracking_uid not in drawn:
            _bring(node, one, result)
    segmentation.CollapseBinaryLabelmaps(False)
    names = ", ".join(segmentation.GetSegment(name).GetName() for name in drawn)
    return f"segments that a person drew or changed stay as they are: {names}" if drawn else ""


def _bring(node: Any, finding: Finding, result: AnalysisResult) -> None:
    name = finding.tracking_uid
    known = node.GetSegmentation().GetSegment(name) is not None
    if not known or segment_tag(node, name, SHOWN) != _digest(_voxels(finding)):
        redraw(node, finding, made_by=result.provenance)
    tag_segment(node, finding, made_by=result.provenance)
    _note(node, finding)


def _drawn_by_a_person(node: Any, wanted: dict[str, str]) -> list[str]:
    """Segments whose voxels are neither those that were last shown, nor those that are to be shown."""
    found = []
    for name in node.GetSegmentation().GetSegmentIDs():
        if _digest(mask_from_segment(node, name).to_array()) not in (segment_tag(node, name, SHOWN), wanted.get(name)):
            found.append(name)
    return found


def _note(node: Any, finding: Finding) -> None:
    node.GetSegmentation().GetSegment(finding.tracking_uid).SetTag(SHOWN, _digest(_voxels(finding)))


def _voxels(finding: Finding) -> NDArray[np.bool_]:
    assert finding.region is not None
    region: Any = finding.region
    return np.asarray(region.to_array(), dtype=bool)


def _digest(mask: NDArray[np.bool_]) -> str:
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:32]
