"""A result in a scene: the one function that the application, the console and the pictures use."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from slicermedai.domain.decisions import decided
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.same_image import check_image
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, IdentityError
from slicermedai.scene import identity
from slicermedai.scene.hierarchy import SeriesItem, file_beside, file_under_study, series_uid_of
from slicermedai.scene.maps import add_maps
from slicermedai.scene.markups import add_markups
from slicermedai.scene.notice import describe, fill_notice
from slicermedai.scene.preparing import AT_ONCE, LATER, Prepared
from slicermedai.scene.redrawn import is_redrawn, show_marked
from slicermedai.scene.segments import create_surfaces, fill_segmentation, know_surfaces
from slicermedai.scene.tables import fill_table
from slicermedai.scene.volumes import geometry_of_node, volume_as_shown, volume_to_node

_LOG = logging.getLogger("slicermedai")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """The nodes that show one result; ``key`` names the result in the nodes' ``MedAI.Result`` attribute.

    ``volume_node`` is None where neither a volume nor a node was handed in. ``remark`` says where it is not certain
    that the image is the one that was analysed.
    """

    key: str
    volume_node: Any | None
    segmentation_node: Any
    table_node: Any
    notice_node: Any
    markup_nodes: tuple[Any, ...] = ()
    map_nodes: tuple[Any, ...] = ()
    remark: str = ""


def show(
    result: AnalysisResult,
    scene: Any,
    *,
    volume: Volume | None = None,
    volume_node: Any | None = None,
    surfaces: bool = True,
) -> Shown:
    """Show ``result`` in the MRML scene ``scene``; shown again, its nodes are brought up to date and none is added.

    Parameters
    ----------
    result:
        Of any status; without findings the segmentation and the table are empty, and say so by being there. What people
        decided about it is applied: rejected findings are not shown, edited ones as the person left them.
    volume:
        The image, for a scene that does not hold it yet.
    volume_node:
        The node of the image where it is loaded already. It is used and not changed, and :func:`clear` leaves it.
    surfaces:
        Whether closed surfaces are made for 3D views.

    Raises
    ------
    GeometryError, InputError
        The image is not the one that was analysed: it lies elsewhere, is of another series, or has other voxels.
    IdentityError
        The result is pseudonymous, and the image is of another, identified series.
    UnsupportedImageError, FormatError
        ``volume`` cannot be held by a volume node, or a review does not fit the result.
    """
    prepared = AT_ONCE if surfaces else LATER
    if volume is not None:
        return show_volume(result, scene, volume, prepared=prepared)
    result = decided(result)
    remark = check_node(result, volume_node) if volume_node is not None else ""
    return lay_out(result, scene, volume_node or _volume_node(result, scene, None), prepared=prepared, remark=remark)


def show_volume(result: AnalysisResult, scene: Any, volume: Volume, *, prepared: Prepared = AT_ONCE) -> Shown:
    """As :func:`show`, of a result and an image that may be prepared."""
    result = decided(result)
    _check_route(result, volume.series_uid, volume.geometry.frame_of_reference_uid, attribute="volume")
    remark = _logged(check_image(result, volume, known=prepared.known))
    node = _volume_node(result, scene, volume, prepared.image)
    return lay_out(result, scene, node, prepared=prepared, remark=remark)


def lay_out(result: AnalysisResult, scene: Any, image: Any | None, *, prepared: Prepared, remark: str = "") -> Shown:
    """As :func:`show`, of a result whose decisions are applied, on the node ``image``, which was looked at before."""
    segmentation, kept = _segmentation(result, scene, prepared)
    table, notice = _words(result, scene)
    markups, maps = _markups(result, scene), add_maps(result, scene)
    _file(result, scene, [segmentation, table, notice, *markups, *maps], image)
    return Shown(
        key=identity.result_key(result),
        volume_node=image,
        segmentation_node=segmentation,
        table_node=table,
        notice_node=notice,
        markup_nodes=markups,
        map_nodes=maps,
        remark="; ".join(filter(None, (remark, kept))),
    )


def _segmentation(result: AnalysisResult, scene: Any, prepared: Prepared) -> tuple[Any, str]:
    """The node, and a remark on what a person drew in it."""
    know_surfaces()
    node = _node(result, scene, identity.SEGMENTATION)
    kept = ""
    if result.provenance.prompts or is_redrawn(node):
        kept = _logged(show_marked(node, result))
    else:
        grid, made_by = result.volume_geometry, result.provenance
        fill_segmentation(node, result.findings, geometry=grid, made_by=made_by, layers=prepared.layers)
    if prepared.surfaces:
        create_surfaces(node)
    describe(node, result)
    return node, kept


def _words(result: AnalysisResult, scene: Any) -> tuple[Any, Any]:
    """The table of measurements, and what must be read before them."""
    table, notice = _node(result, scene, identity.TABLE), _node(result, scene, identity.NOTICE)
    fill_table(table, result)
    describe(table, result)
    fill_notice(notice, result)
    return table, notice


def check_node(result: AnalysisResult, node: Any, *, known: str = "") -> str:
    """What cannot be said of the image that ``node`` shows; ``known`` is the hash of its voxels where that was taken.

    Raises
    ------
    GeometryError, InputError, IdentityError
        As :func:`show` does.
    """
    if not geometry_of_node(node).same_box(result.volume_geometry):
        raise GeometryError(
            "the image is not the one that was analysed: it lies elsewhere",
            attribute="volume_node",
            advice="Give the image of this result, or none.",
        )
    _check_route(result, series_uid_of(node), "", attribute="volume_node")
    return _check_voxels(result, node, known)


def _check_voxels(result: AnalysisResult, node: Any, known: str) -> str:
    """A node that names the series of the result is taken as its image: readers differ in padding and rounding."""
    if names_series(result, node):
        return ""
    return _logged(check_image(result, volume_as_shown(node), attribute="volume_node", known=known))


def names_series(result: AnalysisResult, node: Any) -> bool:
    """True where the node says of which series it is, and that is one of the result's."""
    uid = series_uid_of(node)
    return bool(uid) and uid in {series.series_uid for series in result.sources}


def _logged(remark: str) -> str:
    if remark:
        _LOG.warning("%s", remark)
    return remark


def _check_route(result: AnalysisResult, series: str, space: str, *, attribute: str) -> None:
    known = {"", *(source.series_uid for source in result.sources)}
    spaces = {"", result.volume_geometry.frame_of_reference_uid}
    if result.study.identity is Identity.DEIDENTIFY and not (series in known and space in spaces):
        raise IdentityError(
            "a pseudonymous result is not shown on an image of an identified series",
            attribute=attribute,
            advice="Show it on its own image: slicermedai.show(result, volume=slicermedai.image_of(source, output)).",
        )


_KINDS = {
    identity.SEGMENTATION: ("vtkMRMLSegmentationNode", "segmentation"),
    identity.TABLE: ("vtkMRMLTableNode", "measurements"),
    identity.NOTICE: ("vtkMRMLTextNode", "notice, read first: research use only"),
}


def _node(result: AnalysisResult, scene: Any, role: str) -> Any:
    found = identity.marked_nodes(scene, identity.result_key(result), role)
    if found:
        return found[0]
    kind, word = _KINDS[role]
    node = scene.AddNewNodeByClass(kind, scene.GenerateUniqueName(f"{result.provenance.bundle} {word}"))
    identity.mark(node, result, role)
    return node


def _volume_node(result: AnalysisResult, scene: Any, volume: Volume | None, image: Any | None = None) -> Any | None:
    found = identity.marked_nodes(scene, identity.result_key(result), identity.VOLUME)
    if found:
        return found[0]
    if volume is None:
        return None
    own = bool(volume.series_uid) or result.study.identity is Identity.KEEP
    node = volume_to_node(volume if own else volume.voxels_alone(), scene, study=result.study, image=image)
    identity.mark(node, result, identity.VOLUME)
    return node


def _markups(result: AnalysisResult, scene: Any) -> tuple[Any, ...]:
    for old in identity.marked_nodes(scene, identity.result_key(result), identity.MARKUP):
        scene.RemoveNode(old)
    made = [node for finding in result.findings for node in add_markups(finding, scene)]
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
