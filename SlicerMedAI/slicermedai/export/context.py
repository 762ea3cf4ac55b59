"""What a format needs beside the result: the source's headers, and one plan of UIDs for all objects."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity
from slicermedai.errors import FormatError, IdentityError, MissingContextError
from slicermedai.export.attributes import BODY_PART, FILED_UNDER, IDENTITY, LATERALITY, ORDER, SPACE
from slicermedai.export.subject import line
from slicermedai.export.uids import UidPlan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportContext:
    """What all formats share.

    Parameters
    ----------
    headers:
        Headers of the source series without pixels, in slice order; one for a multi-frame source; empty where the
        source was no DICOM.
    uids:
        The UIDs of all objects of this result.
    finished:
        When the analysis ended, in the source's time zone where it names one, else UTC. Objects carry this time,
        never that of writing.
    software:
        Versions for Software Versions (0018,1020).
    pictures:
        PNG files of the result, in the order in which they are shown; empty where none were drawn.
    chosen:
        SOP Instance UID -> numbers, from 1, of the frames that were analysed; those of which all were are not here.
    """

    headers: tuple[Dataset, ...]
    uids: UidPlan
    finished: datetime
    software: tuple[str, ...]
    pictures: tuple[Path, ...] = ()
    chosen: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def header(self) -> Dataset:
        """The header that patient and study are copied from.

        Raises
        ------
        MissingContextError
            The source has none; the missing attributes are named.
        """
        if not self.headers:
            raise MissingContextError(
                "the source has no patient and study to file DICOM objects under",
                attribute=", ".join(IDENTITY),
                advice="Run on a DICOM series, or export as nifti and csv.",
            )
        return self.headers[0]


def make_context(
    result: AnalysisResult,
    headers: tuple[Dataset, ...],
    *,
    version: str,
    pictures: tuple[Path, ...] = (),
    links_maps: bool = False,
) -> ExportContext:
    """The context of one result, after the check that ``headers`` are those of its source.

    ``links_maps`` is True where findings cite the maps that explain them, which are written too.

    Raises
    ------
    IdentityError
        The headers are of another study or series, or identify the patient where the result must not.
    FormatError
        The result does not say when it was finished.
    """
    if headers:
        _check_belonging(result, headers)
    finished = _finished(result, headers[0] if headers else Dataset())
    software = (version, line(f"{result.provenance.bundle} {result.provenance.bundle_version}"))
    return ExportContext(
        headers=headers,
        uids=replace(UidPlan.of(result, _fingerprint(headers), *software), links_maps=links_maps),
        finished=finished,
        software=software,
        pictures=pictures,
        chosen={one.sop_instance_uid: one.chosen for part in result.sources for one in part.instances if one.chosen},
    )


def _check_belonging(result: AnalysisResult, headers: tuple[Dataset, ...]) -> None:
    series = {source.series_uid for source in result.sources}
    for header in headers:
        if result.study.study_uid and str(header.get("StudyInstanceUID", "")) != result.study.study_uid:
            raise IdentityError("the headers are of another study than the result", attribute="StudyInstanceUID")
        if series and str(header.get("SeriesInstanceUID", "")) not in series:
            raise IdentityError("the headers are of another series than the result", attribute="SeriesInstanceUID")
        if result.study.identity is Identity.DEIDENTIFY and header.get("PatientIdentityRemoved") != "YES":
            raise IdentityError(
                "the result is de-identified, and the source's headers are not",
                attribute="PatientIdentityRemoved",
                advice="Export with the headers of the de-identified source.",
            )


def _finished(result: AnalysisResult, header: Dataset) -> datetime:
    try:
        moment = datetime.fromisoformat(result.provenance.finished)
    except ValueError as error:
        raise FormatError("the result does not say when it was finished", attribute="provenance.finished") from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(_zone(str(header.get("TimezoneOffsetFromUTC", ""))))


def _zone(offset: str) -> timezone:
    """The zone of a Timezone Offset From UTC (0008,0201), as "+0100"; UTC where there is none."""
    if len(offset) != 5 or offset[0] not in "+-" or not offset[1:].isdigit():
        return UTC
    sign = -1 if offset[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:])))


def _fingerprint(headers: tuple[Dataset, ...]) -> str:
    """Over what objects take from the headers, so that a corrected patient makes new objects."""
    hasher = hashlib.sha256()
    for header in headers:
        hasher.update(f"{header.get('SOPInstanceUID', '')}\n".encode())
    for keyword in (*FILED_UNDER, *SPACE, BODY_PART, LATERALITY, ORDER) if headers else ():
        if keyword in headers[0]:
            hasher.update(_text(headers[0][keyword]).encode(errors="backslashreplace"))
    return hasher.hexdigest()


def _text(element: DataElement) -> str:
    return f"{element.tag} {element.VR} {element.value}\n"
