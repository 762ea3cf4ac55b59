"""From the files of one study to the series that is run, or to the reason why none is; nothing is read but headers."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from slicermedai.batch.reasons import reason_of
from slicermedai.batch.rules import Rule, SeriesRules
from slicermedai.dicom.alike import differ_in_time
from slicermedai.dicom.facts import SeriesFacts, facts_of
from slicermedai.dicom.gate import judge
from slicermedai.dicom.series import SeriesFiles, scan
from slicermedai.dicom.sorting import StudyFiles, damaged_names
from slicermedai.errors import MedAIError
from slicermedai.pacs.run_worthy import why_not_run

_SINGLE = "single image"
_DATED = re.compile(r"\d{8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of a case: its name among the model's inputs ("" where there is one), files, and series address.

    ``digest`` is of what the files hold: their SOP Instance UIDs, or the bytes of files that are no DICOM.
    """

    name: str
    files: tuple[Path, ...]
    series: str = ""
    rule: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One series of a study in the preview: the input it was taken for, or why it was not taken.

    ``number`` is what reasons call it ("series 3"), counted in the study: ``series`` is a UID, which names the patient.
    """

    number: int
    series: str
    words: str
    modality: str
    slices: int
    thickness_mm: float | None
    kernel: str
    taken_as: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is run of one study. ``refused`` says why nothing is. ``study_time`` is its date and time, "" without date.

    ``who`` names the patient, with the one Patient ID that the study knows; ``also`` is what its other series say of
    them. Both are shown to nobody. ``other_frames`` says that the images are registered, whatever their frames are.
    """

    study_uid: str
    study_time: str
    who: dict[str, Any]
    also: tuple[dict[str, Any], ...] = ()
    other_frames: bool = False
    images: tuple[Image, ...] = ()
    bundle: str = ""
    refused: str = ""
    judged: tuple[Judged, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A stack of a series with what rules look at. ``useless`` says why it is never taken, ``picture`` why only rules
    that want single images take it, ``trouble`` why a study is refused whose rules take it, or would were it whole: a
    worse series must not take the place of a damaged one. ``hidden`` is how many slices more it may have than can be
    read. ``number`` counts those of the study, from 1.
    """

    series: SeriesFiles
    facts: SeriesFacts
    number: int = 0
    useless: str = ""
    picture: str = ""
    trouble: str = ""
    hidden: float = 0

    @property
    def called(self) -> str:
        """What reasons call it, which are handed on: its UID would name the patient."""
        return f"series {self.number}"

    def why_not(self, rule: Rule) -> str:
        """Why ``rule`` does not take it; "" where it does."""
        if self.useless or (self.picture and not rule.takes_pictures):
            return self.useless or self.picture
        return rule.misfit(self.facts)

    def might(self, rule: Rule) -> bool:
        """Whether ``rule`` takes it, or would if images that are damaged or apart from it were counted with it."""
        if not self.trouble or self.useless:
            return not self.why_not(rule)
        if self.picture not in ("", _SINGLE) and not rule.takes_pictures:
            return False
        return not rule.misfit(self.facts, hidden=self.hidden)


@dataclass(slots=True)
class _Picked:
    """What was taken for the inputs so far, and why others were not."""

    by_input: dict[str, tuple[Rule, Candidate]] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    refused: str = ""

    def tell(self, candidate: Candidate, reason: str) -> None:
        self.reasons.setdefault(candidate.series.address, []).append(reason)


def choose(study: StudyFiles, rules: SeriesRules, *, tilt: str = "refuse") -> Choice:
    """Choose one series for each input that the rules name; a doubt refuses the study, by name."""
    candidates, lost = candidates_of(study)
    picked = _Picked(refused=lost)
    for name in rules.inputs:
        _pick(name, rules.of(name), candidates, picked)
    refused = picked.refused or _refusal(picked, candidates, rules, tilt)
    who, also = _people(candidates)
    taken = {candidate.series.address: name for name, (_, candidate) in picked.by_input.items()}
    main = next(iter(picked.by_input.values()), None)
    return Choice(
        study_uid=study.uid,
        study_time=next((time for one in candidates if _DATED.match(time := one.facts.study_time)), ""),
        who=who,
        also=also,
        other_frames=rules.frames_of_reference == "any",
        images=() if refused else tuple(_image(name, *pair, candidates) for name, pair in picked.by_input.items()),
        bundle=main[0].bundle if main else "",
        refused=refused,
        judged=tuple(_judged(one, picked, taken) for one in candidates),
        notes=(f"{len(study.copies)} files are copies of others and were left out",) if study.copies else (),
    )


def _people(candidates: Sequence[Candidate]) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """Who the patient is, and what else the series say. Where they name several patients, nobody is the one."""
    said: list[dict[str, Any]] = []
    said += [one.facts.who for one in candidates if one.facts.who not in said]
    known = {who["PatientID"] for who in said} - {""}
    if len(known) > 1 or not said:
        return {"PatientID": ""}, tuple(said)
    main = next((who for who in said if who["PatientID"]), said[0])
    return main, tuple(who for who in said if who is not main)


def candidates_of(study: StudyFiles) -> tuple[list[Candidate], str]:
    """Every stack of every series in ``study``, in the order of their series numbers, and "" or why others may be lost:
    a damaged file is of a series of which nothing else is there, so that no rule can say whether it was wanted.
    """
    found = scan(study.files)
    damaged = {item.file: damaged_names(item.file)[2] for item in found.skipped if item.broken}
    candidates = [
        replace(_candidate(one, found.series, damaged, study.conflicts), number=number)
        for number, one in enumerate(found.series, 1)
    ]
    known = {one.uid for one in found.series}
    beside = {file.parent for one in found.series for file in one.files}
    lost = [file for file, uid in damaged.items() if (uid not in known if uid else file.parent not in beside)]
    return candidates, "all that is there of a series is damaged" if lost else ""


def _candidate(
    one: SeriesFiles, every: Sequence[SeriesFiles], damaged: Mapping[Path, str], conflicts: Sequence[Path]
) -> Candidate:
    facts = facts_of(one)
    return Candidate(
        series=one,
        facts=facts,
        useless=_useless(one, facts),
        picture=_picture(one),
        trouble=_trouble(one, every, damaged, conflicts),
        hidden=_hidden(one, every, damaged),
    )


def _hidden(one: SeriesFiles, every: Sequence[SeriesFiles], damaged: Mapping[Path, str]) -> float:
    """Planes of its series that lie apart, and damaged files that may be of it; any number, where one holds several."""
    folders = {file.parent for file in one.files}
    lost = [file for file, uid in damaged.items() if uid == one.uid or (not uid and file.parent in folders)]
    apart = sum(len(other.planes) for other in every if other is not one and other.uid == one.uid)
    return math.inf if lost and len(one.files) < len(one.planes) else apart + len(lost)


def _useless(one: SeriesFiles, facts: SeriesFacts) -> str:
    return "localizer" if any(plane.is_localizer for plane in one.planes) else why_not_run(facts.header)


def _picture(one: SeriesFiles) -> str:
    first = one.planes[0]
    if first.is_colour:
        return "colour image"
    return _SINGLE if len(one.planes) < 2 else "images without a place" if first.position is None else ""


def _trouble(
    one: SeriesFiles, every: Sequence[SeriesFiles], damaged: Mapping[Path, str], conflicts: Sequence[Path]
) -> str:
    if one.apart:
        return f"files of one series differ in {one.apart}"
    if set(one.files) & set(conflicts):
        return "two files have one SOPInstanceUID and other bytes"
    frames = {other.planes[0].frame_of_reference_uid for other in every if other.uid == one.uid}
    if len(frames) > 1:
        return f"mixed frames of reference: the series has {len(frames)} values of FrameOfReferenceUID"
    if one.uid in damaged.values():
        return "a file of the series is damaged"
    if {file.parent for file in one.files} & {file.parent for file, uid in damaged.items() if not uid}:
        return "a file beside those of the series is damaged, and may belong to it"
    return ""


def _pick(name: str, rules: Sequence[Rule], candidates: Sequence[Candidate], picked: _Picked) -> None:
    """The first rule that fits any series decides; the others are told why not."""
    for rule in rules:
        fits = [one for one in candidates if one.might(rule)]
        for one in candidates:
            if one not in fits and not one.useless:
                picked.tell(one, f"{rule.name}: {one.why_not(rule)}")
        if fits:
            _settle(name, rule, fits, picked)
            return
    if not picked.refused:
        picked.refused = f"no series fits{f' for the input {name}' if name else ''}"


def _settle(name: str, rule: Rule, fits: Sequence[Candidate], picked: _Picked) -> None:
    troubled = [one for one in fits if one.trouble]
    if troubled:
        for one in fits:
            picked.tell(one, f"{rule.name}: {one.trouble or 'fits as one does that may be damaged'}")
        told = "; ".join(f"{one.called}: {one.trouble}" for one in troubled)
        picked.refused = picked.refused or told
        return
    frames = [
        one for one in fits if any(differ_in_time((one.series, other.series)) for other in fits if other is not one)
    ]
    if frames:
        for one in fits:
            picked.tell(one, f"{rule.name}: fits{', as one image of a series over time' if one in frames else ''}")
        told = f"{frames[0].called} and {len(frames) - 1} more are one series over time, and a case is one image"
        picked.refused = picked.refused or told
        return
    best = _best(rule.tie, fits)
    if len(best) > 1:
        for one in fits:
            picked.tell(one, f"{rule.name}: fits as {len(best) - 1} others do")
        told = ", ".join(one.called for one in best)
        picked.refused = picked.refused or f"several series fit {rule.name!r} alike (tie {rule.tie!r}): {told}"
        return
    picked.by_input[name] = (rule, best[0])
    for one in fits:
        if one is not best[0]:
            picked.tell(one, f"{rule.name}: fits, and the tie went to {best[0].called} ({rule.tie})")


def _best(tie: str, fits: Sequence[Candidate]) -> list[Candidate]:
    """Those that a tie leaves; more than one where it does not decide."""
    if tie == "refuse":
        return list(fits)
    values = [_place(tie, one.facts) for one in fits]
    return [one for one, value in zip(fits, values, strict=True) if value == min(values)]


def _place(tie: str, facts: SeriesFacts) -> float:
    """The smallest is taken."""
    if tie == "most slices":
        return -facts.slices
    if tie == "thinnest":
        return facts.thickness_mm or math.inf
    number = math.inf if facts.number is None else float(facts.number)
    return number if tie == "first" or facts.number is None else -number


def _refusal(picked: _Picked, candidates: Sequence[Candidate], rules: SeriesRules, tilt: str) -> str:
    taken = [candidate for _, candidate in picked.by_input.values()]
    if len({one.facts.who["PatientID"] for one in candidates} - {""}) > 1:
        return "the study holds images of several patients"
    if len({one.series.address for one in taken}) < len(taken):
        return "one series fits several inputs"
    troubles = [f"{one.called}: {trouble}" for one in taken if (trouble := _gate(one, tilt))]
    if troubles:
        return "; ".join(troubles)
    return _apart(taken) if len(taken) > 1 and rules.frames_of_reference == "same" else ""


def _apart(taken: Sequence[Candidate]) -> str:
    """Why images may not belong together; of pictures, which have no place, a missing frame says nothing."""
    frames = {one.facts.frame_of_reference_uid for one in taken}
    if "" in frames and not all(one.picture for one in taken):
        return "FrameOfReferenceUID is missing: nothing says that the inputs lie in one frame of reference"
    if len(frames) > 1:
        return "mixed frames of reference: the inputs lie in several, and nothing says how they belong together"
    return ""


def _gate(one: Candidate, tilt: str) -> str:
    """What the geometry gate says of it, as the run would; of pictures, which have no place, nothing."""
    if one.picture:
        return ""
    try:
        stack = judge(one.series.planes)
    except MedAIError as error:
        return reason_of(error, one.series.files)
    if stack.tilt_degrees and tilt == "refuse":
        return f"the gantry was tilted by {stack.tilt_degrees:.1f} degrees"
    return ""


def _image(name: str, rule: Rule, one: Candidate, every: Sequence[Candidate]) -> Image:
    """Stacks that share files (frames of one object) are read with all of them, and then named by their address."""
    files = set(one.series.files)
    sharing = [other for other in every if other is not one and files & set(other.series.files)]
    for other in sharing:
        files |= set(other.series.files)
    instances = sorted({plane.instance for other in (one, *sharing) for plane in other.series.planes})
    return Image(
        name=name,
        files=tuple(sorted(files)),
        series=one.series.address if sharing else "",
        rule=rule.name,
        digest=hashlib.sha256("\n".join(instances).encode()).hexdigest(),
    )


def _judged(one: Candidate, picked: _Picked, taken: dict[str, str]) -> Judged:
    name, facts = taken.get(one.series.address), one.facts
    reason = "; ".join(filter(None, (one.useless, *picked.reasons.get(one.series.address, ()))))
    if name is not None:
        reason = picked.by_input[name][0].name
    return Judged(
        number=one.number,
        series=one.series.address,
        words=one.series.in_words.partition(" (")[0],
        modality=facts.modality,
        slices=facts.slices,
        thickness_mm=facts.thickness_mm,
        kernel=facts.kernel,
        taken_as=name,
        reason=reason,
    )
