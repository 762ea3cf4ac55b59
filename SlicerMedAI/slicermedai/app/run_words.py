"""Sentences of the module MedAI about what a run takes, its several images and the queue, in a person's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slicermedai.app.run_inputs import doubled, missing, strangers
from slicermedai.app.run_options import SAMPLES, SampleWays
from slicermedai.app.state import InputRow, QueueRow
from slicermedai.app.words import Translate, state_cell, untranslated
from slicermedai.domain.estimate import Estimate, Span, flops, rounded


def estimate_text(estimate: Estimate | None, tr: Translate = untranslated) -> str:
    """What a run will take, in one paragraph; "" where nothing is known."""
    if estimate is None:
        return ""
    if not estimate.frames:
        told = tr("This is a series over time: {what}. Tick Every frame over time, or the run will be refused.")
        return told.format(what=estimate.over_time)
    size = [_memory(estimate, tr), _arithmetic(estimate, tr), _too_much(estimate, tr)]
    parts = [_frames(estimate, tr), _time(estimate, tr), *size]
    return " ".join(filter(None, parts))


def _frames(estimate: Estimate, tr: Translate) -> str:
    if not estimate.over_time:
        return ""
    return tr("Every frame of a series over time: {what}; each is run as one image.").format(what=estimate.over_time)


def _time(estimate: Estimate, tr: Translate) -> str:
    if estimate.seconds is None:
        return tr("No run like this one of this model here yet: its time is not known.")
    text = tr("Estimated for this machine: {span}, as 1 run here took.")
    if estimate.runs > 1:
        text = tr("Estimated for this machine: {span}, as {count} runs here took.")
    return text.format(span=span_text(estimate.seconds, tr), count=estimate.runs)


def _memory(estimate: Estimate, tr: Translate) -> str:
    size = estimate.workload.memory
    if not size:
        return tr("Memory cannot be foreseen for this kind of model.")
    about, at_most = tr("Peak memory about {size:.1f} GB"), tr("Peak memory at most {size:.1f} GB")
    text = at_most if estimate.workload.at_most else about
    free = tr(" of {free:.1f} GB that are free").format(free=estimate.free / 1e9) if estimate.free else ""
    return text.format(size=size / 1e9) + free + "."


def _arithmetic(estimate: Estimate, tr: Translate) -> str:
    count = flops(estimate.workload.operations)
    if not count:
        return ""
    return (tr("At most {count}.") if estimate.workload.at_most else tr("{count}.")).format(count=count)


def _too_much(estimate: Estimate, tr: Translate) -> str:
    return tr("That is more than is free: the run would be refused.") if estimate.is_too_much else ""


def span_text(seconds: Span, tr: Translate = untranslated) -> str:
    """ "40 s to 2 min", "about 50 s"."""
    low, high = (_rounded(value, tr) for value in seconds)
    return tr("about {time}").format(time=high) if low == high else tr("{low} to {high}").format(low=low, high=high)


def _rounded(seconds: float, tr: Translate) -> str:
    count, unit = rounded(seconds)
    return (tr("{count} min") if unit == "min" else tr("{count} s")).format(count=count)


def trust_text(found: Mapping[str, Any], tr: Translate = untranslated) -> str:
    """Whether scores will be calibrated, by what :mod:`slicermedai.app.trust_answer` found; {} for no record."""
    if "unreadable" in found:
        return tr("Confidence: not calibrated, for its trust record cannot be used. {why}").format(
            why=found["unreadable"]
        )
    if not found or not found["calibrated"]:
        none = tr("Confidence: not calibrated. No trust record is in use for this model and its preprocessing.")
        return none if not found else tr("Confidence: not calibrated. Its trust record could calibrate nothing.")
    if found["generated"]:
        return tr("Confidence: not calibrated. Its trust record was fitted on generated data: for no real image.")
    known = _record_text(found, tr)
    if found.get("applies") is False:
        return tr("Confidence: not calibrated for this image: {why}. ({known})").format(
            why="; ".join(found["reasons"]), known=known
        )
    parts = [tr("Confidence: calibrated for {names}, by its trust record ({known}).")]
    parts += [tr("Not known: {doubts}.")] if found.get("reasons") else []
    parts += [] if "applies" in found else [tr("Whether it speaks for an image is told once one is chosen.")]
    names, doubts = ", ".join(found["calibrated"]), "; ".join(found.get("reasons", ()))
    return " ".join(parts).format(names=names, known=known, doubts=doubts)


def _record_text(found: Mapping[str, Any], tr: Translate) -> str:
    scope = ", ".join(found["scope"]) or tr("of no known scanner or site")
    text = tr("{date}, {count} patients, {scope}")
    return text.format(date=found["date"], count=found["patients"], scope=scope)


def samples_text(way: str, tr: Translate = untranslated) -> str:
    """A way to ask for further answers."""
    known = {
        "none": tr("none"),
        "flips": tr("of mirrored images (up to eight times as long)"),
        "folds": tr("of each network that it ships (one run for each)"),
        "dropout": tr("with its dropout left on (eight times as long)"),
    }
    return known[way]


def not_offered_text(title: str, ways: SampleWays, tr: Translate = untranslated) -> str:
    """Why not all ways are offered; "" where no model is chosen, or all are."""
    if not title:
        return ""
    if not ways.knows(title):
        return tr("Whether it can also be asked by folds or dropout is known once time and memory are.")
    why = [ways.refusal(title, way) for way in SAMPLES]
    return " ".join(tr("Not offered: {why}").format(why=one) for one in dict.fromkeys(why) if one)


def not_over_time_text(samples: str, stability: int, tr: Translate = untranslated) -> str:
    """Why every frame cannot be run with what is asked for beside; "" where it can."""
    asked = [tr("further answers")] if samples != SAMPLES[0] else []
    asked += [tr("the stability check")] if stability else []
    told = tr("Every frame over time is run without {what}, which is of one image: ask for one of the two.")
    return told.format(what=" / ".join(asked)) if asked else ""


def one_image_text(title: str, tr: Translate = untranslated) -> str:
    """Why a model cannot be run over time."""
    return tr("{title} cannot run over time: that is for models of one image that segment it.").format(title=title)


def input_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of a model's images."""
    return [tr("The model's image"), tr("Taken for it")]


def input_rows(rows: Sequence[InputRow], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """Which image is which."""
    return [(row.name, row.text or tr("none yet: choose one")) for row in rows]


def inputs_text(rows: Sequence[InputRow], tr: Translate = untranslated) -> str:
    """Why a model that takes several images cannot run yet; "" where it can."""
    strange = strangers(rows)
    if strange:
        own = next(row.name for row in rows if row.patient)
        text = tr("{names} show another patient than {first}: choose images of one patient.")
        return text.format(names=", ".join(strange), first=own)
    lacking, twice = missing(rows), doubled(rows)
    if lacking:
        return tr("Choose an image for: {names}.").format(names=", ".join(lacking))
    if twice:
        return tr("{names} have the same image: choose one for each.").format(names=", ".join(twice))
    return ""


def queue_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of runs."""
    return [tr("Image"), tr("Model"), tr("State"), tr("Time (s)"), tr("Why")]


def queue_rows(rows: Sequence[QueueRow], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The runs, in their order."""
    return [
        (one.image, one.title, state_cell(one.state, tr), "" if one.seconds is None else f"{one.seconds:.0f}", one.why)
        for one in rows
    ]


def result_text(image: str, title: str, tr: Translate = untranslated) -> str:
    """Whose numbers stand in the table: another image may be chosen by now."""
    return tr("Of {image}, by {title}:").format(image=image, title=title)


def none_suits(title: str, tr: Translate = untranslated) -> str:
    """Why nothing was picked of a patient or study."""
    return tr(
        "None of these series is one that {title} was made for: tick one by itself to run it all the same."
    ).format(title=title)


def not_there(tr: Translate = untranslated) -> str:
    """Why a path is not run."""
    return tr("It is not there.")


def left_out(images: Sequence[str], tr: Translate = untranslated) -> str:
    """Images of a study that a model of several images takes for none of them; "" where it takes all."""
    return tr("Not taken: {images}.").format(images=", ".join(images)) if images else ""


def pick_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of runs that would be made."""
    return [tr("Will be run"), tr("To note")]


def pick_rows(planned: Sequence[Any], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """What would be run (:class:`slicermedai.app.run_picks.Planned`); of what cannot be, why not."""
    why = tr("Not run: {why}")
    return [
        (one.text, " ".join(filter(None, [one.why_not and why.format(why=one.why_not), one.note]))) for one in planned
    ]


def pick_text(planned: Sequence[Any], tr: Translate = untranslated) -> str:
    """The button's text: how many runs it would ask for."""
    count = sum(not one.why_not for one in planned)
    return tr("Run all {count} of these").format(count=count) if count > 1 else tr("Run what is picked")


def nothing_chosen(tr: Translate = untranslated) -> str:
    """Why nothing was taken from the DICOM browser."""
    return tr("No series of images is chosen in the DICOM browser: open Add DICOM Data, and choose a series there.")
