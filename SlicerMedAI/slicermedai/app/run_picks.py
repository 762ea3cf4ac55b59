"""Several images at once in the module MedAI: patients, studies, series, volumes and files that are run one by one.

A patient or study that is picked whole stands for those of its series that the chosen model was made for; each of them
can be ticked or not by itself, and what will be run is listed before anything is. No Qt and no MRML in here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from slicermedai.app import run_words
from slicermedai.app.dicom_database import Node
from slicermedai.app.guided_run import GuidedRun, Wanted
from slicermedai.app.run_inputs import Candidate, suggested, wanted_by
from slicermedai.app.signal import Signal
from slicermedai.app.state import InputRow
from slicermedai.app.suggesting import ELSEWHERE, Shows, distance
from slicermedai.app.words import fit_text
from slicermedai.domain.bundle import BundleRef

Find = Callable[[str], Candidate | None]
_OVERVIEWS = re.compile(r"\b(locali[sz]er|scouts?|surview|survey|topogram|smart ?prep|dose report)\b", re.IGNORECASE)
"""What series are called that show where the others lie; a run would refuse them."""
_ADDRESSES = re.compile(r"(?=file://)", re.IGNORECASE)
"""Where addresses begin that lie against each other in one line, as some programs drop them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A run that would be made: what a person reads, what is asked of the queue, and why it cannot be run, or ""."""

    text: str
    wanted: Wanted = field(repr=False, compare=False)
    why_not: str = ""
    note: str = ""


class Picks:
    """What is picked, and what runs follow from it with the model that is chosen in ``run``.

    ``find`` gives the image that goes by a key, None for one that is gone: a series' UID, or a volume's node ID.
    """

    def __init__(self, run: GuidedRun, *, find: Find) -> None:
        self.changed = Signal()
        """Emitted without a value when anything was picked or let go of."""
        self._run, self._find = run, find
        self.branches: tuple[Node, ...] = ()
        self.ticked: tuple[str, ...] = ()
        """Keys of the images that are picked, in the order in which they were."""
        self.places: tuple[str, ...] = ()
        """Files and folders that are picked."""
        self._below: dict[str, tuple[str, ...]] = {}

    def offer(self, branches: Sequence[Node]) -> None:
        """What there is to pick from; what was picked and is not there any more is let go of."""
        self.branches = tuple(branches)
        self._below = {uid: leaves for branch in branches for uid, leaves in _leaves(branch)}
        self._take(uid for uid in self.ticked if uid in self._below)

    def tick(self, uid: str, *, on: bool) -> None:
        """Pick an image or let go of it; of a patient or study that is picked, the series that suit the model."""
        leaves = self._below.get(uid, ())
        if not on:
            self._take(one for one in self.ticked if one not in leaves)
        elif leaves == (uid,):
            self._take((*self.ticked, uid))
        else:
            self._expand(leaves)

    def pick(self, uids: Iterable[str]) -> None:
        """Pick these and nothing else; all series of a study together stand for the study."""
        asked = [uid for uid in uids if uid in self._below]
        whole = {
            leaf
            for study, leaves in self._below.items()
            if len(leaves) > 1 and set(leaves) <= {leaf for uid in asked for leaf in self._below[uid]}
            for leaf in leaves
        }
        pairs = [(uid, leaf) for uid in asked for leaf in self._below[uid]]
        self._take(leaf for uid, leaf in pairs if (uid == leaf and leaf not in whole) or self._suits(leaf))

    def write(self, text: str) -> None:
        """Pick the files and folders whose paths or ``file:`` addresses stand in ``text``, one a line."""
        self.places = tuple(dict.fromkeys(filter(None, map(_path_of, _places_in(text)))))
        self.changed.emit()

    def clear(self) -> None:
        """Let go of all."""
        self.places = ()
        self._take(())

    @property
    def planned(self) -> list[Planned]:
        """What would be run: one run for each image, or for a model of several images one for each study."""
        bundle = self._run.state.bundle
        if bundle is None:
            return []
        names, found = wanted_by(bundle), [*filter(None, map(self._find, self.ticked)), *map(_of_place, self.places)]
        if names:
            return [self._several(names, group, bundle) for group in _groups(found)]
        return [self._one(image, bundle) for image in found]

    @property
    def can_run(self) -> bool:
        """True where the queue takes runs, and one of what is picked can be run."""
        return self._run.can_queue and any(not one.why_not for one in self.planned)

    def run(self) -> None:
        """Ask for all that can be run; what cannot stays picked."""
        if not self._run.can_queue:
            return
        planned = self.planned
        self._run.queue_all([one.wanted for one in planned if not one.why_not])
        if all(not one.why_not for one in planned):
            self.clear()
        else:
            self.changed.emit()

    def _take(self, uids: Iterable[str]) -> None:
        self.ticked = tuple(dict.fromkeys(uids))
        self.changed.emit()

    def _expand(self, leaves: Sequence[str]) -> None:
        suiting = [uid for uid in leaves if self._suits(uid)]
        if not suiting:
            self._run.say(run_words.none_suits(self._run.state.title, self._run.translate))
        self._take((*self.ticked, *suiting))

    def _suits(self, uid: str) -> bool:
        image, bundle = self._find(uid), self._run.state.bundle
        if image is None or bundle is None or _OVERVIEWS.search(image.words):
            return False
        return distance(bundle, _shows(image)) < ELSEWHERE

    def _one(self, image: Candidate, bundle: BundleRef) -> Planned:
        note = fit_text(bundle, _shows(image), self._run.translate)
        lost = run_words.not_there(self._run.translate) if _is_lost(image) else ""
        return Planned(text=image.text, wanted=Wanted(image=image.text, open=image.open), why_not=lost, note=note)

    def _several(self, names: Sequence[str], group: Sequence[Candidate], bundle: BundleRef) -> Planned:
        """One run of a study: which image is which is suggested as for a single one, and listed."""
        rows = max(
            (suggested(names, one, group, modalities=bundle.modality) for one in group),
            key=lambda rows: len({row.key for row in rows} - {""}),
        )
        by_key, tr = {one.key: one for one in group}, self._run.translate
        taken = {row.key for row in rows}
        text = "; ".join(f"{row.name}: {row.text}" for row in rows if row.key)
        return Planned(
            text=text,
            wanted=Wanted(image=text, open=_opened(by_key, rows[0]), further=lambda: _further(by_key, rows)),
            why_not=run_words.inputs_text(rows, tr),
            note=run_words.left_out([one.text for one in group if one.key not in taken], tr),
        )


def _leaves(branch: Node) -> list[tuple[str, tuple[str, ...]]]:
    """(UID, UIDs of what it stands for) of a branch and all below it; a leaf stands for itself."""
    if not branch.below:
        return [(branch.uid, (branch.uid,))]
    below = [pair for one in branch.below for pair in _leaves(one)]
    return [(branch.uid, tuple(uid for uid, leaves in below if leaves == (uid,))), *below]


def _groups(images: Iterable[Candidate]) -> list[list[Candidate]]:
    """Images of one study and kind together; one of no known study is by itself."""
    found: dict[tuple[object, ...], list[Candidate]] = {}
    for image in images:
        kind = (image.group, image.node is None) if image.group else (image.key,)
        found.setdefault(kind, []).append(image)
    return list(found.values())


def _shows(image: Candidate) -> Shows:
    return Shows(modality=image.modality, body_part=image.body_part)


def _opened(by_key: dict[str, Candidate], row: InputRow) -> Callable[[], Any]:
    return by_key[row.key].open if row.key else lambda: None


def _further(by_key: dict[str, Candidate], rows: Sequence[InputRow]) -> dict[str, Any]:
    first, *others = rows
    return {"shows": first.name, "inputs": {row.name: by_key[row.key].open() for row in others}}


def _of_place(place: str) -> Candidate:
    name = Path(place).name or place
    return Candidate(key=place, text=name, words=name, open=lambda: place)


def _is_lost(image: Candidate) -> bool:
    source = image.open() if image.node is None and not image.group else None
    return isinstance(source, str) and not Path(source).exists()


def _places_in(text: str) -> list[str]:
    """Paths and addresses, as they stand; a line that begins with a path is one path, whatever it holds."""
    lines = [line.strip() for line in text.splitlines()]
    return [one for line in lines for one in (_ADDRESSES.split(line) if _ADDRESSES.match(line) else [line])]


def _path_of(text: str) -> str:
    """A path as it is, or that of a ``file:`` address, which is what a file manager drops."""
    text = text.strip()
    if not text.lower().startswith("file:"):
        return text
    return url2pathname(urlsplit(text).path)
