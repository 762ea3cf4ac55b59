"""Pictures of a plan for its page: slices through what is planned and a 3D view, drawn as Slicer draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from slicermedai.domain.center import finding_center
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Finding
from slicermedai.domain.geometry import FloatArray
from slicermedai.domain.notice import picture_notice
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.scene.letters import edge_letters, letter_actors
from slicermedai.scene.offscreen import quiet_vtk
from slicermedai.scene.pictures import Picture
from slicermedai.scene.plan_regions import show_shapes
from slicermedai.scene.render import ANTERIOR_LEFT, ORIENTATIONS, main_finding, position_words
from slicermedai.scene.show import show
from slicermedai.scene.surfaces import Mesh
from slicermedai.scene.views import DrawingScene, SliceView, ThreeDView, opened

_SIZE = (600, 600)


def render_plan(
    result: AnalysisResult,
    volume: Volume | None,
    shapes: Sequence[Finding],
    folder: Path,
    *,
    meshes: Mapping[str, Mesh] | None = None,
) -> tuple[Picture, ...]:
    """Axial, coronal and sagittal slices and a 3D view as PNG files in ``folder``; without ``volume`` 3D alone.

    The slices go through the middle of what is planned first (a margin, else a resection), else of the main finding.
    The outer surface of the patient is never shown. The scene is its own; no other is touched.

    Raises
    ------
    OutputError, DiskFullError
        No offscreen OpenGL is to be had, or the folder cannot be written.
    GeometryError, InputError, IdentityError
        ``volume`` is not the image that was analysed.
    """
    result = replace(decided(result), maps=(), uncertainty=None)
    with quiet_vtk(), DrawingScene(picture_notice(result)) as drawing:
        shown = show(result, drawing.scene, volume=volume, surfaces=False)
        _make_faint(shown.segmentation_node)
        show_shapes(result, drawing.scene, shapes, meshes or {})
        center = _center(result, shapes)
        made = [_slice(drawing, shown.volume_node, one, center, folder) for one in ORIENTATIONS] if volume else []
        return (*made, _three_d(drawing, shown.segmentation_node, folder))


def _center(result: AnalysisResult, shapes: Sequence[Finding]) -> FloatArray:
    """LPS mm, inside what the pictures are about."""
    order = ("margin", "resection", "touch")
    first = next((one for kind in order for one in shapes if one.tracking_uid.startswith(kind)), None)
    found = first or main_finding(result)
    middle = (np.array(result.volume_geometry.shape) - 1) / 2
    return finding_center(found) if found is not None else result.volume_geometry.to_lps(middle)


def _make_faint(segmentation: Any) -> None:
    """What was found lets see what is planned."""
    display = segmentation.GetDisplayNode()
    if display is not None:
        display.SetOpacity2DFill(0.12)


def _slice(drawing: DrawingScene, volume_node: Any, orientation: str, center: FloatArray, folder: Path) -> Picture:
    left, posterior, superior = (float(value) for value in center)
    with opened(SliceView(drawing, orientation, _SIZE)) as view:
        view.show_volume(volume_node, (-left, -posterior, superior))
        for actor in letter_actors(edge_letters(view.node.GetSliceToRAS()), _SIZE):
            view.renderer.AddViewProp(actor)
        path = view.save(folder / f"{orientation.lower()}.png")
    title = f"{orientation}, {position_words(center, orientation)}"
    return Picture(path=path, title=title, kind=orientation.lower(), description=f"{title}, with what is planned")


def _three_d(drawing: DrawingScene, segmentation: Any, folder: Path) -> Picture:
    bounds = [0.0] * 6
    segmentation.GetRASBounds(bounds)
    with opened(ThreeDView(drawing, _SIZE)) as view:
        view.look_from(ANTERIOR_LEFT, tuple(bounds), zoom=1.4)
        path = view.save(folder / "3d.png")
    title = "3D, from the patient's front left"
    return Picture(path=path, title=title, kind="3d", description=f"{title}: structures and what is planned")
