"""Maps are drawn where the anatomy is and in their colours, however the image was stored: pixels of 48 orientations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from slicermedai.domain.codes import NO_UNITS
from slicermedai.domain.result import Map
from slicermedai.scene.clear import clear
from slicermedai.scene.laying import lay, map_nodes
from slicermedai.scene.map_colors import OPACITY, MapKind, ramp
from slicermedai.scene.show import show
from slicermedai.scene.views import SliceView
from Testing.fixtures.grids import ORIENTATIONS
from Testing.scene.samples import IN_VENTRICLE, SmallHead, small_head
from Testing.scene.test_map_colors import CODES
from Testing.scene.test_render import differing, pixels

SIZE = (120, 120)
HIGH = 0.75
Picture = NDArray[np.int_]
Pictures = dict[str, list[Picture]]
"""By view: the image alone, then with a map of each kind laid over it, in the order of the kinds."""


def maps_of(head: SmallHead) -> tuple[Map, ...]:
    """A map of each kind: three quarters in the left ventricle, zero elsewhere."""
    grid, left = head.result.volume_geometry, head.result.findings[1].region.to_array()
    values = np.where(left, HIGH, 0).astype(np.float32)
    return tuple(
        Map(name=kind.name, quantity=CODES[kind], unit=NO_UNITS, array=values, geometry=grid, calibration="none")
        for kind in MapKind
    )


def pictures_of(codes: str, views: dict[str, SliceView], folder: Path) -> Pictures:
    """Slices through the left ventricle of a head that is stored along ``codes``."""
    head = small_head(codes=codes, spacing=8.0)
    result = replace(head.result, findings=(), maps=maps_of(head))
    scene = next(iter(views.values())).node.GetScene()
    shown = show(result, scene, volume=head.volume)
    left, posterior, superior = IN_VENTRICLE
    for view in views.values():
        view.logic.GetSliceCompositeNode().SetForegroundVolumeID(None)
        view.show_volume(shown.volume_node, (-left, -posterior, superior))
    made = {name: [pixels(view.save(folder / "alone.png"))] for name, view in views.items()}
    for node in map_nodes(result, scene):
        lay(node, share=0, image=shown.volume_node)
        for name, view in views.items():
            made[name].append(pixels(view.save(folder / "laid.png")))
    clear(result, scene)
    return made


# --- what must be seen, worked out from the places of pixels and voxels alone -----------------------------------------

_LEFT_OF_PATIENT, _POSTERIOR, _SUPERIOR = range(3)
_ALONG = {
    "Axial": (_LEFT_OF_PATIENT, _POSTERIOR),
    "Sagittal": (_POSTERIOR, _SUPERIOR),
    "Coronal": (_LEFT_OF_PATIENT, _SUPERIOR),
}
"""Along which axes of the patient (LPS) a picture goes, rightwards and downwards; where superior, that is up."""


def places(name: str, field: tuple[float, float]) -> NDArray[np.float64]:
    """LPS mm of the pixels, (rows, columns, 3), where the middle of the image lies at 0.

    Slicer's slices have their first pixel, which is the lower left one, at the very edge of their field of view.
    """
    right, down = _ALONG[name]
    found = np.empty((*SIZE, 3))
    found[...] = IN_VENTRICLE
    rows, columns = ((np.arange(count) + shift) / count - 0.5 for count, shift in zip(SIZE, (1, 0), strict=True))
    found[..., right] = columns * field[0]
    found[..., down] = (rows * field[1] * (-1 if down == _SUPERIOR else 1))[:, None]
    return found


def expected(kind: MapKind, alone: Picture, at: NDArray[np.float64], head: SmallHead) -> NDArray[np.float64]:
    """The image with the map half over it, where the map is not 0."""
    (one,) = (one for one in maps_of(head) if one.name == kind.name)
    values = map_coordinates(one.array, one.geometry.to_index(at.reshape(-1, 3)).T, order=1).reshape(SIZE)
    top = HIGH if kind is MapKind.UNCERTAINTY else 1.0
    colors = ramp(kind)[np.rint(values / top * 255).astype(int)] * 255
    return np.where((values > 0)[..., None], (1 - OPACITY) * alone + OPACITY * colors, alone)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_maps_lie_on_the_left_ventricle_in_their_colours_in_all_48_orientations(
    codes: str, slice_views: dict[str, SliceView], tmp_path: Path
) -> None:
    head = small_head(spacing=8.0)
    for name, (alone, *laid) in pictures_of(codes, slice_views, tmp_path).items():
        at = places(name, slice_views[name].node.GetFieldOfView()[:2])
        for kind, picture in zip(MapKind, laid, strict=True):
            wanted = expected(kind, alone, at, head)
            assert (np.abs(wanted - alone).max(axis=-1) > 20).mean() > 0.01
            assert differing(picture, wanted) < 0.0005, (name, kind)


def test_a_map_that_is_mirrored_lies_elsewhere_and_one_in_other_colours_looks_otherwise(
    slice_views: dict[str, SliceView], tmp_path: Path
) -> None:
    head = small_head(spacing=8.0)
    for name, (alone, *laid) in pictures_of("SPL", slice_views, tmp_path).items():
        at = places(name, slice_views[name].node.GetFieldOfView()[:2])
        for kind, other, picture in zip(MapKind, [*MapKind][1:] + [*MapKind][:1], laid, strict=True):
            for axis in _ALONG[name]:
                mirrored = at * np.where(np.arange(3) == axis, -1, 1)
                assert differing(picture, expected(kind, alone, mirrored, head)) > 0.01, (name, kind, axis)
            assert differing(picture, expected(other, alone, at, head)) > 0.005, (name, kind)
