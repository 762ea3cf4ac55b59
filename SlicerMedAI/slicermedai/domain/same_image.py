"""Whether an image that is handed in later is the one that a result was computed from."""

from __future__ import annotations

from slicermedai.domain.digests import hash_of_image, hash_of_volume
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, InputError

NOT_COMPARED = (
    "The image could not be compared with the one that was analysed, beyond its place: this result is of a version "
    "that kept no hash of it."
)
_ADVICE = "Give the image of this result, or none."


def check_image(result: AnalysisResult, volume: Volume, *, attribute: str = "volume", known: str = "") -> str:
    """ "" where ``volume`` is the image that was analysed, or :data:`NOT_COMPARED` where an old result cannot tell.

    ``known`` is its :func:`~slicermedai.domain.digests.hash_of_image`, where that was taken already.

    Raises
    ------
    GeometryError
        It lies elsewhere.
    InputError
        It is of another series, or its voxels are others.
    """
    check_place(result, volume, attribute=attribute)
    if is_of_another_series(result, volume.series_uid) and result.study.identity is Identity.KEEP:
        raise InputError(
            "the image is not the one that was analysed: it is of another series", attribute=attribute, advice=_ADVICE
        )
    same = has_same_voxels(result, volume, known=known)
    if same is False:
        raise InputError(
            "the image is not the one that was analysed: its voxels are others", attribute=attribute, advice=_ADVICE
        )
    return "" if same else NOT_COMPARED


def check_place(result: AnalysisResult, volume: Volume, *, attribute: str = "volume") -> None:
    """Raise :class:`GeometryError` where ``volume`` lies elsewhere than the image that was analysed."""
    if not volume.geometry.same_box(result.volume_geometry):
        raise GeometryError(
            "the image is not the one that was analysed: it lies elsewhere", attribute=attribute, advice=_ADVICE
        )


def is_of_another_series(result: AnalysisResult, series_uid: str) -> bool:
    """True where both say of which series they are, and it is not one."""
    known = {series.series_uid for series in result.sources} - {""}
    return bool(series_uid and known) and series_uid not in known


def has_same_voxels(result: AnalysisResult, volume: Volume, *, known: str = "") -> bool | None:
    """Whether the voxels are those that were analysed; None where the result cannot tell. ``known`` as above."""
    read = result.provenance.input
    if read is None:
        return None
    if read.image:
        return read.image == (known or hash_of_image(volume))
    if not read.files and volume.geometry == result.volume_geometry:
        return read.sha256 == hash_of_volume(volume)
    return None
