"""Stands for Python before the process that forks: hands on what it was given and signals, and ends as the fork ends.

It is started in place of every child, so it loads as little as it can. See ``Testing.warm``, which writes the call of
:func:`main` below it.
"""

from __future__ import annotations

import _socket
import os
import signal
import sys
from contextlib import suppress
from typing import Any


def main(address: str, python: str, own: dict[str, str]) -> None:
    """Have the arguments of this process run by a fork, or by ``python`` where a fork would not be the same."""
    same = {name: text for name, text in os.environ.items() if name.startswith("PYTHON")} == own
    if not (same and sys.argv[1:2] == ["-m"] and sys.argv[2].partition(".")[0] == "slicermedai"):
        os.execv(python, [python, *sys.argv[1:]])
    served = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    served.connect(address)
    _hand_on(served)
    fork = int(_said(served))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: _signalled(fork, number))
    code = int(_said(served))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)


def _hand_on(served: Any) -> None:
    """All that makes a child: folder, arguments and environment, with the three streams."""
    variables = [f"{name}={text}" for name, text in os.environ.items()]
    texts = [os.path.realpath("."), str(len(sys.argv) - 2), *sys.argv[2:], *variables]
    given = b"\0".join(map(os.fsencode, texts))
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    served.sendmsg([f"run {len(given)}\n".encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    served.sendall(given)


def _said(served: Any) -> bytes:
    """The next line of the process that forks; b"-9" where there is none any more."""
    line = b""
    while not line.endswith(b"\n"):
        one = served.recv(1)
        if not one:
            return b"-9"
        line += one
    return line


def _signalled(fork: int, number: int) -> None:
    """The group was asked: the fork leads another, which may be gone."""
    with suppress(ProcessLookupError):
        os.killpg(fork, number)
