"""TLS as DICOM wants it (PS3.15 B.12): version 1.2 or later, and the other side's certificate verified, always."""

from __future__ import annotations

import ssl
from pathlib import Path

from slicermedai.errors import PeerError
from slicermedai.pacs.peers import Peer


def client_context(peer: Peer) -> ssl.SSLContext | None:
    """How we connect to ``peer``: its certificate must be signed by ``tls_ca`` and name its host; None without TLS.

    Raises
    ------
    PeerError
        A certificate or key cannot be read.
    """
    return _context(peer, ssl.Purpose.SERVER_AUTH) if peer.tls_ca else None


def server_context(peer: Peer) -> ssl.SSLContext | None:
    """How ``peer`` connects to us: it must show a certificate signed by ``tls_ca``; None without TLS."""
    if not peer.tls_ca:
        return None
    if not peer.tls_certificate:
        raise PeerError("is needed to receive with TLS", attribute=f"{peer.name}.tls_certificate")
    context = _context(peer, ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(peer: Peer, purpose: ssl.Purpose) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(purpose, cafile=str(_path(peer.tls_ca)))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if peer.tls_certificate:
            context.load_cert_chain(_path(peer.tls_certificate), _path(peer.tls_key))
    except (OSError, ssl.SSLError) as error:
        raise PeerError(
            f"a certificate cannot be used ({type(error).__name__})", attribute=f"{peer.name}.tls_ca"
        ) from error
    return context


def _path(text: str) -> Path:
    return Path(text).expanduser()
