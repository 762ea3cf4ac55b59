"""The making of a cohort, and what a later plan makes of one: cut off at any moment, it is run when it is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slicermedai.batch.cohort import PLANNING, QUEUE, RESULTS, Case, Cohort, Standing, State, write_cohort
from slicermedai.batch.planning import Fate, Planned, Preview, apart, bundles_of, why_excluded
from slicermedai.batch.settings import Settings, models_of
from slicermedai.domain.storage import named, write_text
from slicermedai.errors import InputError, ResultExistsError

_RULES = "rules.toml"
_ADVICE = "Leave them out, or make a new cohort in another folder."
_ADVICE_LIST = f"{_ADVICE} Write who opted out later into the list that the cohort has: it is read before each case."


def make(folder: str | Path, preview: Preview, settings: Settings, *, rules_text: str = "") -> Cohort:
    """Make a cohort of a plan in a new folder, with every study that was found in it; nothing is run yet.

    Raises
    ------
    ResultExistsError
        Something else is in ``folder``. A cohort that is there takes a plan by :func:`add`.
    BundleError, UnknownBundleError, ConsentError
        A model is not there.
    OutputError, DiskFullError
        The folder cannot be written.
    """
    place = Path(folder).expanduser().absolute()
    if place.exists() and not (place.is_dir() and _is_empty(place)):
        raise ResultExistsError("something is there already", file=place, advice="Choose another folder.")
    models = models_of(bundles_of(preview.planned))
    with named(place):
        for name in (QUEUE, RESULTS):
            (place / name).mkdir(parents=True, mode=0o700, exist_ok=True)
    write_text(place / PLANNING, "")
    write_cohort(place, settings.absolute(), models)
    cohort = Cohort(place)
    add(cohort, preview, rules_text=rules_text)
    return cohort


def _is_empty(place: Path) -> bool:
    """Whether nothing is there, or what is left where the making of a cohort was killed before it had any case."""
    names = {path.name for path in place.iterdir() if not path.name.startswith(".")}
    return names <= {QUEUE, RESULTS, _RULES, PLANNING} and not any(
        any((place / name).iterdir()) for name in names & {QUEUE, RESULTS}
    )


def agree(cohort: Cohort, given: Mapping[str, Any]) -> None:
    """Settings that somebody gives by name are those of the cohort; a first list of people who opted out is kept.

    Raises
    ------
    InputError
        Settings that differ, all named; nothing is changed.
    """
    with cohort.alone():
        cohort.reload()
        other = [name for name, value in given.items() if value != getattr(cohort.settings, name)]
        new_list = given["exclude"] if "exclude" in other and not cohort.settings.exclude else ""
        if other and not (new_list and other == ["exclude"]):
            raise InputError(
                "has other settings",
                file=cohort.folder,
                attribute=", ".join(other),
                advice=_ADVICE_LIST if "exclude" in other and not new_list else _ADVICE,
            )
        if new_list:
            cohort.settings = replace(cohort.settings, exclude=new_list)
            cohort.settings.exclusions()
            cohort.write_settings()


def exclude(cohort: Cohort, people: str | Path) -> list[str]:
    """Give the file of people who opted out to a cohort that has none; returns the waiting cases that it excludes.

    It holds for all cases from then on. Raises as :func:`agree` does: it cannot be read, or the cohort has another.
    """
    agree(cohort, {"exclude": str(Path(people).expanduser().absolute())})
    listed = cohort.settings.exclusions()
    gone = [name for name in cohort.names() if cohort.written(name).state is State.WAITING]
    reasons = {name: why for name in gone if (why := why_excluded(cohort.case(name), listed))}
    settled = {n: cohort.settle(n, Standing(state=State.EXCLUDED, reason=why)) for n, why in reasons.items()}
    return [name for name, now in settled.items() if now.state is State.EXCLUDED]


def add(cohort: Cohort, preview: Preview, *, rules_text: str = "") -> list[str]:
    """Add what a plan holds; returns the names of new cases. What is there already stays as it is.

    A study whose series changed is a new case, and the old one is superseded; its result stays. Where it is cut
    off, nothing runs until the same plan was added again. ``rules_text`` is kept where there is any.

    Raises
    ------
    OutputError, DiskFullError, BundleError
    """
    with cohort.alone(), named(cohort.folder):
        cohort.reload()
        known = cohort.cases()
        _note_models(cohort, preview)
        write_text(cohort.folder / PLANNING, "")
        added = [_add(cohort, one, known) for one in preview.planned]
        preview.write(cohort.folder / "preview.csv")
        if rules_text:
            write_text(cohort.folder / _RULES, rules_text)
        (cohort.folder / PLANNING).unlink(missing_ok=True)
    return [name for name in added if name]


def _note_models(cohort: Cohort, preview: Preview) -> None:
    missing = tuple(name for name in bundles_of(preview.planned) if name not in cohort.models)
    if missing:
        cohort.models |= models_of(missing)
        cohort.write_settings()


def _add(cohort: Cohort, one: Planned, known: list[Case]) -> str:
    """The old case is superseded last: killed before, a study has two cases, and never none."""
    old = [case for case in known if case.study_uid == one.choice.study_uid]
    same = next((case for case in old if case.key == one.key), None)
    if same is None:
        name = _add_new(cohort, one, known)
    else:
        name = ""
        _follow(cohort, same, one)
    for case in old:
        if case is not same:
            _supersede(cohort, case)
    return name


def _add_new(cohort: Cohort, one: Planned, known: list[Case]) -> str:
    case = _new_case(one, known)
    cohort.put(case, Standing(state=State(str(one.fate)), reason=one.reason))
    known.append(case)
    return case.name


def _supersede(cohort: Cohort, case: Case) -> None:
    with cohort.changing():
        if cohort.written(case.name).state is not State.SUPERSEDED:
            cohort.write(case.name, Standing(state=State.SUPERSEDED, reason="a later plan reads other images"))


def _follow(cohort: Cohort, case: Case, one: Planned) -> None:
    """A later plan that refuses or excludes what still waits is followed, and so is one that no longer does."""
    with cohort.changing():
        now = cohort.written(case.name)
        open_ = now.state in (State.WAITING, State.REFUSED, State.EXCLUDED, State.SUPERSEDED)
        if open_ and (now.state, now.reason) != (State(str(one.fate)), one.reason):
            cohort.write(case.name, Standing(state=State(str(one.fate)), reason=one.reason))


def _new_case(one: Planned, known: Sequence[Case]) -> Case:
    return Case(
        name=f"{max((int(case.name) for case in known), default=0) + 1:04d}",
        key=one.key,
        patient=_patient(one, known),
        study_uid=one.choice.study_uid,
        study_time=one.choice.study_time,
        bundle=one.bundle,
        images=one.choice.images if one.fate is not Fate.REFUSED else (),
        notes=one.notes,
        who=one.choice.who,
        also=one.choice.also,
        other_frames=one.choice.other_frames,
    )


def _patient(one: Planned, known: Sequence[Case]) -> str:
    """The number of the patient in this cohort; a study that does not say whose it is has one of its own, and so have
    two whose Patient IDs are one while they are of two people.
    """
    who, patient = one.choice.who, str(one.choice.who.get("PatientID", ""))
    others = [case for case in known if patient and case.who.get("PatientID") == patient]
    same = next((case.patient for case in others if not apart((who, case.who))), None)
    return same or f"P{max((int(case.patient[1:]) for case in known), default=0) + 1:04d}"
