"""A storage SCP (PS3.4 annex B): each object is on disk, whole and synced, before it is answered for.

pynetdicom gives every association a thread: this lives in child processes alone, never inside Slicer.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from slicermedai.domain.storage import atomic_file
from slicermedai.errors import DiskFullError, OutputError, PeerError
from slicermedai.pacs.association import AT_ONCE
from slicermedai.pacs.objects import is_uid

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000

Place = Callable[[str, str], Path]
"""(sender's AE title, SOP Instance UID) -> where its file goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where and as whom we listen. ``host`` "" is every interface; ``senders`` are the AE titles let in (none: all)."""

    port: int
    ae_title: str
    host: str = ""
    senders: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    timeout: float = 30.0


def storing(place: Place, stored: Callable[[str, Path], None]) -> Callable[[Any], int]:
    """A handler of C-STORE requests that writes to ``place`` and then tells ``stored`` (sender, file).

    Its answer is 0000 only when both are done; A700 where there is no space, C000 where it is no proper object.
    """

    def handle(event: Any) -> int:
        uid, sender = str(event.request.AffectedSOPInstanceUID), str(event.assoc.requestor.ae_title).strip()
        if not is_uid(uid):
            return CANNOT_UNDERSTAND
        path = place(sender, uid)
        try:
            with atomic_file(path) as partial:
                partial.write_bytes(event.encoded_dataset())
                partial.chmod(0o600)
            stored(sender, path)
        except (DiskFullError, OutputError, OSError):
            return OUT_OF_RESOURCES
        return SUCCESS

    return handle


@contextlib.contextmanager
def listening(listener: Listener, handlers: list[Any]) -> Iterator[int]:
    """Receive while the block runs; gives the port.

    Raises
    ------
    PeerError
        The port cannot be opened.
    """
    entity = _entity(listener)
    try:
        server = entity.start_server(
            (listener.host, listener.port), block=False, ssl_context=listener.tls, evt_handlers=[*handlers, AT_ONCE]
        )
    except OSError as error:
        raise PeerError(f"cannot be opened ({error.strerror})", attribute="listen_port") from error
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()


def _entity(listener: Listener) -> Any:
    entity = AE(ae_title=listener.ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = listener.timeout
    entity.require_called_aet = True
    entity.require_calling_aet = list(listener.senders)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
    entity.add_supported_context(Verification)
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    return entity


STORE, REPORT = evt.EVT_C_STORE, evt.EVT_N_EVENT_REPORT
