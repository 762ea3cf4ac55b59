"""Places in text, and what takes the place of what stands there."""

from __future__ import annotations

MASK = "XXXX"
Span = tuple[int, int]


def merged(spans: list[Span]) -> list[Span]:
    """The same in order and without overlap; at least one."""
    spans = sorted(spans)
    found = [spans[0]]
    for start, end in spans[1:]:
        if start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def splice(text: str, spans: list[Span], positions: list[int] | None) -> str:
    """``text`` with each of ``spans`` masked; ``positions`` are where its characters stand, if elsewhere."""
    if not spans:
        return text
    pieces, last = [], 0
    for start, end in spans:
        if positions is not None:
            start, end = positions[start], positions[end] if end < len(positions) else len(text)
        pieces += [text[last:start], MASK[: end - start]]
        last = max(last, end)
    return "".join([*pieces, text[last:]])
