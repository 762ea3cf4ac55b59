"""Does this image fit this model? Refusals and warnings before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.codes import NO_UNITS
from slicermedai.domain.counting import edge_warning, milliliters, reaches_edge
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.errors import UnsupportedImageError
from slicermedai.inference.mirrored import sides_of_map, sides_of_masks


def check_image(manifest: Manifest, volume: Volume, *, flat: bool = False) -> list[str]:
    """Warnings for a person; raises where the model cannot be run on the image. ``flat``: single images will do.

    Raises
    ------
    UnsupportedImageError
        Another modality than the model's, a two-dimensional image, or one without any contrast.
    """
    _check_modality(manifest, volume)
    if min(volume.geometry.shape) < 2 and not flat:
        raise UnsupportedImageError(
            f"{manifest.ref.title} needs a volume, and this is a single image",
            file=volume.name or None,
            attribute="NumberOfSlices",
            advice="Choose a series with several slices.",
        )
    if volume.array.min() == volume.array.max():
        raise UnsupportedImageError("all voxels have one value", file=volume.name or None, attribute="PixelData")
    told = [*_noise(volume), *_unknown_modality(manifest, volume), *_field_of_view(manifest, volume)]
    return [*told, *_uptake(manifest, volume)]


def neighbour_correlation(array: NDArray[Any]) -> float:
    """How alike neighbouring voxels are: the largest of the correlations along the three axes, -1 to 1.

    White noise has 0 on each axis; of any picture of something at least one axis is well above one half, though thick
    slices may differ. Axes without contrast count as 0. Of more than 4 million voxels, a part of
    the slices is asked.
    """
    return max(_shifted_correlation(np.moveaxis(array, axis, 0)) for axis in range(3))


def extent_warnings(size: Iterable[float], limits: tuple[float, ...] | None) -> list[str]:
    """A warning where what was located is implausibly small or large; ``size`` and ``limits`` in mm."""
    edges = [float(edge) for edge in size]
    if limits is None or all(limits[0] <= edge <= limits[1] for edge in edges):
        return []
    return [f"what the model located measures {_by(edges)} mm, outside the plausible {limits[0]:g} to {limits[1]:g}"]


def label_warnings(manifest: Manifest, label_map: LabelMap) -> list[str]:
    """Warnings where a label's volume is implausible, the edge of the image cuts it, or a pair lies on wrong sides."""
    values = [value for value, _ in manifest.ref.labels]
    counts = np.bincount(label_map.array.ravel(), minlength=max(values, default=0) + 1)
    cut = _values_at_the_edge(label_map.array)
    volume = label_map.geometry.voxel_volume / 1000
    volumes = {value: float(counts[value]) * volume for value in values if counts[value]}
    return [*_of_labels(manifest, volumes, cut), *sides_of_map(manifest.ref.labels, label_map)]


def mask_warnings(manifest: Manifest, masks: Mapping[int, PackedMask]) -> list[str]:
    """As :func:`label_warnings`, of labels that may overlap; ``masks`` by value, none of them empty."""
    volumes = {value: milliliters(mask) for value, mask in masks.items()}
    cut = {value for value, mask in masks.items() if reaches_edge(mask)}
    return [*_of_labels(manifest, volumes, cut), *sides_of_masks(manifest.ref.labels, masks)]


def _of_labels(manifest: Manifest, volumes: Mapping[int, float], cut: set[int]) -> list[str]:
    """``volumes`` in ml, of the values that are there."""
    limits = {value: (low, high) for value, low, high in manifest.plausible_ml}
    found = []
    for value, label in manifest.ref.labels:
        if value not in volumes:
            continue
        low, high = limits.get(value, (0.0, float("inf")))
        if not low <= volumes[value] <= high:
            found.append(f"{label.name} measures {volumes[value]:.0f} ml; {low:g} to {high:g} is plausible")
        if value in cut:
            found.append(edge_warning(label.name))
    return found


def _values_at_the_edge(array: NDArray[Any]) -> set[int]:
    faces = [np.take(array, (0, -1), axis=axis) for axis in range(3)]
    return {int(value) for face in faces for value in np.unique(face)}


def _check_modality(manifest: Manifest, volume: Volume) -> None:
    wanted = manifest.ref.modality
    if volume.modality and wanted and volume.modality not in wanted:
        raise UnsupportedImageError(
            f"{manifest.ref.title} is made for {' or '.join(wanted)}, and this image is {volume.modality}",
            file=volume.name or None,
            attribute="Modality",
            advice="Choose a model for this modality, or another series.",
        )


_NOISE = 0.2
"""Correlation of neighbouring voxels below which an image is taken for noise."""


def _noise(volume: Volume) -> list[str]:
    found = neighbour_correlation(volume.array)
    if found >= _NOISE:
        return []
    return [f"the image looks like noise: neighbouring voxels have nothing in common (correlation {found:.2f})"]


def _uptake(manifest: Manifest, volume: Volume) -> list[str]:
    """No bundle says whether it was made for activity or for SUV, and networks are given what the scanner stored."""
    if volume.modality != "PT" or volume.unit.value == "g/ml":
        return []
    unit = "a unit that is not known" if volume.unit == NO_UNITS else volume.unit.value
    return [
        f"the voxels are in {unit}, and {manifest.ref.title} is given them as they are: nothing was made SUV for it"
    ]


_ENOUGH = 4_000_000
"""Voxels that tell noise from a picture, along each axis; larger images are asked at evenly spread slices."""


def _shifted_correlation(array: NDArray[Any]) -> float:
    """Pearson's correlation of voxels with the next along the first axis, slice by slice to spare memory."""
    sums, voxels = np.zeros(5), 0
    for place in range(0, len(array) - 1, math.ceil(array.size / _ENOUGH)):
        a, b = (array[place + step].ravel().astype(np.float64) for step in (0, 1))
        sums += (a.sum(), b.sum(), a @ a, b @ b, a @ b)
        voxels += a.size
    a, b, aa, bb, ab = sums / max(1, voxels)
    spread = max(aa - a * a, 0.0) * max(bb - b * b, 0.0)
    return float((ab - a * b) / math.sqrt(spread)) if spread > 0 else 0.0


def _unknown_modality(manifest: Manifest, volume: Volume) -> list[str]:
    if volume.modality or not manifest.ref.modality:
        return []
    return [f"the image does not say its modality; {manifest.ref.title} is made for {manifest.ref.modality[0]}"]


def _field_of_view(manifest: Manifest, volume: Volume) -> list[str]:
    if manifest.field_of_view is None or not volume.geometry.is_in_patient:
        return []
    low, high = manifest.field_of_view
    corners = volume.geometry.corners
    edges = [float(edge) for edge in corners.max(axis=0) - corners.min(axis=0)]
    if all(low <= edge <= high for edge in edges):
        return []
    return [
        f"the image covers {_by(edges)} mm along the patient axes; {low:g} to {high:g} is plausible for "
        f"{manifest.ref.title}: is its spacing right?"
    ]


def _by(edges: list[float]) -> str:
    return " x ".join(f"{edge:.0f}" for edge in edges)
