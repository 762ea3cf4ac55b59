"""Who verified a result, as DICOM, FHIR and HL7 name them, and what the algorithm may call its own.

A result is verified when every finding that is left was decided about, or when a review without a finding accepts it as
a whole; never while such a review rejects it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from slicermedai.domain.decisions import WHOLE, is_edited, last_decisions
from slicermedai.domain.finding import Finding
from slicermedai.domain.result import AnalysisResult, Decision, Review, Status
from slicermedai.domain.study import Identity
from slicermedai.errors import FormatError

_NAMELESS = "Reviewer^"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A person who verified the result, as DICOM writes names ("Family^Given"), and when."""

    name: str
    time: datetime

    @property
    def in_words(self) -> str:
        """The name in the order in which it is read, "Dr Jane Roe" (components: PS3.5 6.2.1.2)."""
        family, given, middle, prefix, suffix = [*self.name.split("=")[0].split("^"), *[""] * 5][:5]
        return " ".join(" ".join([prefix, given, middle, family, suffix]).split())


def algorithm_type(result: AnalysisResult, finding: Finding) -> str:
    """AUTOMATIC, or SEMIAUTOMATIC where a person changed the voxels, or marked places for the model to go by
    (PS3.3 C.8.20.2, C.8.8.5)."""
    guided = bool(result.provenance.prompts)
    return "SEMIAUTOMATIC" if guided or is_edited(result, finding) else "AUTOMATIC"


def verifiers(result: AnalysisResult) -> tuple[Verifier, ...]:
    """Everybody who verified ``result``, the last one last; nobody where a finding waits for its review.

    On the pseudonymous route people have no names.
    """
    last = last_decisions(result)
    waiting = [one for one in result.findings if one.tracking_uid not in last]
    accepted = WHOLE in last and last[WHOLE].decision is Decision.ACCEPTED
    refused = WHOLE in last and not accepted
    if result.status is Status.FAILED or not last or refused or (waiting and not accepted):
        return ()
    named = result.study.identity is Identity.KEEP
    people = {_name(one.person) if named else _NAMELESS: _time(one, result) for one in last.values()}
    return tuple(Verifier(name=name, time=time) for name, time in people.items())


def observers(result: AnalysisResult) -> tuple[Verifier, ...]:
    """Everybody whose work a report is, beside the algorithm's: who edited voxels, then who verified all of it."""
    named = result.study.identity is Identity.KEEP
    edits = [one for one in last_decisions(result).values() if one.decision is Decision.EDITED]
    editors = {_name(one.person) if named else _NAMELESS: _time(one, result) for one in edits}
    people = verifiers(result)
    known = {one.name for one in people}
    return (*(Verifier(name=name, time=time) for name, time in editors.items() if name not in known), *people)


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
