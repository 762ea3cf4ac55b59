"""A result under review in a scene: what a person decides is seen at once, and what they draw is read back."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import slicer
import vtk

from slicermedai.domain.counting import voxels
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Box, Finding, Mask, PackedMask, Point
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, IdentityError, InputError, MedAIError
from slicermedai.scene import identity, laying
from slicermedai.scene.comparing import Comparing, Hashes
from slicermedai.scene.hierarchy import series_uid_of
from slicermedai.scene.jump import jump_to
from slicermedai.scene.markups import TRACKING_UID, add_markups
from slicermedai.scene.notice import describe, fill_notice
from slicermedai.scene.preparing import LATER, Prepared, preparing
from slicermedai.scene.segments import (
    count_values,
    drawn_voxels,
    has_mask,
    mask_from_segment,
    put_segment,
    tag_segment,
)
from slicermedai.scene.show import check_node, lay_out, names_series, show_volume
from slicermedai.scene.surfaces import Awaited, await_surfaces
from slicermedai.scene.tables import fill_table
from slicermedai.scene.volumes import geometry_of_node

DECISIONS = "MedAI.Decisions"
"""How many saved decisions the segmentation shows; without it, none."""
EDITOR = "SegmentEditor"
"""The singleton tag by which Slicer's module Segment Editor knows its parameters, and that module's name."""
_EVENT = slicer.vtkSegmentation.SourceRepresentationModified


class ReviewScene:
    """One result at a time in the MRML scene ``scene``, which is handed in."""

    def __init__(self, scene: Any) -> None:
        self.scene = scene
        self._result: AnalysisResult | None = None
        self._drawn: dict[str, Any] = {}
        """Which region each segment shows, by its finding."""
        self._changed: set[str] = set()
        self._watched: tuple[Any, int] | None = None
        self._hashes = Hashes()

    # --- showing -----------------------------------------------------------------------------------------------------

    @property
    def is_there(self) -> bool:
        """True while the scene holds the result's segmentation."""
        return self._result is not None and self._segmentation is not None

    @property
    def image_node(self) -> Any | None:
        """The node of the image that the result lies on, None where the scene has none."""
        node = self._segmentation
        return (
            node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())
            if node
            else None
        )

    def has_image(self, result: AnalysisResult) -> bool:
        """True where the scene shows ``result`` or may hold its image: then nobody need read that again."""
        self._result, before = result, self._result
        try:
            return self._is_shown(result) or any(True for _ in self._candidates(result))
        finally:
            self._result = before

    def comparing(self, result: AnalysisResult) -> Comparing | None:
        """Work that compares the image that the scene holds with the one that was analysed, to be done before
        :meth:`open`; None where there is nothing to compare, or it is done at once.
        """
        self._result, before = result, self._result
        is_shown, self._result = self._is_shown(result), before
        node, read = next(self._candidates(result), None), result.provenance.input
        if is_shown or node is None or read is None or not read.image:
            return None
        return None if names_series(result, node) else self._hashes.comparing(node)

    def preparing(
        self, result: AnalysisResult, image: Volume | None = None, *, known: str = ""
    ) -> Generator[None, None, Prepared]:
        """What is large of ``result`` and ``image``, for :meth:`open`; in pieces, and nothing of it is in the scene.

        ``known`` is the hash of ``image``, where it was taken already.
        """
        self._result, before = result, self._result
        is_shown, self._result = self._is_shown(result), before
        if is_shown:
            return LATER
        return (yield from preparing(decided(replace(result, reviews=())), image, known=known))

    def open(self, result: AnalysisResult, image: Volume | None = None, *, prepared: Prepared = LATER) -> str:
        """Show ``result`` with its decisions, on the image that the scene holds, or on ``image``; returns a remark.

        ``prepared`` is what :meth:`preparing` gave. No surface is made (:meth:`awaited`).
        Where the scene shows it already, its segments are left as they are: a person may have drawn in them.

        Raises
        ------
        GeometryError, InputError, IdentityError
            ``image`` is not the one that was analysed, or is identified and the result is not.
        """
        self.forget()
        self._result = result
        if self._is_shown(result):
            now = [one for one in decided(result).findings if has_mask(one)]
            self._drawn = {one.tracking_uid: one.region for one in now}
            self._changed, remark = _drawn_in(self._segmentation, now), ""
        else:
            remark = self._show(replace(result, reviews=()), image, prepared)
            self._drawn = {one.tracking_uid: one.region for one in result.findings if has_mask(one)}
        self._watch()
        self.apply(result)
        self.keep(result)
        return remark

    def apply(self, result: AnalysisResult) -> None:
        """Bring segments, boxes, points, table and notice to what the decisions of ``result`` say, and no more."""
        self._result, now = result, decided(result)
        segmentation = self._segmentation
        if segmentation is None:
            return
        wanted = {one.tracking_uid: one for one in now.findings if has_mask(one)}
        self._draw(segmentation, now, wanted)
        _mark_places(self.scene, now)
        _write_words(self.scene, segmentation, now)

    def awaited(self) -> Awaited | None:
        """The segments that have no surface yet, but for small ones; None where the scene shows no result."""
        return None if self._segmentation is None else await_surfaces(self._segmentation)

    def keep(self, result: AnalysisResult) -> None:
        """Note on the segmentation that all decisions of ``result`` are saved, and shown by it."""
        if self._segmentation is not None:
            self._segmentation.SetAttribute(DECISIONS, str(len(result.reviews)))

    def forget(self) -> None:
        """Let go of the result; its nodes stay, and nothing observes them any more."""
        if self._watched is not None:
            segmentation, tag = self._watched
            segmentation.RemoveObserver(tag)
        self._watched = self._result = None
        self._drawn, self._changed = {}, set()

    # --- looking -----------------------------------------------------------------------------------------------------

    def jump(self, place: Sequence[float]) -> None:
        """Bring all views to ``place``, LPS mm."""
        jump_to(place, self.scene)

    def outline(self, uid: str) -> bool:
        """Outline the inner and outer region of one finding; True where it has them."""
        return self._result is not None and laying.show_regions(self._result, self.scene, uid)

    def lay_map(self, number: int, *, share: float) -> float | None:
        """Lay one of the result's maps over the image, from ``share`` of its range on; returns the threshold.

        None where there is no such map, or none of them is wanted (a negative number).
        """
        if self._result is None:
            return None
        laying.lift(self._result, self.scene)
        nodes = laying.map_nodes(self._result, self.scene)
        return laying.lay(nodes[number], share=share, image=self.image_node) if 0 <= number < len(nodes) else None

    # --- editing -----------------------------------------------------------------------------------------------------

    @property
    def changed(self) -> frozenset[str]:
        """Findings whose segments somebody may have drawn in since they were read or shown."""
        return frozenset(self._changed)

    def edit(self, uid: str) -> None:
        """Choose the segment of the finding ``uid``, and its image, in Slicer's Segment Editor.

        Raises
        ------
        InputError
            The scene shows no segment of it.
        """
        segmentation = self._segmentation
        if segmentation is None or segmentation.GetSegmentation().GetSegment(uid) is None:
            raise InputError("the scene shows no segment of this finding", attribute="tracking_uid")
        editor = _editor_of(self.scene)
        editor.SetAndObserveSegmentationNode(segmentation)
        editor.SetAndObserveSourceVolumeNode(self.image_node)
        editor.SetSelectedSegmentID(uid)
        display = segmentation.GetDisplayNode()
        display.SetVisibility(True)
        display.SetSegmentVisibility(uid, True)

    def drawn(self, uid: str) -> PackedMask:
        """The voxels of a finding's segment as they are now.

        Raises
        ------
        InputError, GeometryError
            There is no such segment, or it was moved by something that is not linear.
        """
        if self._segmentation is None:
            raise InputError("the scene does not show the result any more", attribute="segmentation")
        return mask_from_segment(self._segmentation, uid)

    def take(self, uid: str, region: PackedMask) -> None:
        """What the segment of ``uid`` shows is ``region``, which was read from it."""
        self._drawn[uid] = region
        self._changed.discard(uid)

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _segmentation(self) -> Any | None:
        return self._one(identity.SEGMENTATION)

    def _one(self, role: str) -> Any | None:
        if self._result is None:
            return None
        found = identity.marked_nodes(self.scene, identity.result_key(self._result), role)
        return found[0] if found else None

    def _is_shown(self, result: AnalysisResult) -> bool:
        node = self._segmentation
        if node is None or int(node.GetAttribute(DECISIONS) or 0) != len(result.reviews):
            return False
        known = {one.tracking_uid for one in decided(result).findings if has_mask(one)}
        return all(node.GetSegmentation().GetSegment(uid) is not None for uid in known)

    def _show(self, result: AnalysisResult, image: Volume | None, prepared: Prepared) -> str:
        for node in self._candidates(result):
            try:
                now = decided(result)
                remark = check_node(now, node, known=self._hashes.of(node))
                return lay_out(now, self.scene, node, prepared=prepared, remark=remark).remark
            except (GeometryError, IdentityError, InputError):
                continue
        if image is None:
            return lay_out(decided(result), self.scene, None, prepared=prepared).remark
        return show_volume(result, self.scene, image, prepared=prepared).remark

    def _candidates(self, result: AnalysisResult) -> Iterator[Any]:
        """Volume nodes that may show the image that was analysed, the likeliest first."""
        yield from identity.marked_nodes(self.scene, identity.result_key(result), identity.VOLUME)
        found = self.scene.GetNodesByClass("vtkMRMLScalarVolumeNode")
        nodes = [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]
        free = [one for one in nodes if one.GetAttribute(identity.ROLE) is None and _lies_on(one, result)]
        own = {series.series_uid for series in result.sources}
        yield from sorted(free, key=lambda node: series_uid_of(node) not in own)

    def _draw(self, segmentation: Any, now: AnalysisResult, wanted: dict[str, Finding]) -> None:
        """Add, remove and fill segments where they differ from what is wanted."""
        inner, made, before = segmentation.GetSegmentation(), now.provenance, ""
        drawn_in = set(self._changed)
        for uid in [uid for uid in self._drawn if uid not in wanted]:
            inner.RemoveSegment(uid)
            del self._drawn[uid]
        for uid, finding in reversed(wanted.items()):
            if self._drawn.get(uid) is not finding.region:
                put_segment(segmentation, finding, made_by=made, before=before)
                self._drawn[uid] = finding.region
                drawn_in.discard(uid)
            else:
                tag_segment(segmentation, finding, made_by=made)
            before = uid
        self._changed = drawn_in  # segments that share a layer tell of each other's changes

    def _watch(self) -> None:
        def note(caller: Any, event: Any, uid: str) -> None:
            if uid in self._drawn:
                self._changed.add(uid)

        note.CallDataType = vtk.VTK_STRING  # type: ignore[attr-defined]  # VTK reads it
        segmentation = self._segmentation.GetSegmentation()  # type: ignore[union-attr]  # it was shown just now
        self._watched = (segmentation, segmentation.AddObserver(_EVENT, note))


def _mark_places(scene: Any, now: AnalysisResult) -> None:
    """Boxes and points of findings that were not rejected."""
    wanted = {one.tracking_uid: one for one in now.findings if isinstance(one.region, (Box, Point))}
    shown = set()
    for node in identity.marked_nodes(scene, identity.result_key(now), identity.MARKUP):
        uid = node.GetAttribute(TRACKING_UID)
        if uid in wanted:
            shown.add(uid)
        else:
            scene.RemoveNode(node)
    for finding in (one for uid, one in wanted.items() if uid not in shown):
        for node in add_markups(finding, scene):
            identity.mark(node, now, identity.MARKUP)


def _write_words(scene: Any, segmentation: Any, now: AnalysisResult) -> None:
    """What the nodes say of ``now``: its descriptions, its table and its notice."""
    key = identity.result_key(now)
    describe(segmentation, now)
    for table in identity.marked_nodes(scene, key, identity.TABLE)[:1]:
        fill_table(table, now)
        describe(table, now)
    for notice in identity.marked_nodes(scene, key, identity.NOTICE)[:1]:
        fill_notice(notice, now)


def _editor_of(scene: Any) -> Any:
    node = scene.GetSingletonNode(EDITOR, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(EDITOR)
        node = scene.AddNode(node)
    return node


def _drawn_in(segmentation: Any, findings: Sequence[Finding]) -> set[str]:
    """The findings whose segments have another number of voxels than they should: somebody drew in them before."""
    there = drawn_voxels(segmentation, [one.tracking_uid for one in findings])
    maps: dict[int, Any] = {}
    wanted = {}
    for one in findings:
        region = one.region
        if isinstance(region, Mask):
            if id(region.label_map) not in maps:
                maps[id(region.label_map)] = count_values(region.label_map.array)
            known = maps[id(region.label_map)]
            wanted[one.tracking_uid] = int(known[region.value]) if region.value < len(known) else 0
        elif isinstance(region, PackedMask):
            wanted[one.tracking_uid] = voxels(region)
    return {uid for uid, count in wanted.items() if there[uid] != count}


def _lies_on(node: Any, result: AnalysisResult) -> bool:
    try:
        return geometry_of_node(node).same_box(result.volume_geometry)
    except MedAIError:
        return False
