"""Objects of one analysis back as an :class:`AnalysisResult`: ours whole, other people's as far as they go.

What the objects do not hold, or hold in a way that is not understood, is listed and never made up. Nothing that is read
counts as pseudonymous, whatever it says of itself (:func:`slicermedai.dicom.headers.study_of`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.dicom.files import READ_ERRORS, understood
from slicermedai.dicom.headers import study_of
from slicermedai.dicom.implementation import MANUFACTURER
from slicermedai.domain.finding import Box, Finding, Point
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Provenance, WeightsFile
from slicermedai.domain.result import AnalysisResult, Decision, Map, Review, Status
from slicermedai.domain.study import InstanceRef, SeriesRef, Study
from slicermedai.errors import (
    CodeError,
    FormatError,
    GeometryError,
    InputError,
    MixedPatientsError,
    NoImagesError,
    UnreadableFileError,
)
from slicermedai.export import fhir_json, fhir_read, pmap_read, seg_read, sr_read
from slicermedai.export.codes import NONE_SUCCEEDED, SUCCEEDED_WITH_FINDINGS
from slicermedai.export.read_findings import findings_of, segments_of
from slicermedai.export.sr_images import is_course, told_apart, with_frames
from slicermedai.export.sr_places import in_space
from slicermedai.export.sr_read import TOOL
from slicermedai.export.words import REJECTED

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
MAP = "1.2.840.10008.5.1.4.1.1.30"
REPORTS = ("1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.88.22")
_WEIGHTS, _WARNING = "weights sha256", "Warning: "
_STATUS = {SUCCEEDED_WITH_FINDINGS: Status.COMPLETE, NONE_SUCCEEDED: Status.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """A result, and sentences on what the objects do not hold of it or what was not understood."""

    result: AnalysisResult
    lost: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Objects:
    """What was read, by kind, in the order of the files' names; FHIR bundles after DICOM objects, which say more."""

    heads: list[Dataset] = field(default_factory=list)
    bundles: list[fhir_read.ReadBundle] = field(default_factory=list)
    segmentations: list[seg_read.ReadSegmentation] = field(default_factory=list)
    reports: list[sr_read.ReadReport] = field(default_factory=list)
    maps: list[pmap_read.ReadMap] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lost_alone: list[str] = field(default_factory=list)
    threshold: float | None = None

    @property
    def told(self) -> list[sr_read.ReadReport]:
        """Reports of both kinds."""
        return [*self.reports, *(one.report for one in self.bundles)]


def read_result(files: Sequence[Path], *, threshold: float | None = None) -> ReadBack:
    """Read segmentations, TID 1500 reports, parametric maps and FHIR bundles of one study and one analysis.

    What stands in several of them is read once: a segment in a label map and its BINARY twin, a number in a report and
    a bundle. Objects of other kinds, and those that cannot be understood, are named in :attr:`ReadBack.lost`. So are
    FRACTIONAL segmentations, which are read only with a ``threshold`` (see :func:`slicermedai.export.seg_read.read`).

    Raises
    ------
    NoImagesError
        None of the files holds a result.
    MixedPatientsError
        They are of more than one study.
    UnreadableFileError
        A file is neither DICOM nor JSON, or cut off.
    """
    objects = _Objects(threshold=threshold)
    for path in sorted(map(Path, files)):
        if fhir_json.is_json(path):
            _read_bundle(path, objects)
        else:
            _read(path, objects)
    if not (objects.segmentations or objects.told or objects.maps):
        raise NoImagesError("holds no result that can be read", file=Path(files[0]) if files else None)
    with understood(Path(files[0]).parent):  # which of them is not known any more
        return _joined(objects)


def _joined(objects: _Objects) -> ReadBack:
    studies = [*map(study_of, objects.heads), *(one.study for one in objects.bundles)]
    _check_one_study(objects, studies)
    cited = _series(objects.heads) or next((one.study.series for one in objects.bundles), ())
    sources = with_frames(cited, objects.heads)
    objects.lost += told_apart(objects.heads)
    space, elsewhere = _only_in_space(objects)
    findings, lost = findings_of(objects.segmentations, objects.told)
    geometry, about_grid = _grid(objects, findings, space)
    maps, unlinked = _linked(objects)
    result = AnalysisResult(
        status=_status(objects, findings),
        study=replace(studies[0], series=sources),
        volume_geometry=geometry,
        provenance=_provenance(objects),
        findings=findings,
        maps=tuple(_unique_names(maps)),
        reviews=tuple(_reviews(objects)),
        sources=sources,
        message=_message(objects),
    )
    if findings and not (objects.segmentations or objects.reports):
        lost.append("FHIR bundles hold neither places nor colours of findings.")
    alone = () if objects.told else objects.lost_alone
    return ReadBack(result=result, lost=(*objects.lost, *alone, *elsewhere, *lost, *unlinked, *about_grid))


def _only_in_space(objects: _Objects) -> tuple[str, list[str]]:
    """Leave out places that are not in the image's frame of reference; that frame, and what was left out."""
    grids = [one.geometry for one in objects.segmentations] + [one.map.geometry for one in objects.maps]
    objects.reports, space, lost = in_space(objects.reports, [one.frame_of_reference_uid for one in grids[:1]])
    return space, lost


def _linked(objects: _Objects) -> tuple[list[Map], list[str]]:
    """The maps with the findings that name them as what explains them."""
    links = [(uid, group.tracking_uid) for report in objects.told for group in report.groups for uid in group.maps]
    maps = [
        replace(one.map, explains=tuple(dict.fromkeys(found for uid, found in links if uid == one.sop_instance_uid)))
        for one in objects.maps
    ]
    gone = {uid for uid, _ in links} - {one.sop_instance_uid for one in objects.maps}
    return maps, [f"{len(gone)} maps that explain findings are not among these objects."] if gone else []


def _read(path: Path, objects: _Objects) -> None:
    head = _head(path)
    uid = str(head.get("SOPClassUID", ""))
    try:
        if uid in SEGMENTATIONS:
            found = seg_read.read(path, threshold=objects.threshold)
            objects.segmentations.append(found)
            objects.lost += [f"{path.name}: {found.cut}."] if found.cut else []
        elif uid == MAP:
            objects.maps.append(pmap_read.read(path))
        elif uid in REPORTS:
            _read_report(path, head, objects)
        else:
            objects.lost.append(f"{path.name}: not read, since it is neither segmentation, report nor map.")
            return
    except (FormatError, GeometryError, CodeError, InputError) as error:
        objects.lost.append(f"{path.name}: not understood: {error.message}.")
        return
    objects.heads.append(head)


def _read_report(path: Path, head: Dataset, objects: _Objects) -> None:
    """Lines that we drew for viewers repeat numbers of the report, under names of their own.

    Numbers of a course bear the tracking UIDs of structures, and are of other frames than what is found in one.
    """
    report = sr_read.read(path)
    if is_ours(head) and report.groups and all(group.tracking_id == TOOL for group in report.groups):
        objects.lost_alone.append(f"{path.name}: not read, since it repeats numbers of a report.")
        return
    if is_course(head):
        objects.lost.append(f"{path.name}: not read, since its numbers are of several frames of a series over time.")
        return
    objects.reports.append(report)
    objects.lost += [f"{path.name}: {one}" for one in report.lost]


def _head(path: Path) -> Dataset:
    try:
        head = dcmread(path, stop_before_pixels=True)
        head.decode()
        return head
    except READ_ERRORS as error:
        raise UnreadableFileError("cannot be read as DICOM", file=path) from error


def _read_bundle(path: Path, objects: _Objects) -> None:
    try:
        read = fhir_read.read(path)
    except MixedPatientsError:
        raise
    except (FormatError, CodeError, InputError) as error:
        objects.lost.append(f"{path.name}: not understood: {error.message}.")
        return
    objects.bundles.append(read)
    objects.lost += [f"{path.name}: {one}" for one in read.lost]


def _check_one_study(objects: _Objects, studies: Sequence[Study]) -> None:
    """A bundle may leave out who and which study it is about; a DICOM object may not."""
    for keyword, name in (("PatientID", "patient_id"), ("StudyInstanceUID", "study_uid")):
        said = {getattr(one, name) for one in studies[: len(objects.heads)]}
        said |= {getattr(one.study, name) for one in objects.bundles} - {""}
        if len(said) > 1:
            raise MixedPatientsError("the objects are not of one study", attribute=keyword)
    if len({one.issuer for one in studies} - {""}) > 1:
        raise MixedPatientsError("the objects' patient numbers were given by several", attribute="IssuerOfPatientID")


# --- what holds for all of it ------------------------------------------------------------------------------------


def _grid(objects: _Objects, findings: Sequence[Finding], space: str) -> tuple[Geometry, list[str]]:
    """The grid of the analysed image: that of segmentation or map, else one in ``space`` that holds what was found."""
    grids = [one.geometry for one in objects.segmentations] + [one.map.geometry for one in objects.maps]
    if grids:
        others = [one for one in grids if not one.same_grid(grids[0])]
        return grids[0], [f"{len(others)} objects lie on another grid than the first."] if others else []
    corners = [place for one in findings for place in _extent(one.region)]
    said = ["None of the objects names the grid of the image that was analysed."]
    low, high = (np.min(corners, axis=0), np.max(corners, axis=0)) if corners else (np.zeros(3), np.zeros(3))
    size = np.maximum(np.ceil(high - low), 1).astype(int) + 1
    columns, rows, slices = (int(n) for n in size)
    grid = Geometry.from_axes((slices, rows, columns), origin=tuple(low.tolist()), frame_of_reference_uid=space)
    return grid, said


def _extent(region: object) -> list[tuple[float, float, float]]:
    if isinstance(region, Box):
        return [region.low, region.high]
    return [region.position] if isinstance(region, Point) else []


def _status(objects: _Objects, findings: Sequence[Finding]) -> Status:
    said = [_STATUS[one.outcome] for one in objects.told if one.outcome in _STATUS]
    if said:
        return said[0]
    return Status.COMPLETE if findings or objects.maps else Status.NO_FINDING


def _series(heads: Sequence[Dataset]) -> tuple[SeriesRef, ...]:
    """The images that the objects are about, as they cite them."""
    for head in heads:
        cited = head.get("ReferencedSeriesSequence") or ()
        if cited:
            return tuple(_series_ref(one, str(head.get("FrameOfReferenceUID", ""))) for one in cited)
    return ()


def _series_ref(cited: Dataset, frame_of_reference: str) -> SeriesRef:
    instances = tuple(
        InstanceRef(sop_class_uid=str(one.ReferencedSOPClassUID), sop_instance_uid=str(one.ReferencedSOPInstanceUID))
        for one in cited.get("ReferencedInstanceSequence") or ()
    )
    return SeriesRef(
        series_uid=str(cited.SeriesInstanceUID), frame_of_reference_uid=frame_of_reference, instances=instances
    )


def _provenance(objects: _Objects) -> Provenance:
    """Which algorithm, as segments, groups or report name it."""
    name, version, parameters = _algorithm(objects)
    said = dict(one.split(": ", 1) for one in parameters if ": " in one)
    warnings = tuple(text.removeprefix(_WARNING) for text in _comments(objects) if text.startswith(_WARNING))
    hashes = {key: value for key, value in said.items() if key.startswith(_WEIGHTS)}
    others = tuple(
        WeightsFile(file=key.removeprefix(f"{_WEIGHTS} of "), sha256=value)
        for key, value in hashes.items()
        if key != _WEIGHTS
    )
    return Provenance(
        bundle=name or _maker(objects),
        bundle_version=version,
        weights_sha256=hashes.get(_WEIGHTS, ""),
        weights=others,
        device=said.get("device", ""),
        precision=said.get("precision", ""),
        seed=int(said["seed"]) if said.get("seed", "").isdigit() else 0,
        warnings=warnings,
        finished=_finished(objects.heads[0]) if objects.heads else objects.bundles[0].finished,
    )


def _comments(objects: _Objects) -> list[str]:
    """Of all reports, each as often as the one says it that says it most."""
    told: list[str] = []
    for report in objects.told:
        told += (Counter(report.comments) - Counter(told)).elements() if told else report.comments
    return told


def _message(objects: _Objects) -> str:
    """Why the algorithm failed, or what else its report says instead of findings."""
    told = [one for one in _comments(objects) if not one.startswith(_WARNING) and one != REJECTED]
    return "".join(told[:1])


def _algorithm(objects: _Objects) -> tuple[str, str, tuple[str, ...]]:
    for _, segment in segments_of(objects.segmentations):
        if segment.algorithm.name:
            return segment.algorithm.name, segment.algorithm.version, segment.algorithm.parameters
    for report in objects.told:
        said = [(group.algorithm, group.parameters) for group in report.groups]
        for (name, version), parameters in (*said, (report.algorithm, report.parameters)):
            if name:
                return name, version, parameters
    for one in objects.maps:
        return one.algorithm_name, one.algorithm_version, ()
    return "", "", ()


def _maker(objects: _Objects) -> str:
    said = objects.heads[0] if objects.heads else {"Manufacturer": objects.bundles[0].maker}
    return str(said.get("ManufacturerModelName") or said.get("Manufacturer") or "an algorithm that is not named")


def _finished(head: Dataset) -> str:
    """When the object was made, ISO 8601, with the object's own offset where it has one; "" where it does not say."""
    stamp = f"{head.get('ContentDate') or head.get('InstanceCreationDate') or ''}"
    clock = f"{head.get('ContentTime') or head.get('InstanceCreationTime') or ''}".partition(".")[0]
    try:
        moment = datetime.strptime(
            f"{stamp}{clock:0<6}{head.get('TimezoneOffsetFromUTC') or '+0000'}", "%Y%m%d%H%M%S%z"
        )
    except ValueError:
        return ""
    return moment.isoformat(timespec="seconds")


def _reviews(objects: _Objects) -> Iterator[Review]:
    """A verified report was accepted as a whole by whoever verified it."""
    people = dict.fromkeys(one for report in objects.reports or objects.told for one in report.verifiers)
    for name, time in people:
        yield Review(tracking_uid="", person=name, decision=Decision.ACCEPTED, time=_moment(time))


def _moment(value: str) -> str:
    """ISO 8601 of a time as DICOM has it (VR DT), or FHIR."""
    for form in ("%Y%m%d%H%M%S.%f%z", "%Y%m%d%H%M%S.%f", "%Y%m%d%H%M%S", ""):
        try:
            return (datetime.strptime(value, form) if form else datetime.fromisoformat(value)).isoformat()
        except ValueError:
            continue
    return ""


def _unique_names(maps: Sequence[Map]) -> Iterator[Map]:
    seen: dict[str, int] = {}
    for one in maps:
        seen[one.name] = seen.get(one.name, 0) + 1
        yield one if seen[one.name] == 1 else replace(one, name=f"{one.name} {seen[one.name]}")


def is_ours(head: Dataset) -> bool:
    """True where the object says that this program made it."""
    return str(head.get("Manufacturer", "")) == MANUFACTURER
