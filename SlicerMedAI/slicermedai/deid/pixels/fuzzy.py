"""Text as a reader of pictures confuses it: look-alike characters are one, and a letter may be wrong."""

from __future__ import annotations

from slicermedai.deid.tokens import fold

_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "!": "l", "5": "s", "$": "s", "8": "b", "2": "z"})


def canonical(text: str) -> str:
    """``text`` folded, with characters that look alike made the same: 0 and O, 1, l and I, 5 and S, 8 and B, 2 and Z.

    As long as ``fold(text)``.
    """
    return fold(text).translate(_ALIKE)


def within(one: str, other: str, errors: int) -> bool:
    """True where the edit distance of two words is at most ``errors``."""
    return abs(len(one) - len(other)) <= errors and _last_row(one, other, start_free=False)[-1] <= errors


def find_nearly(token: str, text: str, errors: int) -> list[tuple[int, int]]:
    """(start, stop) of the parts of ``text`` that are ``token`` with at most ``errors`` edits, longest matches first.

    A part of ``token`` must occur without error, which rules most texts out at once.
    """
    if not errors:
        return _exact(token, text)
    size = len(token) // (errors + 1)
    pieces = [token[n * size : (n + 1) * size if n < errors else None] for n in range(errors + 1)]
    if not any(piece in text for piece in pieces):
        return []
    row = _last_row(token, text, start_free=True)
    stops = [n for n in range(1, len(text) + 1) if row[n] <= min(errors, row[n - 1], *row[n + 1 : n + 2])]
    return [(_start(token, text[:stop], row[stop]), stop) for stop in stops]


def _exact(token: str, text: str) -> list[tuple[int, int]]:
    found, at = [], text.find(token)
    while at >= 0:
        found.append((at, at + len(token)))
        at = text.find(token, at + 1)
    return found


def _last_row(token: str, text: str, *, start_free: bool) -> list[int]:
    """Edit distances of ``token`` to the parts of ``text`` that end at each place (Sellers 1980)."""
    row = [0] * (len(text) + 1) if start_free else list(range(len(text) + 1))
    for number, character in enumerate(token, 1):
        diagonal, row[0] = row[0], number
        for n, other in enumerate(text, 1):
            diagonal, row[n] = row[n], min(diagonal + (character != other), row[n] + 1, row[n - 1] + 1)
    return row


def _start(token: str, text: str, distance: int) -> int:
    """Where the match that ends with ``text`` starts."""
    row = _last_row(token[::-1], text[::-1], start_free=False)
    return len(text) - max((n for n, value in enumerate(row) if value == distance), default=len(token))
