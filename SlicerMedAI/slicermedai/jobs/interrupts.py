"""Ctrl-C, a closed terminal and ``kill``, for programs that people start: always one line and never a traceback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

EXIT_CANCELLED = 130


@contextlib.contextmanager
def ending_at_once(name: str) -> Iterator[None]:
    """Within, while nothing is there yet that would have to be cleaned up, Ctrl-C ends the process by one line.

    Elsewhere than in the main thread, and where somebody else handles Ctrl-C, nothing changes.
    """

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, f"{name}: cancelled, nothing was started\n".encode())
        os._exit(EXIT_CANCELLED)

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, end)
    _let_through()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within, a closed terminal or a ``kill`` raises KeyboardInterrupt as Ctrl-C does; for the main thread."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start_again(command: Sequence[str]) -> None:
    """Become the program ``command`` with this process's environment, where the system can.

    Ctrl-C waits meanwhile, until :func:`ending_at_once` in the new program lets it through.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.execv(command[0], list(command))


def _let_through() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
