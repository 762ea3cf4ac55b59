"""Which node belongs to which result: ``MedAI.*`` node attributes, and nothing else, carry that knowledge."""

from __future__ import annotations

import hashlib
from typing import Any

from slicermedai.domain.result import AnalysisResult

RESULT = "MedAI.Result"
ROLE = "MedAI.Role"
VOLUME, SEGMENTATION, TABLE, MARKUP = "volume", "segmentation", "table", "markup"
NOTICE, BANNER, MAP, COLORS = "notice", "banner", "map", "colors"


def result_key(result: AnalysisResult) -> str:
    """A name for ``result``: its job id, or, without one, a hash of what it holds."""
    if result.provenance.job_id:
        return result.provenance.job_id
    found = {one.tracking_uid for one in result.findings} | {one.tracking_uid for one in result.reviews}
    made = result.provenance
    parts = [made.weights_sha256, result.study.study_uid, made.finished, *sorted(found - {""})]
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()[:32]


def mark(node: Any, result: AnalysisResult, role: str) -> None:
    """Write on ``node`` that it shows ``result``, and by which model that was made."""
    made_by = result.provenance
    attributes = {
        RESULT: result_key(result),
        ROLE: role,
        "MedAI.JobID": made_by.job_id,
        "MedAI.Bundle": made_by.bundle,
        "MedAI.BundleVersion": made_by.bundle_version,
        "MedAI.WeightsSHA256": made_by.weights_sha256,
        "MedAI.Identity": result.study.identity.value,
    }
    for name, value in attributes.items():
        if value:
            node.SetAttribute(name, value)


def marked_nodes(scene: Any, key: str, role: str | None = None) -> list[Any]:
    """The nodes of ``scene`` that show the result ``key`` (in the role ``role``), in the order they were added."""
    nodes = (scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))
    found = [node for node in nodes if node.GetAttribute(RESULT) == key]
    return [node for node in found if role is None or node.GetAttribute(ROLE) == role]
