"""Images as a second scan would have them: new noise, the patient a fraction of a voxel elsewhere, another gain.

Each change is within what a scanner does to the same patient from one minute to the next. Noise is measured in the
image itself, by the median of what two second differences leave of it (Immerkaer, "Fast noise variance estimation",
Computer Vision and Image Understanding 1996; the median after Donoho, Biometrika 1994). An image that was filtered or
interpolated shows less noise than its scan had.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, minimum_filter

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.domain.words import Words
from slicermedai.errors import InputError

SHIFT_VOXELS = 0.25
GAIN = 0.05
MEASURED = "measured"
_SLICES = 48
_MAD = 0.6744897501960817
_GAIN_OF_DIFFERENCES = 6.0

Images = Mapping[str, Volume]
FloatArray = NDArray[np.float32]


class Kind(Words):
    """What is changed."""

    NOISE = "noise"
    SHIFT = "shift"
    GAIN = "gain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbation:
    """One change of all images of a run.

    ``noise`` is a standard deviation for each image, by its name and in its unit; ``shift`` is in voxels of the first
    image, each less than half of one; ``factor`` multiplies the voxels.
    """

    kind: Kind
    seed: tuple[int, ...]
    noise: tuple[tuple[str, float], ...] = ()
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    factor: float = 1.0

    @property
    def in_words(self) -> str:
        """For people: what was changed, and by how much."""
        if self.kind is Kind.NOISE:
            return f"added noise of standard deviation {' and '.join(f'{level:.3g}' for _, level in self.noise)}"
        if self.kind is Kind.SHIFT:
            return f"a shift of {' x '.join(f'{step:+g}' for step in self.shift)} voxels"
        return f"all values times {self.factor:g}"

    def apply(self, images: Images) -> dict[str, Volume]:
        """The images with the change, float32 on their own grids; the given ones stay as they are."""
        first = next(iter(images.values())).geometry
        return {name: replace(one, array=self._of(name, one, first)) for name, one in images.items()}

    def _of(self, name: str, image: Volume, first: Geometry) -> FloatArray:
        if self.kind is Kind.NOISE:
            return _noisy(image.array, dict(self.noise)[name], np.random.default_rng([*self.seed, *name.encode()]))
        if self.kind is Kind.SHIFT:
            return shifted(image.array, _steps(self.shift, first, image.geometry))
        return image.array.astype(np.float32) * np.float32(self.factor)


def perturbations(images: Images, count: int, *, noise: str = MEASURED, seed: int = 0) -> tuple[Perturbation, ...]:
    """``count`` changes, the kinds in turn: noise, a shift and, where all images are MR, another gain.

    ``noise`` is "measured", or a standard deviation in the unit of the images as text. Where none can be measured there
    is no perturbation by noise.

    Raises
    ------
    InputError
        ``noise`` is neither, or not above 0.
    """
    levels = {name: given_noise(noise) or noise_level(image) for name, image in images.items()}
    kinds = [Kind.NOISE] if all(levels.values()) else []
    kinds += [Kind.SHIFT, *([Kind.GAIN] if all(image.modality == "MR" for image in images.values()) else [])]
    shape = next(iter(images.values())).geometry.shape
    made = []
    for number in range(count):
        kind, turn = kinds[number % len(kinds)], number // len(kinds)
        made.append(
            Perturbation(
                kind=kind,
                seed=(seed, number),
                noise=tuple(levels.items()) if kind is Kind.NOISE else (),
                shift=_direction(shape, turn) if kind is Kind.SHIFT else (0.0, 0.0, 0.0),
                factor=1 + GAIN * (-1) ** turn if kind is Kind.GAIN else 1.0,
            )
        )
    return tuple(made)


def given_noise(text: str) -> float | None:
    """The level that a person gave, None where it is to be measured; errors as :func:`perturbations`."""
    if text == MEASURED:
        return None
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not 0 < level < math.inf:
        raise InputError(f"must be {MEASURED!r} or a number above 0", attribute="stability_noise")
    return level


def noise_level(volume: Volume) -> float:
    """Standard deviation of the noise in the planes of the first axis, in the unit of the voxels; 0 for none.

    Of voxels above the mean of the image alone: air and padding say nothing of the noise in a body.
    """
    array = volume.array
    chosen = np.unique(np.linspace(0, len(array) - 1, min(_SLICES, len(array))).astype(int))
    if min(array.shape[1:]) < 3:
        return 0.0
    middle = float(np.mean(array, dtype=np.float64))
    left = [_differences(array[k].astype(np.float64), middle) for k in chosen]
    found = np.concatenate(left)
    return float(np.median(found) / (_MAD * _GAIN_OF_DIFFERENCES)) if found.size else 0.0


def shifted(array: NDArray[Any], steps: Sequence[float]) -> FloatArray:
    """``array`` with what is in it moved by ``steps`` voxels along its axes, float32.

    By cubic convolution (Keys, IEEE ASSP 1981), within the range of the given values.
    """
    made = array.astype(np.float32)
    for axis, step in enumerate(steps):
        reach = 2 + math.ceil(abs(step))
        weights = [_keys(offset + step) for offset in range(-reach, reach + 1)]
        made = correlate1d(made, weights, axis=axis, mode="nearest") if step else made
    return np.asarray(np.clip(made, float(array.min()), float(array.max()), out=made))


def _differences(plane: NDArray[np.float64], middle: float) -> FloatArray:
    """Second differences along both axes, where all nine voxels of them are above ``middle``."""
    twice = np.diff(np.diff(plane, 2, axis=0), 2, axis=1)
    inside = minimum_filter(plane, 3)[1:-1, 1:-1] > middle
    return np.asarray(np.abs(twice[inside]), dtype=np.float32)


def _noisy(array: NDArray[Any], level: float, rng: np.random.Generator) -> FloatArray:
    """With white noise, slice by slice; the smallest value of an image is its padding or its cut-off, and stays."""
    made, least = array.astype(np.float32), array.min()
    for given, plane in zip(array, made, strict=True):
        plane += np.where(given > least, rng.standard_normal(plane.shape, dtype=np.float32) * np.float32(level), 0)
    return np.asarray(made)


def _direction(shape: Sequence[int], turn: int) -> tuple[float, float, float]:
    """A quarter voxel along each axis that has several voxels: the eight corners one after the other."""
    signs = [1 if (turn >> axis) & 1 == 0 else -1 for axis in range(3)]
    steps = [SHIFT_VOXELS * sign if n > 1 else 0.0 for sign, n in zip(signs, shape, strict=True)]
    return steps[0], steps[1], steps[2]


def _steps(shift: Sequence[float], first: Geometry, own: Geometry) -> list[float]:
    """The same way in space, in voxels of another grid; 0 along its axes that have one voxel."""
    if own.same_grid(first):
        return list(shift)
    way = first.affine[:3, :3] @ np.asarray(shift)
    steps = np.linalg.solve(own.affine[:3, :3], way)
    return [float(step) if n > 1 else 0.0 for step, n in zip(steps, own.shape, strict=True)]


def _keys(distance: float) -> float:
    """The weight of a sample at ``distance`` voxels."""
    d = abs(distance)
    if d >= 2:
        return 0.0
    return (1.5 * d - 2.5) * d * d + 1 if d < 1 else ((-0.5 * d + 2.5) * d - 4) * d + 2
