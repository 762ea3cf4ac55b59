"""One run of the benchmark: corpora of every seed, every tool over each, the judge, and one table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from Testing.corpus.deid import load
from Testing.corpus.deid.generate import DEFAULT_FILES, generate
from Testing.corpus.deid.goals import Measured, goals
from Testing.corpus.deid.judge import Corpus, Scores, Share, judge
from Testing.corpus.deid.peers import OURS, OURS_BASIC, PEERS, PRESETS, Cost, Tool, find_tools

DEVELOPMENT_SEEDS = (11, 12, 13)  # look at these while mending the rules; report on others, never used before
TIMED_FILES = 40
LARGE_MB = 210


@dataclass
class Result:
    """What one tool did over every corpus."""

    tool: Tool
    scores: list[Scores] = field(default_factory=list)
    runs: list[Cost] = field(default_factory=list)
    single: Cost | None = None
    many: Cost | None = None
    large: Cost | None = None
    rewriter: tuple[Cost, Cost] | None = None

    @property
    def cpu_ms(self) -> float | None:
        """CPU ms per file of half a megabyte, start-up taken off."""
        return _per_file(self.single, self.many)

    @property
    def rewriter_ms(self) -> float | None:
        """The same of the rewriter alone; that of the whole tool where it cannot be run alone."""
        return _per_file(*self.rewriter) if self.rewriter else self.cpu_ms


def main(arguments: list[str], peers_folder: Path) -> int:
    """Parse, run, print; 1 where a tool that was asked for could not be run, or wrote nothing."""
    chosen = _parser().parse_args(arguments)
    names = [
        OURS,
        OURS_BASIC,
        *(PEERS if chosen.peers == "all" else [p for p in chosen.peers.split(",") if p != "none"]),
    ]
    tools, absent = find_tools(names, peers_folder)
    results = [Result(tool) for tool in tools]
    out = Path(chosen.out) if chosen.out else Path(tempfile.mkdtemp(prefix="deid-bench-"))
    for seed in chosen.seeds:
        _one_seed(results, out / f"seed-{seed}", seed, chosen.files)
    _time(results, out / "timing", chosen.seeds[0])
    told = "\n".join([*_about(chosen), "", table(results, absent), "", *_details(results), "", *_goals(results)])
    print(told)  # noqa: T201  # a benchmark prints
    if chosen.document:
        notes = Path(__file__).with_name("notes.md").read_text(encoding="utf-8")
        body = f"# De-identification: the benchmark\n\n{told}\n\n{notes}"
        Path(chosen.document).write_text(body, encoding="utf-8", newline="\n")
    _save(results, out / "results.json")
    if not chosen.out:
        shutil.rmtree(out)
    idle = [result for result in results if not _sum(result, lambda s: s.written).count]
    return 1 if absent or idle else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="Scripts/bench deid", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(DEVELOPMENT_SEEDS[:1]), help="corpora to generate")
    parser.add_argument("--files", type=int, default=DEFAULT_FILES, help="files in each corpus")
    parser.add_argument("--peers", default="all", help="comma-separated, all or none: " + ", ".join(PEERS))
    parser.add_argument("--document", default="", help="Markdown file to write what is printed to")
    parser.add_argument("--out", default="", help="folder to keep corpora, outputs and results.json in")
    return parser


def _one_seed(results: list[Result], folder: Path, seed: int, files: int) -> None:
    corpus = Corpus(folder / "input", generate(folder / "input", seed, files))
    corpus.ledger.save(folder / "ledger.json")
    for result in results:
        output = _fresh(folder / result.tool.name)
        result.runs.append(result.tool.run(corpus.folder, output))
        result.scores.append(judge(corpus, output))


def _fresh(output: Path) -> Path:
    """A path for an output, nothing there yet."""
    if output.exists():
        shutil.rmtree(output)
    return output


def _time(results: list[Result], folder: Path, seed: int) -> None:
    """Start-up on one file, CPU on many, memory on a large one; the files are the same for every tool."""
    if folder.exists():
        shutil.rmtree(folder)
    load.uniform(folder / "one", seed, 1)
    load.uniform(folder / "many", seed, TIMED_FILES)
    load.large(folder / "large", seed, LARGE_MB)
    for result in results:
        for name in ("one", "many", "large"):
            output = _fresh(folder / f"{name}-{result.tool.name}")
            setattr(result, {"one": "single"}.get(name, name), result.tool.run(folder / name, output))
            shutil.rmtree(output, ignore_errors=True)
        result.rewriter = _alone(result.tool, folder)


def _alone(tool: Tool, folder: Path) -> tuple[Cost, Cost] | None:
    alone = tool.alone()
    if alone is None:
        return None
    return alone.run(folder / "one", folder / "one-alone"), alone.run(folder / "many", folder / "many-alone")


def _per_file(single: Cost | None, many: Cost | None) -> float | None:
    if single is None or many is None or single.failed or many.failed:
        return None
    return (many.cpu_s - single.cpu_s) / (TIMED_FILES - 1) * 1000


# --- the table -----------------------------------------------------------------------------------------------------


def _sum(result: Result, pick: Callable[[Scores], Share]) -> Share:
    parts = [pick(scores) for scores in result.scores]
    return Share(sum(part.count for part in parts), sum(part.of for part in parts))


def _percent(share: Share) -> str:
    return f"{share.count} of {share.of} ({share.count / max(1, share.of):.2%})"


def _row(pick: Callable[[Scores], Share]) -> Callable[[Result], str]:
    return lambda result: str(_sum(result, pick))


def _errors(result: Result) -> str:
    if any(scores.new_errors is None for scores in result.scores):
        return "not measured: dciodvfy absent"
    return str(sum(sum(scores.new_errors.values()) for scores in result.scores if scores.new_errors))


def _ms(pick: Callable[[Result], float | None]) -> Callable[[Result], str]:
    def row(result: Result) -> str:
        value = pick(result)
        return "failed" if value is None else f"{value:.1f}"

    return row


def _cost(pick: Callable[[Result], Cost | None], shown: Callable[[Cost], str]) -> Callable[[Result], str]:
    def row(result: Result) -> str:
        cost = pick(result)
        return "failed" if cost is None or cost.failed else shown(cost)

    return row


ROWS: tuple[tuple[str, Callable[[Result], str]], ...] = (
    ("version", lambda result: result.tool.version),
    ("files written", _row(lambda s: s.written)),
    ("elements leaked", lambda result: _percent(_sum(result, lambda s: s.leaked))),
    ("files with any identity token in raw bytes", _row(lambda s: s.files_with_tokens)),
    ("clinical values changed or destroyed", _row(lambda s: s.clinical_changed)),
    ("values in Table E.1-1 kept (options)", _row(lambda s: s.options_kept)),
    ("safe private values kept", _row(lambda s: s.private_kept)),
    ("references intact", _row(lambda s: s.references)),
    ("intervals kept", _row(lambda s: s.intervals)),
    ("SR values and codes kept", _row(lambda s: s.sr_values)),
    ("RT contours kept", _row(lambda s: s.contours)),
    ("SUV factor kept", _row(lambda s: s.suv)),
    ("burned-in identity still legible", _row(lambda s: Share(s.pixels.legible, s.pixels.identity_texts))),
    ("other burned-in text kept", _row(lambda s: Share(s.pixels.kept, s.pixels.other_texts))),
    (
        "pixel data identical, no identity on it",
        _row(lambda s: Share(s.pixels.identical, s.pixels.should_be_identical)),
    ),
    ("collateral pixels", lambda result: str(sum(s.pixels.collateral for s in result.scores))),
    ("images that can no longer be compared", lambda result: str(sum(s.pixels.unreadable for s in result.scores))),
    ("new dciodvfy errors", _errors),
    ("CPU ms per 0.5 MB file, whole tool", _ms(lambda r: r.cpu_ms)),
    ("CPU ms per 0.5 MB file, rewriter alone", lambda r: _ms(lambda r: r.rewriter_ms)(r) if r.rewriter else "-"),
    ("CPU s for the corpora, pixels included", lambda r: f"{sum(run.cpu_s for run in r.runs):.0f}"),
    ("start-up with one file, CPU s", _cost(lambda r: r.single, lambda c: f"{c.cpu_s:.2f}")),
    (
        "start-up with one file, CPU s, rewriter alone",
        lambda r: (
            _cost(lambda r: r.rewriter[0] if r.rewriter else None, lambda c: f"{c.cpu_s:.2f}")(r) if r.rewriter else "-"
        ),
    ),
    (f"peak MB, {TIMED_FILES} files", _cost(lambda r: r.many, lambda c: f"{c.peak_mb:.0f}")),
    (f"peak MB, one {LARGE_MB} MB file", _cost(lambda r: r.large, lambda c: f"{c.peak_mb:.0f}")),
)


def table(results: list[Result], absent: dict[str, str]) -> str:
    """Markdown: a row for every measure and leak category, a column for every tool."""
    heads = [result.tool.name for result in results]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    rows = [*ROWS, *(_category_row(category) for category in _categories(results))]
    lines += [f"| {name} | {' | '.join(_cell(name, show, result) for result in results)} |" for name, show in rows]
    lines += [f"{name}: {reason}" for name, reason in absent.items()]
    readers = {scores.pixels.reader for result in results for scores in result.scores}
    return "\n".join([*lines, *(f"Legibility judged by {reader}." for reader in sorted(readers))])


def _cell(name: str, show: Callable[[Result], str], result: Result) -> str:
    """What the row shows; a tool that wrote nothing has no figures, rather than good ones."""
    wrote = _sum(result, lambda s: s.written).count
    return show(result) if wrote or name in ("version", "files written") else "no output"


def _categories(results: list[Result]) -> list[str]:
    return sorted(
        {category for result in results for scores in result.scores for category in scores.leaked_by_category}
    )


def _category_row(category: str) -> tuple[str, Callable[[Result], str]]:
    none = Share(0, 0)
    return f"leaked: {category}", lambda result: str(_sum(result, lambda s: s.leaked_by_category.get(category, none)))


def _about(chosen: argparse.Namespace) -> list[str]:
    """The command, when and where."""
    seeds = " ".join(map(str, chosen.seeds))
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return [
        f"`Scripts/bench deid --seeds {seeds} --files {chosen.files} --peers {chosen.peers}`",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Python {platform.python_version()} on {platform.machine()}, "
        f"{os.cpu_count()} cores{load}. Seeds that were used while the rules were made: "
        f"{', '.join(str(seed) for seed in chosen.seeds if seed in DEVELOPMENT_SEEDS) or 'none of these'}.",
        "",
        f"{OURS}: `slicermedai deid INPUT OUTPUT --preset {PRESETS[OURS]}`; {OURS_BASIC}: `--preset "
        f"{PRESETS[OURS_BASIC]}`, which keeps no dates, reads no pixels and leaves out files that say that text is "
        "burned in.",
    ]


def _details(results: list[Result]) -> list[str]:
    """How each run ended, and the new errors of dciodvfy that are most frequent."""
    lines = []
    for result in results:
        errors: Counter[str] = Counter()
        for scores in result.scores:
            errors.update(scores.new_errors or {})
        ended = sorted({f"status {run.status}" for run in result.runs})
        told = [f"{number} x {error}"[:160] for error, number in errors.most_common(3)]
        lines.append(f"- {result.tool.name}: {'; '.join([*ended, *told])}")
    return lines


def _goals(results: list[Result]) -> list[str]:
    """The goals with what was reached; none where our command did not run."""
    by_name = {result.tool.name: result for result in results}
    if not {OURS, OURS_BASIC} <= set(by_name):
        return []
    best, basic = by_name[OURS], by_name[OURS_BASIC]
    others = [result.cpu_ms for result in results if result.tool.name in PEERS and result.cpu_ms]
    measured = Measured(
        best=best.scores,
        basic=basic.scores,
        rewriter_ms=basic.rewriter_ms,
        fastest_peer_ms=min(others, default=None),
        single=basic.rewriter[0] if basic.rewriter else basic.single,
        many=basic.many,
        large=basic.large,
    )
    return ["| goal | reached | |", "|---|---|---|", *(goal.line() for goal in goals(measured))]


def _save(results: list[Result], path: Path) -> None:
    told: list[dict[str, Any]] = [
        {
            "tool": result.tool.name,
            "version": result.tool.version,
            "cpu_ms_per_file": result.cpu_ms,
            "scores": [asdict(scores) for scores in result.scores],
            "costs": {name: asdict(cost) for name in ("single", "many", "large") if (cost := getattr(result, name))},
        }
        for result in results
    ]
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")
