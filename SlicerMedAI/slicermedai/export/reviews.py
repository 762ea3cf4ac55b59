"""What people decided about the findings, as it goes into objects: who verified, what was edited, what is left out.

The last decision about a finding counts. A rejected finding is left out and an edited one has the person's voxels, with
its volume counted anew; its other numbers are of voxels that are no more, and are said to be missing. A result is
verified when every finding that is left was decided about, or when a review without a finding accepts it as a whole;
never while such a review rejects it.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from datetime import UTC, datetime

from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, Mask, Measurement, PackedMask
from slicermedai.domain.result import AnalysisResult, Decision, Review, Status
from slicermedai.domain.study import Identity
from slicermedai.errors import FormatError
from slicermedai.export.agreement import is_counted, milliliters

_WHOLE = ""
_NAMELESS = "Reviewer^"
_CHANGES = {
    Decision.REJECTED: "rejected by a person, and is left out",
    Decision.EDITED: "edited by a person",
}
_NOT_AGAIN = "not measured again after a person edited the voxels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A person who verified the result, as DICOM writes names ("Family^Given"), and when."""

    name: str
    time: datetime

    @property
    def in_words(self) -> str:
        """The name without its carets."""
        return self.name.replace("^", " ").strip()


def decided(result: AnalysisResult) -> AnalysisResult:
    """``result`` with the decisions applied, and a warning for each kind of change; unchanged where nobody changed it.

    Raises
    ------
    FormatError
        A review of a finding that is not there, or an edit without voxels.
    """
    last = _last(result)
    _check_known(result, last)
    kept = tuple(_edited(one, last.get(one.tracking_uid)) for one in result.findings if not _rejected(one, last))
    remarks = _remarks(result, last)
    if not remarks:
        return result
    made = dataclasses.replace(result.provenance, warnings=(*result.provenance.warnings, *remarks))
    return dataclasses.replace(result, findings=kept, provenance=made)


def is_edited(result: AnalysisResult, finding: Finding) -> bool:
    """True where a person changed the voxels of ``finding``."""
    review = _last(result).get(finding.tracking_uid)
    return review is not None and review.decision is Decision.EDITED


def algorithm_type(result: AnalysisResult, finding: Finding) -> str:
    """AUTOMATIC, or SEMIAUTOMATIC where a person changed the voxels (PS3.3 C.8.20.2, C.8.8.5)."""
    return "SEMIAUTOMATIC" if is_edited(result, finding) else "AUTOMATIC"


def verifiers(result: AnalysisResult) -> tuple[Verifier, ...]:
    """Everybody who verified ``result``, the last one last; nobody where a finding waits for its review.

    On the pseudonymous route people have no names.
    """
    last = _last(result)
    waiting = [one for one in result.findings if one.tracking_uid not in last]
    accepted = _WHOLE in last and last[_WHOLE].decision is Decision.ACCEPTED
    refused = _WHOLE in last and not accepted
    if result.status is Status.FAILED or not last or refused or (waiting and not accepted):
        return ()
    named = result.study.identity is Identity.KEEP
    people = {_name(one.person) if named else _NAMELESS: _time(one, result) for one in last.values()}
    return tuple(Verifier(name=name, time=time) for name, time in people.items())


def _last(result: AnalysisResult) -> dict[str, Review]:
    return {review.tracking_uid: review for review in result.reviews}


def _check_known(result: AnalysisResult, last: dict[str, Review]) -> None:
    known = {finding.tracking_uid for finding in result.findings}
    if unknown := set(last) - known - {_WHOLE}:
        raise FormatError(f"{len(unknown)} reviews are of findings that the result has not", attribute="reviews")


def _rejected(finding: Finding, last: dict[str, Review]) -> bool:
    review = last.get(finding.tracking_uid)
    return review is not None and review.decision is Decision.REJECTED


def _edited(finding: Finding, review: Review | None) -> Finding:
    if review is None or review.decision is not Decision.EDITED:
        return finding
    region = review.region
    if not isinstance(region, (Mask, PackedMask)):
        raise FormatError(
            f"finding {finding.label.name!r} was edited, and its new voxels are not there", attribute="reviews"
        )
    return dataclasses.replace(
        finding,
        region=region,
        measurements=tuple(_again(one, region) for one in finding.measurements),
        confidence=Confidence(state=ConfidenceState.NOT_ASSESSED_EDITED),
    )


def _again(one: Measurement, region: Mask | PackedMask) -> Measurement:
    if is_counted(one):
        return dataclasses.replace(one, value=milliliters(region), interval=None)
    return dataclasses.replace(one, value=math.nan, interval=None, points=(), missing=_NOT_AGAIN)


def _remarks(result: AnalysisResult, last: dict[str, Review]) -> list[str]:
    """What people must know of the changes, with the reasons that were given: free text, not for the other route."""
    told = []
    if _WHOLE in last and last[_WHOLE].decision is not Decision.ACCEPTED:
        told.append(f"The result as a whole was {last[_WHOLE].decision} by a person{_reason(last[_WHOLE], result)}.")
    for finding in result.findings:
        review = last.get(finding.tracking_uid)
        if review is not None and review.decision in _CHANGES:
            told.append(f"{finding.label.name} was {_CHANGES[review.decision]}{_reason(review, result)}.")
    return told


def _reason(review: Review, result: AnalysisResult) -> str:
    return f": {review.reason}" if review.reason and result.study.identity is Identity.KEEP else ""


def _name(person: str) -> str:
    """ "Jane van Roe" as "Roe^Jane van"; a name with carets is one already, and one alone gets a caret (PS3.5 6.2)."""
    plain = " ".join(person.replace("\\", " ").replace("=", " ").split())
    if "^" in plain:
        return plain[:64]
    if " " not in plain:
        return f"{plain[:63]}^" if plain else _NAMELESS
    given, _, family = plain.rpartition(" ")
    return f"{family}^{given}"[:64]


def _time(review: Review, result: AnalysisResult) -> datetime:
    """When it was decided, else when the analysis ended."""
    for text in (review.time, result.provenance.finished):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise FormatError("a review does not say when it was made", attribute="reviews")
