"""The half of :mod:`slicermedai.app.report_answer` that knows the outbox: for a child process alone, it uses threads.

Servers of Slicer's own list are destinations too. One that something is sent to is noted in ``peers.toml``, as a
clinical one, so that the outbox knows it from then on.
"""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path
from typing import Any

from slicermedai.domain.observer import Progress
from slicermedai.domain.storage import write_text
from slicermedai.domain.study import Identity
from slicermedai.errors import PeerError
from slicermedai.pacs.deliver import deliver
from slicermedai.pacs.objects import result_objects
from slicermedai.pacs.outbox import OPEN, Delivery, Outbox, State
from slicermedai.pacs.peers import Peer, load_peer, load_peers, make_peer, open_store, peers_path, save_peers
from slicermedai.pacs.twins import with_twins

_REMOVABLE = (State.PROVED, State.REFUSED, State.FAILED)


def answer(what: str, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Do ``what`` ("list", "send", "deliver", "retry", "forget") and say how the outbox stands afterwards.

    Raises
    ------
    MedAIError
        What keeps it from being done; of destinations that cannot be reached "trouble" tells instead, and
        "strangers" names those that are in no list any more.
    """
    servers = asked.get("servers", [])
    with Outbox() as outbox:
        told = _DOING[what](outbox, asked, progress) if what in _DOING else {}
        return {**told, "peers": _peers(servers), "deliveries": [_plain(one) for one in outbox.deliveries()]}


def _send(outbox: Outbox, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    made = with_twins(result_objects(Path(asked["folder"])))
    peer = _known(asked["peer"], asked.get("servers", []))
    progress("queue", 0.0)
    route, job_id = Identity(asked["identity"]), asked["job_id"]
    added = outbox.add(made.files, peer, identity=route, job_id=job_id, fallbacks=made.fallbacks)
    return {"queued": added.new, "known": added.known, **_delivered(outbox, [peer], progress)}


def _deliver(outbox: Outbox, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Everything that is due, wherever it is to go."""
    names = sorted({one.destination for one in outbox.deliveries(states=OPEN)})
    known = load_peers()
    told = _delivered(outbox, [known[name] for name in names if name in known], progress)
    strangers = [name for name in names if name not in known]
    left = sum(len(outbox.deliveries(name, OPEN)) for name in strangers)
    return {**told, "waiting": told["waiting"] + left, "strangers": strangers}


def _delivered(outbox: Outbox, peers: list[Peer], progress: Progress) -> dict[str, Any]:
    counts, troubles = dict.fromkeys(("sent", "proved", "refused", "failed", "waiting"), 0), []
    for peer in peers:
        try:
            done = deliver(outbox, peer, open_store(peer), progress=progress)
        except PeerError as error:  # what is queued stays so, and the other destinations are not to blame
            troubles.append(_trouble(peer, str(error)))
            counts["waiting"] += len(outbox.deliveries(peer.name, OPEN))
            continue
        counts = {name: count + getattr(done, name) for name, count in counts.items()}
        if done.trouble:
            troubles.append(_trouble(peer, done.trouble))
    return {**counts, "trouble": " ".join(troubles)}


def _trouble(peer: Peer, told: str) -> str:
    """A sentence that names the destination."""
    named = told if told.startswith(f"{peer.name}:") else f"{peer.name}: {told}"
    return named.rstrip(".") + "."


def _retry(outbox: Outbox, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    return {"queued": outbox.retry(asked["destination"], asked["uids"])}


def _forget(outbox: Outbox, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    return {"forgotten": outbox.forget(asked["destination"], asked["uids"], states=_REMOVABLE)}


_DOING = {"send": _send, "deliver": _deliver, "retry": _retry, "forget": _forget}


def _peers(servers: list[dict[str, str]]) -> list[dict[str, Any]]:
    known = load_peers()
    ours = [{"name": peer.name, "title": _title(peer), "research": peer.research} for peer in known.values()]
    return ours + [
        {"name": peer.name, "title": _title(peer), "research": False, "is_slicers": True}
        for peer in _slicers(servers, known)
    ]


def _known(name: str, servers: list[dict[str, str]]) -> Peer:
    """The destination of that name; one of Slicer's list is noted in ours first."""
    known = load_peers()
    if name in known:
        return known[name]
    for peer in _slicers(servers, known):
        if peer.name == name:
            _note(peer)
    return load_peer(name)


def _note(peer: Peer) -> None:
    """Add the destination below what stands in the file, which may hold comments of a person."""
    path = peers_path()
    before = path.read_text(encoding="utf-8").rstrip("\n") + "\n\n" if path.is_file() else ""
    with tempfile.TemporaryDirectory() as folder:
        write_text(path, before + save_peers([peer], Path(folder) / path.name).read_text(encoding="utf-8"))


def _slicers(servers: list[dict[str, str]], known: dict[str, Peer]) -> list[Peer]:
    """The destinations in Slicer's own list that ours does not have, under names of their own."""
    found: dict[str, Peer] = {}
    for server in servers:
        peer = _from_slicer(server, {**known, **found})
        if peer is not None:
            found[peer.name] = peer
    return list(found.values())


def _from_slicer(server: dict[str, str], known: dict[str, Peer]) -> Peer | None:
    """A DIMSE destination from an entry of Slicer's list; None where it is known here already, or incomplete."""
    values: dict[str, Any] = {"kind": "dimse", "host": server["host"], "ae_title": server["ae_title"]}
    values["port"] = int(server["port"]) if server["port"].isdigit() else 0
    if server["calling_ae_title"]:
        values["calling_ae_title"] = server["calling_ae_title"]
    address = (values["host"], values["port"], values["ae_title"])
    if address in {(peer.host, peer.port, peer.ae_title) for peer in known.values()}:
        return None
    plain = re.sub(r"[^a-z0-9]+", "-", server["name"].lower()).strip("-")[:30].strip("-") or "server"
    name = next(name for name in (plain, *(f"{plain}-{number}" for number in range(2, 999))) if name not in known)
    try:
        return make_peer(name, values)
    except PeerError:  # Slicer's list may hold what nothing can be sent to
        return None


def _title(peer: Peer) -> str:
    place = f"{peer.ae_title} {peer.host}:{peer.port}" if peer.kind == "dimse" else peer.url or Path(peer.path).name
    return f"{peer.name} ({place})"


def _plain(one: Delivery) -> dict[str, Any]:
    waits = one.state in OPEN and one.next_try > time.time()
    return {
        "uid": one.ref.sop_instance_uid,
        "object": one.ref.kind,
        "destination": one.destination,
        "state": one.state.value,
        "tries": one.tries,
        "wait": max(one.next_try - time.time(), 0.0) if waits else 0.0,
        "reason": " ".join(filter(None, [one.reason, one.note])),
    }
