"""A small picture of one result: three planes through what was found, with its outlines. Needs numpy alone.

Radiological convention: in the axial and coronal plane the patient's left is on the right of the picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.batch.lettering import lettered
from slicermedai.domain.finding import Box, Mask, PackedMask, Point
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.notice import picture_notice
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.storage import atomic_file
from slicermedai.domain.volume import Volume

FILE_NAME = "thumbnail.png"
SIZE = 128
"""Pixels of the longer side of a plane."""
_COLOURS = ((230, 75, 60), (70, 160, 235), (95, 195, 90), (240, 190, 40), (190, 110, 220), (60, 200, 200))
_GAP = 2
Picture = NDArray[np.uint8]


def write_thumbnail(result: AnalysisResult, volume: Volume, folder: Path) -> Path:
    """Write ``folder/thumbnail.png``; raises :class:`OutputError` or :class:`DiskFullError`."""
    path = Path(folder) / FILE_NAME
    with atomic_file(path, sync=False) as partial:
        partial.write_bytes(png_of(draw(result, volume)))
    return path


def draw(result: AnalysisResult, volume: Volume) -> Picture:
    """(rows, columns, 3) uint8: axial, coronal and sagittal plane side by side, below a demonstration's notice.

    The planes go through the middle of the largest thing that was found, or of the image where nothing was.
    """
    masks = [_mask(finding.region, volume.geometry) for finding in result.findings]
    order, flips, spacing = _upright(volume.geometry)
    image = _turned(volume.array, order, flips)
    turned = [_turned(mask, order, flips) for mask in masks if mask is not None]
    middle = _middle(turned, image.shape)
    planes = [_plane(image, turned, axis, middle[axis], spacing) for axis in range(3)]
    return lettered(_beside(planes), picture_notice(result))


def png_of(picture: Picture) -> bytes:
    """A PNG file (ISO/IEC 15948) of (rows, columns, 3) uint8."""
    rows, columns, _ = picture.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), picture.reshape(rows, -1)], axis=1)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _mask(region: Any, grid: Geometry) -> NDArray[np.bool_] | None:
    """The region on the image's own grid; a box as its voxels, a point as a ball of three voxels."""
    if isinstance(region, (Mask, PackedMask)):
        found: NDArray[np.bool_] = region.to_array()
        return found if found.shape == grid.shape else None
    if isinstance(region, Box):
        corners = grid.to_index([[(region.low, region.high)[b >> a & 1][a] for a in range(3)] for b in range(8)])
        return _between(corners.min(axis=0), corners.max(axis=0), grid)
    if isinstance(region, Point):
        middle = np.asarray(grid.to_index(region.position))
        return _between(middle - 1.5, middle + 1.5, grid)
    return None


def _between(low: NDArray[Any], high: NDArray[Any], grid: Geometry) -> NDArray[np.bool_]:
    mask = np.zeros(grid.shape, dtype=bool)
    first = np.clip(np.ceil(low), 0, grid.shape).astype(int)
    last = np.clip(np.floor(high) + 1, 0, grid.shape).astype(int)
    mask[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
    return mask


def _upright(geometry: Geometry) -> tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]:
    """Array axes as (S, P, L), which of these are to be flipped to run that way, and their spacing in mm."""
    codes = geometry.axis_codes
    order = tuple(next(i for i, code in enumerate(codes) if code in pair) for pair in ("SI", "PA", "LR"))
    flips = tuple(place for place, axis in enumerate(order) if codes[axis] in "IAR")
    return order, flips, tuple(float(geometry.spacing[axis]) for axis in order)


def _turned(array: NDArray[Any], order: Sequence[int], flips: Sequence[int]) -> NDArray[Any]:
    return np.flip(np.transpose(array, order), axis=tuple(flips))


def _middle(masks: Sequence[NDArray[Any]], shape: Sequence[int]) -> list[int]:
    largest = max(masks, key=np.count_nonzero, default=None)
    if largest is None or not largest.any():
        return [size // 2 for size in shape]
    others = ((1, 2), (0, 2), (0, 1))
    sums = [largest.sum(axis=axes).cumsum() for axes in others]
    return [int(np.searchsorted(total, total[-1] / 2)) for total in sums]


def _plane(
    image: NDArray[Any], masks: Sequence[NDArray[Any]], axis: int, place: int, spacing: Sequence[float]
) -> Picture:
    """One plane with outlines; superior is up in the coronal and sagittal one."""
    steps = [step for which, step in enumerate(spacing) if which != axis]
    rows, columns = _samples(np.take(image, place, axis=axis).shape, steps, upside_down=axis != 0)
    grey = _grey(_sampled(image, axis, place, rows, columns).astype(np.float64))
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    for number, mask in enumerate(masks):
        picture[_outline(_sampled(mask, axis, place, rows, columns))] = _COLOURS[number % len(_COLOURS)]
    return picture


def _samples(
    shape: Sequence[int], steps: Sequence[float], *, upside_down: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column numbers to take, so that a millimetre is as many pixels both ways."""
    extent = [size * step for size, step in zip(shape, steps, strict=True)]
    pixels = [max(1, round(SIZE * length / max(extent))) for length in extent]
    rows, columns = (
        np.minimum((np.arange(count) + 0.5) * size / count, size - 1).astype(np.intp)
        for count, size in zip(pixels, shape, strict=True)
    )
    return (rows[::-1] if upside_down else rows), columns


def _sampled(
    array: NDArray[Any], axis: int, place: int, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[Any]:
    return np.asarray(np.take(array, place, axis=axis)[np.ix_(rows, columns)])


def _grey(values: NDArray[np.float64]) -> Picture:
    low, high = np.percentile(values, (1, 99))
    return np.asarray(np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255, dtype=np.uint8)


def _outline(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """What is in the mask and beside something that is not."""
    wide = np.pad(mask.astype(bool), 1)
    inside = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return np.asarray(mask.astype(bool) & ~inside)


def _beside(planes: Sequence[Picture]) -> Picture:
    height = max(plane.shape[0] for plane in planes)
    width = sum(plane.shape[1] for plane in planes) + _GAP * (len(planes) - 1)
    whole, left = np.zeros((height, width, 3), np.uint8), 0
    for plane in planes:
        top = (height - plane.shape[0]) // 2
        whole[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
        left += plane.shape[1] + _GAP
    return whole
