"""A DICOM archive by DIMSE: C-ECHO, C-STORE, C-FIND, C-GET, C-MOVE and storage commitment (PS3.4, PS3.7).

pynetdicom gives every association a thread: this lives in child processes alone, never inside Slicer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import ALL_TRANSFER_SYNTAXES, build_context, build_role
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from slicermedai.dicom.files import READ_ERRORS, quiet
from slicermedai.pacs import receive
from slicermedai.pacs.association import MOST_CONTEXTS, associated, check_status, lost
from slicermedai.pacs.commitment import committed
from slicermedai.pacs.objects import ObjectRef
from slicermedai.pacs.peers import Peer
from slicermedai.pacs.store import KEYS, Level, Outcome, Pace, Record, SendItem, Verdict, instances, matches
from slicermedai.pacs.tls import server_context

_PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_DUPLICATE = 0x0111
_REFUSED = {0x0106, 0x0117, 0x0122, 0x0124, 0x0211, 0x0212}
_UNSUPPORTED = 0x0122


class DimseStore:
    """Implements :class:`slicermedai.pacs.store.Store` over an archive's DIMSE services."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def echo(self) -> None:
        """C-ECHO (PS3.7 9.1.5)."""
        with associated(self._peer, []) as association:
            check_status(self._peer, association.send_c_echo(), "C-ECHO")

    def accepted(self, sop_classes: Iterable[str]) -> frozenset[str]:
        """Those SOP classes that the peer negotiates, in any transfer syntax that we can write."""
        contexts = [build_context(uid, list(_PLAIN)) for uid in dict.fromkeys(sop_classes)]
        with associated(self._peer, contexts) as association:
            return frozenset(str(c.abstract_syntax) for c in association.accepted_contexts) - {Verification}

    def send(self, items: Sequence[SendItem]) -> Iterator[Outcome]:
        """C-STORE (PS3.4 B): each file's bytes as they are, where its transfer syntax is accepted.

        Else the data set is decoded and written plainly, and the outcome notes that.
        """
        for group in _groups(items):
            with associated(self._peer, _contexts(group)) as association:
                accepted = _accepted(association)
                for item in group:
                    yield from self._send_one(association, item, accepted.get(item.ref.sop_class_uid, ()))

    def find(self, level: Level, keys: Mapping[str, str]) -> list[Record]:
        """C-FIND in the Study Root (PS3.4 C.4.1)."""
        return [record for record in self._find(level, keys) if matches(record, keys)]

    def retrieve(self, study_uid: str, folder: Path, *, pace: Pace) -> None:
        """C-GET, or C-MOVE to ourselves where the peer is set so (PS3.4 C.4.2, C.4.3)."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

        def place(sender: str, uid: str) -> Path:
            pace()
            return folder / f"{uid}.dcm"

        handlers = [(receive.STORE, receive.storing(place, lambda sender, path: None))]
        found = instances(self, study_uid)
        if found and self._peer.retrieve == "move":
            self._move(study_uid, handlers)
        elif found:
            self._get(study_uid, {record["SOPClassUID"] for record in found}, handlers)

    def verify(self, refs: Sequence[ObjectRef]) -> frozenset[str]:
        """Storage commitment where the peer is set so, C-FIND at the IMAGE level else."""
        if not refs:
            return frozenset()
        if self._peer.proof == "commitment":
            return committed(self._peer, refs)
        wanted: dict[tuple[str, str], list[str]] = {}
        for ref in refs:
            wanted.setdefault((ref.study_uid, ref.series_uid), []).append(ref.sop_instance_uid)
        found = {
            record["SOPInstanceUID"]
            for (study, series), uids in wanted.items()
            for record in self._find(
                Level.IMAGE,
                {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": "\\".join(uids)},
            )
        }
        return frozenset(found & {ref.sop_instance_uid for ref in refs})

    def _find(self, level: Level, keys: Mapping[str, str]) -> list[Record]:
        model = StudyRootQueryRetrieveInformationModelFind
        found = []
        with associated(self._peer, [build_context(model)]) as association:
            for status, identifier in _answers(association.send_c_find, _identifier(level, keys), model):
                check_status(self._peer, status, "C-FIND")
                if identifier is not None:
                    found.append(_record(identifier, level))
        return found

    def _get(self, study_uid: str, classes: set[str], handlers: list[Any]) -> None:
        model = StudyRootQueryRetrieveInformationModelGet
        known = sorted(filter(None, classes))[: MOST_CONTEXTS - 1]
        contexts = [build_context(uid, ALL_TRANSFER_SYNTAXES) for uid in known]
        roles = [build_role(context.abstract_syntax, scp_role=True) for context in contexts]
        with associated(self._peer, [build_context(model), *contexts], roles=roles, handlers=handlers) as association:
            self._drain(_answers(association.send_c_get, _study(study_uid), model), "C-GET")

    def _move(self, study_uid: str, handlers: list[Any]) -> None:
        model = StudyRootQueryRetrieveInformationModelMove
        peer = self._peer
        listener = receive.Listener(
            port=peer.listen_port, ae_title=peer.calling_ae_title, tls=server_context(peer), timeout=peer.timeout
        )
        with receive.listening(listener, handlers), associated(peer, [build_context(model)]) as association:
            request = association.send_c_move
            answers = request(_study(study_uid), peer.calling_ae_title, model)
            self._drain(answers, "C-MOVE")

    def _drain(self, answers: Iterable[tuple[Any, Any]], request: str) -> None:
        for status, _ in answers:
            check_status(self._peer, status, request)

    def _send_one(self, association: Any, item: SendItem, syntaxes: Sequence[str]) -> Iterator[Outcome]:
        ref = item.ref
        if not syntaxes:
            yield _refused(ref, f"{ref.kind} is not accepted", unsupported=True)
            return
        subject, note = _subject(item, syntaxes)
        if subject is None:
            yield _refused(ref, note)
            return
        try:
            status = association.send_c_store(subject)
        except (ValueError, AttributeError, RuntimeError) as error:
            if association.is_established:
                yield _refused(ref, f"cannot be encoded for it ({type(error).__name__})")
                return
            status = Dataset()
        if "Status" not in status:
            yield _outcome(ref, Verdict.FAILED, reason="the connection was lost while it was sent", unsure=True)
            raise lost(self._peer)
        yield _judged(ref, int(status.Status), note)


def _groups(items: Sequence[SendItem]) -> list[list[SendItem]]:
    """Items in their order, cut where one association could not hold their presentation contexts."""
    groups: list[list[SendItem]] = []
    for item in items:
        if not groups or len(_pairs([*groups[-1], item])) > MOST_CONTEXTS:
            groups.append([])
        groups[-1].append(item)
    return groups


def _pairs(items: Sequence[SendItem]) -> list[tuple[str, str]]:
    """(SOP class, transfer syntax): each file's own, and the plain ones for its class."""
    pairs: dict[tuple[str, str], None] = {}
    for item in items:
        for syntax in (item.ref.transfer_syntax_uid, *_PLAIN):
            pairs[item.ref.sop_class_uid, str(syntax)] = None
    return list(pairs)


def _contexts(items: Sequence[SendItem]) -> list[Any]:
    return [build_context(sop_class, [syntax]) for sop_class, syntax in _pairs(items)]


def _accepted(association: Any) -> dict[str, list[str]]:
    accepted: dict[str, list[str]] = {}
    for context in association.accepted_contexts:
        accepted.setdefault(str(context.abstract_syntax), []).append(str(context.transfer_syntax[0]))
    return accepted


def _subject(item: SendItem, syntaxes: Sequence[str]) -> tuple[Path | Dataset | None, str]:
    """What is sent, and a note: the file itself, its data set written plainly, or None with the reason."""
    own = UID(item.ref.transfer_syntax_uid)
    if own in syntaxes:
        return item.file, ""
    try:
        with quiet():
            dataset = dcmread(item.file)
            if own.is_compressed and not own.is_deflated:
                dataset.decompress(generate_instance_uid=False)  # the same object, written plainly
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if own.is_compressed else own
    except READ_ERRORS as error:
        return None, f"{own.name} is not accepted, and cannot be decoded ({type(error).__name__})"
    return dataset, f"transfer syntax changed from {own.name} to {UID(syntaxes[0]).name}"


def _judged(ref: ObjectRef, status: int, note: str) -> Outcome:
    """PS3.4 B.2.3 and PS3.7 annex C: out of resources and whatever is unclear may go well another time."""
    if status in (0x0000, _DUPLICATE) or 0xB000 <= status <= 0xBFFF:
        told = "" if status == 0 else f"status {status:04X}H"
        return _outcome(ref, Verdict.ACCEPTED, note="; ".join(part for part in (note, told) if part))
    if status in _REFUSED or 0xA900 <= status <= 0xA9FF:
        return _refused(ref, f"refused with status {status:04X}H", unsupported=status == _UNSUPPORTED)
    reason = "out of resources" if 0xA700 <= status <= 0xA7FF else f"failed with status {status:04X}H"
    return _outcome(ref, Verdict.FAILED, reason=reason)


def _outcome(ref: ObjectRef, verdict: Verdict, *, reason: str = "", note: str = "", unsure: bool = False) -> Outcome:
    return Outcome(sop_instance_uid=ref.sop_instance_uid, verdict=verdict, reason=reason, note=note, unsure=unsure)


def _refused(ref: ObjectRef, reason: str, *, unsupported: bool = False) -> Outcome:
    return Outcome(
        sop_instance_uid=ref.sop_instance_uid, verdict=Verdict.REFUSED, reason=reason, unsupported=unsupported
    )


def _answers(request: Callable[[Any, Any], Any], identifier: Dataset, model: Any) -> Iterable[tuple[Any, Any]]:
    """The answers to a request; where its model was not accepted, one that says so (0122H: SOP class not supported)."""
    try:
        return list(request(identifier, model))
    except ValueError:
        status = Dataset()
        status.Status = _UNSUPPORTED
        return [(status, None)]


def _identifier(level: Level, keys: Mapping[str, str]) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.QueryRetrieveLevel = str(level)
    for name in (*KEYS[level], *keys):
        setattr(dataset, name, keys.get(name, ""))
    return dataset


def _study(study_uid: str) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = str(Level.STUDY)
    dataset.StudyInstanceUID = study_uid
    return dataset


def _record(identifier: Dataset, level: Level) -> Record:
    with quiet():
        return {name: _text(identifier.get(name)) for name in KEYS[level]}


def _text(value: Any) -> str:
    if value is None:
        return ""
    many = not isinstance(value, str) and hasattr(value, "__iter__") and not hasattr(value, "components")
    return "\\".join(str(one) for one in value) if many else str(value)
