"""What our command must reach on every corpus, beside what it did reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from Testing.corpus.deid.judge import Scores, Share
from Testing.corpus.deid.peers import Cost

CLINICAL_PER_10000 = 2
CPU_MS, START_S, PEAK_MB = 1.7, 0.2, 100


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Scores of the whole command and of the Basic profile, and costs of the latter.

    ``rewriter_ms`` and ``single`` (one file) are of the rewriter alone, ``many`` and ``large`` of the command.
    """

    best: list[Scores]
    basic: list[Scores]
    rewriter_ms: float | None
    fastest_peer_ms: float | None
    single: Cost | None
    many: Cost | None
    large: Cost | None


@dataclass(frozen=True)
class Goal:
    """One goal, what was reached, and whether that is enough; None: not measured."""

    name: str
    reached: str
    ok: bool | None

    def line(self) -> str:
        """A row of Markdown."""
        return (
            f"| {self.name} | {self.reached} | {'not measured' if self.ok is None else 'ok' if self.ok else 'MISSED'} |"
        )


def goals(measured: Measured) -> list[Goal]:
    """All of them, quality first."""
    return [*_quality(measured), *_pixels(measured), *_cost(measured)]


def _sum(scores: Iterable[Scores], pick: Callable[[Scores], Share]) -> Share:
    parts = [pick(one) for one in scores]
    return Share(sum(part.count for part in parts), sum(part.of for part in parts))


def _quality(measured: Measured) -> Iterator[Goal]:
    best, both = measured.best, [*measured.best, *measured.basic]
    planted = _sum(best, lambda s: s.leaked).of
    yield Goal("20,000 planted elements or more", str(planted), planted >= 20_000)
    yield _none("elements leaked, both presets", _sum(both, lambda s: s.leaked))
    yield _none("files with an identity token in raw bytes, both presets", _sum(both, lambda s: s.files_with_tokens))
    changed = _sum(best, lambda s: s.clinical_changed)
    few = changed.count <= CLINICAL_PER_10000 * max(1.0, changed.of / 10_000)
    yield Goal(f"clinical values changed: at most {CLINICAL_PER_10000} of 10,000", str(changed), few)
    picks: tuple[tuple[str, Callable[[Scores], Share]], ...] = (
        ("files written", lambda s: s.written),
        ("references intact", lambda s: s.references),
        ("intervals kept", lambda s: s.intervals),
        ("SR values and codes kept", lambda s: s.sr_values),
        ("RT contours kept", lambda s: s.contours),
        ("SUV factor kept", lambda s: s.suv),
        ("safe private values kept", lambda s: s.private_kept),
    )
    for name, pick in picks:
        share = _sum(best, pick)
        yield Goal(f"{name}: all", str(share), share.count == share.of)
    if any(s.new_errors is None for s in both):
        yield Goal("new dciodvfy errors: 0, both presets", "dciodvfy is absent", None)
        return
    errors = sum(sum((s.new_errors or {}).values()) for s in both)
    yield Goal("new dciodvfy errors: 0, both presets", str(errors), not errors)


def _pixels(measured: Measured) -> Iterator[Goal]:
    best = measured.best
    yield _none("burned-in identity legible", _sum(best, lambda s: Share(s.pixels.legible, s.pixels.identity_texts)))
    kept = _sum(best, lambda s: Share(s.pixels.kept, s.pixels.other_texts))
    yield Goal("other burned-in text kept: 90 % or more", str(kept), kept.count >= 0.9 * kept.of)
    same = _sum(best, lambda s: Share(s.pixels.identical, s.pixels.should_be_identical))
    yield Goal("pixel data identical where nothing is burned in: all", str(same), same.count == same.of)
    changed = sum(s.pixels.collateral for s in best)
    yield Goal("pixels changed outside of padded boxes: 0", str(changed), not changed)


def _cost(measured: Measured) -> Iterator[Goal]:
    own, peer = measured.rewriter_ms, measured.fastest_peer_ms
    yield _at_most(f"rewriter: {CPU_MS} CPU ms per 0.5 MB file at most", own, CPU_MS)
    if peer is None:
        yield Goal("rewriter: at most half of the fastest peer's CPU time", "no peer ran", None)
    else:
        yield _at_most(f"rewriter: at most half of the fastest peer's {peer:.1f} CPU ms", own, peer / 2)
    start = measured.single.cpu_s if measured.single and not measured.single.failed else None
    yield _at_most(f"rewriter: start-up with one file in {START_S} CPU s at most", start, START_S)
    peaks = [cost.peak_mb for cost in (measured.many, measured.large) if cost and not cost.failed]
    yield _at_most(f"peak memory without the text reader: {PEAK_MB} MB at most", max(peaks, default=None), PEAK_MB)


def _none(name: str, share: Share) -> Goal:
    return Goal(f"{name}: 0", str(share), not share.count)


def _at_most(name: str, value: float | None, limit: float) -> Goal:
    return Goal(name, "failed" if value is None else f"{value:.2f}", value is not None and value <= limit)
