"""Destinations by name: the file ``peers.toml`` under the home, and what may go to each.

.. code-block:: toml

    [archive]                        # the name: small letters, digits and dashes
    kind = "dimse"                   # or "web", "folder"
    research = false                 # true: pseudonymous objects only; false: identified ones only
    host = "pacs.hospital.example"
    port = 11112
    ae_title = "ARCHIVE"             # theirs
    calling_ae_title = "SLICERMEDAI" # ours
    proof = "commitment"             # or "query"
    retrieve = "get"                 # or "move", which needs listen_port
    listen_port = 11113              # where we hear reports of storage commitment, and receive moved objects
    tls_ca = "ca.pem"                # with it TLS is used, and the peer's certificate verified
    tls_certificate = "client.pem"
    tls_key = "client.key"

    [web-archive]
    kind = "web"
    url = "https://pacs.hospital.example/dicom-web"
    token = true                     # a bearer token from the system's keyring (service "slicermedai", user = the name)

    [shelf]
    kind = "folder"
    path = "/data/shelf"
    research = true
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.domain import settings
from slicermedai.domain.routes import check_destination
from slicermedai.domain.storage import write_text
from slicermedai.domain.study import Identity
from slicermedai.errors import IdentityError, MissingPackageError, PeerError, UnknownPeerError
from slicermedai.pacs.objects import ObjectRef, identity_of
from slicermedai.pacs.store import Store

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")
_CHOICES = {"kind": ("dimse", "web", "folder"), "proof": ("query", "commitment"), "retrieve": ("get", "move")}
_NEEDED = {"dimse": ("host", "port", "ae_title"), "web": ("url",), "folder": ("path",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One destination. ``timeout`` is in seconds, to connect and for each answer; ``tls_*`` are paths of PEM files."""

    name: str
    kind: str
    research: bool = False
    host: str = ""
    port: int = 0
    ae_title: str = ""
    calling_ae_title: str = "SLICERMEDAI"
    proof: str = "query"
    retrieve: str = "get"
    listen_port: int = 0
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    url: str = ""
    token: bool = False
    path: str = ""
    timeout: float = 30.0


def peers_path() -> Path:
    """What the setting ``peers`` names, or ``peers.toml`` in the home; it may not be there yet."""
    return Path(settings.present("peers"))


def load_peers(path: Path | None = None) -> dict[str, Peer]:
    """All destinations by name; none where there is no file.

    Raises
    ------
    PeerError
        The file cannot be read, or a destination in it is not described right (its setting is named).
    """
    path = path or peers_path()
    if not path.exists():
        return {}
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PeerError(f"cannot be read ({type(error).__name__})", file=path, advice="Is it right TOML?") from error
    return {name: make_peer(name, values, file=path) for name, values in body.items()}


def load_peer(name: str, path: Path | None = None) -> Peer:
    """The destination of that name; raises :class:`~slicermedai.errors.UnknownPeerError` beside :func:`load_peers`."""
    known = load_peers(path)
    if name not in known:
        raise UnknownPeerError(
            "no destination of that name is known",
            file=path or peers_path(),
            attribute=name if _NAME.fullmatch(name) else "name",
            advice=f"Known: {', '.join(sorted(known)) or 'none'}.",
        )
    return known[name]


def save_peers(peers: list[Peer], path: Path | None = None) -> Path:
    """Write all destinations, each setting that is not its default; no secret is among them."""
    return write_text(path or peers_path(), "\n".join(_section(peer) for peer in peers))


def make_peer(name: str, values: Any, *, file: Path | None = None) -> Peer:
    """A destination from plain values; raises :class:`~slicermedai.errors.PeerError` with the setting's name."""
    if not _NAME.fullmatch(name) or not isinstance(values, dict):
        raise PeerError("a name has small letters, digits and dashes, with settings below it", file=file)
    fields = {field.name: field for field in dataclasses.fields(Peer) if field.name != "name"}
    for key, value in values.items():
        if key not in fields or not _has_type(value, str(fields[key].type)):
            raise PeerError("is no setting, or of the wrong type", file=file, attribute=f"{name}.{key}")
    for key, choices in _CHOICES.items():
        if values.get(key, choices[0]) not in choices or (key == "kind" and key not in values):
            raise PeerError(f"must be one of {', '.join(choices)}", file=file, attribute=f"{name}.{key}")
    peer = Peer(name=name, **values)
    _check(peer, file)
    return peer


def open_store(peer: Peer) -> Store:
    """The store behind a destination. DIMSE and DICOMweb use threads: call this in a child process alone.

    Raises
    ------
    MissingPackageError
        The package that speaks to it (extra ``pacs``) is not installed.
    """
    if peer.kind == "folder":
        from slicermedai.pacs.folder import FolderStore

        return FolderStore(Path(peer.path).expanduser())
    try:
        return _open_remote(peer)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "is not installed, and speaks to this kind of destination",
            attribute=(error.name or "").partition(".")[0],
            advice='Install it: pip install "slicermedai[pacs]".',
        ) from error


def _open_remote(peer: Peer) -> Store:
    if peer.kind == "web":
        from slicermedai.pacs.web import WebStore

        return WebStore(peer)
    from slicermedai.pacs.dimse import DimseStore

    return DimseStore(peer)


def check_object(peer: Peer, ref: ObjectRef, *, recorded: Identity | None, file: Path | None = None) -> Identity:
    """The identity route of an object, if it may go to ``peer``.

    Raises
    ------
    IdentityError
        A pseudonymous object for a destination not marked research, an identified one for a research destination,
        or an object of which nothing says which it is.
    """
    identity = identity_of(ref, recorded=recorded, file=file)
    try:
        check_destination(identity, destination_is_research=peer.research)
    except IdentityError as error:
        raise IdentityError(error.message, file=file, attribute=error.attribute, advice=error.advice) from error
    return identity


def _check(peer: Peer, file: Path | None) -> None:
    for key in _NEEDED[peer.kind]:
        if not getattr(peer, key):
            raise PeerError("is needed", file=file, attribute=f"{peer.name}.{key}")
    titles = ("ae_title", "calling_ae_title") if peer.kind == "dimse" else ()
    wrong = [key for key in titles if not _AE_TITLE.fullmatch(getattr(peer, key))]
    wrong += [key for key in ("port", "listen_port") if not 0 <= getattr(peer, key) < 65536]
    wrong += [] if 0 < peer.timeout <= 3600 else ["timeout"]
    wrong += ["listen_port"] if not peer.listen_port and (peer.retrieve == "move" or peer.proof == "commitment") else []
    wrong += ["tls_ca"] if peer.kind == "dimse" and peer.tls_certificate and not peer.tls_ca else []
    wrong += ["tls_key"] if bool(peer.tls_key) != bool(peer.tls_certificate) else []
    wrong += ["url"] if peer.url and not re.match(r"https?://", peer.url) else []
    if wrong:
        raise PeerError("has no value that can be used", file=file, attribute=f"{peer.name}.{wrong[0]}")


def _has_type(value: Any, wanted: str) -> bool:
    if wanted == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value).__name__ == wanted


def _section(peer: Peer) -> str:
    lines = [f"[{peer.name}]"]
    for field in dataclasses.fields(Peer):
        value = getattr(peer, field.name)
        if field.name != "name" and (field.name in ("kind", "research") or value != field.default):
            lines.append(f"{field.name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
