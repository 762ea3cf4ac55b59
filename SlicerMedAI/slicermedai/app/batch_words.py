"""Every sentence of the module MedAI Batch, in the language of the person who reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from slicermedai.app.batch_rules import sentence
from slicermedai.app.batch_state import CaseShown, CohortShown, SeriesShown, StudyShown
from slicermedai.app.words import Translate, as_sentence, state_cell, state_text, time_left, untranslated
from slicermedai.batch.rules import Rule, SeriesRules
from slicermedai.domain.bundle import BundleRef

_NAMED = 3
_UID = re.compile(r"\b[0-9]+(?:\.[0-9]+){2,}(?:#[0-9]+)?")
"""In the reason of a case that an earlier version wrote; series have numbers now, as in the preview."""


def rule_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of rules."""
    return [tr("Rule"), tr("A series is taken that is")]


def rule_rows(rules: SeriesRules, tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The table of rules, the preferred first."""
    return [(rule.name, _rule_text(rule, tr)) for rule in rules.rules]


def _rule_text(rule: Rule, tr: Translate) -> str:
    more = [tr("for the input {name}").format(name=rule.input)] if rule.input else []
    more += [tr("by the model {name}").format(name=rule.bundle)] if rule.bundle else []
    return "; ".join([sentence(rule, tr), *more])


def choices(name: str, tr: Translate = untranslated) -> list[tuple[str, str]]:
    """(value, text) of what a setting can be."""
    return {
        "contrast": [("", tr("any")), ("with", tr("with contrast agent")), ("without", tr("without contrast agent"))],
        "origin": [("", tr("any")), ("original", tr("original")), ("derived", tr("derived"))],
        "tie": [
            ("refuse", tr("refuse the study")),
            ("most slices", tr("take the one with most slices")),
            ("thinnest", tr("take the thinnest")),
            ("first", tr("take the first by number")),
            ("last", tr("take the last by number")),
        ],
        "same_patient": [
            ("keep", tr("run all")),
            ("first", tr("run the first by date")),
            ("last", tr("run the last by date")),
            ("refuse", tr("refuse them")),
        ],
        "frames_of_reference": [
            ("same", tr("must lie in one frame of reference")),
            ("any", tr("are registered, whatever their frames are")),
        ],
        "identity": [("keep", tr("as in the images")), ("deidentify", tr("pseudonymous"))],
    }[name]


def study_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of studies in the preview."""
    return [tr("Study"), tr("Patient"), tr("Date"), tr("State"), tr("Series, or why none")]


def study_rows(studies: Sequence[StudyShown], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The studies of the preview: what is run of each, or why nothing is."""
    texts = {state: state_cell(state, tr) for state in {one.state for one in studies}}
    return [(str(one.number), one.patient, one.date, texts[one.state], _taken(one)) for one in studies]


def _taken(one: StudyShown) -> str:
    taken = [series.words or series.series for series in one.series if series.taken_as]
    return one.reason or "; ".join(["; ".join(taken), *one.notes])


def series_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of a study's series."""
    return [tr("Series"), tr("Taken"), tr("Why"), tr("Modality"), tr("Slices"), tr("mm"), tr("Kernel")]


def series_rows(study: StudyShown | None, tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The series of a study, each with the reason why it is run or not."""
    return [_series_row(one, tr) for one in (study.series if study else ())]


def _series_row(one: SeriesShown, tr: Translate) -> tuple[str, ...]:
    taken = tr("yes") if one.taken_as in ("", "image") else one.taken_as
    thickness = "" if one.thickness_mm is None else f"{one.thickness_mm:g}"
    told = (f"{one.number}. {one.words}", taken if one.taken_as else tr("no"), one.reason)
    return (*told, one.modality, str(one.slices), thickness, one.kernel)


def preview_text(studies: Sequence[StudyShown], tr: Translate = untranslated, *, is_previewed: bool) -> str:
    """What a preview found."""
    if not is_previewed:
        return tr("Shows which series of each study would be run, and why not the others. Nothing is run or written.")
    states = [one.state for one in studies]
    counted = {state: states.count(state) for state in dict.fromkeys(states)}
    return tr("{studies}: {counts}.").format(studies=studies_text(len(studies), tr), counts=counts_text(counted, tr))


def case_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of cases."""
    return [tr("Case"), tr("Patient"), tr("Date"), tr("State"), tr("Time (s)"), tr("Why")]


def case_rows(cases: Sequence[CaseShown], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """Where each case stands."""
    texts, series = {state: state_cell(state, tr) for state in {one.state for one in cases}}, tr("the series")
    return [
        (
            *(one.name, one.patient, one.date, texts[one.state]),
            f"{one.seconds:.0f}" if one.seconds else "",
            _UID.sub(series, one.reason),
        )
        for one in cases
    ]


def counts_text(counts: Mapping[str, int], tr: Translate = untranslated) -> str:
    """ "7 done, 2 refused"."""
    told = [f"{count} {state_text(state, tr)}" for state, count in counts.items() if count]
    return ", ".join(told) or tr("no case yet")


def studies_text(count: int, tr: Translate = untranslated) -> str:
    """ "1 study", "2 studies"."""
    return tr("1 study") if count == 1 else tr("{count} studies").format(count=count)


def series_text(count: int, tr: Translate = untranslated) -> str:
    """What is ticked in the database."""
    return tr("1 series of the database") if count == 1 else tr("{count} series of the database").format(count=count)


def model_text(bundle: BundleRef | None, tr: Translate = untranslated) -> str:
    """What a person should know of the model, in short."""
    if bundle is None:
        return tr("Each rule names its model.")
    licence = tr("Licence: {name}.").format(name=bundle.licence) if bundle.licence else tr("Licence: not stated.")
    demonstration = tr("Demonstration weights: not for patients.") if bundle.demonstration else ""
    return " ".join(filter(None, [as_sentence(bundle.intended_use), licence, demonstration]))


def cohort_text(cohort: CohortShown | None, tr: Translate = untranslated) -> str:
    """What holds where the folder has a cohort already."""
    if cohort is None:
        return ""
    return tr("This folder has a cohort: it keeps its model, route and lists. Run goes on, and adds what is chosen.")


def other_list_text(tr: Translate = untranslated) -> str:
    """What holds where a person chose a list of people who opted out, and the cohort has one of its own."""
    return tr("It has another list of people who opted out than you chose: write into that list who is missing there.")


def stage_text(stage: str, tr: Translate = untranslated) -> str:
    """What is being done, in words."""
    known = {
        "start": tr("Starting"),
        "files": tr("Listing the files of the database"),
        "scan": tr("Reading the headers"),
        "choose": tr("Choosing series"),
        "run": tr("Running"),
        "tables": tr("Writing table and sheet"),
        "gather": tr("Looking which results may be added"),
        "database": tr("Adding results to the DICOM database"),
        "done": tr("Done"),
    }
    return known.get(stage, stage)


def progress_text(stage: str, seconds_left: float | None, tr: Translate = untranslated) -> str:
    """The stage and the time that is left, in one line."""
    return " – ".join(filter(None, [stage_text(stage, tr), time_left(seconds_left, tr)]))


def ended_text(counts: Mapping[str, int], absent: Sequence[str], tr: Translate = untranslated) -> str:
    """After a run."""
    told = tr("Done: {counts}. Table and quality sheet are written: look at the sheet first.")
    lacking = tr("Not written: {files}.").format(files="; ".join(absent)) if absent else ""
    return " ".join(filter(None, [told.format(counts=counts_text(counts, tr)), lacking]))


def added_text(added: Sequence[str], refused: Mapping[str, str], tr: Translate = untranslated) -> str:
    """After results were added to the database."""
    lines = [tr("{count} results are in the DICOM database.").format(count=len(added))]
    if refused:
        named = [f"{case}: {why}" for case, why in list(refused.items())[:_NAMED]]
        more = [tr("and {count} more").format(count=len(refused) - _NAMED)] if len(refused) > _NAMED else []
        lines.append(tr("Not added: {cases}.").format(cases="; ".join([*named, *more])))
    return " ".join(lines)
