"""Every sentence of the module MedAI Review, in the language of the person who reads it."""

from __future__ import annotations

from collections.abc import Sequence

from slicermedai.app.nodule_words import advice_text
from slicermedai.app.review_state import Laid, ReviewState, Row
from slicermedai.app.words import Translate, confidence_text, decision_text, kept_state_text, untranslated
from slicermedai.app.words import time_left as known_time_left
from slicermedai.domain.codes import IN_BOX, written
from slicermedai.domain.finding import Confidence, Finding, Interval, Measurement
from slicermedai.domain.result import AnalysisResult, Quality, Review, Status
from slicermedai.domain.study import Identity

LIGHTS = ("green", "amber", "red")
"""Every other word is the neutral light."""


def columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the worklist; the light stands before all numbers."""
    return [tr("Finding"), tr("Light"), tr("Review"), tr("Expected Dice"), tr("Volume"), tr("Probability")]


def table(rows: Sequence[Row], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The worklist as texts, in the order of :func:`columns`."""
    return [
        (
            row.finding.label.name,
            light_text(row.quality.light, tr),
            review_text(row.review, tr),
            dice_text(row.quality, tr),
            volume_text(row.volume, tr),
            probability_text(row.finding.confidence, tr),
        )
        for row in rows
    ]


def light_of(row: Row) -> str:
    """ "green", "amber" or "red" where the trust layer said so, else "none"."""
    return row.quality.light if row.quality.light in LIGHTS else "none"


def light_text(light: str, tr: Translate = untranslated) -> str:
    """A light as a word; anything but the three colours is neutral."""
    known = {"green": tr("green"), "amber": tr("amber"), "red": tr("red")}
    return known.get(light, tr("not assessed"))


def dice_text(quality: Quality, tr: Translate = untranslated) -> str:
    """The Dice that is expected, with its interval, or why there is none."""
    if quality.expected_dice is None:
        return kept_state_text(quality.state, tr)
    return f"{quality.expected_dice:.2f}{_interval(quality.interval, '.2f', tr)}"


def volume_text(volume: Measurement | None, tr: Translate = untranslated) -> str:
    """The volume with its interval; a person's own voxels have none."""
    if volume is None:
        return tr("not measured")
    return f"{volume.value:.1f} {written(volume.unit.value)}{_interval(volume.interval, '.1f', tr)}"


def probability_text(confidence: Confidence, tr: Translate = untranslated) -> str:
    """A percentage where it is calibrated, else the state: a raw score is never shown here."""
    if confidence.probability is None:
        return confidence_text(confidence.state, tr)
    told = tr("{percent} %").format(percent=round(100 * confidence.probability))
    return f"{told}{_interval(confidence.interval, '.2f', tr)}"


def review_text(review: Review | None, tr: Translate = untranslated) -> str:
    """What was decided, why, and how it was rated."""
    told = decision_text(review.decision if review else None, tr)
    if review is None:
        return told
    rated = tr("rated {number} of 5").format(number=review.rating) if review.rating else ""
    return "; ".join(filter(None, [": ".join(filter(None, [told, review.reason])), rated]))


def rating_text(rating: int, tr: Translate = untranslated) -> str:
    """What a rating means."""
    known = {1: tr("unusable"), 2: tr("poor"), 3: tr("usable after edits"), 4: tr("good"), 5: tr("excellent")}
    return f"{rating} – {known[rating]}" if rating in known else tr("not rated")


def reasons(tr: Translate = untranslated) -> list[str]:
    """Reasons to reject that are offered; any other can be typed."""
    return [
        tr("not there: a false finding"),
        tr("an artefact"),
        tr("another structure"),
        tr("wrong side"),
        tr("too large"),
        tr("too small"),
    ]


# --- the chosen finding ----------------------------------------------------------------------------------------------


def detail_text(row: Row | None, state: ReviewState, tr: Translate = untranslated) -> str:
    """Why the light is what it is, how sure the numbers are, and how far an edit went."""
    if row is None or state.result is None:
        return tr("No finding is chosen.")
    why = row.quality.reasons or tuple(filter(None, [row.quality.reason]))
    lines = [
        _told(
            tr("Light: {what}"), light_text(row.quality.light, tr), "; ".join(why) or tr("no reason was recorded"), tr
        ),
        _told(
            tr("Confidence: {what}"),
            confidence_text(row.finding.confidence.state, tr),
            row.finding.confidence.reason,
            tr,
        ),
        _levels_text(row, tr),
        _in_box_text(row.finding, tr),
        _spread_text(row, state, tr),
        _stability_text(row, tr),
        _edit_text(row.review, tr),
        advice_text(row.advice, tr),
        "" if row.finding.region is not None else tr("It is about the whole image, and has no place in it."),
    ]
    return "\n".join(line.strip() for line in lines if line)


def _told(text: str, what: str, why: str, tr: Translate) -> str:
    return text.format(what=tr("{what} – {why}.").format(what=what, why=why.rstrip(".")) if why else f"{what}.")


def _in_box_text(finding: Finding, tr: Translate) -> str:
    """The sizes of a lesion inside a detector's box, which is all that is drawn of it."""
    sizes = [one for one in finding.measurements if one.method == IN_BOX]
    if not sizes:
        return ""
    if finding.why_not_measured:
        return tr("Not measured: {why}.").format(why=finding.why_not_measured)
    said = [one for one in sizes if not (one.missing or one.derivation)]
    told = [f"{one.name.meaning} {one.value:.1f} {written(one.unit.value)}" for one in said]
    return tr("In its box, by half of its contrast, not validated: {sizes}.").format(sizes=", ".join(told))


def _levels_text(row: Row, tr: Translate) -> str:
    """How sure the intervals are that stand in brackets."""
    volume = row.volume
    known = {
        tr("Dice"): row.quality.interval,
        tr("volume"): volume.interval if volume else None,
        tr("probability"): row.finding.confidence.interval,
    }
    said = [f"{name} {one.level:.0%}" for name, one in known.items() if one is not None]
    return tr("In brackets, intervals: {levels}.").format(levels=", ".join(said)) if said else ""


def _spread_text(row: Row, state: ReviewState, tr: Translate) -> str:
    if row.spread is None:
        return tr("Uncertainty: not assessed.")
    told = tr("Uncertainty: samples agree with a Dice of {dice}; their volumes are {low} to {high} ml.").format(
        dice=f"{row.spread.pairwise_dice:.2f}",
        low=f"{row.spread.volume_low:.1f}",
        high=f"{row.spread.volume_high:.1f}",
    )
    outlined = tr("Inner and outer regions are outlined.") if state.has_regions else ""
    return " ".join(filter(None, [told, outlined]))


def _stability_text(row: Row, tr: Translate) -> str:
    """How far the finding moved when the image was changed within scanner noise; the light says why that is too far."""
    if row.stability is None:
        return tr("Stability: not assessed.")
    told = tr(
        "Stability: over {count} small changes of the image the Dice stayed at {dice} or above, and the volume changed "
        "by {percent} % at most."
    )
    text = told.format(
        count=len(row.stability.dice),
        dice=f"{row.stability.lowest_dice:.2f}",
        percent=f"{row.stability.largest_change:+.0f}",
    )
    return text if row.stability.is_stable else f"{text} {tr('That is beyond the bounds.')}"


def _edit_text(review: Review | None, tr: Translate) -> str:
    if review is None or review.edit is None:
        return ""
    told = tr("Edited: Dice {dice} with what the model found; {changed} ml changed ({added} added, {removed} removed).")
    numbers = {name: f"{getattr(review.edit, name):.2f}" for name in ("dice", "changed", "added", "removed")}
    return told.format(**numbers)


# --- the result ------------------------------------------------------------------------------------------------------


def result_text(result: AnalysisResult | None, tr: Translate = untranslated) -> str:
    """Which model, what came of it, and on which route."""
    if result is None:
        return ""
    made = result.provenance
    outcome = {
        Status.COMPLETE: tr("Findings: {count}.").format(count=len(result.findings)),
        Status.NO_FINDING: tr("The model ran and found nothing."),
        Status.FAILED: tr("The model failed: {reason}").format(reason=result.message),
    }[result.status]
    pseudonymous = result.study.identity is Identity.DEIDENTIFY
    route = tr("Pseudonymous: nothing that is written on from it names a person.") if pseudonymous else ""
    return " ".join(filter(None, [f"{made.bundle}@{made.bundle_version}.", outcome, route]))


def warnings_text(state: ReviewState, tr: Translate = untranslated) -> str:
    """What must be read before the numbers; "" where there is nothing."""
    if state.result is None:
        return ""
    made = state.result.provenance
    demonstration = tr("Demonstration weights: what they find has no diagnostic value.") if made.demonstration else ""
    lines = [made.remark, demonstration, state.remark]
    lines += [tr("Warning: {text}.").format(text=line.rstrip(".")) for line in made.warnings]
    return "\n".join(filter(None, lines))


def maps_text(state: ReviewState, tr: Translate = untranslated) -> str:
    """Which map is laid over the image and from which value on, or that the result has none."""
    if state.result is None:
        return ""
    if not state.result.maps:
        return tr("This result has no maps: saliency and uncertainty by voxel were not assessed.")
    laid: Laid = state.laid
    if laid.threshold is None or laid.number < 0:
        return tr("No map is laid over the image.")
    one = state.result.maps[laid.number]
    calibrated = "" if one.calibration == "none" else tr("Calibrated by {name}.").format(name=one.calibration)
    told = tr("{quantity}, from {value} on; the legend is in the slice views.").format(
        quantity=one.quantity.meaning, value=f"{laid.threshold:.3g}"
    )
    said = "; ".join(f"{name}: {value}" for name, value in one.about)
    return " ".join(filter(None, [told, calibrated, said]))


def standing_text(state: ReviewState, rows: Sequence[Row], tr: Translate = untranslated) -> str:
    """How many findings are decided, and what is saved nowhere yet."""
    if state.result is None:
        return ""
    done = sum(row.review is not None for row in rows)
    told = tr("Decided: {done} of {count}.").format(done=done, count=len(rows))
    waiting = len(state.pending)
    if waiting:
        unsaved = tr("Not saved yet: {count}; until then it can be undone.").format(count=waiting)
        return f"{told} {unsaved}"
    return told


def opened_text(result: AnalysisResult, tr: Translate = untranslated) -> str:
    """What a person does next."""
    if result.findings:
        return tr("Go through the findings: accept, edit or reject each.")
    return tr("There is nothing to review: the result has no findings.")


def decided_text(name: str, review: Review, tr: Translate = untranslated) -> str:
    """What was just decided."""
    return tr("{name}: {decision}.").format(name=name, decision=review_text(review, tr))


def undone_text(name: str, tr: Translate = untranslated) -> str:
    """A decision was taken back."""
    return tr("{name}: the last decision is taken back.").format(name=name)


def editing_text(name: str, tr: Translate = untranslated) -> str:
    """What to do while a segment is edited."""
    return tr("{name} is in the Segment Editor. Come back here when it is right, and press Done editing.").format(
        name=name
    )


def unread_text(names: Sequence[str], tr: Translate = untranslated) -> str:
    """Voxels were drawn and not taken."""
    told = tr("Changed in the scene and not taken: {names}. Choose each and press Done editing, or undo the drawing.")
    return told.format(names=", ".join(names))


def stage_text(stage: str, tr: Translate = untranslated) -> str:
    """What is being done, in words; a stage without words comes as it is."""
    known = {
        "": "",
        "start": tr("Starting"),
        "read": tr("Reading the result"),
        "compare": tr("Comparing the image"),
        "image": tr("Reading the image"),
        "save": tr("Saving"),
        "done": tr("Done"),
    }
    return known.get(stage, stage)


def progress_text(stage: str, seconds_left: float | None, tr: Translate = untranslated) -> str:
    """The stage and the time that is left, in one line."""
    return " – ".join(filter(None, [stage_text(stage, tr), known_time_left(seconds_left, tr)]))


def _interval(interval: Interval | None, form: str, tr: Translate) -> str:
    if interval is None:
        return ""
    return " " + tr("({low} to {high})").format(low=f"{interval.low:{form}}", high=f"{interval.high:{form}}")
