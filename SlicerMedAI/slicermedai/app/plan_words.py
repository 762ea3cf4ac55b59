"""Every sentence of the module MedAI Plan, in the language of the person who reads it.

Names of numbers, notes and warnings of the planning engine come as they are: they stand so in files too.
"""

from __future__ import annotations

from collections.abc import Sequence

from slicermedai.app.plan_ask import ANOTHER, NO_VIEW
from slicermedai.app.plan_edit import Step
from slicermedai.app.plan_roles import LEFT_OUT, Candidate
from slicermedai.app.plan_state import Numbers, PlanState
from slicermedai.app.review_words import result_text
from slicermedai.app.words import Translate, kept_state_text, untranslated
from slicermedai.app.words import time_left as known_time_left
from slicermedai.domain.codes import written
from slicermedai.domain.finding import Box
from slicermedai.domain.plan import BoxCut, Margin, MarginCut, PlaneCut, PlanStructure, Role

__all__ = ["result_text"]


def role_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of structures."""
    return [tr("Finding"), tr("Code"), tr("Role")]


def number_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of numbers."""
    return [tr("Structure"), tr("Number"), tr("Value"), tr("Part"), tr("Note")]


def step_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of margins and cuts."""
    return [tr("Name"), tr("Kind"), tr("Where (LPS mm)")]


def role_text(role: str, tr: Translate = untranslated) -> str:
    """A role in a word."""
    known = {
        LEFT_OUT: tr("left out"),
        Role.ORGAN: tr("organ"),
        Role.LESION: tr("lesion"),
        Role.VESSEL: tr("vessel"),
        Role.OTHER: tr("other"),
    }
    return known[role]


def role_rows(state: PlanState, tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The findings that can be planned with, their codes and roles."""
    roles = dict(state.roles)
    said = {role: role_text(role, tr) for role in {LEFT_OUT, *roles.values()}}
    return [
        (_counted(one, tr), f"{one.label.type.meaning} ({one.label.type.scheme} {one.label.type.value})",
         said[roles.get(one.name, LEFT_OUT)])
        for one in state.candidates
    ]  # fmt: skip


def _counted(one: Candidate, tr: Translate) -> str:
    return one.name if one.count == 1 else tr("{name} ({count} of them)").format(name=one.name, count=one.count)


def number_rows(numbers: Numbers | None, tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """All numbers as texts, in the order of :func:`number_columns`."""
    rows = numbers.rows if numbers is not None else ()
    return [
        (row.structure, row.quantity, _missing(row.missing, tr) if row.value is None else _value(row.value, row.unit),
         row.part, row.note)
        for row in rows
    ]  # fmt: skip


def headline_text(state: PlanState, tr: Translate = untranslated) -> str:
    """What is looked for first: what stays, and how near the vessels are; "" where there is no plan."""
    numbers, plan = state.numbers, state.plan
    if numbers is None or plan is None:
        return ""
    found = {row.quantity: row.value for row in numbers.rows if row.structure == plan.organ and row.value is not None}
    lines = [_remnant(found, tr)]
    ways = [row for row in numbers.rows if row.quantity == "shortest distance" and row.value is not None]
    if ways:
        nearest = min(ways, key=lambda row: row.value or 0.0)
        lines.append(tr("Nearest: {what}, {mm} mm.").format(what=nearest.structure, mm=f"{nearest.value:.1f}"))
    return " ".join(lines)


def _remnant(found: dict[str, float], tr: Translate) -> str:
    if "remnant volume" not in found:
        return tr("Nothing is cut yet: no remnant.")
    told = tr("Remnant {ml} ml, {percent} % of the functional volume").format(
        ml=f"{found['remnant volume']:.1f}", percent=f"{found['remnant of functional volume']:.1f}"
    )
    standard = found.get("remnant of standard liver volume")
    if standard is None:
        return tr("{told}; of the standard liver volume: not assessed.").format(told=told)
    return tr("{told}, {percent} % of the standard liver volume.").format(told=told, percent=f"{standard:.1f}")


def _value(value: float, unit: str) -> str:
    return (f"{value:.2f} {written(unit)}" if abs(value) < 10 else f"{value:.1f} {written(unit)}").rstrip()


def _missing(why: str, tr: Translate) -> str:
    return tr("not measured") if why == "not measured" else kept_state_text(why, tr)


def step_rows(steps: Sequence[Step], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """Margins and cuts as texts, in the order of :func:`step_columns`."""
    return [(_name(one), _kind(one, tr), _where(one, tr)) for one in steps]


def _name(step: Step) -> str:
    return f"{step.lesion} + {step.width:g} mm" if isinstance(step, Margin) else step.name


def _kind(step: Step, tr: Translate) -> str:
    if isinstance(step, Margin):
        return tr("safety margin")
    return {PlaneCut: tr("cut by plane"), BoxCut: tr("cut by box"), MarginCut: tr("cut with margin")}[type(step)]


def _where(step: Step, tr: Translate) -> str:
    if isinstance(step, PlaneCut):
        known = {"right": tr("right"), "left": tr("left"), "anterior": tr("anterior"), "posterior": tr("posterior")}
        known |= {"inferior": tr("inferior"), "superior": tr("superior")}
        sides, told = ", ".join(known[side] for side in step.sides), tr("takes {sides} of {point}, along {normal}")
        return told.format(sides=sides, point=_place(step.point, 1), normal=_place(step.normal, 2))
    if isinstance(step, BoxCut):
        return _box(step.box, tr)
    return tr("{lesion} and {width} mm around it").format(lesion=step.lesion, width=f"{step.width:g}")


def _box(box: Box, tr: Translate) -> str:
    if box.geometry is None:
        return tr("{low} to {high}").format(low=_place(box.low, 1), high=_place(box.high, 1))
    middle, edges, axes = box.frame
    told = tr("oblique, {size} mm around {middle}, along {axes}")
    return told.format(
        size=" x ".join(f"{edge:.1f}" for edge in edges),
        middle=_place(middle.tolist(), 1),
        axes=", ".join(_place(axis.tolist(), 2) for axis in axes.T),
    )


def _place(values: Sequence[float], digits: int) -> str:
    return f"({', '.join(f'{round(value, digits) + 0.0:.{digits}f}' for value in values)})"  # never -0.0


def structure_text(one: PlanStructure, tr: Translate = untranslated) -> str:
    """A structure in a list."""
    told = f"{one.name} – {role_text(one.role, tr)}"
    return f"{told}, {tr('edited')}" if one.edited else told


def warnings_text(state: PlanState, tr: Translate = untranslated) -> str:
    """What must be read before the numbers; "" where there is nothing."""
    if state.result is None:
        return ""
    stale = tr("Changed in the scene, and not in the numbers yet: {names}.").format(names=", ".join(state.stale))
    made = state.result.provenance
    demonstration = tr("Demonstration weights: what they find has no diagnostic value.") if made.demonstration else ""
    lines = [stale if state.stale else "", *(state.numbers.warnings if state.numbers else ())]
    lines += [demonstration, state.remark]
    lines += [tr("Warning of the run: {text}.").format(text=line.rstrip(".")) for line in made.warnings]
    return "\n".join(filter(None, lines))


def contours_text(state: PlanState, tr: Translate = untranslated) -> str:
    """Of which structures there are contours, and of what they are made."""
    plan = state.plan
    if plan is None:
        return ""
    if not plan.contours:
        return tr("Inner and outer contours: not assessed.")
    told = tr("Inner and outer contours of {names}: {basis}, level {level}.")
    basis = "; ".join(sorted({one.basis for one in plan.contours}))
    return told.format(
        names=", ".join(one.structure for one in plan.contours), basis=basis, level=f"{plan.contours[0].level:.0%}"
    )


def phases_text(state: PlanState, tr: Translate = untranslated) -> str:
    """How other phases lie to that of the plan, with the residual."""
    plan = state.plan
    if plan is None or not plan.alignments:
        return tr("No second phase: alignment not assessed.") if plan is not None else ""
    return "\n".join(one.in_words for one in plan.alignments)


def standing_text(state: PlanState, tr: Translate = untranslated) -> str:
    """What the plan holds, and whether it is saved."""
    plan = state.plan
    if plan is None:
        return ""
    told = tr("Plan of {organ} – structures: {structures}, margins: {margins}, cuts: {cuts}.").format(
        organ=plan.organ, structures=len(plan.structures), margins=len(plan.margins), cuts=len(plan.cuts)
    )
    saved = tr("Not saved yet.") if state.pending else tr("Saved.") if state.kept is plan else ""
    return " ".join(filter(None, [told, saved]))


def anew_question(tr: Translate = untranslated) -> str:
    """Asked before a plan that is saved nowhere is given up."""
    return tr("This plan is not saved. Give it up, and begin with a new one?")


def editing_text(name: str, tr: Translate = untranslated) -> str:
    """What to do while a segment is edited."""
    return tr("{name} is in the Segment Editor. Come back here when it is right: the numbers follow.").format(name=name)


def page_text(name: str, pictures: int, why: str, tr: Translate = untranslated) -> str:
    """What was printed, and why it has no pictures where it has none."""
    told = tr("Written: {name}.").format(name=name)
    missing = tr("No pictures: {why}.").format(why=tr("no view is open") if why == NO_VIEW else why.rstrip("."))
    return f"{told} {missing if why else tr('Pictures: {count}.').format(count=pictures)}"


def remark_text(remark: str, tr: Translate = untranslated) -> str:
    """What is to be known of a plan that was opened; what an error says comes as it is."""
    if not remark.startswith(ANOTHER):
        return remark
    told = tr("The plan that is saved here was begun with other findings, so a new one is begun: {reason}")
    return told.format(reason=remark.removeprefix(ANOTHER))


def stage_text(stage: str, tr: Translate = untranslated) -> str:
    """What is being done, in words; a stage without words comes as it is."""
    known = {
        "": "",
        "start": tr("Starting"),
        "open": tr("Reading the result"),
        "image": tr("Reading the image"),
        "compare": tr("Comparing the image"),
        "work": tr("Working out the numbers"),
        "shapes": tr("Making surfaces"),
        "register": tr("Registering the phases"),
        "phase_series": tr("Reading the other phase"),
        "phase": tr("Reading the other phase"),
        "save": tr("Saving"),
        "surfaces": tr("Writing surfaces"),
        "page": tr("Making the page"),
        "done": tr("Done"),
    }
    return known.get(stage, stage)


def progress_text(stage: str, seconds_left: float | None, tr: Translate = untranslated) -> str:
    """The stage and the time that is left, in one line."""
    return " – ".join(filter(None, [stage_text(stage, tr), known_time_left(seconds_left, tr)]))
