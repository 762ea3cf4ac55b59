"""Orders over MLLP (HL7's lower layer): each message is on disk before it is acknowledged.

MLLP has no encryption: it listens on loopback unless told otherwise. A thread a connection, so in a child alone.
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from slicermedai.domain.storage import atomic_file
from slicermedai.errors import InputError, OutputError, PeerError
from slicermedai.pacs.hl7 import acknowledge, parse_order

_START, _END = b"\x0b", b"\x1c\r"
_LONGEST = 1 << 20
_TIMEOUT = 60.0


@contextlib.contextmanager
def listening_for_orders(folder: Path, port: int, *, host: str = "127.0.0.1") -> Iterator[int]:
    """Write each message that names a study into ``folder`` while the block runs; gives the port.

    Raises
    ------
    PeerError
        The port cannot be opened.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(_TIMEOUT)
            with contextlib.suppress(OSError):
                for message in _messages(self.request.recv):
                    self.request.sendall(_START + _take(message, folder) + _END)

    try:
        server = socketserver.ThreadingTCPServer((host, port), Handler)
    except OSError as error:
        raise PeerError(f"cannot be opened ({error.strerror})", attribute="hl7_port") from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    with server:
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


def _messages(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Each whole frame without its marks, however the line cuts them, until the end or one too long to be one."""
    data = b""
    while piece := read(4096):
        data += piece
        *frames, data = data.split(_END)
        yield from (frame.lstrip(_START) for frame in frames)
        if len(data) > _LONGEST:
            return


def _take(message: bytes, folder: Path) -> bytes:
    try:
        parse_order(message)
        with atomic_file(folder / f"{uuid.uuid4().hex}.hl7") as partial:
            partial.write_bytes(message)
            partial.chmod(0o600)
    except InputError as error:
        return acknowledge(message, code="AE", text=f"{error.attribute} {error.message}")
    except (OutputError, OSError):
        return acknowledge(message, code="AR", text="it cannot be kept now")
    return acknowledge(message, code="AA")
