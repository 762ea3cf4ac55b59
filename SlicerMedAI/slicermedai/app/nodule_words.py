"""What the module MedAI Review says of lung nodules, in the language of the person who reads it."""

from __future__ import annotations

from slicermedai.app.words import Translate, untranslated
from slicermedai.domain.lung_rads import SOURCE, Advice
from slicermedai.domain.nodule import NoduleChange, NoduleType


def kinds(tr: Translate = untranslated) -> list[tuple[str, str]]:
    """(what a presenter takes, what people read) of the types; "" enters none."""
    return [
        ("", tr("not entered")),
        (str(NoduleType.SOLID), tr("solid")),
        (str(NoduleType.PART_SOLID), tr("part-solid")),
        (str(NoduleType.NON_SOLID), tr("ground glass (non-solid)")),
    ]


def changes(tr: Translate = untranslated) -> list[tuple[str, str]]:
    """(what a presenter takes, what people read) of the changes against earlier examinations."""
    return [
        ("", tr("not entered")),
        (str(NoduleChange.BASELINE), tr("baseline")),
        (str(NoduleChange.NEW), tr("new")),
        (str(NoduleChange.GROWING), tr("growing")),
        (str(NoduleChange.STABLE), tr("stable")),
    ]


def advice_text(advice: Advice | None, tr: Translate = untranslated) -> str:
    """What was entered and what follows from it; "" where nothing was."""
    if advice is None:
        return ""
    told = tr("Nodule: {what}, entered by {person}.").format(what=_what(advice, tr), person=advice.nodule.person)
    return f"{told} {_follows(advice, tr)}"


def entered_text(advice: Advice | None, tr: Translate = untranslated) -> str:
    """What was just entered, or taken back."""
    return advice_text(advice, tr) or tr("The nodule's type is taken back: nothing is suggested.")


def hint_text(advice: Advice | None, refusal: str, *, is_decided: bool, tr: Translate = untranslated) -> str:
    """Below the fields: what follows, or what a person does to have a suggestion, or why there is none."""
    if refusal:
        return tr("No Lung-RADS suggestion: {why}. Lung-RADS is for lung nodules in CT.").format(why=tr(refusal))
    if not is_decided:
        return tr("Accept or edit the finding first; then say what type of nodule it is.")
    none_yet = tr("Without a type that a person enters nothing is suggested.")
    return _follows(advice, tr) if advice is not None else none_yet


def cannot_text(refusal: str, tr: Translate = untranslated) -> str:
    """Why a type was not taken."""
    return hint_text(None, refusal, is_decided=False, tr=tr)


def refused_text(why: str, tr: Translate = untranslated) -> str:
    """What was entered is not enough."""
    return tr("Not entered: {why}.").format(why=tr(why))


def _follows(advice: Advice, tr: Translate) -> str:
    if not advice.category:
        return tr("No Lung-RADS suggestion: {why}.").format(why=tr(advice.why_not))
    told = tr("Lung-RADS {category} ({source}): suggestion by size and type entered by {person}; a person decides.")
    return told.format(category=advice.category, source=tr(SOURCE), person=advice.nodule.person)


def _what(advice: Advice, tr: Translate) -> str:
    nodule = advice.nodule
    said = [dict(kinds(tr)).get(str(nodule.kind), ""), dict(changes(tr)).get(str(nodule.change), "")]
    if nodule.solid_part is not None:
        said.insert(1, tr("solid part {size} mm").format(size=f"{nodule.solid_part:.1f}"))
    if advice.size is not None:
        said.append(_measured(advice, tr).format(size=f"{advice.size:.1f}"))
    return ", ".join(said)


def _measured(advice: Advice, tr: Translate) -> str:
    if advice.measured_by_person:
        return tr("{size} mm as the person measured it")
    if advice.in_box:
        return tr("{size} mm as found in the box by half of its contrast, not validated")
    return tr("{size} mm as measured")
