"""Maps of a result, and the inner and outer regions of its structures: in the scene, and hidden at first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slicermedai.domain.codes import Label
from slicermedai.domain.finding import Finding, PackedMask
from slicermedai.domain.result import AnalysisResult, Map
from slicermedai.domain.study import Study
from slicermedai.domain.volume import Volume
from slicermedai.scene import identity
from slicermedai.scene.map_colors import paint
from slicermedai.scene.notice import describe
from slicermedai.scene.segments import fill_segmentation
from slicermedai.scene.volumes import volume_to_node


def add_maps(result: AnalysisResult, scene: Any) -> tuple[Any, ...]:
    """A volume node for each map, and a hidden segmentation of inner and outer regions; earlier ones are replaced.

    No view shows a volume that nobody chose. Voxels of 0 are transparent where a map is laid over the image.
    """
    for old in identity.marked_nodes(scene, identity.result_key(result), identity.MAP):
        scene.RemoveNode(old)
    made = [_map_node(one, scene, result.study) for one in result.maps]
    for node, one in zip(made, result.maps, strict=True):
        paint(node, one, result)
    made += [node for node in (_contours(result, scene),) if node is not None]
    for node in made:
        described = node.GetDescription() or ""
        identity.mark(node, result, identity.MAP)
        describe(node, result)
        node.SetDescription("\n".join(filter(None, (described, node.GetDescription()))))
    return tuple(made)


def _map_node(one: Map, scene: Any, study: Study) -> Any:
    node = volume_to_node(
        Volume(array=one.array, geometry=one.geometry, unit=one.unit, name=one.name), scene, study=study
    )
    node.SetDescription("\n".join(f"{name}: {value}" for name, value in one.about))
    return node


def _contours(result: AnalysisResult, scene: Any) -> Any | None:
    """Two segments for each structure that has them; None without any."""
    found = result.uncertainty
    if found is None:
        return None
    segments = []
    for finding in result.findings:
        spread = found.of(finding.tracking_uid)
        if spread is not None and spread.inner is not None and spread.outer is not None:
            share = f"{found.level:.0%} of the samples"
            segments.append(_segment(finding, spread.inner, f"inner, {share}", "inner"))
            segments.append(_segment(finding, spread.outer, f"outer, not excluded by {share}", "outer"))
    if not segments:
        return None
    name = scene.GenerateUniqueName(f"{result.provenance.bundle} inner and outer regions")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    fill_segmentation(node, segments, geometry=result.volume_geometry, made_by=result.provenance)
    node.GetDisplayNode().SetVisibility(False)
    return node


def _segment(finding: Finding, region: PackedMask, words: str, key: str) -> Finding:
    label: Label = replace(finding.label, name=f"{finding.label.name}, {words}")
    return replace(finding, label=label, region=region, tracking_uid=f"{finding.tracking_uid}.{key}")
