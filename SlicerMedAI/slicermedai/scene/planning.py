"""A plan in a scene: its result with what was drawn, cuts that a person moves, and what is taken and left.

Everything that a person changes is noted, and read back when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import slicer
import vtk

from slicermedai.domain.finding import Finding, PackedMask
from slicermedai.domain.plan import Cut, Plan
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.scene import identity, plan_regions
from slicermedai.scene.clear import remove
from slicermedai.scene.hierarchy import file_beside
from slicermedai.scene.plan_capture import capture_views
from slicermedai.scene.plan_cuts import EVENTS, add_cut, is_shown, place_cut, read_cut
from slicermedai.scene.plan_drawn import drawn_part
from slicermedai.scene.preparing import LATER, Prepared
from slicermedai.scene.reviewing import ReviewScene
from slicermedai.scene.surfaces import Mesh

CUT = "plan cut"
"""The role of the markups."""
_DRAWN = slicer.vtkSegmentation.SourceRepresentationModified


class PlanScene(ReviewScene):
    """One plan of one result at a time in the MRML scene ``scene``, which is handed in.

    3D views show surfaces that somebody else made (:meth:`show_shapes`): to make them takes long.
    """

    def __init__(self, scene: Any) -> None:
        super().__init__(scene)
        self._told: Callable[[], object] = lambda: None
        self._cuts: dict[str, tuple[Cut, Any]] = {}
        """Each cut that is shown, and its node."""
        self._observed: list[tuple[Any, int]] = []
        self._is_placing = False

    def when_changed(self, told: Callable[[], object]) -> None:
        """Call ``told`` whenever somebody may have moved a cut or drawn in a segment."""
        self._told = told

    def open(self, result: AnalysisResult, image: Volume | None = None, *, prepared: Prepared = LATER) -> str:
        """As of :class:`ReviewScene`."""
        remark = super().open(result, image, prepared=prepared)
        self._show_in_3d(on=False)
        self._observe(self._segmentation.GetSegmentation(), _DRAWN)  # type: ignore[union-attr]  # it was shown just now
        self._observe(self.scene, slicer.vtkMRMLScene.NodeRemovedEvent)
        return remark

    def apply(self, result: AnalysisResult) -> None:
        """As of :class:`ReviewScene`; what it draws itself is told to nobody."""
        before, self._is_placing = self._is_placing, True
        try:
            super().apply(result)
        finally:
            self._is_placing = before

    def forget(self) -> None:
        """Let go of the plan and its result; nothing is observed any more. What the plan added is removed."""
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []
        result = self._result
        if result is not None:
            self._remove_cuts(set(self._cuts))
            plan_regions.hide_shapes(result, self.scene)
            self._show_in_3d(on=True)
        self._cuts = {}
        super().forget()

    def leave(self) -> None:
        """The scene is being emptied: let go of its nodes, and remove none."""
        self._cuts = {}
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []
        super().forget()

    def drawn(self, uid: str) -> PackedMask:
        """As of :class:`ReviewScene`; at once where the segment lies on the voxels of the analysed image."""
        found = None
        if self._result is not None and self._segmentation is not None:
            found = drawn_part(self._segmentation, uid, self._result.volume_geometry)
        return super().drawn(uid) if found is None else found

    # --- cuts --------------------------------------------------------------------------------------------------------

    def show_cuts(self, plan: Plan) -> None:
        """Show the planes and boxes of ``plan`` where they lie; others of an earlier plan go."""
        if self._result is None:
            return
        wanted = {one.name: one for one in plan.cuts if is_shown(one)}
        self._remove_cuts({name for name, (cut, _) in self._cuts.items() if type(wanted.get(name)) is not type(cut)})
        before, self._is_placing = self._is_placing, True
        try:
            for name, cut in wanted.items():
                self._show_cut(name, cut)
            self._remove_strangers()
        finally:
            self._is_placing = before

    def moved(self, plan: Plan) -> dict[str, Cut | None]:
        """Cuts of ``plan`` that a person moved, as they are now, by name; None for one that was deleted.

        Raises
        ------
        GeometryError, InputError
            One stands under a transform that is not linear, or is no box any more.
        """
        found: dict[str, Cut | None] = {}
        for one in plan.cuts:
            if one.name in self._cuts:
                node = self._cuts[one.name][1]
                now = read_cut(node, one) if self.scene.IsNodePresent(node) else None
                if now is not one:
                    found[one.name] = now
        return found

    def _show_cut(self, name: str, cut: Cut) -> None:
        node = self._cuts[name][1] if name in self._cuts else None
        if node is None or not self.scene.IsNodePresent(node):
            node = self._new_cut(cut)
        if read_cut(node, cut) is not cut:
            node.SetAndObserveTransformNodeID(None)
            place_cut(node, cut)
        self._cuts[name] = (cut, node)

    def _new_cut(self, cut: Cut) -> Any:
        result = self._result
        assert result is not None
        node = add_cut(cut, self.scene)
        identity.mark(node, result, CUT)
        place_cut(node, cut)
        if self.image_node is not None:
            file_beside(node, self.image_node)
        for event in EVENTS:
            self._observe(node, event)
        return node

    def _remove_strangers(self) -> None:
        """Markups that an earlier plan of this result left, in a scene that was saved and opened again."""
        if self._result is None:
            return
        own = [node for _, node in self._cuts.values()]
        for node in identity.marked_nodes(self.scene, identity.result_key(self._result), CUT):
            if not any(node is one for one in own):
                remove(node, self.scene)

    def _remove_cuts(self, names: set[str]) -> None:
        before, self._is_placing = self._is_placing, True
        for name in names:
            _, node = self._cuts.pop(name)
            self._observed = [(one, tag) for one, tag in self._observed if one is not node or one.RemoveObserver(tag)]
            if self.scene.IsNodePresent(node):
                remove(node, self.scene)
        self._is_placing = before

    # --- shapes ------------------------------------------------------------------------------------------------------

    def show_shapes(self, shapes: Sequence[Finding], meshes: Mapping[str, Mesh]) -> None:
        """Show what is planned: regions in slices, surfaces in 3D."""
        if self._result is not None and self.is_there:
            plan_regions.show_shapes(self._result, self.scene, shapes, meshes, beside=self.image_node)

    def show_contours(self, *, on: bool) -> bool:
        """Show inner and outer contours, or hide them; False where there are none."""
        return self._result is not None and plan_regions.show_contours(self._result, self.scene, on=on)

    def capture(self, manager: Any, folder: Path, *, only_slices: bool) -> list[dict[str, str]]:
        """Pictures of the views of ``manager`` that show this result and nothing else; see :func:`capture_views`."""
        if self._result is None:
            return []
        key = identity.result_key(self._result)
        return capture_views(manager, folder, image=self.image_node, key=key, only_slices=only_slices)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _show_in_3d(self, *, on: bool) -> None:
        """The segmentation's own surfaces, where it has any; the plan has its own."""
        display = self._segmentation.GetDisplayNode() if self._segmentation is not None else None
        if display is not None:
            display.SetVisibility3D(on)

    def _observe(self, node: Any, event: Any) -> None:
        def note(caller: Any, event: Any) -> None:
            if not self._is_placing:
                self._told()

        def removed(caller: Any, event: Any, gone: Any) -> None:
            if not self._is_placing and any(node is gone for _, node in self._cuts.values()):
                self._told()

        removed.CallDataType = vtk.VTK_OBJECT  # type: ignore[attr-defined]  # VTK reads it
        target = removed if node is self.scene else note
        self._observed.append((node, node.AddObserver(event, target)))
