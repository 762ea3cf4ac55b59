"""Every sentence of the module MedAI Models, in the language of the person who reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from slicermedai.app.models_state import CHANGED, REFUSED, RUNS, ModelShown, ModelsState, Verdict
from slicermedai.app.words import Translate, untranslated
from slicermedai.app.words import stage_text as shared_stage_text
from slicermedai.domain.estimate import Took

DEMONSTRATION = "DEMONSTRATION WEIGHTS: not for patients."


def columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of models; :func:`row` fills it."""
    return [tr("Model"), tr("Task"), tr("Images"), tr("State"), tr("Calibration"), tr("Size")]


def row(model: ModelShown, tr: Translate = untranslated) -> tuple[str, ...]:
    """One model as texts, in the order of :func:`columns`."""
    images = ", ".join(model.modality) or tr("any")
    return (model.title, model.task, images, state_text(model, tr), model.calibration, size_text(model.size))


def state_text(model: ModelShown, tr: Translate = untranslated) -> str:
    """Whether it may run, and whether its name stands for it."""
    said = [tr("in use") if model.in_use else tr("another version is in use")]
    if model.waits_for_consent:
        said.insert(0, tr("waits for consent"))
    if model.demonstration:
        said.insert(0, tr("demonstration"))
    return ", ".join(said)


def size_text(size: int) -> str:
    """Bytes for people."""
    return f"{size / 2**20:.1f} MiB"


def detail(model: ModelShown | None, tr: Translate = untranslated, *, took: Sequence[Took] = ()) -> str:
    """All that is known of a model, a line each; ``took`` is what its runs on this computer took."""
    if model is None:
        return ""
    lines = [tr(DEMONSTRATION)] if model.demonstration else []
    lines += [
        tr("Intended use: {text}").format(text=model.intended_use or tr("not stated")),
        tr("Licence: {text}").format(text=model.licence or tr("not stated")),
        tr("Confidence: {text}").format(text=model.calibration),
    ]
    if model.runs_code:
        given = tr("agreed to by: {who}").format(who=model.consent)
        asked = tr("nobody agreed yet; read it before you do")
        lines.append(tr("Runs code of its own: {text}").format(text=given if model.consent else asked))
    if not model.own:
        lines.append(tr("It lies in a shared folder, which this installation does not change."))
    if model.verdict:
        lines.append(tr("Last look: {text}").format(text=verdict_text(model.verdict, tr)))
        lines += _report_lines(model.verdict, tr)
    if took:
        last = took[-1].network_seconds + took[-1].rest_seconds
        text = tr("Runs on this computer: {count}, the last took {seconds:.0f} s on {device}")
        lines.append(text.format(count=len(took), seconds=last, device=took[-1].device))
    lines.append(tr("Weights, SHA-256: {hash}").format(hash=model.weights_sha256))
    lines.append(tr("Folder: {path}").format(path=from_home(model.folder)))
    lines += [tr("Labels:"), *(f"  {label}" for label in model.labels)]
    if model.record:
        lines += [tr("Trust record:"), *(f"  {line}" for line in model.record)]
    return "\n".join(lines)


def from_home(path: Path | str) -> str:
    """A path as people write it: from ``~`` on where it lies in their home."""
    with suppress(ValueError, RuntimeError):
        return str("~" / Path(path).relative_to(Path.home()))
    return str(path)


def _report_lines(verdict: Verdict, tr: Translate) -> list[str]:
    """What had to be done for a model that ran, and its steps, as the engine says them."""
    kind, *rest = verdict
    lines = rest[3:] if kind == RUNS else []
    return [tr("Report of the try:"), *(f"  {line}" for line in lines)] if lines else []


def verdict_text(verdict: Verdict, tr: Translate = untranslated) -> str:
    """What a look at a model found; what a model or an error says itself comes as it is."""
    kind, *rest = verdict
    if kind == RUNS:
        text = tr("runs here: {count} regions in {image}, {seconds} s on the CPU")
        return text.format(count=rest[0], image=_image_text(rest[2], tr), seconds=rest[1])
    if kind == REFUSED:
        text = tr("does not run here, on {image}: {reason}") if rest[1] else tr("does not run here: {reason}")
        return text.format(image=_image_text(rest[1], tr), reason=rest[0])
    return rest[0] if kind == CHANGED else tr("all files are as they came")


def _image_text(sample: str, tr: Translate) -> str:
    return tr("its own sample, {name}").format(name=sample) if sample else tr("a generated image")


def stage_text(stage: str, tr: Translate = untranslated) -> str:
    """What goes on."""
    known = {
        "list": tr("Looking which models are here"),
        "import": tr("Taking the model in"),
        "read model": tr("Reading the model"),
        "install model": tr("Installing the model"),
        "download": tr("Downloading"),
        "fetch": tr("Fetching the model"),
        "fetch model": tr("Fetching the model"),
        "verify": tr("Hashing all files"),
        "check": tr("Trying the model"),
        "remove": tr("Removing"),
        "draw": tr("Drawing its trust record"),
    }
    return known.get(stage) or shared_stage_text(stage, tr)


def outcome(state: ModelsState, verdicts: Mapping[str, Verdict], tr: Translate = untranslated) -> str:
    """What was done, once it is on the disk."""
    title = next(iter(verdicts), state.chosen)
    if state.doing == "verify":
        wrong = [f"{name}: {verdict_text(said, tr)}" for name, said in verdicts.items() if said[0] == CHANGED]
        good = tr("All files are as they came. Models looked at: {count}.").format(count=len(verdicts))
        return "\n".join([tr("Do not use:"), *wrong]) if wrong else good
    if state.doing == "check":
        return f"{title} {verdict_text(verdicts[title], tr)}"
    known = {
        "import": tr("{title} is installed."),
        "fetch": tr("{title} is installed."),
        "pin": tr("The name alone stands for {title} from now on."),
        "roll back": tr("The name alone stands for {title} again."),
        "remove": tr("It is removed."),
        "agree": tr("{title} may run its code, as long as its files stay as they are."),
        "draw": tr("The trust record of {title} is drawn.")
        if state.pictures
        else tr("The trust record of {title} has nothing that could be drawn: see its lines above."),
    }
    if state.doing in known:
        return known[state.doing].format(title=title)
    count = len(state.models)
    return tr("Models here: {count}.").format(count=count) if count else nothing_text(state, tr)


def nothing_text(state: ModelsState, tr: Translate = untranslated) -> str:
    """What to do where no model is here."""
    return tr("No model is here yet. Take one in below, or fetch {known}.").format(known=", ".join(state.known))


def remove_question(model: ModelShown, tr: Translate = untranslated) -> str:
    """Asked before a version goes."""
    text = tr("Remove {title} from this computer ({size})? Results that it made stay.")
    return text.format(title=model.title, size=size_text(model.size))


def fetch_question(title: str, tr: Translate = untranslated) -> str:
    """Asked before the network is."""
    return tr("Fetch {title} from the Python Package Index now? Its hash is checked.").format(title=title)
