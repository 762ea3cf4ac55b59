"""A result in a scene: the one function that the application, the console and the pictures use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, IdentityError
from slicermedai.scene import identity
from slicermedai.scene.hierarchy import SeriesItem, file_beside, file_under_study, series_uid_of
from slicermedai.scene.markups import add_markup
from slicermedai.scene.segments import create_surfaces, fill_segmentation, know_surfaces
from slicermedai.scene.tables import fill_table
from slicermedai.scene.volumes import geometry_of_node, volume_to_node


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """The nodes that show one result; ``key`` names the result in the nodes' ``MedAI.Result`` attribute.

    ``volume_node`` is None where neither a volume nor a node was handed in.
    """

    key: str
    volume_node: Any | None
    segmentation_node: Any
    table_node: Any
    markup_nodes: tuple[Any, ...] = ()


def show(
    result: AnalysisResult,
    scene: Any,
    *,
    volume: Volume | None = None,
    volume_node: Any | None = None,
    surfaces: bool = True,
) -> Shown:
    """Show ``result`` in ``scene``; shown again, its nodes are brought up to date and none is added.

    Parameters
    ----------
    result:
        Of any status; without findings the segmentation and the table are empty, and say so by being there.
    scene:
        The MRML scene to show it in.
    volume:
        The image, for a scene that does not hold it yet.
    volume_node:
        The node of the image where it is loaded already. It is used and not changed, and :func:`clear` leaves it.
    surfaces:
        Whether closed surfaces are made for 3D views.

    Raises
    ------
    GeometryError
        The image is not the one that was analysed: it lies elsewhere.
    IdentityError
        The result is pseudonymous, and the node is of another, identified series.
    UnsupportedImageError
        ``volume`` cannot be held by a volume node.
    """
    _check_image(result, volume, volume_node)
    image = volume_node or _volume_node(result, scene, volume)
    know_surfaces()
    segmentation = _node(result, scene, identity.SEGMENTATION)
    fill_segmentation(segmentation, result.findings, geometry=result.volume_geometry, made_by=result.provenance)
    if surfaces:
        create_surfaces(segmentation)
    table = _node(result, scene, identity.TABLE)
    fill_table(table, result)
    markups = _markups(result, scene)
    _file(result, scene, [segmentation, table, *markups], image)
    return Shown(
        key=identity.result_key(result),
        volume_node=image,
        segmentation_node=segmentation,
        table_node=table,
        markup_nodes=markups,
    )


def _check_image(result: AnalysisResult, volume: Volume | None, node: Any | None) -> None:
    geometry = volume.geometry if volume is not None else geometry_of_node(node) if node is not None else None
    if geometry is not None and not geometry.same_box(result.volume_geometry):
        raise GeometryError(
            "the image is not the one that was analysed: it lies elsewhere",
            attribute="volume_node" if volume is None else "volume",
            advice="Give the image of this result, or none.",
        )
    series = series_uid_of(node) if node is not None else ""
    if result.study.identity is Identity.DEIDENTIFY and series not in {"", *(s.series_uid for s in result.sources)}:
        raise IdentityError(
            "a pseudonymous result is not shown on an image of an identified series",
            attribute="volume_node",
            advice="Show it without the node: slicermedai.show(result, volume=slicermedai.image_of(source, output)).",
        )


_KINDS = {
    identity.SEGMENTATION: ("vtkMRMLSegmentationNode", "segmentation"),
    identity.TABLE: ("vtkMRMLTableNode", "measurements"),
}


def _node(result: AnalysisResult, scene: Any, role: str) -> Any:
    found = identity.marked_nodes(scene, identity.result_key(result), role)
    if found:
        return found[0]
    kind, word = _KINDS[role]
    node = scene.AddNewNodeByClass(kind, scene.GenerateUniqueName(f"{result.provenance.bundle} {word}"))
    identity.mark(node, result, role)
    return node


def _volume_node(result: AnalysisResult, scene: Any, volume: Volume | None) -> Any | None:
    found = identity.marked_nodes(scene, identity.result_key(result), identity.VOLUME)
    if found:
        return found[0]
    if volume is None:
        return None
    node = volume_to_node(volume, scene, study=result.study)
    identity.mark(node, result, identity.VOLUME)
    return node


def _markups(result: AnalysisResult, scene: Any) -> tuple[Any, ...]:
    for old in identity.marked_nodes(scene, identity.result_key(result), identity.MARKUP):
        scene.RemoveNode(old)
    made = [node for finding in result.findings if (node := add_markup(finding, scene)) is not None]
    for node in made:
        identity.mark(node, result, identity.MARKUP)
    return tuple(made)


def _file(result: AnalysisResult, scene: Any, nodes: list[Any], image: Any | None) -> None:
    """Put ``nodes`` beside the image, or under the result's patient and study where the image lies at the top."""
    if image is not None and image.IsA("vtkMRMLVolumeNode"):
        nodes[0].SetReferenceImageGeometryParameterFromVolumeNode(image)
    for node in nodes:
        filed = image is not None and file_beside(node, image)
        file_under_study(node, scene, None if filed else result.study)
    file_under_study(nodes[0], scene, None, series=_segmentation_series(result))


def _segmentation_series(result: AnalysisResult) -> SeriesItem:
    sources = result.sources or result.study.series
    return SeriesItem(
        modality="SEG",
        frame_of_reference_uid=result.volume_geometry.frame_of_reference_uid,
        instances=tuple(i.sop_instance_uid for series in sources for i in series.instances),
    )
