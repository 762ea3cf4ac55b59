"""A series that shows one body several times: split into frames in order, each a stack of its own, with its time.

At each place along the normal lies one image of each frame. They are put in order there, by what numbers the frames or
tells their time, and the i-th images of all places make frame i: trigger times of slices differ, since heartbeats do.
Frames of another grid, a slice that one frame lacks, and times that are doubled or go back are refused by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slicermedai.dicom import timing
from slicermedai.dicom.alike import differing, set_of
from slicermedai.dicom.choice import choose_series, listing
from slicermedai.dicom.file_list import is_file_list, load_file_list
from slicermedai.dicom.gate import Stack, judge
from slicermedai.dicom.inputs import Source, open_frame
from slicermedai.dicom.planes import Plane
from slicermedai.dicom.series import Scan, SeriesFiles, scan
from slicermedai.dicom.volumes import is_frames_folder, load_frames, load_volume
from slicermedai.domain.course import Moment
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import Progress, silent
from slicermedai.errors import AmbiguousInputError, GeometryError, MedAIError, UnsupportedImageError

FloatArray = NDArray[np.float64]
_SAME_PLACE_MM = 0.05
_SAME = 1e-3
_ACQUISITION = "AcquisitionNumber"
_BEATS_ALIKE = 5e-3
"""Seconds that trigger times of one frame may lie apart before people are told."""
_TOLD = ("NumberOfTemporalPositions", "CardiacNumberOfImages", "NumberOfTimeSlices")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTime:
    """The frames of one series.

    Parameters
    ----------
    moments:
        When each was taken, in order.
    open:
        ``open(index, progress)`` reads a frame (from 0).
    interval:
        Length of a heartbeat in seconds, as the headers have it; None where they do not.
    modality:
        Of the series, "" where unknown.
    told:
        What people should know of the frames as a whole, without patient data.
    place:
        ``place()`` is the grid of the first frame.
    """

    moments: tuple[Moment, ...]
    open: Callable[[int, Progress], Source]
    place: Callable[[], Geometry]
    interval: float | None = None
    modality: str = ""
    told: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """For people: "12 frames over time (MR, by TriggerTime, 770 ms from first to last)"."""
        last = self.moments[-1]
        span = f"{last.time} from first to last" if last.time else "without times"
        said = [self.modality, f"by {last.clock}" if last.clock else "", span]
        return f"{len(self.moments)} frames over time ({', '.join(filter(None, said))})"


def recognised(path: str | Path | Sequence[str | Path], *, series: str = "") -> OverTime | None:
    """The frames of what :func:`open_over_time` takes; None for all that it refuses, one time alone among it."""
    try:
        return open_over_time(path, series=series)
    except MedAIError:
        return None


def open_over_time(
    path: str | Path | Sequence[str | Path], *, series: str = "", tilt: str = "refuse", progress: Progress = silent
) -> OverTime:
    """The frames of a DICOM series, or of a NIfTI file of four dimensions; voxels are read when a frame is opened.

    ``series`` is a Series Instance UID, or ``UID#n``: then the set of images that this stack belongs to, where a series
    holds several of one time (magnitude and phase, two echoes).

    Raises
    ------
    UnsupportedImageError
        One time alone.
    AmbiguousInputError
        Several series, or several sets of images; they are listed.
    GeometryError
        Frames that differ in their grid, slices that some frames lack, times that are doubled or go back.
    InputError
        As :func:`slicermedai.dicom.inputs.open_source`.
    """
    if isinstance(path, (str, Path)):
        single = Path(path)
        if single.is_file() and single.name.lower().endswith((".nii", ".nii.gz")):
            return _of_nifti(single, progress)
        if is_frames_folder(single):
            return _of_memory(single)
        if is_file_list(single):
            path = load_file_list(single)
    found = scan(path, progress=progress)
    stacks = choose_series(found, path, series)
    planes = _one_set(stacks, series)
    _check_grids(planes)
    rows = _by_place(planes)
    _check_counts(rows)
    order, rows = timing.ordered(rows)
    clock, times = timing.seconds_of(rows)
    _check_together(rows, order, times if clock else None)
    frames = [judge(frame) for frame in zip(*rows, strict=True)]
    _check_one_grid(frames)
    seconds = np.median(times, axis=0) if clock else None
    name = clock.name if clock else order.name
    return OverTime(
        moments=_moments(len(frames), seconds, name),
        open=_opener(stacks[0], found, frames, tilt),
        place=lambda: frames[0].geometry,
        interval=_interval(planes),
        modality=stacks[0].modality,
        told=tuple(_told(rows, order, times if clock else None, name)),
    )


def _opener(one: SeriesFiles, found: Scan, frames: Sequence[Stack], tilt: str) -> Callable[[int, Progress], Source]:
    def opened(index: int, progress: Progress) -> Source:
        return open_frame(replace(one, planes=frames[index].planes), found, tilt=tilt, progress=progress)

    return opened


def _moments(count: int, seconds: FloatArray | None, clock: str) -> tuple[Moment, ...]:
    since = [None] * count if seconds is None else [round(float(one - seconds[0]), 6) for one in seconds]
    return tuple(Moment(number=i, of=count, seconds=one, clock=clock) for i, one in enumerate(since, 1))


# --- which images ---------------------------------------------------------------------------------------------------


def _one_set(stacks: Sequence[SeriesFiles], series: str) -> tuple[Plane, ...]:
    """The images that differ in time alone; those of the stack that ``series`` names, where it names one."""
    planes = [plane for stack in stacks for plane in stack.planes]
    named = next((stack for stack in stacks if stack.stack and stack.address == series), None)
    sets = dict.fromkeys(map(set_of, planes))
    if named is None and len(sets) > 1:
        raise AmbiguousInputError(
            f"holds {len(sets)} sets of images that differ in {differing(list(sets))}: {listing(stacks)}",
            file=planes[0].file,
            attribute="SeriesInstanceUID",
            advice="Hand over one stack of the set that is meant as `series`.",
        )
    wanted = set_of(named.planes[0]) if named else next(iter(sets))
    return tuple(plane for plane in planes if set_of(plane) == wanted)


def _check_grids(planes: Sequence[Plane]) -> None:
    first = planes[0]
    for plane in planes:
        if plane.position is None:
            raise GeometryError(
                "is missing: without it nobody knows where the image lies",
                file=plane.file,
                attribute="ImagePositionPatient",
                advice="Export the original series again.",
            )
        unlike = _unlike(plane, first)
        if unlike:
            raise GeometryError(
                f"is not that of {first.file.name}: the frames have unequal geometry",
                file=plane.file,
                attribute=unlike,
                advice="Choose one set of images with one geometry, as `series`.",
            )


def _unlike(plane: Plane, first: Plane) -> str:
    if plane.size != first.size:
        return "Rows, Columns"
    if not _close(plane.orientation, first.orientation):
        return "ImageOrientationPatient"
    return "" if _close(plane.spacing, first.spacing) else "PixelSpacing"


def _close(one: tuple[float, ...] | None, other: tuple[float, ...] | None) -> bool:
    return one is not None and other is not None and bool(np.abs(np.subtract(one, other)).max() <= _SAME)


def _by_place(planes: Sequence[Plane]) -> list[tuple[Plane, ...]]:
    """The planes of each place along the normal, the places in order."""
    row, column = np.reshape(np.array(planes[0].orientation, dtype=np.float64), (2, 3))
    places = np.array([plane.position for plane in planes]) @ np.cross(row, column)
    order = np.argsort(places, kind="stable")
    cuts = np.flatnonzero(np.diff(places[order]) > _SAME_PLACE_MM) + 1
    return [tuple(planes[i] for i in part) for part in np.split(order, cuts)]


def _check_counts(rows: Sequence[tuple[Plane, ...]]) -> None:
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    if usual == 1 and all(len(row) == 1 for row in rows):
        raise UnsupportedImageError(
            "shows one time alone",
            file=rows[0][0].file,
            attribute="TemporalPositionIdentifier, TriggerTime, FrameReferenceTime",
            advice="Run it without over_time.",
        )
    odd = next((row for row in rows if len(row) != usual), None)
    if odd is not None:
        raise GeometryError(
            f"at this place lie {len(odd)} images, and {usual} at most others: "
            f"{_lacking(rows, odd, usual) or 'a frame lacks a slice, or holds one twice'}",
            file=odd[0].file,
            attribute="ImagePositionPatient",
            advice="Copy the whole series again, without doubles.",
        )


def _lacking(rows: Sequence[tuple[Plane, ...]], odd: Sequence[Plane], usual: int) -> str:
    """Which temporal positions lack a slice at the place of ``odd``, where the headers number them."""
    for keyword in timing.POSITIONS:
        known = {timing.value(plane, keyword) for row in rows if len(row) == usual for plane in row}
        here = {timing.value(plane, keyword) for plane in odd}
        if "" not in known | here and len(known) == usual and known - here:
            return f"a slice is missing in {keyword} {', '.join(sorted(known - here, key=_numeric))}"
    return ""


def _numeric(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text


# --- that frames belong together ------------------------------------------------------------------------------------


def _check_together(rows: Sequence[tuple[Plane, ...]], order: timing.Clock, times: FloatArray | None) -> None:
    """The images of one frame bear one number, or lie at one part of the time that their place covers.

    Two images at a place always do: their times themselves must be close. Numbers of acquisitions may be other ones at
    each place, but then at none the same.
    """
    said = timing.readings(order, rows)
    if said is not None and (order.name in timing.POSITIONS or (order.name == _ACQUISITION and _share_some(said))):
        _refuse_apart(rows, said != said[0], order.name)
    elif times is not None and len(times[0]) == 2:
        middle = np.median(times, axis=0)
        _refuse_apart(rows, np.abs(times - middle) > 0.5 * np.median(np.diff(times)), order.name)
    elif times is not None and len(times[0]) > 2:
        span = (times - times[:, :1]) / (times[:, -1:] - times[:, :1])
        usual = np.median(span, axis=0)
        steps = np.diff(usual)
        room = 0.5 * np.minimum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))
        _refuse_apart(rows, np.abs(span - usual) > room, order.name)


def _share_some(said: FloatArray) -> bool:
    """Some number is there at two places that do not have the same ones."""
    sets = {frozenset(row) for row in said.tolist()}
    return sum(map(len, sets)) > len(frozenset().union(*sets))


def _refuse_apart(rows: Sequence[tuple[Plane, ...]], apart: NDArray[np.bool_], name: str) -> None:
    if not apart.any():
        return
    place, frame = (int(found[0]) for found in np.nonzero(apart))
    raise GeometryError(
        f"does not fit the other slices of frame {frame + 1}: some frames lack slices",
        file=rows[place][frame].file,
        attribute=name,
        advice="Copy the whole series again.",
    )


def _check_one_grid(frames: Sequence[Stack]) -> None:
    for number, frame in enumerate(frames, 1):
        if not frame.geometry.same_grid(frames[0].geometry, tolerance=2 * _SAME_PLACE_MM):
            raise GeometryError(
                f"frame {number} lies elsewhere than the first",
                file=frame.planes[0].file,
                attribute="ImagePositionPatient",
                advice="The patient or the table was moved: run the frames by themselves.",
            )


def _interval(planes: Sequence[Plane]) -> float | None:
    for keyword in ("NominalInterval", "RRIntervalTimeNominal"):
        said = [one for plane in planes if (one := timing.number(plane, keyword))]
        if said and len(said) == len(planes):
            return round(float(np.median(said)) / 1000, 6)
    return None


def _told(rows: Sequence[tuple[Plane, ...]], order: timing.Clock, times: FloatArray | None, clock: str) -> list[str]:
    planes, count = [plane for row in rows for plane in row], len(rows[0])
    said = []
    if times is None:
        said.append(f"No attribute says when the frames were taken: their order alone is known, by {order.name}.")
    elif clock in timing.TRIGGERED and (apart := float(np.ptp(times, axis=0).max())) > _BEATS_ALIKE:
        said.append(
            f"Slices of one frame lie up to {apart * 1000:.0f} ms apart in the cycle: heartbeats differed in length."
        )
    stated = max((int(one) for plane in planes for name in _TOLD if (one := timing.number(plane, name))), default=0)
    if stated > count:
        said.append(f"The headers say {stated} frames, and {count} are here: some may be missing.")
    gaps = _gaps(planes, order)
    if gaps:
        said.append(f"{order.name} {', '.join(map(str, gaps))} {'is' if len(gaps) == 1 else 'are'} missing.")
    return said


def _gaps(planes: Sequence[Plane], order: timing.Clock) -> list[int]:
    if order.name not in timing.POSITIONS:
        return []
    known = {int(one) for plane in planes if (one := order.read(plane)) is not None}
    return sorted(set(range(min(known), max(known) + 1)) - known)


# --- images from memory, and files of four dimensions -----------------------------------------------------------------


def _of_memory(folder: Path) -> OverTime:
    seconds, clock = load_frames(folder)
    if len(seconds) < 2:
        raise UnsupportedImageError("shows one time alone", attribute="source", advice="Run it without over_time.")

    def opened(index: int, progress: Progress) -> Source:
        progress("read", 0.0)
        volume, study = load_volume(folder / f"{index:04d}")
        return Source(volume=volume, study=study)

    moments = tuple(Moment(number=i, of=len(seconds), seconds=one, clock=clock) for i, one in enumerate(seconds, 1))
    untimed = f"Nothing says when the frames were taken: their order alone is known, by {clock}."
    first = load_volume(folder / "0000")[0]
    return OverTime(
        moments=moments,
        open=opened,
        place=lambda: first.geometry,
        modality=first.modality,
        told=(untimed,) if None in seconds else (),
    )


def _of_nifti(path: Path, progress: Progress) -> OverTime:
    from slicermedai.dicom.nifti import NiftiOverTime
    from slicermedai.domain.study import Study

    progress("read", 0.0)
    file = NiftiOverTime(path)
    known = None if file.step is None else np.arange(file.count, dtype=np.float64) * file.step
    told = (
        ()
        if known is not None
        else ("The file does not say how far its frames lie apart: their order is known alone.",)
    )

    def opened(index: int, progress: Progress) -> Source:
        progress("read", 0.0)
        volume, notes = file.volume(index)
        return Source(volume=volume, study=Study(), files=(path,), notes=notes)

    return OverTime(
        moments=_moments(file.count, known, "pixdim[4]"),
        open=opened,
        place=lambda: file.volume(0)[0].geometry,
        told=told,
    )
