"""Pictures of the views that a person has open in Slicer, for the page of a plan: what they see is what is printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import vtk

from slicermedai.domain.storage import atomic_file
from slicermedai.scene import identity

_KINDS = {"Red": "axial", "Yellow": "sagittal", "Green": "coronal"}
_DISPLAYABLE = "vtkMRMLDisplayableNode"


def capture_views(
    manager: Any, folder: Path, *, image: Any, key: str, only_slices: bool = False
) -> list[dict[str, str]]:
    """PNG files of the open slice views that show ``image``, and then of the first 3D view: where each lies.

    A view in which anything of another result or of nobody knows whom is visible is not taken (another image, a model,
    a segmentation, a markup, a rendered volume), so that no other patient gets onto the page.

    Parameters
    ----------
    manager:
        Slicer's layout manager; None, or one whose views draw nothing, gives no pictures.
    image:
        The node of the image that was analysed.
    key:
        Of the result, :func:`slicermedai.scene.identity.result_key`: what its nodes are marked with.
    only_slices:
        True where a face in 3D must not be seen.
    """
    if manager is None or image is None:
        return []
    shown = list(_slices(manager, image, key))
    made = [_saved(widget.sliceView(), folder, name, kind) for name, kind, widget in shown]
    if made and not only_slices and manager.threeDViewCount:
        widget = manager.threeDWidget(0)
        known = [image, *(one.sliceLogic().GetSliceModelNode() for _, _, one in shown)]
        if not any(_strangers(known, key, widget.mrmlViewNode())):
            made.append(_saved(widget.threeDView(), folder, "3D", "3d"))
    return [one for one in made if one is not None]


def _slices(manager: Any, image: Any, key: str) -> Iterator[tuple[str, str, Any]]:
    for name, kind in _KINDS.items():
        widget = manager.sliceWidget(name)
        logic = widget.sliceLogic() if widget is not None else None
        composite = logic.GetSliceCompositeNode() if logic is not None else None
        if logic is None or composite is None or not _shows_alone(composite, image):
            continue
        if not any(_strangers([image], key, logic.GetSliceNode())):
            yield name, kind, widget


def _strangers(known: Sequence[Any], key: str, view: Any) -> Iterator[Any]:
    """Nodes that ``view`` shows over its image, and that are neither ``known`` nor marked with ``key``."""
    scene, own = known[0].GetScene(), {node.GetID() for node in known if node is not None}
    for number in range(scene.GetNumberOfNodesByClass(_DISPLAYABLE)):
        node = scene.GetNthNodeByClass(number, _DISPLAYABLE)
        if node.GetID() in own or node.GetAttribute(identity.RESULT) == key:
            continue
        displays = (node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes()))
        if any(_is_seen(one, view) for one in displays if one is not None):
            yield node


def _is_seen(display: Any, view: Any) -> bool:
    """Whether the view draws by it; the image of a slice view is not drawn so, and slices cross as bare lines."""
    is_slice = view.IsA("vtkMRMLSliceNode")
    if display.IsA("vtkMRMLVolumeDisplayNode") or (is_slice and display.IsA("vtkMRMLSliceDisplayNode")):
        return False
    is_on = display.GetVisibility2D() if is_slice else display.GetVisibility3D()
    return bool(display.GetVisibility() and is_on and display.IsDisplayableInView(view.GetID()))


def _shows_alone(composite: Any, image: Any) -> bool:
    beside = (composite.GetForegroundVolumeID(), composite.GetLabelVolumeID())
    return composite.GetBackgroundVolumeID() == image.GetID() and not any(beside)


def _saved(view: Any, folder: Path, name: str, kind: str) -> dict[str, str] | None:
    window = view.renderWindow() if view is not None else None
    if window is None:
        return None
    view.forceRender()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    writer = vtk.vtkPNGWriter()
    writer.SetInputConnection(grab.GetOutputPort())
    path = folder / f"{kind}.png"
    with atomic_file(path) as partial:
        writer.SetFileName(str(partial))
        writer.Write()
    return {"path": str(path), "title": f"{name} view", "kind": kind}
