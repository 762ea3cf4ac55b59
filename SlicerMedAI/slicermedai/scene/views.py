"""Slice and 3D views drawn offscreen by Slicer's own displayable managers.

Managers are made one by one and given their application logic, so the factories of a running Slicer, which are
global, are not touched. Everything must be taken apart in order before it is let go: use the views as contexts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import slicer
import vtk

from slicermedai.domain.storage import atomic_file
from slicermedai.scene.letters import notice_actors
from slicermedai.scene.offscreen import make_render_window

_SLICE_MANAGERS = (
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
)
_THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
)
_LOGICS = {"Segmentations": "vtkSlicerSegmentationsModuleLogic", "Markups": "vtkSlicerMarkupsLogic"}


class DrawingScene:
    """A scene of its own with the logics that views need; a context, taken apart on leaving.

    ``notice`` stands in a corner of each picture of it.
    """

    def __init__(self, notice: str = "") -> None:
        self.notice = notice
        self.scene = slicer.vtkMRMLScene()
        self.logic = slicer.vtkSlicerApplicationLogic()
        self._helpers: list[Any] = []

    def __enter__(self) -> DrawingScene:
        self.logic.SetMRMLScene(self.scene)
        self.logic.SetSliceLogics(vtk.vtkCollection())
        self.logic.SetViewLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        colors = slicer.vtkMRMLColorLogic()
        colors.SetMRMLScene(self.scene)
        colors.AddDefaultColorNodes()
        self._helpers.append(colors)
        for name, kind in _LOGICS.items():
            self._helpers.append(self._module_logic(name, kind))
        return self

    def __exit__(self, *_: object) -> None:
        self.logic.GetSliceLogics().RemoveAllItems()
        self.logic.GetViewLogics().RemoveAllItems()
        for name in _LOGICS:
            self.logic.SetModuleLogic(name, None)
        self.scene.Clear(1)
        self._helpers.clear()
        self.logic.SetMRMLScene(None)

    def _module_logic(self, name: str, kind: str) -> Any:
        logic = getattr(slicer, kind)()
        logic.SetMRMLApplicationLogic(self.logic)
        logic.SetMRMLScene(self.scene)
        self.logic.SetModuleLogic(name, logic)
        return logic


class View:
    """A render window, its renderer, and the displayable managers that draw into it."""

    def __init__(self, drawing: DrawingScene, size: tuple[int, int]) -> None:
        self._drawing = drawing
        self.size = size
        self.window = make_render_window(size)
        self.renderer = vtk.vtkRenderer()
        self.window.AddRenderer(self.renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self.window)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.SetRenderer(self.renderer)

    def draw_with(self, managers: tuple[str, ...], node: Any) -> None:
        """Let ``managers`` (class names) draw what the view node ``node`` shows."""
        for name in managers:
            manager = getattr(slicer, name)()
            manager.SetMRMLApplicationLogic(self._drawing.logic)
            self._group.AddDisplayableManager(manager)
        self._group.SetMRMLDisplayableNode(node)

    def save(self, path: Path) -> Path:
        """Draw, and write ``path`` as PNG."""
        for actor in notice_actors(self._drawing.notice, self.size):
            self.renderer.AddViewProp(actor)
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.Update()
        writer = vtk.vtkPNGWriter()
        writer.SetInputConnection(grab.GetOutputPort())
        with atomic_file(path) as partial:
            writer.SetFileName(str(partial))
            writer.Write()
        return path

    def close(self) -> None:
        """Take the view apart; it cannot be used afterwards."""
        self._group.SetMRMLDisplayableNode(None)
        self.renderer.RemoveAllViewProps()
        self._interactor.SetRenderWindow(None)
        self.window.Finalize()


class SliceView(View):
    """One slice view, as in Slicer's red, yellow or green window."""

    def __init__(self, drawing: DrawingScene, orientation: str, size: tuple[int, int]) -> None:
        super().__init__(drawing, size)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(drawing.logic)
        drawing.logic.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(drawing.scene)
        self.node = self.logic.AddSliceNode(orientation)
        self.node.SetOrientation(orientation)
        self.node.SetRulerType(slicer.vtkMRMLAbstractViewNode.RulerTypeThin)
        self._image = vtk.vtkImageMapper()
        self.renderer.AddViewProp(_image_actor(self._image))  # before all else: overlays blend with what lies there
        self.draw_with(_SLICE_MANAGERS, self.node)

    def show_volume(self, node: Any, center: tuple[float, float, float]) -> None:
        """Show the volume ``node`` as background, whole, cut through ``center`` (RAS mm)."""
        composite = self.logic.GetSliceCompositeNode()
        composite.SetBackgroundVolumeID(node.GetID())
        self.logic.ResizeSliceNode(*self.size)
        self.logic.FitSliceToBackground()
        self.logic.SnapSliceOffsetToIJK()
        self.node.JumpSliceByOffsetting(*center)
        self.logic.UpdatePipeline()
        self._image.SetInputConnection(self.logic.GetImageDataConnection())

    def close(self) -> None:
        """Take the view apart, its slice logic too."""
        super().close()
        self._drawing.logic.GetSliceLogics().RemoveItem(self.logic)
        self.logic.SetMRMLScene(None)


class ThreeDView(View):
    """One 3D view."""

    def __init__(self, drawing: DrawingScene, size: tuple[int, int]) -> None:
        super().__init__(drawing, size)
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(drawing.logic)
        drawing.logic.GetViewLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(drawing.scene)
        self.node = self.logic.AddViewNode("1")
        self.window.SetMultiSamples(0)  # depth peeling, for translucent surfaces in the right order, excludes them
        self.window.SetAlphaBitPlanes(1)
        self.renderer.SetUseDepthPeeling(True)
        self.renderer.SetUseFXAA(True)
        self.node.SetBoxVisible(False)
        self.node.SetBoxColor(0.55, 0.6, 0.7)
        self.node.SetAxisLabelsVisible(False)
        self.node.SetBackgroundColor(0.06, 0.07, 0.1)
        self.node.SetBackgroundColor2(0.16, 0.18, 0.24)
        self.node.SetOrientationMarkerType(slicer.vtkMRMLAbstractViewNode.OrientationMarkerTypeCube)
        self.draw_with(_THREE_D_MANAGERS, self.node)

    def look_from(self, direction: tuple[float, float, float], bounds: Any, *, zoom: float) -> None:
        """Look from ``direction`` (RAS, any length) at the middle of ``bounds`` (RAS mm, low and high), superior up.

        ``zoom`` 1 shows the sphere around the bounds whole.
        """
        camera = self.renderer.GetActiveCamera()
        middle = [(low + high) / 2 for low, high in zip(bounds[0::2], bounds[1::2], strict=True)]
        camera.SetFocalPoint(*middle)
        camera.SetPosition(*(m + d for m, d in zip(middle, direction, strict=True)))
        camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCamera(bounds)
        camera.Zoom(zoom)
        self.renderer.ResetCameraClippingRange()

    def close(self) -> None:
        """Take the view apart, its logic too."""
        super().close()
        self._drawing.logic.GetViewLogics().RemoveItem(self.logic)
        self.logic.SetMRMLScene(None)


@contextmanager
def opened(view: View) -> Iterator[Any]:
    """``view`` as a context that closes it."""
    try:
        yield view
    finally:
        view.close()


def _image_actor(mapper: Any) -> Any:
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    mapper.SetInputData(_one_black_pixel())
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetDisplayLocationToBackground()
    return actor


def _one_black_pixel() -> Any:
    image = vtk.vtkImageData()
    image.SetDimensions(1, 1, 1)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    image.GetPointData().GetScalars().Fill(0)
    return image
