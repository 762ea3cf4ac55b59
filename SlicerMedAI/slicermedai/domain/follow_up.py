"""A result beside that of an earlier study of the patient: the same structures, their volumes then and now."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from slicermedai.domain.change import Change, FollowUp
from slicermedai.domain.counting import is_counted, is_cut
from slicermedai.domain.decisions import decided, is_edited
from slicermedai.domain.finding import Finding
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Study
from slicermedai.domain.tracking import Link, check_patient, followed
from slicermedai.errors import IdentityError, InputError


def check_earlier(one: Study, other: Study) -> None:
    """Raise unless ``other`` is another study of the patient, and no later one, as far as both say.

    Raises
    ------
    IdentityError
        Another patient, or the other identity route.
    InputError
        The same study, or a later one.
    """
    check_patient(one, other)
    if one.study_uid == other.study_uid or (one.date and other.date > one.date):
        raise InputError(
            "is a result of the same study" if one.study_uid == other.study_uid else "is a result of a later study",
            attribute="previous",
            advice="Name the result of an earlier study of the patient.",
        )


def followed_up(
    result: AnalysisResult, earlier: AnalysisResult, *, pairs: Mapping[str, str] | None = None
) -> AnalysisResult:
    """``result`` with the tracking UIDs of ``earlier`` where a structure is the same, and what changed since.

    ``pairs`` is what a person says, as :func:`~slicermedai.domain.tracking.followed` takes it. Where no finding is
    known in both, or ``pairs`` name one that ``result`` has not, nothing is renamed, and that is said.

    Raises
    ------
    IdentityError, InputError
        As :func:`check_earlier`.
    """
    check_earlier(result.study, earlier.study)
    found = FollowUp(days=_days(result, earlier), earlier_date=earlier.study.date)
    try:
        known = followed(result, earlier, pairs=pairs)
    except IdentityError:
        raise
    except InputError as error:
        told = f"nothing was compared: {error.message}" if error.attribute == "matches" else error.message
        return replace(result, follow_up=replace(found, notes=(f"{told}.",)))
    return replace(
        known.result,
        follow_up=replace(
            found,
            changes=tuple(_changes(known.result, earlier, known.links)),
            unmatched=tuple(f"{one.name}: {one.how}" for one in known.links if not (one.finding and one.earlier)),
            notes=tuple(_notes(result, earlier)),
        ),
    )


def _changes(now: AnalysisResult, earlier: AnalysisResult, links: tuple[Link, ...]) -> Iterator[Change]:
    before = {one.tracking_uid: one for one in decided(earlier).findings}
    after = {one.tracking_uid: one for one in now.findings}
    for link in links:
        one, other = after.get(link.earlier), before.get(link.earlier)
        if link.finding and one is not None and other is not None:
            yield Change(
                tracking_uid=one.tracking_uid,
                label=one.label,
                before=_volume(other),
                after=_volume(one),
                how=link.how,
                note=_not_whole(is_cut(one, now.provenance.warnings), is_cut(other, earlier.provenance.warnings)),
            )


def _not_whole(*cut: bool) -> str:
    """``cut``: in this image, and in the earlier one."""
    if not any(cut):
        return ""
    where = "in both images" if all(cut) else "in this image" if cut[0] else "in the earlier image"
    return f"it reaches the edge {where}: what lies beyond is in no volume"


def _volume(found: Finding) -> float:
    return next((one.value for one in found.measurements if is_counted(one)), math.nan)


def _days(result: AnalysisResult, earlier: AnalysisResult) -> int | None:
    try:
        now, then = (datetime.strptime(one.study.date, "%Y%m%d") for one in (result, earlier))
    except ValueError:
        return None
    return (now - then).days


def _notes(result: AnalysisResult, earlier: AnalysisResult) -> Iterator[str]:
    models = [f"{one.provenance.bundle} {one.provenance.bundle_version}" for one in (earlier, result)]
    weights = {one.provenance.weights_sha256 for one in (earlier, result)}
    if len(weights) > 1:
        yield f"Another model analysed the earlier study ({models[0]}, now {models[1]}): a change may be the models'."
    modalities = [{series.modality for series in one.sources} for one in (earlier, result)]
    if modalities[0] != modalities[1]:
        yield f"The earlier image is of another modality ({', '.join(sorted(modalities[0]))})."
    edited = [one.label.name for one in earlier.findings if is_edited(earlier, one)]
    if edited:
        yield f"A person had edited in the earlier result: {', '.join(edited)}."
    if earlier.moment is not None:
        yield f"The earlier result is of {earlier.moment.in_words}."
