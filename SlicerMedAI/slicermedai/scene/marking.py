"""What a person marks for a model in a scene, and the model's answer to it, which changes in place.

Marks are Slicer's own markups: a point list for each structure and side, a region of interest for each box. They are
placed with Slicer's own place mode, and moved and deleted like any other. The scene is what counts: what is marked is
read from it, and what is taken back leaves it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import slicer
import vtk

from slicermedai.domain.prompts import BOX, BoxPrompt, Place, PointPrompt, Prompt, kind_of
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity
from slicermedai.errors import GeometryError
from slicermedai.scene.clear import clear, remove
from slicermedai.scene.hierarchy import file_beside, series_uid_of
from slicermedai.scene.mark_nodes import Followed, add_node, is_same_box, put_box, put_points, state_of
from slicermedai.scene.show import Shown, show
from slicermedai.scene.volumes import geometry_of_node

_SINGLETON = "Singleton"
_MODE = slicer.vtkMRMLInteractionNode.InteractionModeChangedEvent


class MarkScene:
    """The marks on one image in the MRML scene ``scene``, which is handed in, and one answer to them.

    Attributes
    ----------
    image_node:
        The image that is marked, None for none.
    """

    def __init__(self, scene: Any) -> None:
        self.scene = scene
        self.image_node: Any | None = None
        self._told: Callable[[], object] = lambda: None
        self._held: list[Followed] = []
        self._placing: Followed | None = None
        self._quiet = False
        self._watched: dict[Any, tuple[Any, int]] = {}
        """What is observed: the node and its tag, by event."""
        self._shown: dict[str, Shown] = {}

    def when_changed(self, told: Callable[[], object]) -> None:
        """Call ``told`` whenever marks were placed, moved or removed, and when placing has ended."""
        self._told = told

    # --- placing -----------------------------------------------------------------------------------------------------

    @property
    def placing(self) -> str:
        """What the next click in a view marks: "inside", "outside" or "box"; "" for nothing."""
        return "" if self._placing is None else self._placing.kind

    def begin(self, kind: str, label: str) -> None:
        """Let clicks in the views mark something of the structure ``label``: points until it ends, or one box.

        Raises
        ------
        InputError
            A label that no mark can have.
        """
        self.stop()
        followed = None if kind == BOX else self._list_of(kind, label)
        followed = followed or self._added(kind, label)
        _bring(self.image_node, self.scene)
        interaction = self._singleton("vtkMRMLInteractionNode")
        selection = self._singleton("vtkMRMLSelectionNode")
        selection.SetReferenceActivePlaceNodeClassName(followed.node.GetClassName())
        selection.SetActivePlaceNodeID(followed.node.GetID())
        interaction.SetPlaceModePersistence(int(kind != BOX))
        interaction.SetCurrentInteractionMode(interaction.Place)
        self._placing = followed
        self._watch(interaction, _MODE, lambda *_: self._mode_changed())
        self._told()

    def stop(self) -> None:
        """Clicks mark nothing any more."""
        if self._placing is not None:
            interaction = self._singleton("vtkMRMLInteractionNode")
            interaction.SetPlaceModePersistence(0)
            interaction.SwitchToViewTransformMode()
        self._placed()

    def _mode_changed(self) -> None:
        """Slicer ended placing: a box is there, Escape was pressed, or another tool was chosen."""
        interaction = self._singleton("vtkMRMLInteractionNode")
        if self._placing is not None and interaction.GetCurrentInteractionMode() != interaction.Place:
            self._placed()

    def _placed(self) -> None:
        followed, self._placing = self._placing, None
        self._watch_no_more(_MODE)
        if followed is None:
            return
        if followed.kind == BOX:
            self._look_at_box(followed)
        if not self._quiet:
            self._told()

    def _look_at_box(self, held: Followed) -> None:
        """Read where the box stands by now; one that was not drawn to its end leaves the scene."""
        before, self._quiet = self._quiet, True
        if held.node.GetControlPointPlacementComplete():
            held.read_again()
        else:
            self._drop(held)
        self._quiet = before

    # --- marks -------------------------------------------------------------------------------------------------------

    @property
    def marks(self) -> tuple[Prompt, ...]:
        """What is marked, list by list; a box only once it was placed."""
        return tuple(one for held in self._held if held is not self._placing or held.kind != BOX for one in held.found)

    def add_point(self, label: str, position: Sequence[float], *, inside: bool) -> None:
        """Mark a place, LPS mm, as a click there would; errors as :meth:`begin`."""
        x, y, z = (float(number) for number in position)
        self.place((*self.marks, PointPrompt(label=label, position=(x, y, z), inside=inside)))
        self._told()

    def add_box(self, label: str, middle: Sequence[float], edge: float) -> None:
        """Mark a cube of ``edge`` mm around ``middle``, LPS mm; errors as :meth:`begin`, and for no edge."""
        x, y, z = (float(number) for number in middle)
        low, high = (x - edge / 2, y - edge / 2, z - edge / 2), (x + edge / 2, y + edge / 2, z + edge / 2)
        self.place((*self.marks, BoxPrompt(label=label, low=low, high=high)))
        self._told()

    def place(self, marks: Sequence[Prompt]) -> None:
        """Let the scene hold ``marks`` and no others; what is there already stays as it is, and nobody is told."""
        before, self._quiet = self._quiet, True
        try:
            self._place_points([one for one in marks if isinstance(one, PointPrompt)])
            self._place_boxes([one for one in marks if isinstance(one, BoxPrompt)])
        finally:
            self._quiet = before

    def _place_points(self, marks: Sequence[PointPrompt]) -> None:
        wanted: dict[tuple[str, str], list[PointPrompt]] = {}
        for one in marks:
            wanted.setdefault((kind_of(one), one.label), []).append(one)
        for held in [one for one in self._held if one.kind != BOX]:
            wanted.setdefault((held.kind, held.label), [])
        for (kind, label), points in wanted.items():
            held = self._list_of(kind, label) or self._added(kind, label)
            if sorted(held.found, key=str) != sorted(points, key=str):
                put_points(held.node, [one.position for one in points])

    def _place_boxes(self, marks: Sequence[BoxPrompt]) -> None:
        missing = list(marks)
        for held in [one for one in self._held if one.kind == BOX and one is not self._placing]:
            same = next((one for one in missing if is_same_box(held.found, one)), None)
            if same is None:
                self._drop(held)
            else:
                missing.remove(same)
        for box in missing:
            put_box(self._added(BOX, box.label).node, box)

    # --- the answer --------------------------------------------------------------------------------------------------

    def show(self, result: AnalysisResult) -> str:
        """Show ``result``, in the nodes of the same session's earlier ones; returns a remark.

        A pseudonymous result is not filed under the image of a series that names somebody.

        Raises
        ------
        GeometryError, InputError, IdentityError
            As :func:`slicermedai.scene.show.show`.
        """
        image = self.image_node
        named = image is not None and bool(series_uid_of(image)) and result.study.identity is Identity.DEIDENTIFY
        if named:
            _check_place(image, result)
        shown = show(result, self.scene, volume_node=None if named else image, surfaces=False)
        self._shown[shown.key] = shown
        return shown.remark

    @property
    def image_state(self) -> tuple[object, ...]:
        """Of the image that is marked: equal as long as its voxels and its place are the same."""
        return state_of(self.image_node)

    def hide_answer(self) -> None:
        """Take the answer out of the scene."""
        for shown in self._shown.values():
            clear(shown, self.scene)
        self._shown = {}

    # --- the end -----------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Remove all marks and the answer; nothing is observed any more."""
        before, self._quiet = self._quiet, True
        self.stop()
        for held in list(self._held):
            self._drop(held)
        self.hide_answer()
        self.leave()
        self._quiet = before

    def leave(self) -> None:
        """The scene is being emptied, or everything was removed: let go of its nodes."""
        before, self._quiet = self._quiet, True
        self.stop()
        self._quiet = before
        for held in self._held:
            held.stop()
        self._watch_no_more(*self._watched)
        self._held, self._shown, self.image_node = [], {}, None

    # --- inside ------------------------------------------------------------------------------------------------------

    def _list_of(self, kind: str, label: str) -> Followed | None:
        return next((one for one in self._held if (one.kind, one.label) == (kind, label)), None)

    def _added(self, kind: str, label: str) -> Followed:
        PointPrompt(label=label, position=(0.0, 0.0, 0.0))  # a label that no mark can have makes no node
        followed = Followed(add_node(self.scene, kind, label), kind, label, told=self._changed)
        if self.image_node is not None:
            file_beside(followed.node, self.image_node)
        self._watch_removal()
        self._held.append(followed)
        return followed

    def _drop(self, held: Followed) -> None:
        held.stop()
        self._held = [one for one in self._held if one is not held]
        if self.scene.IsNodePresent(held.node):
            remove(held.node, self.scene)

    def _changed(self, held: Followed) -> None:
        """A box is asked about once it stands: until then it follows the mouse."""
        if not self._quiet and (held is not self._placing or held.kind != BOX):
            self._told()

    def _watch_removal(self) -> None:
        def removed(caller: Any, event: Any, gone: Any) -> None:
            held = next((one for one in self._held if one.node is gone), None)
            if held is not None:
                self._drop(held)
                self._placing = None if self._placing is held else self._placing
                if not self._quiet:
                    self._told()

        removed.CallDataType = vtk.VTK_OBJECT  # type: ignore[attr-defined]  # VTK reads it
        self._watch(self.scene, slicer.vtkMRMLScene.NodeRemovedEvent, removed)

    def _watch(self, node: Any, event: Any, target: Callable[..., object]) -> None:
        if event not in self._watched:
            self._watched[event] = (node, node.AddObserver(event, target))

    def _watch_no_more(self, *events: Any) -> None:
        for event in [one for one in events if one in self._watched]:
            node, tag = self._watched.pop(event)
            node.RemoveObserver(tag)

    def _singleton(self, kind: str) -> Any:
        """Slicer's node for placing, made where a scene outside the application has none."""
        found = self.scene.GetSingletonNode(_SINGLETON, kind)
        if found is None:
            made = getattr(slicer, kind)()
            made.SetSingletonTag(_SINGLETON)
            found = self.scene.AddNode(made)
        return found


def _check_place(image: Any, result: AnalysisResult) -> None:
    if not geometry_of_node(image).same_box(result.volume_geometry):
        raise GeometryError(
            "the volume lies elsewhere than the series that was analysed",
            advice="Was it moved after loading? Load the series anew.",
        )


def _bring(image: Any, scene: Any) -> None:
    """Where no slice view shows the image that is to be marked, all do."""
    if image is None:
        return
    kind = "vtkMRMLSliceCompositeNode"
    views = [scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))]
    uid = image.GetID()
    if all(uid not in (view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()) for view in views):
        for view in views:
            view.SetBackgroundVolumeID(uid)


def middle_of(node: Any) -> Place:
    """The middle of a volume in the world, LPS mm."""
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    right, anterior, superior = ((low + high) / 2 for low, high in zip(bounds[::2], bounds[1::2], strict=True))
    return -right, -anterior, superior
