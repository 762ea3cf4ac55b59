"""Pictures of a result for people: three slices and a 3D view, drawn as Slicer draws them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from slicermedai.domain.center import finding_center
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Box, Finding, Mask, PackedMask, Point
from slicermedai.domain.geometry import FloatArray
from slicermedai.domain.notice import picture_notice
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity
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
_NORMALS = {"Sagittal": 0, "Coronal": 1, "Axial": 2}
_DIRECTIONS = (("R", "L"), ("A", "P"), ("I", "S"))  # LPS: towards minus, towards plus
_EDGES = {"Axial": "the patient's left is on the right", "Coronal": "the patient's left is on the right"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """What all pictures of one result share; ``center`` is LPS mm, ``main`` the finding it lies in."""

    result: AnalysisResult
    volume: Volume
    main: Finding | None
    center: FloatArray
    folder: Path
    size: tuple[int, int]


def render_views(
    result: AnalysisResult, volume: Volume, folder: Path, *, size: tuple[int, int] = (600, 600)
) -> tuple[Picture, ...]:
    """Axial, sagittal and coronal slices through the main finding, and a 3D view, as PNG files in ``folder``.

    The slices go through the voxel of the largest finding nearest to its centre (without findings: through the
    middle of the image), show the left of the patient on the right (radiological convention), letters at the edges
    and a scale bar. The 3D view shows the findings inside the outer surface of what was imaged; on the route
    "deidentify" that surface is left out, since a rendered face identifies a person.

    Parameters
    ----------
    folder:
        Where the pictures go; made where it is not there.
    size:
        (width, height) of each picture in pixels.

    The scene is its own; no other is touched. Each picture says so where the weights are a demonstration's.

    Raises
    ------
    OutputError, DiskFullError
        No offscreen OpenGL is to be had, or the folder cannot be written.
    """
    result = replace(decided(result), maps=())  # which no picture shows
    plan = _plan(result, volume, Path(folder), size)
    with quiet_vtk(), DrawingScene(picture_notice(result)) as drawing:
        shown = show(result, drawing.scene, volume=volume)
        _emphasize(shown)
        slices = [_slice_picture(drawing, shown, orientation, plan) for orientation in ORIENTATIONS]
        return (*slices, _three_d_picture(drawing, shown, plan))


def main_finding(result: AnalysisResult) -> Finding | None:
    """The finding that the slices go through: the largest mask, or else the first that has a place."""
    masks = [finding for finding in result.findings if isinstance(finding.region, (Mask, PackedMask))]
    sizes = [_voxels(finding) for finding in masks]
    if masks and max(sizes) > 0:
        return masks[sizes.index(max(sizes))]
    return next((f for f in result.findings if isinstance(f.region, (Box, Point))), None)


def position_words(point: FloatArray, orientation: str) -> str:
    """Where the slice lies that goes through ``point`` (LPS mm): "S 12.3 mm", the letter telling the direction."""
    axis = _NORMALS[orientation]
    value = round(float(point[axis]), 1)
    return f"{_DIRECTIONS[axis][value >= 0]} {abs(value):.1f} mm"


def _plan(result: AnalysisResult, volume: Volume, folder: Path, size: tuple[int, int]) -> _Plan:
    main = main_finding(result)
    middle = (np.array(volume.geometry.shape) - 1) / 2
    center = finding_center(main) if main else volume.geometry.to_lps(middle)
    return _Plan(result=result, volume=volume, main=main, center=center, folder=folder, size=size)


def _voxels(finding: Finding) -> int:
    region = finding.region
    return int(region.to_array().sum()) if isinstance(region, (Mask, PackedMask)) else 0


def _emphasize(shown: Shown) -> None:
    display = shown.segmentation_node.GetDisplayNode()
    display.SetOpacity2DFill(0.35)
    display.SetOpacity2DOutline(1.0)
    display.SetSliceIntersectionThickness(2)


def _slice_picture(drawing: DrawingScene, shown: Shown, orientation: str, plan: _Plan) -> Picture:
    left, posterior, superior = (float(value) for value in plan.center)
    with opened(SliceView(drawing, orientation, plan.size)) as view:
        view.show_volume(shown.volume_node, (-left, -posterior, superior))
        for actor in letter_actors(edge_letters(view.node.GetSliceToRAS()), plan.size):
            view.renderer.AddViewProp(actor)
        path = view.save(plan.folder / f"{orientation.lower()}.png")
    where = plan.main.label.name if plan.main else "the middle of the image"
    title = f"{orientation} slice through {where}, {position_words(plan.center, orientation)}"
    return Picture(path=path, title=title, kind=orientation.lower(), description=_description(title, orientation))


def _description(title: str, orientation: str) -> str:
    return f"{title}; {_EDGES.get(orientation, 'anterior is marked A')}, findings are outlined in their colours."


def _three_d_picture(drawing: DrawingScene, shown: Shown, plan: _Plan) -> Picture:
    hides_faces = plan.result.study.identity is Identity.DEIDENTIFY
    skin = None if hides_faces else _add_skin(drawing.scene, plan.volume)
    with opened(ThreeDView(drawing, plan.size)) as view:
        close_up = _bounds(skin or shown.segmentation_node)
        view.node.SetBoxVisible(close_up is None)
        view.look_from(ANTERIOR_LEFT, close_up or _bounds(shown.volume_node), zoom=1.4 if close_up else 1.0)
        path = view.save(plan.folder / "3d.png")
    title = "3D view from the patient's front left"
    return Picture(path=path, title=title, kind="3d", description=f"{title}: {_three_d_content(plan.result, skin)}.")


def _bounds(node: Any) -> tuple[float, ...] | None:
    """RAS mm (low, high) for each axis; None for a node that covers nothing."""
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    return tuple(bounds) if bounds[1] > bounds[0] else None


def _three_d_content(result: AnalysisResult, skin: Any | None) -> str:
    content = "the findings' surfaces" if result.findings else "no findings"
    if skin is not None:
        return f"{content} inside the translucent outer surface"
    hidden = ", the outer surface left out since it would show a face"
    return content + (hidden if result.study.identity is Identity.DEIDENTIFY else "")


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
