"""Text within bytes of unknown meaning: runs of printable characters, of one byte each, in UTF-8, or of two bytes.

In noise such runs are short, and a short word turns up in them by chance: what counts as found grows with the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_RUN = re.compile(
    rb"(?:[\x20-\x7e]|[\xc3-\xdf][\x80-\xbf]){5,}|(?:[\x20-\x7e]\0){5,}|(?:\0[\x20-\x7e]){5,}",
)
_SHORTEST, _IN_A_LINE = 5, ((8, 4), (12, 3))
"""Characters of a find anywhere; (characters of a run, those of a find in it)."""


def text_runs(raw: bytes) -> Iterator[str]:
    """The runs, as text."""
    for match in _RUN.finditer(raw):
        run = match[0]
        yield (run.replace(b"\0", b"") if b"\0" in run else run).decode("utf-8", "replace")


def is_no_chance(run: str, found: int) -> bool:
    """True where a find of so many characters in a run is no accident."""
    size = len(run.strip())
    return found >= min(_SHORTEST, size) or any(size >= most and found >= least for most, least in _IN_A_LINE)


def is_line(run: str) -> bool:
    """True where a run is long enough for text that people wrote."""
    return len(run.strip()) >= _IN_A_LINE[-1][0]
