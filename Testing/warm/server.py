"""The process that loads libraries once, and forks for each child. ``python server.py SOCKET LIFE LIBRARY ...``

It is nobody's child, so that no test finds it among its own; it ends where the pipe LIFE (a number) does, and its forks
with it. On its socket it is told ``load NAME ...`` or ``run LENGTH``, with what ``client.py`` hands on. The first word
to whoever asked is the number of the fork, the second its exit status.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import os
import runpy
import signal
import socket
import sys
import tempfile
import threading
from select import POLLHUP, POLLIN, poll

_BACKLOG = 64
_HELLO = 1024


class Server:
    """Waits for whoever asks; ``life`` is the pipe with whose end it ends."""

    def __init__(self, address: str, life: int) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen(_BACKLOG)
        self._life = life
        self._askers: dict[int, tuple[socket.socket, int, int]] = {}
        """By the descriptor of the connection: itself, the fork's number and its descriptor."""

    def serve(self) -> None:
        """Until the pipe ends."""
        while True:
            ready = self._ready()
            if self._life in ready:
                break
            for key in list(self._askers):
                _, _, ended = self._askers[key]
                if ended in ready or key in ready:
                    self._end(key)
            if self._listener.fileno() in ready:
                self._take()
        for key in list(self._askers):
            self._end(key)

    def _ready(self) -> set[int]:
        looked = poll()
        looked.register(self._life, POLLIN | POLLHUP)
        looked.register(self._listener, POLLIN)
        for key, (_, _, ended) in self._askers.items():
            looked.register(key, POLLIN | POLLHUP)
            looked.register(ended, POLLIN)
        return {number for number, _ in looked.poll()}

    def _take(self) -> None:
        asker, _ = self._listener.accept()
        hello, streams, _, _ = socket.recv_fds(asker, _HELLO, 3)
        line, _, rest = hello.partition(b"\n")
        what, *more = line.decode("ascii").split()
        if what == "load":
            load(more)
            asker.close()
            return
        given = rest + _read(asker, int(more[0]) - len(rest))
        number = os.fork()
        if number == 0:
            self._forget_all(asker)
            _be(given, streams)
        for stream in streams:
            os.close(stream)
        self._askers[asker.fileno()] = (asker, number, os.pidfd_open(number))
        _tell(asker, number)

    def _forget_all(self, asker: socket.socket) -> None:
        """In the fork: what belongs to the server alone."""
        os.close(self._life)
        self._listener.close()
        asker.close()
        for other, _, ended in self._askers.values():
            other.close()
            os.close(ended)

    def _end(self, key: int) -> None:
        """A fork has ended, or whoever asked for it is gone, and it has to go."""
        asker, number, ended = self._askers.pop(key)
        if not os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            _kill(number)
        _, status = os.waitpid(number, 0)
        _tell(asker, os.waitstatus_to_exitcode(status))
        os.close(ended)
        asker.close()


def load(names: list[str]) -> None:
    """Import libraries that are there, and leave them out of what is collected."""
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _read(asker: socket.socket, length: int) -> bytes:
    parts = []
    while length > 0 and (part := asker.recv(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _tell(asker: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):
        asker.sendall(f"{number}\n".encode("ascii"))


def _kill(number: int) -> None:
    for end in (os.killpg, os.kill):  # it may not lead its group yet
        with contextlib.suppress(ProcessLookupError):
            end(number, signal.SIGKILL)


def _be(given: bytes, streams: list[int]) -> None:
    """In the fork: be the child that was asked for."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    folder, count, *texts = given.split(b"\0")
    arguments, variables = texts[: int(count)], texts[int(count) :]
    os.chdir(folder)
    os.environ.clear()
    os.environb.update(dict(text.split(b"=", 1) for text in variables))
    tempfile.tempdir = None
    sys.argv = [os.fsdecode(one) for one in arguments]
    _open_streams()
    os._exit(_outcome(sys.argv[0]))


def _open_streams() -> None:
    """Anew, since a stream knows from its beginning whether it is a file, a pipe or a terminal."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        binary = os.fdopen(number, "wb" if number else "rb", closefd=False)
        made = io.TextIOWrapper(binary, old.encoding, old.errors, line_buffering=number == 2)
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)


def _outcome(module: str) -> int:
    """The exit status of the module, after all that a process does at its end."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  # as Python itself does
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return code


def main(arguments: list[str]) -> None:
    """Be nobody's child, say the own number, load, serve."""
    address, life, *names = arguments
    server = Server(address, int(life))
    number = os.fork()
    if number:
        sys.stdout.write(f"{number}\n")
        return
    os.setsid()
    none = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(none, stream)
    load(names)
    server.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
