"""Every sentence of the module MedAI Mark, in the language of the person who reads it."""

from __future__ import annotations

from collections.abc import Sequence

from slicermedai.app.mark_state import SAVE, MarkState
from slicermedai.app.words import Translate, confidence_text, stage_text, untranslated
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.prompts import BOX, INSIDE, OUTSIDE, BoxPrompt, Prompt, kind_of
from slicermedai.domain.result import AnalysisResult, Status


def mark_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of marks; :func:`mark_rows` fills it."""
    return [tr("Mark"), tr("Structure"), tr("Where (LPS mm)")]


def mark_rows(marks: Sequence[Prompt], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The marks as texts, in their order."""
    return [(kind_text(kind_of(one), tr), one.label, _where(one, tr)) for one in marks]


def kind_text(kind: str, tr: Translate = untranslated) -> str:
    """A kind of mark, in a word."""
    return {INSIDE: tr("inside"), OUTSIDE: tr("outside"), BOX: tr("box")}[kind]


def _where(mark: Prompt, tr: Translate) -> str:
    if isinstance(mark, BoxPrompt):
        return tr("{low} to {high}").format(low=_place(mark.low), high=_place(mark.high))
    return _place(mark.position)


def _place(values: Sequence[float]) -> str:
    return " ".join(f"{round(value, 1) + 0.0:.1f}" for value in values)  # never -0.0


def nothing_text(missing: Sequence[str], tr: Translate = untranslated) -> str:
    """What to do where no model can be asked."""
    if missing:
        text = tr("Not installed: {names}. Install what is missing first.")
        return text.format(names=", ".join(missing))
    return tr(
        "No model that goes by marks is installed. Open MedAI Models and take one in, for example vista3d or "
        "spleen_deepedit_annotation of MONAI's Model Zoo."
    )


def ready_text(state: MarkState, tr: Translate = untranslated) -> str:
    """What a person should do next."""
    if not state.image:
        return tr("Choose a volume.")
    if state.bundle is None:
        return tr("Choose a model.")
    if state.placing:
        return placing_text(state.placing, state.structure, tr)
    if not state.marks:
        return tr("Choose a structure and press Add points in; then click in it in a view.")
    return tr("Add a mark, or move one: the answer follows.")


def placing_text(kind: str, structure: str, tr: Translate = untranslated) -> str:
    """What the next click does."""
    known = {
        INSIDE: tr("Click in {name} in any view; each click is a mark. Escape or the button ends it."),
        OUTSIDE: tr("Click beside {name}, where it was taken for more than it is. Escape or the button ends it."),
        BOX: tr("Click two opposite corners of a box that holds all of {name}; its handles move it afterwards."),
    }
    return known[kind].format(name=structure or tr("the structure"))


def consent_text(bundle: BundleRef, tr: Translate = untranslated) -> str:
    """That a model needs somebody's word; "" where it does not, or has it from where it comes."""
    if not bundle.runs_code or bundle.consent:
        return ""
    return tr("It runs code of its own, to which somebody must have agreed in MedAI Models.")


def source_text(state: MarkState, tr: Translate = untranslated) -> str:
    """What of the volume is analysed, "" where none is chosen."""
    if not state.image:
        return ""
    if state.has_files:
        return tr("Analysed by the DICOM files that it was loaded from, and kept with SEG and SR.")
    return tr("Analysed by its voxels, since its DICOM files are not at hand: kept without SEG and SR.")


def device_text(device: str, tr: Translate = untranslated) -> str:
    """Where the model runs, as it is set."""
    name = tr("the fastest that is here") if device == "auto" else device
    return tr("Runs on: {name} (Application Settings, MedAI).").format(name=name)


def busy_text(state: MarkState, tr: Translate = untranslated) -> str:
    """What is being done and for how long, in one line; "" where nothing is."""
    is_keeping = state.activity == SAVE and state.stage == "start"
    stage = tr("Keeping the result") if is_keeping else stage_text(state.stage, tr)
    return tr("{stage} – {count} s").format(stage=stage, count=state.since) if stage else ""


def answer_text(state: MarkState, tr: Translate = untranslated) -> str:
    """What the answer is worth, before its numbers: of which marks it is, and that its score is not calibrated."""
    result = state.result
    if result is None:
        return ""
    lines = [] if state.is_answered else [tr("Of earlier marks: the last ones have no answer yet.")]
    lines += [tr("Warning: {text}.").format(text=line.rstrip(".")) for line in result.provenance.warnings]
    if result.provenance.demonstration:
        lines.append(tr("Demonstration weights: what they find has no diagnostic value."))
    lines += [_score(result, tr), state.remark]
    return "\n".join(filter(None, lines))


def _score(result: AnalysisResult, tr: Translate) -> str:
    if result.status is Status.FAILED:
        return tr("The model failed: {reason}").format(reason=result.message)
    if not result.findings:
        return tr("No finding.")
    states = sorted({confidence_text(finding.confidence.state, tr) for finding in result.findings})
    return tr("Score: {states}. Semi-automatic: it goes by your marks.").format(states=", ".join(states))


def answered_text(state: MarkState, tr: Translate = untranslated) -> str:
    """That the answer is there."""
    count = len(state.marks)
    return tr("Answered, by 1 mark.") if count == 1 else tr("Answered, by {count} marks.").format(count=count)


def kept_text(name: str, tr: Translate = untranslated) -> str:
    """That a result was kept."""
    return tr("Kept in {name}, with the marks. Next: review it, or pass it on.").format(name=name)
