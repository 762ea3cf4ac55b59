"""``slicermedai``: exit code 0 done, 1 an error in words, 2 wrong arguments, 130 cancelled, 141 nobody reads on.

Nothing but the standard library's smallest parts is imported here, so that Ctrl-C is answered in words from the start.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from slicermedai.jobs.interrupts import EXIT_CANCELLED, ending_at_once
from slicermedai.jobs.unread import flush_or_forget, silent_where_unread

NAME = "slicermedai"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    if arguments is not None:
        return _obeyed(arguments)
    with silent_where_unread():
        return _obeyed(None)


def _obeyed(arguments: Sequence[str] | None) -> int:
    with ending_at_once(NAME):
        if arguments is None:
            from slicermedai.jobs.speech import speak_any_script

            speak_any_script()
        from slicermedai.cli.commands import obey, understand

        act = understand(list(sys.argv[1:] if arguments is None else arguments))
    try:
        return obey(act)
    except KeyboardInterrupt:
        print(f"{NAME}: cancelled, nothing was left behind", file=sys.stderr)
        if arguments is None:
            _end_now()
        return EXIT_CANCELLED


def _end_now() -> None:
    """All has been cleaned up by now: no library's thread that was stopped in its middle may hold the process."""
    flush_or_forget()
    os._exit(EXIT_CANCELLED)
