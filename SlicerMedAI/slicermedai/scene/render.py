"""Pictures of a result for people: three slices and a 3D view, drawn as Slicer draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slicermedai.domain.finding import Box, Finding, Mask, PackedMask, Point
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.scene.letters import edge_letters, letter_actors
from slicermedai.scene.offscreen import quiet_vtk
from slicermedai.scene.pictures import Picture
from slicermedai.scene.show import Shown, show
from slicermedai.scene.skin import skin_surface
from slicermedai.scene.views import DrawingScene, SliceView, ThreeDView, opened

ORIENTATIONS = ("Axial", "Sagittal", "Coronal")
ANTERIOR_LEFT = (-0.75, 1.0, 0.3)
_SKIN_COLOR = (0.86, 0.74, 0.66)
_EDGES = {"Axial": "the patient's left is on the right", "Coronal": "the patient's left is on the right"}


def render_views(
    result: AnalysisResult, volume: Volume, folder: Path, *, size: tuple[int, int] = (600, 600)
) -> tuple[Picture, ...]:
    """Axial, sagittal and coronal slices through the main finding, and a 3D view, as PNG files in ``folder``.

    The slices go through the voxel of the largest finding nearest to its centre (without findings: through the
    middle of the image), show the left of the patient on the right (radiological convention), letters at the edges
    and a scale bar. ``size`` is (width, height) in pixels. The scene is its own; no other is touched.

    Raises
    ------
    OutputError, DiskFullError
        No offscreen OpenGL is to be had, or the folder cannot be written.
    """
    folder = Path(folder)
    with quiet_vtk(), DrawingScene() as drawing:
        shown = show(result, drawing.scene, volume=volume)
        _emphasize(shown)
        main = main_finding(result)
        center = finding_center(main) if main else volume.geometry.to_lps((np.array(volume.geometry.shape) - 1) / 2)
        pictures = [
            _slice_picture(drawing, shown, orientation, (center, main, folder, size)) for orientation in ORIENTATIONS
        ]
        return (*pictures, _three_d_picture(drawing, shown, volume, (main, folder, size)))


def main_finding(result: AnalysisResult) -> Finding | None:
    """The finding that the slices go through: the largest mask, or else the first that has a place."""
    masks = [finding for finding in result.findings if isinstance(finding.region, (Mask, PackedMask))]
    sizes = [_voxels(finding) for finding in masks]
    if masks and max(sizes) > 0:
        return masks[sizes.index(max(sizes))]
    return next((f for f in result.findings if isinstance(f.region, (Box, Point))), None)


def finding_center(finding: Finding) -> Any:
    """LPS mm, 3 numbers: a place inside the finding, nearest to the middle of what it covers."""
    region = finding.region
    if isinstance(region, Point):
        return np.array(region.position)
    if isinstance(region, Box):
        return (np.array(region.low) + np.array(region.high)) / 2
    if region is None:
        raise ValueError("a finding without a region has no centre")
    places = np.argwhere(region.to_array())
    nearest = np.square(places - places.mean(axis=0)).sum(axis=1).argmin()
    return region.geometry.to_lps(places[nearest])


def _voxels(finding: Finding) -> int:
    region = finding.region
    return int(region.to_array().sum()) if isinstance(region, (Mask, PackedMask)) else 0


def _emphasize(shown: Shown) -> None:
    display = shown.segmentation_node.GetDisplayNode()
    display.SetOpacity2DFill(0.35)
    display.SetOpacity2DOutline(1.0)
    display.SetSliceIntersectionThickness(2)


def _slice_picture(drawing: DrawingScene, shown: Shown, orientation: str, what: tuple[Any, ...]) -> Picture:
    center, main, folder, size = what
    left, posterior, superior = (float(value) for value in center)
    with opened(SliceView(drawing, orientation, size)) as view:
        view.show_volume(shown.volume_node, (-left, -posterior, superior))
        for actor in letter_actors(edge_letters(view.node.GetSliceToRAS()), size):
            view.renderer.AddViewProp(actor)
        path = view.save(folder / f"{orientation.lower()}.png")
    title = f"{orientation} slice through {main.label.name if main else 'the middle of the image'}"
    return Picture(path=path, title=title, kind=orientation.lower(), description=_description(title, orientation))


def _description(title: str, orientation: str) -> str:
    return f"{title}; {_EDGES.get(orientation, 'anterior is marked A')}, findings are outlined in their colours."


def _three_d_picture(drawing: DrawingScene, shown: Shown, volume: Volume, what: tuple[Any, ...]) -> Picture:
    main, folder, size = what
    seen: Any = _add_skin(drawing.scene, volume) or (shown.segmentation_node if main else shown.volume_node)
    with opened(ThreeDView(drawing, size)) as view:
        bounds = [0.0] * 6
        seen.GetRASBounds(bounds)
        view.look_from(ANTERIOR_LEFT, tuple(bounds))
        path = view.save(folder / "3d.png")
    title = "3D view from the patient's front left"
    content = "the findings' surfaces inside the translucent outer surface" if main else "the outer surface"
    return Picture(path=path, title=title, kind="3d", description=f"{title}: {content}.")


def _add_skin(scene: Any, volume: Volume) -> Any | None:
    surface = skin_surface(volume)
    if surface is None:
        return None
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "Outer surface")
    node.SetAndObservePolyData(surface)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(*_SKIN_COLOR)
    display.SetOpacity(0.34)
    display.SetAmbient(0.25)
    display.SetBackfaceCulling(True)
    display.SetScalarVisibility(False)
    display.SetVisibility2D(False)
    return node
