"""A result as a Slicer scene file of its own."""

from __future__ import annotations

from pathlib import Path

import slicer

from slicermedai.domain.decisions import decided
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.scene.archive import save_scene
from slicermedai.scene.notice import add_banner
from slicermedai.scene.offscreen import quiet_vtk
from slicermedai.scene.show import show


def save_result(result: AnalysisResult, path: Path, *, volume: Volume) -> Path:
    """Write the result and its image as a scene (``*.mrb``) that Slicer opens; errors as show and save_scene.

    Every view of it shows what must be read before the numbers.
    """
    scene = slicer.vtkMRMLScene()
    with quiet_vtk():
        show(result, scene, volume=volume)
        add_banner(decided(result), scene)
        return save_scene(scene, path)
