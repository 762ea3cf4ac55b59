"""Decisions are kept: as a new result beside the old one, and as a line in the audit log. A child process does this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slicermedai.app.measuring import Reading, with_measurements
from slicermedai.audit.log import append
from slicermedai.domain.result import RESULT, AnalysisResult, Decision, Review
from slicermedai.domain.reviewed import save_reviewed
from slicermedai.domain.storage import sha256_file

_DECIDED = "result reviewed"


def keep(folder: Path, reviews: Sequence[Review], *, image: Reading = lambda: None) -> Path:
    """Save ``reviews`` with the result in ``folder`` as a new one; returns its folder. What was edited is measured
    anew, in ``image`` too where that is known.

    The log says who sat at the computer (the account), of which result, how many findings were decided how, and of how
    many a nodule's type was entered or taken back: no reason, no type, no name of a finding and none of a person.

    Raises
    ------
    UnreadableFileError, FormatError, OutputError, AuditError
    NewerResultError
        Another module, or another person, saved decisions since this result was opened.
    """
    made = save_reviewed(folder, _measured(folder, reviews, image))
    counts = {str(one): sum(review.decision is one for review in reviews) for one in Decision}
    append(
        _DECIDED,
        job_id=AnalysisResult.load(made).provenance.job_id,
        decisions=len(reviews),
        nodules=sum(review.nodule is not None for review in reviews),
        rated=sum(review.rating is not None for review in reviews),
        result_sha256=sha256_file(made / f"{RESULT}.json"),
        **counts,
    )
    return made


def _measured(folder: Path, reviews: Sequence[Review], image: Reading) -> Sequence[Review]:
    if all(one.decision is not Decision.EDITED for one in reviews):
        return reviews
    return with_measurements(AnalysisResult.load(folder), reviews, image)
