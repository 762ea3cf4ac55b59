"""What of a study is run: each series by the rule for its sender, named by what it holds."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from slicermedai.bundles.registry import resolve
from slicermedai.bundles.verify import content_sha256
from slicermedai.dicom.files import quiet
from slicermedai.errors import MedAIError
from slicermedai.pacs.inbox_rules import Rule, Rules, Series
from slicermedai.pacs.run_worthy import TAGS, why_not_run

Senders = Mapping[str, tuple[str, ...]]
"""SOP Instance UID -> all who sent that object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The images of one series that one rule is for.

    ``name`` is a hash of the series, its SOP Instance UIDs, the files of the bundle and the identity route: a series
    that grew is another piece, and the same images are never another one, whatever else the study holds. ``line`` is
    the same without the images and the bundle's version: of one line, a larger piece supersedes a smaller one.
    """

    name: str
    line: str
    rule: Rule
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What is to be run of a study, and in words what is not, and why."""

    pieces: tuple[Piece, ...]
    reason: str


def cut(files: Iterable[Path], rules: Rules, senders: Senders) -> Cut:
    """Sort the files of a study, each named by its SOP Instance UID, into pieces.

    A series that several sent is run by the rule for each of them, with what each sent; where it is one rule, with what
    they sent together.
    """
    series, left_out = _sorted(files)
    chosen: dict[tuple[str, Rule], list[Path]] = {}
    for uid, (header, paths) in series.items():
        for sender in sorted({one for path in paths for one in senders[path.stem]}):
            sent = [path for path in paths if sender in senders[path.stem]]
            rule = rules.choose(_as_rules_see(uid, header, sender=sender, files=sent))
            if rule is not None:
                chosen.setdefault((uid, rule), []).extend(sent)
    pieces = tuple(_piece(uid, rule, sorted(set(sent))) for (uid, rule), sent in chosen.items())
    return Cut(pieces=pieces, reason=_reason(left_out, found=bool(series), chosen=bool(pieces)))


def _sorted(files: Iterable[Path]) -> tuple[dict[str, tuple[Dataset, list[Path]]], Counter[str]]:
    """Series UID -> the header of the first image, and all files; and how many are not run, by why."""
    found: dict[str, tuple[Dataset, list[Path]]] = {}
    left_out: Counter[str] = Counter()
    for path in files:
        with quiet():
            header = dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
            why, uid = why_not_run(header), _text(header, "SeriesInstanceUID")
        if why:
            left_out[why] += 1
        else:
            found.setdefault(uid, (header, []))[1].append(path)
    return found, left_out


def _as_rules_see(uid: str, header: Dataset, *, sender: str, files: list[Path]) -> Series:
    with quiet():
        return Series(
            uid=uid,
            modality=_text(header, "Modality"),
            body_part=_text(header, "BodyPartExamined"),
            description=_text(header, "SeriesDescription"),
            sender=sender,
            files=tuple(files),
        )


def _text(header: Dataset, name: str) -> str:
    return str(header.get(name, "") or "").strip()


def _piece(uid: str, rule: Rule, files: list[Path]) -> Piece:
    instances = [path.stem for path in files]
    return Piece(
        name=_hash(uid, *instances, _identity_of(rule.bundle), rule.identity),
        line=_hash(uid, rule.bundle, rule.identity, rule.destination),
        rule=rule,
        files=tuple(files),
    )


def _identity_of(bundle: str) -> str:
    """Name, version and hash of all files; what cannot be resolved is its name, and fails when it is run."""
    try:
        ref = resolve(bundle)
        return f"{ref.title} {content_sha256(Path(ref.path))}"
    except MedAIError:
        return bundle


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _reason(left_out: Counter[str], *, found: bool, chosen: bool) -> str:
    not_run = ", ".join(f"{count} x {why}" for why, count in sorted(left_out.items()))
    unmatched = "no rule matches" if not chosen and (found or not left_out) else ""
    return "; ".join(filter(None, (unmatched, not_run and f"not run: {not_run}")))
