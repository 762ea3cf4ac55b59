"""Every sentence of the presenters, in the language of the person who reads it.

Each function takes ``tr``, which gives the translation of an English text. Texts stand in ``tr("...")`` as literals, so
that tools that collect texts find them, and are completed afterwards by name. Errors of the library, names of findings
and measurements, and what a model's author wrote come as they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from slicermedai.app.report_places import Found
from slicermedai.app.suggesting import Shows, fits, made_for, parts_apart
from slicermedai.bundles.body_parts import listed
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import IN_BOX, written
from slicermedai.domain.finding import ConfidenceState, Finding, Measurement
from slicermedai.domain.result import AnalysisResult, Decision, Status
from slicermedai.errors import MedAIError
from slicermedai.scene.items import Marked

Translate = Callable[[str], str]

NOTHING_FILED = "No DICOM SEG and SR"
"""How the refusal begins that says why no DICOM object was written."""

_NAMED = 3


def untranslated(text: str) -> str:
    """The text as it is: English."""
    return text


def columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of findings; :func:`rows` fills it."""
    return [tr("Finding"), tr("Measurement"), tr("Value"), tr("Unit"), tr("Confidence")]


def rows(result: AnalysisResult | None, tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The findings as texts, one row a measurement, or one where there is none, in the order of :func:`columns`."""
    if result is None:
        return []
    return [row for finding in result.findings for row in _rows(finding, tr)]


def _rows(finding: Finding, tr: Translate) -> list[tuple[str, ...]]:
    name, sure = finding.label.name, confidence_text(finding.confidence.state, tr)
    if finding.why_not_measured or not finding.measurements:
        return [(name, tr("not measured"), finding.why_not_measured, "", sure)]
    return [
        (name, item.title, item.missing or f"{item.value:.1f}", written(item.unit.value), sure)
        for item in finding.measurements
    ]


def reason_text(error: Exception) -> str:
    """Why something failed: an error of this library says it all, of any other one the kind is told too."""
    if isinstance(error, MedAIError):
        return str(error)
    return ": ".join(filter(None, [type(error).__name__, str(error)]))


def summary(result: AnalysisResult, tr: Translate = untranslated) -> str:
    """For people: every warning, what was found, that it is not calibrated where it is not, why nothing is filed."""
    refusals = [line for line in result.provenance.refusals if line.startswith(NOTHING_FILED)]
    return "\n".join([*_warnings(result.provenance.warnings, tr), _found(result, tr), *refusals])


def _warnings(warnings: Sequence[str], tr: Translate) -> list[str]:
    """In front of all numbers, under a line that no run with a warning is without."""
    if not warnings:
        return []
    one, more = tr("Ended with a warning: read it first."), tr("Ended with {count} warnings: read them first.")
    head = one if len(warnings) == 1 else more.format(count=len(warnings))
    return [head, *(tr("Warning: {text}.").format(text=line.rstrip(".")) for line in warnings)]


def _found(result: AnalysisResult, tr: Translate) -> str:
    if result.status is Status.FAILED:
        return tr("The model failed: {reason}").format(reason=result.message)
    if result.status is Status.NO_FINDING or not result.findings:
        return tr("No finding.")
    told = Counter(_first(finding, tr) for finding in result.findings)
    parts = [text if count == 1 else f"{count} x {text}" for text, count in told.items()]
    states = sorted({confidence_text(finding.confidence.state, tr) for finding in result.findings})
    return tr("{findings}. Confidence: {states}.").format(findings="; ".join(parts), states=", ".join(states))


def _first(finding: Finding, tr: Translate) -> str:
    """A finding with its first number; what has none by nature is named alone."""
    name = finding.label.name
    return f"{name}: {_amount(finding.measurements[0], tr)}" if finding.measurements else name


def _amount(one: Measurement, tr: Translate) -> str:
    if one.missing or not math.isfinite(one.value):
        return tr("not measured")
    how = tr(" (in its box, not validated)") if one.method == IN_BOX else ""
    return f"{one.value:.1f} {written(one.unit.value)}".rstrip() + how


def confidence_text(state: ConfidenceState, tr: Translate = untranslated) -> str:
    """The state of a confidence in words."""
    match state:
        case ConfidenceState.CALIBRATED:
            return tr("calibrated")
        case ConfidenceState.NOT_CALIBRATED:
            return tr("not calibrated")
        case ConfidenceState.NOT_ASSESSED:
            return tr("not assessed")
        case ConfidenceState.NOT_ASSESSED_EDITED:
            return tr("not assessed (edited)")


def kept_state_text(state: str, tr: Translate = untranslated) -> str:
    """The state of a confidence as it is saved, in words; any other text comes as it is."""
    return next((confidence_text(one, tr) for one in ConfidenceState if one.value == state), state)


def found_text(found: Found, tr: Translate = untranslated) -> str:
    """A result in the list of the last ones."""
    told = f"{found.folder.name} – {found.made:%Y-%m-%d %H:%M}"
    return tr("In the scene: {name}").format(name=told) if found.is_in_scene else told


def decision_text(decision: Decision | None, tr: Translate = untranslated) -> str:
    """What was decided, in a word."""
    if decision is None:
        return tr("not reviewed")
    return {
        Decision.ACCEPTED: tr("accepted"),
        Decision.EDITED: tr("edited"),
        Decision.REJECTED: tr("rejected"),
    }[decision]


def state_text(state: str, tr: Translate = untranslated) -> str:
    """A state of a run, or of a case of a cohort, in a word."""
    known = {
        "waiting": tr("waiting"),
        "running": tr("running"),
        "done": tr("done"),
        "failed": tr("failed"),
        "cancelled": tr("cancelled"),
        "refused": tr("refused"),
        "excluded": tr("excluded"),
        "superseded": tr("superseded"),
    }
    return known.get(state, state)


def state_cell(state: str, tr: Translate = untranslated, text: str = "") -> str:
    """The state in a table, with its picture; ``text`` in place of its word, where a table says more."""
    return Marked(text or state_text(state, tr), f"State-{state}")


def stage_text(stage: str, tr: Translate = untranslated) -> str:
    """What the worker is doing, in words; a stage without words comes as it is."""
    known = {
        "start": tr("Starting"),
        "read": tr("Reading the image"),
        "deidentify": tr("De-identifying"),
        "load model": tr("Loading the model"),
        "segment": tr("Segmenting"),
        "stability": tr("Analysing the image again, changed a little"),
        "measure": tr("Measuring"),
        "save": tr("Saving"),
        "export": tr("Writing DICOM"),
        "image": tr("Reading the image"),
        "compare": tr("Comparing the image"),
        "meshes": tr("Making surfaces for 3D views"),
        "scene": tr("Building the scene"),
        "pictures": tr("Making pictures"),
        "report": tr("Writing the report"),
        "done": tr("Done"),
    }
    return known.get(stage, stage)


def progress_text(stage: str, seconds_left: float | None, tr: Translate = untranslated) -> str:
    """The stage and the time that is left, in one line."""
    return " – ".join(filter(None, [stage_text(stage, tr), time_left(seconds_left, tr)]))


def time_left(seconds: float | None, tr: Translate = untranslated) -> str:
    """ "about 2 min left", in words that do not pretend to precision; "" where it is not known."""
    if seconds is None:
        return ""
    if seconds < 2:
        return tr("almost done")
    if seconds < 90:
        return tr("about {count} s left").format(count=int(round(seconds, -1)) or int(seconds))
    return tr("about {count} min left").format(count=round(seconds / 60))


def describe(bundle: BundleRef, tr: Translate = untranslated) -> str:
    """What a person should know before the run: use, what it was made for, licence, weights.

    How far its scores can be believed is :func:`slicermedai.app.run_words.trust_text`.
    """
    licence = tr("Licence: {name}.").format(name=bundle.licence) if bundle.licence else tr("Licence: not stated.")
    parts = [as_sentence(bundle.intended_use), _scope_text(bundle, tr), licence]
    if bundle.demonstration:
        parts.append(tr("Demonstration weights: not for patients."))
    if bundle.consent:
        parts.append(tr("Consent to run its code: {text}.").format(text=bundle.consent))
    parts.append(tr("Weights SHA-256: {start}…").format(start=bundle.weights_sha256[:16]))
    return " ".join(part for part in parts if part)


def as_sentence(text: str) -> str:
    """What a model's author wrote, with a full stop where it has no end: more is said behind it."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."


def _scope_text(bundle: BundleRef, tr: Translate) -> str:
    """What images a model was made for: modality, and where in the body."""
    modality, parts = ", ".join(bundle.modality), listed(made_for(bundle))
    if not modality and not parts:
        return tr("It does not say what images it was made for.")
    if not parts:
        return tr("Made for: {modality}.").format(modality=modality)
    return tr("Made for: {modality} of the {parts}.").format(modality=modality or tr("images"), parts=parts)


def fit_text(bundle: BundleRef | None, shows: Shows, tr: Translate = untranslated) -> str:
    """That a model was not made for such images; "" where it was, or where that is not known."""
    if bundle is None:
        return ""
    own, shown = parts_apart(bundle, shows)
    if own:
        text = tr("{title} is made for the {own}, and the image shows the {shown}: choose another model.")
        return text.format(title=bundle.title, own=own, shown=shown)
    if fits(bundle, shows.modality):
        return ""
    text = tr(
        "{title} was made for {made}, and the image is {modality}: the run will be refused. Choose another model."
    )
    return text.format(title=bundle.title, made=", ".join(bundle.modality), modality=shows.modality)


def ready_text(*, missing: Sequence[str], has_model: bool, has_source: bool, tr: Translate = untranslated) -> str:
    """What a person should do next."""
    if not has_model:
        return tr("No model is installed yet. Install one to begin.")
    if missing:
        return missing_text(missing, tr)
    return tr("Ready.") if has_source else tr("Choose an image.")


def missing_text(missing: Sequence[str], tr: Translate = untranslated) -> str:
    """What is not installed; "" where nothing is missing."""
    told = tr("Not installed: {names}. Install what is missing first.")
    return told.format(names=", ".join(missing)) if missing else ""


def install_text(missing: Sequence[str], tr: Translate = untranslated) -> str:
    """The button's text: what it will install, short enough for a button."""
    names = ", ".join(missing[:_NAMED])
    if len(missing) > _NAMED:
        return tr("Install {names} and {count} more").format(names=names, count=len(missing) - _NAMED)
    return tr("Install {names}").format(names=names)
