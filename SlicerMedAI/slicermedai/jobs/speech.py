"""Streams and paths that hold letters of any script, whatever the locale says."""

from __future__ import annotations

import io
import os
import sys

from slicermedai.jobs.interrupts import start_again


def speak_any_script() -> None:
    """For programs that people start: go on with UTF-8, and never fail because a letter cannot be shown.

    A POSIX system without a locale (``LC_ALL=C``) leaves Python with ASCII for the names of files; the program is then
    started again in Python's UTF-8 mode. What a terminal cannot show is written as an escape.
    """
    if os.name == "posix" and not _is_utf8(sys.getfilesystemencoding()) and sys.executable and sys.orig_argv:
        os.environ["PYTHONUTF8"] = "1"
        start_again([sys.executable, *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_utf8(name: str) -> bool:
    return name.lower().replace("_", "-") in ("utf-8", "utf8")
