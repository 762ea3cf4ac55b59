"""Storage commitment, push model (PS3.4 annex J): the archive takes over the safekeeping, and says so."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from slicermedai.errors import PeerRefusedError, PeerUnreachableError
from slicermedai.pacs import receive
from slicermedai.pacs.association import associated, check_status
from slicermedai.pacs.objects import ObjectRef
from slicermedai.pacs.peers import Peer
from slicermedai.pacs.tls import server_context

_REQUEST = 1


def committed(peer: Peer, refs: Sequence[ObjectRef]) -> frozenset[str]:
    """The SOP Instance UIDs that ``peer`` commits itself to keep.

    The report (N-EVENT-REPORT) may come on the same association or on a new one to our ``listen_port``; it is awaited
    for ``peer.timeout`` seconds.

    Raises
    ------
    PeerUnreachableError
        No connection, or no report in time.
    PeerRefusedError
        The peer does not do storage commitment.
    """
    report = _Report()
    listener = receive.Listener(
        port=peer.listen_port, ae_title=peer.calling_ae_title, tls=server_context(peer), timeout=peer.timeout
    )
    handlers = [(receive.REPORT, report.take)]
    with (
        receive.listening(listener, handlers),
        associated(peer, [build_context(StorageCommitmentPushModel)], handlers=handlers) as association,
    ):
        try:
            status, _ = association.send_n_action(
                report.request(refs), _REQUEST, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
        except ValueError as error:
            raise PeerRefusedError(f"{peer.name}: storage commitment is not accepted", attribute="proof") from error
        check_status(peer, status, "N-ACTION")
        if not report.wait(peer.timeout):
            raise PeerUnreachableError(
                f"{peer.name}: no report of storage commitment came in time",
                attribute="listen_port",
                advice="Does the archive know our address and port?",
            )
    return report.uids & {ref.sop_instance_uid for ref in refs}


class _Report:
    """What we asked for, and what was reported; the report comes in another thread."""

    def __init__(self) -> None:
        self.uids: frozenset[str] = frozenset()
        self._transaction = str(generate_uid())
        self._came = threading.Event()

    def request(self, refs: Sequence[ObjectRef]) -> Dataset:
        """The Action Information (PS3.4 table J.3-1)."""
        dataset = Dataset()
        dataset.TransactionUID = self._transaction
        dataset.ReferencedSOPSequence = [_reference(ref) for ref in refs]
        return dataset

    def take(self, event: Any) -> tuple[int, None]:
        """Handle an N-EVENT-REPORT (PS3.4 table J.3-2); reports of other transactions are only acknowledged."""
        told = event.event_information
        if str(told.get("TransactionUID", "")) == self._transaction:
            self.uids = frozenset(str(one.ReferencedSOPInstanceUID) for one in told.get("ReferencedSOPSequence", []))
            self._came.set()
        return 0x0000, None

    def wait(self, seconds: float) -> bool:
        """True as soon as it came."""
        return self._came.wait(seconds)


def _reference(ref: ObjectRef) -> Dataset:
    dataset = Dataset()
    dataset.ReferencedSOPClassUID = ref.sop_class_uid
    dataset.ReferencedSOPInstanceUID = ref.sop_instance_uid
    return dataset
