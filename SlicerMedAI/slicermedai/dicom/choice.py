"""Which of the series and stacks in a folder is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slicermedai.dicom.alike import differ_in_time
from slicermedai.dicom.series import Scan, SeriesFiles, Skipped
from slicermedai.errors import AmbiguousInputError, MixedPatientsError, NoImagesError, UnreadableFileError

LISTED = 20
"""How many series a message names."""


def choose(found: Scan, path: object, series: str) -> SeriesFiles:
    """The stack or picture of ``found`` that is meant: by its address, or the only one that can be.

    Raises
    ------
    UnreadableFileError, NoImagesError, MixedPatientsError
        A broken file, nothing, more than one patient.
    AmbiguousInputError
        Several can be meant; the message lists them.
    """
    place = str(path) if isinstance(path, (str, Path)) else None
    _check_broken(found.skipped)
    if not found.series:
        _refuse_empty(found, place)
    if series:
        return _named(found, place, series)
    _check_patients(found.series)
    candidates = _candidates(found.series)
    if len(candidates) == 1:
        return candidates[0]
    if len(found.series) == 1:
        return found.series[0]
    _refuse_over_time(found.series, place)
    raise AmbiguousInputError(
        f"{len(found.series)} series or stacks are here and one must be named: {listing(found.series)}",
        file=place,
        attribute="SeriesInstanceUID",
        advice="Hand over one of these as `series`.",
    )


def _refuse_over_time(series: Sequence[SeriesFiles], place: str | None) -> None:
    """One series that shows one body several times is told so: its stacks are frames, and no choice of series."""
    if differ_in_time(series):
        raise AmbiguousInputError(
            f"one series over time, with {len(series)} images of one body: {listing(series)}",
            file=place,
            attribute="SeriesInstanceUID",
            advice="Run every frame with over_time, or hand over one frame of these as `series`.",
        )


def choose_series(found: Scan, path: object, series: str) -> tuple[SeriesFiles, ...]:
    """All stacks of the one series that is meant, by its UID or the address of one of its stacks; errors as
    :func:`choose`.
    """
    place = str(path) if isinstance(path, (str, Path)) else None
    _check_broken(found.skipped)
    if not found.series:
        _refuse_empty(found, place)
    uid = series.partition("#")[0]
    volumes = [item for item in found.series if not item.is_flat and not item.planes[0].is_localizer]
    meant = [item for item in found.series if item.uid == uid] if series else volumes
    _check_patients(meant or found.series)
    if len({(item.uid, item.apart) for item in meant}) == 1:
        return tuple(meant)
    raise AmbiguousInputError(
        f"{'no such series' if series else 'several series'} here; there are: {listing(found.series)}",
        file=place,
        attribute="SeriesInstanceUID",
        advice="Hand over one of these as `series`.",
    )


def _check_broken(skipped: Sequence[Skipped]) -> None:
    """A broken image may be the end of a stack, which no gap would show: it is never left out in silence."""
    broken = [item for item in skipped if item.broken]
    if broken:
        more = f" ({len(broken)} such files)" if len(broken) > 1 else ""
        raise UnreadableFileError(
            f"{broken[0].reason}{more}",
            file=broken[0].file,
            attribute="PixelData" if "PixelData" in broken[0].reason else None,
            advice="Copy it again, or move it out of the folder.",
        )


def _refuse_empty(found: Scan, place: str | None) -> None:
    if len(found.skipped) == 1 and place == str(found.skipped[0].file):
        raise UnreadableFileError(
            f"{found.skipped[0].reason}, and no NIfTI, NRRD or MetaImage file by its name",
            file=place,
            advice="Choose an image.",
        )
    what = f"none of its {len(found.skipped)} files is a DICOM image" if found.skipped else "the folder is empty"
    raise NoImagesError(what, file=place, advice="Choose the folder of a series, or a NIfTI or NRRD file by its name.")


def _named(found: Scan, place: str | None, series: str) -> SeriesFiles:
    exact = [item for item in found.series if item.address == series]
    if len(exact) == 1:
        return exact[0]
    inside = [item for item in found.series if item.uid == series]
    _check_patients(exact or inside)
    raise AmbiguousInputError(
        f"{'several stacks in' if inside else 'no'} series {series}; there are: {listing(inside or found.series)}",
        file=place,
        attribute="SeriesInstanceUID",
        advice="Hand over one of these as `series`.",
    )


def _check_patients(series: Sequence[SeriesFiles]) -> None:
    for index, keyword in enumerate(("PatientID", "PatientName", "PatientBirthDate")):
        named = [item for item in series if item.patient[index]]
        for other in named[1:]:
            if other.patient[index] != named[0].patient[index]:
                raise MixedPatientsError(
                    f"belongs to another patient than {named[0].planes[0].file.name}",
                    file=other.planes[0].file,
                    attribute=keyword,
                    advice="Keep one patient to a folder, or name the series.",
                )


def _candidates(series: Sequence[SeriesFiles]) -> list[SeriesFiles]:
    """Stacks that can be meant: no localizers and, where the whole series is that, no single slices; else pictures."""
    stacks = [
        item
        for item in series
        if not item.is_flat and not item.planes[0].is_localizer and (item.stack or _is_volume(item))
    ]
    return stacks or [item for item in series if item.is_flat and not item.planes[0].is_capture]


def _is_volume(item: SeriesFiles) -> bool:
    first = item.planes[0]
    return len(item.planes) > 1 and first.position is not None and not first.is_colour


def listing(series: Sequence[SeriesFiles]) -> str:
    """The first of ``series`` for people, without patient data."""
    more = f"; and {len(series) - LISTED} more" if len(series) > LISTED else ""
    return "; ".join(item.in_words for item in series[:LISTED]) + more
