"""What is large of a result and its image, as Slicer holds it, made in pieces before anything of it is in a scene.

So whoever gives up in between, or closes the scene, leaves nothing half-made: there is only memory, which goes.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.scene.layers import Layers, layers_of
from slicermedai.scene.volumes import image_data


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """How a result is shown, and what of it is there already.

    Parameters
    ----------
    image:
        The vtkImageData of the volume that is handed in.
    layers:
        What :func:`~slicermedai.scene.layers.layers_of` gives of the findings.
    known:
        The :func:`~slicermedai.domain.digests.hash_of_image` of that volume, where it was taken.
    surfaces:
        Whether closed surfaces are made for 3D views, at once.
    """

    image: Any | None = None
    layers: Layers | None = None
    known: str = ""
    surfaces: bool = True


AT_ONCE = Prepared()
"""Nothing is prepared, and surfaces are made."""
LATER = Prepared(surfaces=False)
"""Nothing is prepared, and surfaces are made by somebody else."""


def preparing(
    result: AnalysisResult, volume: Volume | None = None, *, known: str = ""
) -> Generator[None, None, Prepared]:
    """Prepare the layers of ``result``, whose decisions are applied, and the image ``volume``; without surfaces.

    Raises
    ------
    UnsupportedImageError
        64-bit integers that no type of a volume node can hold exactly.
    """
    layers = yield from layers_of(result.findings)
    image = None if volume is None else (yield from image_data(volume.array))
    return Prepared(image=image, layers=layers, known=known, surfaces=False)
