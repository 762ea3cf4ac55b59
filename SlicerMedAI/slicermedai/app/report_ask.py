"""What the module Report asks a child process: to look at a result, to keep decisions, and all about the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicermedai.app.report_state import (
    DeliveryShown,
    EarlierShown,
    FindingShown,
    FormatShown,
    PeerShown,
    ResultShown,
    Written,
)
from slicermedai.domain.finding import ConfidenceState
from slicermedai.domain.result import Decision, Review, Status
from slicermedai.domain.study import Identity
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.inquiry import Inquiry

CHILD = "slicermedai.app.report_answer"
Servers = Sequence[dict[str, str]]
_AS_IT_IS = ("model", "job_id", "study_uid", "patient_id", "message", "remark", "demonstration")
_LISTS = ("warnings", "verifiers", "unsaid")


def start_looking(folder: Path, reviews: Sequence[Review], others: Sequence[Path] = ()) -> Inquiry:
    """Start to look at the result in ``folder`` as it would be with ``reviews``; the answer is for
    :func:`shown_from`. Nothing of it is written. ``others`` are results among which earlier ones of the patient may be.
    """
    plain = [_plain(one) for one in reviews]
    return _ask("look", folder=str(folder), reviews=plain, others=[str(one) for one in others])


def start_keeping(folder: Path, reviews: Sequence[Review]) -> Inquiry:
    """Start to save ``reviews`` as a new result beside the one in ``folder``; the answer is the new folder."""
    return _ask("keep", folder=str(folder), reviews=[_plain(one) for one in reviews])


def start_listing(servers: Servers) -> Inquiry:
    """Start to read the outbox and the destinations."""
    return _ask("list", servers=list(servers))


def start_sending(written: Written, peer: str, servers: Servers) -> Inquiry:
    """Start to queue what was written for the destination ``peer``, and to send what is due there."""
    place = {"folder": str(written.folder), "identity": written.identity.value, "job_id": written.job_id}
    return _ask("send", **place, peer=peer, servers=list(servers))


def start_delivering(servers: Servers) -> Inquiry:
    """Start to send all that is due."""
    return _ask("deliver", servers=list(servers))


def start_changing(what: str, found: Sequence[DeliveryShown], servers: Servers) -> Inquiry:
    """Start to "retry" or to "forget" some objects, all of one destination."""
    uids = [one.uid for one in found]
    return _ask(what, destination=found[0].destination, uids=uids, servers=list(servers))


def shown_from(plain: dict[str, Any]) -> ResultShown:
    """What the child found, as a value."""
    own: dict[str, Any] = {name: plain[name] for name in _AS_IT_IS} | {name: tuple(plain[name]) for name in _LISTS}
    return ResultShown(
        folder=Path(plain["folder"]),
        status=Status(plain["status"]),
        identity=Identity(plain["identity"]),
        whole=Decision(plain["whole"]) if plain["whole"] else None,
        findings=tuple(_finding(one) for one in plain["findings"]),
        formats=tuple(_format(one) for one in plain["formats"]),
        earlier=tuple(EarlierShown(**{**one, "folder": Path(one["folder"])}) for one in plain["earlier"]),
        **own,
    )


def _format(plain: dict[str, Any]) -> FormatShown:
    return FormatShown(**{**plain, "files": tuple(plain["files"]), "cites": tuple(plain["cites"])})


def outbox_from(plain: dict[str, Any]) -> tuple[tuple[PeerShown, ...], tuple[DeliveryShown, ...]]:
    """Destinations and deliveries, as values."""
    peers = tuple(PeerShown(**one) for one in plain["peers"])
    return peers, tuple(DeliveryShown(**one) for one in plain["deliveries"])


def _ask(what: str, **request: Any) -> Inquiry:
    return Inquiry(CHILD, {"what": what, **request}, JobFolder.create("report"))


def _finding(plain: dict[str, Any]) -> FindingShown:
    decision = Decision(plain["decision"]) if plain["decision"] else None
    given = {name: plain[name] for name in ("uid", "name", "probability", "lost_edit", "person", "reason")}
    return FindingShown(
        confidence=ConfidenceState(plain["confidence"]),
        decision=decision,
        measurements=tuple((title, text) for title, text in plain["measurements"]),
        **given,
    )


def _plain(review: Review) -> dict[str, str]:
    return {
        "tracking_uid": review.tracking_uid,
        "person": review.person,
        "decision": review.decision.value,
        "reason": review.reason,
        "time": review.time,
    }
