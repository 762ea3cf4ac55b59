"""Judge what a tool wrote against the ledger: what it left, and what it destroyed."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom import dcmread

from Testing.corpus.deid.images import path_value
from Testing.corpus.deid.ledger import Clinical, Entry, Interval, Ledger, Planted, Reference
from Testing.corpus.deid.pixels import PixelScores, judge_pixels, pixel_digest
from Testing.corpus.deid.reading import FileView, Hay, unpacked, whole_file
from Testing.corpus.deid.validity import new_errors

UID_PATHS = {"instance": "00080018", "series": "0020000E", "study": "0020000D", "frame": "00200052"}
SUV_PATHS = ("00101030", "00540016[0]/00181074", "00540016[0]/00181075")  # weight, dose, half-life
START_TIME = "00540016[0]/00181072"


@dataclass(frozen=True)
class Corpus:
    """The files as generated, and their ledger."""

    folder: Path
    ledger: Ledger


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    def __str__(self) -> str:
        return f"{self.count} of {self.of}"


@dataclass
class Scores:
    """What the judge found. A file that the tool did not write leaks nothing and keeps nothing."""

    written: Share
    leaked: Share
    leaked_by_category: dict[str, Share]
    files_with_tokens: Share
    clinical_changed: Share
    options_kept: Share
    private_kept: Share
    references: Share
    intervals: Share
    sr_values: Share
    contours: Share
    suv: Share
    pixels: PixelScores
    new_errors: dict[str, int] | None
    examples: list[str] = field(default_factory=list)


def judge(corpus: Corpus, output: Path, mapping: dict[str, Path] | None = None, *, validate: bool = True) -> Scores:
    """Compare; ``mapping`` tells which file became which, else :func:`match` finds it; ``validate``: run dciodvfy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a tool's output may hold anything
        return _judge(corpus, output, match(corpus, output) if mapping is None else mapping, validate=validate)


def _judge(corpus: Corpus, output: Path, found: dict[str, Path], *, validate: bool) -> Scores:
    ledger = corpus.ledger
    views = {file: FileView.open(path) for file, path in found.items()}
    leaks = [item for item in ledger.planted if is_leaked(item, views.get(item.file))]
    return Scores(
        written=Share(len(views), len(ledger.entries)),
        leaked=Share(len(leaks), len(ledger.planted)),
        leaked_by_category=_by_category(ledger, leaks),
        files_with_tokens=Share(_files_with_tokens(ledger, views, output), len(ledger.entries)),
        **_kept(corpus, views),
        pixels=judge_pixels(corpus.folder, ledger, found),
        new_errors=new_errors(corpus.folder, found) if validate else None,
        examples=[f"{item.category} {item.file} {item.path}" for item in leaks[:: max(1, len(leaks) // 20)]],
    )


def _kept(corpus: Corpus, views: dict[str, FileView]) -> dict[str, Share]:
    ledger = corpus.ledger
    kinds = {kind: [item for item in ledger.clinical if item.kind == kind] for kind in ("always", "option", "private")}
    lost = _count(kinds["always"], lambda item: not is_kept(item, views))
    numbers = [
        item for item in ledger.clinical if item.path.endswith(("0040A30A", "00080100")) and "0040A730" in item.path
    ]
    contours = [item for item in ledger.clinical if item.path.endswith("30060050")]
    scans = [entry for entry in ledger.entries if entry.kind == "PT"]
    return {
        "clinical_changed": Share(lost, len(kinds["always"])),
        "options_kept": _share(kinds["option"], lambda item: is_kept(item, views)),
        "private_kept": _share(kinds["private"], lambda item: is_kept(item, views)),
        "references": _share(ledger.references, lambda item: is_intact(item, views)),
        "intervals": _share(ledger.intervals, lambda item: is_same_interval(item, views)),
        "sr_values": _share(numbers, lambda item: is_kept(item, views)),
        "contours": _share(contours, lambda item: is_kept(item, views)),
        "suv": _share(scans, lambda entry: is_suv_kept(entry, corpus.folder, views)),
    }


def _count(items: list[Any], test: Callable[[Any], bool]) -> int:
    return sum(1 for item in items if test(item))


def _share(items: list[Any], test: Callable[[Any], bool]) -> Share:
    return Share(_count(items, test), len(items))


def _by_category(ledger: Ledger, leaks: list[Planted]) -> dict[str, Share]:
    left = Counter(item.category for item in leaks)
    return {category: Share(left[category], number) for category, number in ledger.counts().items()}


# --- which file became which ---------------------------------------------------------------------------------------


def match(corpus: Corpus, output: Path) -> dict[str, Path]:
    """Inputs to outputs: by the same relative name, else by SOP class and instance number, else by pixel data.

    Every file has an instance number of its own, which no profile changes.
    """
    written = sorted(path for path in output.rglob("*") if path.is_file())
    names = {str(path.relative_to(output)).replace("\\", "/"): path for path in written}
    found = {entry.file: names[entry.file] for entry in corpus.ledger.entries if entry.file in names}
    missing = [entry for entry in corpus.ledger.entries if entry.file not in found]
    rest = [path for path in written if path not in set(found.values())]
    if missing and rest:
        _match_by_content(corpus, (missing, rest), found)
    return found


def _match_by_content(corpus: Corpus, loose: tuple[list[Entry], list[Path]], found: dict[str, Path]) -> None:
    views = [FileView.open(path) for path in loose[1]]
    numbers = {(str(view.value("00080016")), str(view.value("00200013"))): view.path for view in views if view.readable}
    digests = {pixel_digest(view.data): view.path for view in views if view.readable and "PixelData" in view.data}
    for entry in loose[0]:
        path = numbers.get((entry.sop_class, str(entry.number)))
        if path is None and entry.has_pixels:
            path = digests.get(pixel_digest(dcmread(corpus.folder / entry.file)))
        if path is not None:
            found[entry.file] = path


# --- what is left --------------------------------------------------------------------------------------------------


def is_leaked(item: Planted, view: FileView | None) -> bool:
    """Whether any of the item's tokens still stands in its element."""
    if view is None:
        return False
    if not item.strong:
        return item.path in view.leaves and Hay(view.leaves[item.path]).holds(item.tokens[0])
    hays = [Hay(unpacked(value)) for value in view.at(item.path)]
    return any(hay.holds(token) for hay in hays for token in item.tokens)


def _files_with_tokens(ledger: Ledger, views: dict[str, FileView], output: Path) -> int:
    """Files in whose bytes, or name, any strong token of theirs stands; any token at all in what else was written."""
    tokens: dict[str, set[str]] = {}
    for item in ledger.planted:
        if item.strong:
            tokens.setdefault(item.file, set()).update(item.tokens)
    known = {view.path for view in views.values()}
    others = [path for path in output.rglob("*") if path.is_file() and path not in known]
    told = [(view.hay, view.path, tokens[file]) for file, view in views.items()]
    everyone = set().union(*tokens.values()) if others else set()
    told += [(Hay(whole_file(path.read_bytes())), path, everyone) for path in others]
    return sum(1 for hay, path, wanted in told if _tells(hay, str(path.relative_to(output)), wanted))


def _tells(hay: Hay, name: str, tokens: set[str]) -> bool:
    named = Hay(name.encode("utf-8"))
    return any(hay.holds(token) or named.holds(token) for token in tokens)


# --- what is kept --------------------------------------------------------------------------------------------------


def is_kept(item: Clinical, views: dict[str, FileView]) -> bool:
    """Whether the value still stands at its path: the same text, or the same numbers."""
    view = views.get(item.file)
    value = view.value(item.path) if view is not None else None
    return value is not None and same_value(path_value(value), item.value)


def same_value(one: str, other: str) -> bool:
    """The same text, or numbers that differ by less than 1e-6 of their size."""
    if one.strip(" \0") == other.strip(" \0"):
        return True
    try:
        pairs = list(zip(one.split("\\"), other.split("\\"), strict=True))
        return all(math.isclose(float(a), float(b), rel_tol=1e-6) for a, b in pairs)
    except ValueError:
        return False


def is_intact(item: Reference, views: dict[str, FileView]) -> bool:
    """Whether the reference names the file that its target became."""
    if item.file not in views or item.target not in views:
        return False
    named, target = views[item.file].value(item.path), views[item.target].value(UID_PATHS[item.what])
    return bool(named) and named == target


def is_same_interval(item: Interval, views: dict[str, FileView]) -> bool:
    """Whether the two dates are as far apart as they were."""
    if item.file not in views or item.other_file not in views:
        return False
    start, end = _moment(views[item.file].value(item.path)), _moment(views[item.other_file].value(item.other_path))
    return start is not None and end is not None and (end - start).total_seconds() == item.seconds


def _moment(value: Any) -> datetime | None:
    digits = str(value or "").split(".")[0].split("+")[0].strip()
    for form in ("%Y%m%d%H%M%S", "%Y%m%d"):
        try:
            return datetime.strptime(digits, form)
        except ValueError:
            continue
    return None


def is_suv_kept(entry: Entry, folder: Path, views: dict[str, FileView]) -> bool:
    """Whether body weight, dose, half-life and the time from injection to scan still give the same SUV factor."""
    if entry.file not in views:
        return False
    before, after = suv_factor(FileView.open(folder / entry.file)), suv_factor(views[entry.file])
    return before is not None and after is not None and math.isclose(before, after, rel_tol=1e-6)


def suv_factor(view: FileView) -> float | None:
    """g/Bq: what Bq/ml is multiplied by for SUVbw, decayed from injection to series time (PS3.3 C.8.9.1)."""
    try:
        weight, dose, half_life = (float(view.value(path)) for path in SUV_PATHS)
    except (TypeError, ValueError):
        return None
    waited = _waited(view)
    return None if waited is None or not dose else weight * 1000 / (dose * 2 ** (-waited / half_life))


def _waited(view: FileView) -> float | None:
    """Seconds from injection to series: from the injection's date-time, else from the times of one day."""
    day, clock = (str(view.value(path) or "") for path in ("00080021", "00080031"))
    injected, series = _moment(view.value("00540016[0]/00181078")), _moment(day + clock[:6])
    if injected is None:
        injected, series = (_moment("20000101" + str(text or "")[:6]) for text in (view.value(START_TIME), clock))
    return None if injected is None or series is None else (series - injected).total_seconds()
