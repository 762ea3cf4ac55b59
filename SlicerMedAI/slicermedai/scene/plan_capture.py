"""Pictures of the views that a person has open in Slicer, for the page of a plan: what they see is what is printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vtk

from slicermedai.domain.storage import atomic_file

_KINDS = {"Red": "axial", "Yellow": "sagittal", "Green": "coronal"}


def capture_views(manager: Any, folder: Path, *, image: Any, only_slices: bool) -> list[dict[str, str]]:
    """PNG files of the open slice views that show ``image``, and then of the first 3D view: where each lies.

    Parameters
    ----------
    manager:
        Slicer's layout manager; None, or one whose views draw nothing, gives no pictures.
    image:
        The node of the image that was analysed: a view with another image, or with one more, is not taken, so that
        no other patient gets onto the page.
    only_slices:
        True where a face in 3D must not be seen.
    """
    if manager is None or image is None:
        return []
    made = [_saved(view, folder, name, kind) for name, kind, view in _slices(manager, image)]
    if made and not only_slices and manager.threeDViewCount:
        made.append(_saved(manager.threeDWidget(0).threeDView(), folder, "3D", "3d"))
    return [one for one in made if one is not None]


def _slices(manager: Any, image: Any) -> Iterator[tuple[str, str, Any]]:
    for name, kind in _KINDS.items():
        widget = manager.sliceWidget(name)
        logic = widget.sliceLogic() if widget is not None else None
        composite = logic.GetSliceCompositeNode() if logic is not None else None
        if composite is not None and _shows_alone(composite, image):
            yield name, kind, widget.sliceView()


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
