"""One DIMSE association (PS3.8) with timeouts on everything, and with reasons in words where there is none."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

from pynetdicom import AE, _config, build_context, evt
from pynetdicom.sop_class import Verification

from slicermedai.errors import PeerError, PeerRefusedError, PeerUnreachableError
from slicermedai.pacs.peers import Peer
from slicermedai.pacs.quiet_logs import silence
from slicermedai.pacs.tls import client_context

_config.STORE_SEND_CHUNKED_DATASET = True  # files go out byte by byte as they are, and need not fit into memory
_config.LOG_HANDLER_LEVEL = "none"
silence()

MOST_CONTEXTS = 126
"""Presentation contexts in one association (PS3.8 9.3.2.2: 128), less one for Verification."""


@contextlib.contextmanager
def associated(peer: Peer, contexts: Sequence[Any], *, roles: Sequence[Any] = (), handlers: Any = ()) -> Iterator[Any]:
    """An established association with ``contexts`` (and Verification) proposed; released or aborted at the end.

    Raises
    ------
    PeerUnreachableError
        No connection, no answer in time, or a certificate that cannot be verified.
    PeerRefusedError
        The association was rejected; its reason is in the message.
    """
    entity = AE(ae_title=peer.calling_ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = peer.timeout
    tls = client_context(peer)
    try:
        association = entity.associate(
            peer.host,
            peer.port,
            contexts=[*contexts, build_context(Verification)],
            ae_title=peer.ae_title,
            tls_args=None if tls is None else (tls, peer.host),
            ext_neg=list(roles),
            evt_handlers=[*handlers, AT_ONCE],
        )
        if not association.is_established:
            raise _reason(peer, association, tls)
        try:
            yield association
        finally:
            with contextlib.suppress(RuntimeError, OSError):
                association.release() if association.is_established else association.abort()
    finally:
        entity.shutdown()  # a stop in the middle of the above leaves threads behind, which the process would wait for


def _send_at_once(event: Any) -> None:
    """A request is two packets: with Nagle's algorithm the second waits 40 ms for the first one's acknowledgement."""
    connection = getattr(event.assoc.dul.socket, "socket", None)
    if connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


AT_ONCE = (evt.EVT_CONN_OPEN, _send_at_once)
"""A handler for every association, asked for or taken."""


def lost(peer: Peer) -> PeerUnreachableError:
    """The error for an association that died, or a request that was not answered in time."""
    return PeerUnreachableError(f"{peer.name}: the connection was lost, or no answer came in time", advice="Try again.")


def check_status(peer: Peer, status: Any, request: str) -> int:
    """The status of an answer (PS3.7 annex C); raises the error of :func:`lost` where there was no answer."""
    if status is None or "Status" not in status:
        raise lost(peer)
    code = int(status.Status)
    if code not in (0x0000, 0xFF00, 0xFF01, 0xB000):
        raise PeerRefusedError(f"{peer.name}: {request} failed with status {code:04X}H", attribute="Status")
    return code


def _reason(peer: Peer, association: Any, tls: ssl.SSLContext | None) -> PeerError:
    if association.is_rejected:
        answer = association.acceptor.primitive
        text = getattr(answer, "reason_str", "") or "no reason given"
        return PeerRefusedError(
            f"{peer.name}: the association was refused ({text})", advice="Do both sides know each other's AE title?"
        )
    return PeerUnreachableError(f"{peer.name}: no association ({_cause(peer, tls)})", advice="Is it running?")


def _cause(peer: Peer, tls: ssl.SSLContext | None) -> str:
    """What a plain connection meets, since pynetdicom keeps it to itself."""
    try:
        with contextlib.ExitStack() as stack:
            plain = stack.enter_context(socket.create_connection((peer.host, peer.port), timeout=peer.timeout))
            if tls is not None:
                stack.enter_context(tls.wrap_socket(plain, server_hostname=peer.host))
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted: {error.verify_message}"
    except ssl.SSLError as error:
        return f"TLS failed: {error.reason}"
    except OSError as error:
        return error.strerror or type(error).__name__
    return "it hung up, or did not answer in time"
