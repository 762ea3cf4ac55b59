"""Sentences of the module MedAI about what a run takes, its several images and the queue, in a person's language."""

from __future__ import annotations

from collections.abc import Sequence

from slicermedai.app.run_inputs import doubled, missing, strangers
from slicermedai.app.state import InputRow, QueueRow
from slicermedai.app.words import Translate, state_text, untranslated
from slicermedai.domain.estimate import Estimate, Span, rounded


def estimate_text(estimate: Estimate | None, tr: Translate = untranslated) -> str:
    """What a run will take, in one paragraph; "" where nothing is known."""
    if estimate is None:
        return ""
    parts = [_time(estimate, tr), _memory(estimate, tr), _arithmetic(estimate, tr), _too_much(estimate, tr)]
    return " ".join(filter(None, parts))


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
    count = estimate.workload.operations / 1e12
    if not count:
        return ""
    text = tr("At most {count:.3g} TFLOP.") if estimate.workload.at_most else tr("{count:.3g} TFLOP.")
    return text.format(count=count)


def _too_much(estimate: Estimate, tr: Translate) -> str:
    return tr("That is more than is free: the run would be refused.") if estimate.is_too_much else ""


def span_text(seconds: Span, tr: Translate = untranslated) -> str:
    """ "40 s to 2 min", "about 50 s"."""
    low, high = (_rounded(value, tr) for value in seconds)
    return tr("about {time}").format(time=high) if low == high else tr("{low} to {high}").format(low=low, high=high)


def _rounded(seconds: float, tr: Translate) -> str:
    count, unit = rounded(seconds)
    return (tr("{count} min") if unit == "min" else tr("{count} s")).format(count=count)


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
        (one.image, one.title, state_text(one.state, tr), "" if one.seconds is None else f"{one.seconds:.0f}", one.why)
        for one in rows
    ]


def result_text(image: str, title: str, tr: Translate = untranslated) -> str:
    """Whose numbers stand in the table: another image may be chosen by now."""
    return tr("Of {image}, by {title}:").format(image=image, title=title)


def nothing_chosen(tr: Translate = untranslated) -> str:
    """Why nothing was taken from the DICOM browser."""
    return tr("No series of images is chosen in the DICOM browser: open Add DICOM Data, and choose a series there.")
