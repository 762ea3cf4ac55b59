"""The child of the module MedAI Report: looks at results, keeps decisions, sends. What is heavy is loaded here alone.

It is asked by :mod:`slicermedai.app.report_ask`; what it answers are plain values, in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.app.answering import answer_one
from slicermedai.domain.codes import written
from slicermedai.domain.observer import Progress

if TYPE_CHECKING:
    from slicermedai.domain.finding import Finding, Measurement
    from slicermedai.domain.result import AnalysisResult, Review
    from slicermedai.export.forecast import Forecast


def main() -> int:
    """Answer one request."""
    return answer_one(_answer)


def _answer(asked: dict[str, Any], progress: Progress) -> Any:
    what = asked.pop("what")
    if what == "look":
        reviews = [_review(one) for one in asked["reviews"]]
        return _look(Path(asked["folder"]), reviews, [Path(one) for one in asked["others"]], progress)
    if what == "keep":
        from slicermedai.app.keeping import keep

        return str(keep(Path(asked["folder"]), [_review(one) for one in asked["reviews"]]))
    from slicermedai.app.report_sending import answer

    return answer(what, asked, progress)


def _look(folder: Path, reviews: list[Review], others: list[Path], progress: Progress) -> dict[str, Any]:
    from slicermedai.app.report_earlier import earlier_results
    from slicermedai.dicom.headers import load_headers
    from slicermedai.domain.result import AnalysisResult
    from slicermedai.domain.reviewed import newest
    from slicermedai.export.forecast import forecast, unsaid
    from slicermedai.export.reviews import verifiers
    from slicermedai.pipeline import HEADERS
    from slicermedai.report.build import pictures_beside

    progress("read", 0.0)
    source = newest(folder)
    saved, headers = AnalysisResult.load(source), load_headers(source / HEADERS)
    result = replace(saved, reviews=(*saved.reviews, *reviews))
    told = forecast(result, headers=headers, pictures=pictures_beside(source), progress=progress)
    return {
        "folder": str(source),
        **_about(result),
        "patient_id": str(headers[0].get("PatientID", "")) if headers else result.study.patient_id,
        "verifiers": [one.in_words for one in verifiers(result)],
        "formats": [_foreseen(one) for one in told],
        "unsaid": list(unsaid(headers)),
        "earlier": earlier_results(result.study, others),
    }


def _about(result: AnalysisResult) -> dict[str, Any]:
    """What is shown is what would be written; a rejected finding is there too, as it was, to be taken back."""
    from slicermedai.domain.decisions import WHOLE, decided, last_decisions

    made, last = result.provenance, last_decisions(result)
    whole = last.get(WHOLE)
    written = {one.tracking_uid: one for one in decided(result).findings}
    shown = [written.get(one.tracking_uid, one) for one in result.findings]
    return {
        "model": f"{made.bundle}@{made.bundle_version}",
        "status": result.status.value,
        "identity": result.study.identity.value,
        "job_id": made.job_id,
        "study_uid": result.study.study_uid,
        "message": result.message,
        "remark": made.remark,
        "demonstration": made.demonstration,
        "warnings": list(made.warnings),
        "whole": whole.decision.value if whole else None,
        "findings": [
            {**_finding(one, last.get(one.tracking_uid)), "lost_edit": _lost_edit(result, one.tracking_uid)}
            for one in shown
        ],
    }


def _lost_edit(result: AnalysisResult, uid: str) -> bool:
    """Whether the finding was edited, and then decided about in another way than to accept that."""
    from slicermedai.domain.decisions import last_decisions
    from slicermedai.domain.result import Decision

    was_edited = any(one.tracking_uid == uid and one.decision is Decision.EDITED for one in result.reviews)
    return was_edited and last_decisions(result)[uid].decision is not Decision.EDITED


def _value(one: Measurement) -> str:
    return one.missing or f"{one.value:.1f} {written(one.unit.value)}".rstrip()


def _numbers(finding: Finding) -> Iterator[tuple[str, str]]:
    if finding.why_not_measured:
        yield "not measured:", finding.why_not_measured
        return
    yield from ((one.title, _value(one)) for one in finding.measurements)


def _finding(finding: Finding, review: Review | None) -> dict[str, Any]:
    return {
        "uid": finding.tracking_uid,
        "name": finding.label.name,
        "confidence": finding.confidence.state.value,
        "probability": finding.confidence.probability,
        "measurements": list(_numbers(finding)),
        "decision": review.decision.value if review else None,
        "person": review.person if review else "",
        "reason": review.reason if review else "",
    }


def _foreseen(one: Forecast) -> dict[str, Any]:
    error = one.error
    return {
        "name": one.name,
        "files": list(one.files),
        "reason": error.message if error else "",
        "attribute": (error.attribute or "") if error else "",
        "advice": (error.advice or "") if error else "",
        "cites": list(one.cites),
    }


def _review(plain: dict[str, str]) -> Review:
    from slicermedai.domain.result import Decision, Review

    texts: dict[str, Any] = {name: plain[name] for name in ("tracking_uid", "person", "reason", "time")}
    return Review(decision=Decision(plain["decision"]), **texts)


if __name__ == "__main__":
    raise SystemExit(main())
