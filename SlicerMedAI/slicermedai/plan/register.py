"""Two phases of one patient brought together rigidly, by what their grey values tell about each other.

Mattes mutual information (Mattes et al., IEEE Trans Med Imaging 2003;22:120-128), for contrast differs between phases;
turns about the middle of the images and shifts, coarse to fine, with a fixed seed: the same images give the same
transform but for the order in which threads add up (1e-9 mm). A liver deforms with breath: what a rigid transform
leaves is measured afterwards and said.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK

from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.geometry import FloatArray, Geometry
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.plan import Alignment
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, JobCancelled
from slicermedai.plan.phases import LIMIT, same_frame

_SEED = 20021
_ROUNDS = 100
_SAMPLES = 60_000
_BINS = 40
_COARSE_TO_FINE = (4, 2, 1)


def registered(
    plan: Volume,
    other: Volume,
    *,
    moving: str,
    within: Mask | PackedMask | None = None,
    progress: Progress = silent,
) -> Alignment:
    """How ``other`` (called ``moving``) lies to the phase of the ``plan``, found from the voxels of both; BLOCKS.

    Parameters
    ----------
    within:
        The organ in the plan's phase: only it and 10 mm around it count. Without it, the whole image.

    The residual is not measured by it: :mod:`slicermedai.plan.phases` and
    :func:`slicermedai.plan.landmarks.between_images` do that.

    Raises
    ------
    GeometryError
        The images do not overlap, or they tell nothing about each other.
    JobCancelled
        ``progress`` raised it.
    """
    method = _method(min(1.0, _SAMPLES / plan.array.size))
    method.SetInitialTransform(_start(plan, other), inPlace=True)
    if within is not None:
        method.SetMetricFixedMask(_mask(within))
    found = _executed(method, (_image(plan), _image(other)), moving=moving, progress=progress)
    return Alignment(
        moving=moving,
        transform=_matrix(found),
        same_frame=same_frame(plan.geometry, other.geometry),
        registered=True,
        residual=None,
        limit=LIMIT,
    )


def _executed(method: Any, images: tuple[Any, Any], *, moving: str, progress: Progress) -> Any:
    """The transform that was found."""
    stopped = _watch(method, progress)
    try:
        found = method.Execute(*images)
    except RuntimeError as error:
        if not stopped:
            raise GeometryError(
                f"the phase {moving!r} cannot be registered: the images do not overlap enough",
                attribute="alignments",
                advice="Were both taken of the same part of the body? Choose the series anew.",
            ) from error
    if stopped:
        raise stopped[0]
    return found


def _method(share: float) -> Any:
    """Coarse to fine; ``share`` of the voxels is looked at in the finest step."""
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=_BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentagePerLevel([min(1.0, share * 4), min(1.0, share * 2), share], _SEED)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=0.005, numberOfIterations=_ROUNDS, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(list(_COARSE_TO_FINE))
    method.SetSmoothingSigmasPerLevel([2.0, 1.0, 0.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    return method


def _watch(method: Any, progress: Progress) -> list[JobCancelled]:
    """Report each round; what ``progress`` raises ends the registration, and is the list's one item then."""
    stopped: list[JobCancelled] = []

    def look() -> None:
        level, rounds = method.GetCurrentLevel(), method.GetOptimizerIteration()
        try:
            progress("register", min(1.0, (level + rounds / _ROUNDS) / len(_COARSE_TO_FINE)))
        except JobCancelled as error:
            stopped.append(error)
            method.Abort()

    method.AddCommand(SimpleITK.sitkIterationEvent, look)
    return stopped


def _start(plan: Volume, other: Volume) -> Any:
    """No move, turning about the middle of the plan's image; middle onto middle where frames of reference differ."""
    start = SimpleITK.Euler3DTransform()
    middle = plan.geometry.to_lps((np.array(plan.geometry.shape) - 1) / 2)
    start.SetCenter(middle.tolist())
    if same_frame(plan.geometry, other.geometry) is False:
        way = other.geometry.to_lps((np.array(other.geometry.shape) - 1) / 2) - middle
        start.SetTranslation(way.tolist())
    return start


def _image(volume: Volume) -> Any:
    return _placed(SimpleITK.GetImageFromArray(np.asarray(volume.array, dtype=np.float32)), volume.geometry)


def _mask(region: Mask | PackedMask) -> Any:
    """The region and 10 mm around it."""
    mask = _placed(SimpleITK.GetImageFromArray(region.to_array().astype(np.uint8)), region.geometry)
    away = SimpleITK.SignedMaurerDistanceMap(mask, squaredDistance=False, useImageSpacing=True)
    return SimpleITK.Cast(away < 10.0, SimpleITK.sitkUInt8)


def _placed(image: Any, geometry: Geometry) -> Any:
    image.SetOrigin(geometry.origin.tolist())
    image.SetSpacing(geometry.spacing[::-1].tolist())
    image.SetDirection(geometry.directions[:, ::-1].ravel().tolist())
    return image


def _matrix(transform: Any) -> FloatArray:
    """4 x 4 of a rigid transform about a centre."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    made = np.eye(4)
    for axis in range(3):
        made[:3, axis] = np.array(transform.TransformPoint(np.eye(3)[axis].tolist())) - origin
    made[:3, 3] = origin
    return made
