"""What becomes of words that nobody reads: ``slicermedai ... | head`` ends in silence, as other programs do."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator

EXIT_UNREAD = 141
"""What shells tell of a program that wrote to a pipe without a reader: 128 and the number of SIGPIPE."""


@contextlib.contextmanager
def silent_where_unread() -> Iterator[None]:
    """Within, the program ends without a word, by :class:`SystemExit`, once whoever read what it prints has gone.

    Other pipes that break are errors as before. Where all was done and only the last words are not read, the exit code
    stays what it is.
    """
    try:
        yield
    except BrokenPipeError:
        if not flush_or_forget():
            raise
        raise SystemExit(EXIT_UNREAD) from None
    finally:
        flush_or_forget()


def flush_or_forget() -> bool:
    """Write what stdout and stderr still hold; what nobody reads goes nowhere, and then True is returned."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    unread = [stream for stream in streams if not _is_flushed(stream) or _is_broken(stream)]
    for stream in unread:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    return bool(unread)


def _is_flushed(stream: io.TextIOWrapper) -> bool:
    try:
        stream.flush()
    except BrokenPipeError:
        return False
    return True


def _is_broken(stream: io.TextIOWrapper) -> bool:
    """Where the words that met the break were not kept, the system still tells of it."""
    if not hasattr(select, "poll"):
        return False
    looked = select.poll()
    looked.register(stream.fileno(), 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in looked.poll(0))
