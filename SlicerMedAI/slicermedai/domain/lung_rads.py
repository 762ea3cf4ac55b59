"""What the size of a lung nodule alone suggests in Lung-RADS v2022; a person decides.

Source: American College of Radiology, Lung-RADS v2022 (November 2022); Christensen et al., "ACR Lung-RADS v2022:
Assessment Categories and Management Recommendations", J Am Coll Radiol 2024;21:473-488. Of that table only what
size, type and growth decide is here: juxtapleural, airway and cystic nodules, slow growth, suspected infection, the
steps down after follow-up and category 4X need a reader.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from slicermedai.domain.codes import IN_BOX, LONG_AXIS, SHORT_AXIS
from slicermedai.domain.decisions import last_decisions
from slicermedai.domain.finding import Finding
from slicermedai.domain.nodule import Nodule, NoduleChange, NoduleType
from slicermedai.domain.result import AnalysisResult, Decision, Review
from slicermedai.domain.study import Identity
from slicermedai.errors import InputError

SOURCE = "ACR Lung-RADS v2022, by size alone"
CAUTION = "Suggestion only: it rests on the nodule type and change that a person entered, and a person decides."
_NODULE = ("SCT", "27925004")
_LUNG = frozenset({"lung", "lungs", "pulmonary"})
_OF_NO_ORGAN = frozenset({"left", "right", "nodule", "nodules"})
_WORD = re.compile(r"[^\W\d_]+")
_FROM_RESULT, _FROM_PERSON = "as measured in this result", "as the person measured it"
_FROM_BOX = f"as measured in this result ({IN_BOX.meaning.lower()})"
_NO_SOLID_PART = "its size in the box may be that of its solid part alone"
"""Half of the contrast finds a core in a thin rim of ground glass: :mod:`slicermedai.measure.in_box`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A Lung-RADS category ("2", "3", "4A", "4B") and where it comes from."""

    category: str
    source: str = SOURCE
    caution: str = CAUTION

    @property
    def in_words(self) -> str:
        """One line for people."""
        return f"Lung-RADS {self.category} ({self.source}). {self.caution}"


# For each change: from which mean diameter (mm) on which category; "" where size alone does not decide.
_SOLID = {
    NoduleChange.BASELINE: ((0.0, "2"), (6.0, "3"), (8.0, "4A"), (15.0, "4B")),
    NoduleChange.NEW: ((0.0, "2"), (4.0, "3"), (6.0, "4A"), (8.0, "4B")),
    NoduleChange.GROWING: ((0.0, "4A"), (8.0, "4B")),
}
_NON_SOLID = {
    NoduleChange.BASELINE: ((0.0, "2"), (30.0, "3")),
    NoduleChange.NEW: ((0.0, "2"), (30.0, "3")),
    NoduleChange.GROWING: ((0.0, "2"), (30.0, "")),
}
_SOLID_PART = {
    NoduleChange.BASELINE: ((0.0, "3"), (6.0, "4A"), (8.0, "4B")),
    NoduleChange.NEW: ((0.0, "4A"), (4.0, "4B")),
    NoduleChange.GROWING: ((0.0, "4A"), (4.0, "4B")),
}
_SMALL_PART_SOLID = {NoduleChange.BASELINE: "2", NoduleChange.NEW: ""}
"""Less than 6 mm in all. A new nodule has category 3, a new solid part in a known one another: "new" does not tell."""
_LAST_DIGIT = 1e-9
"""What the last digits of a number in binary may lack."""


def mean_diameter(long_axis: float, short_axis: float) -> float:
    """The mean of both axes in mm, to one decimal as each of them, as Lung-RADS has it (halves up)."""
    tenths = [math.floor(axis * 10 + 0.5 + _LAST_DIGIT) for axis in (long_axis, short_axis)]
    return (sum(tenths) + 1) // 2 / 10


def suggest(
    kind: NoduleType | None,
    diameter: float,
    *,
    change: NoduleChange | None,
    solid_part: float | None = None,
) -> Suggestion:
    """The category that size suggests.

    Parameters
    ----------
    kind, change:
        As a person entered them. For a part-solid nodule "new" and "growing" are said of its solid component.
    diameter:
        Mean diameter of the whole nodule in mm, see :func:`mean_diameter`.
    solid_part:
        Mean diameter of the solid component in mm; a part-solid nodule needs it.

    Raises
    ------
    InputError
        Type, change or the solid component was not entered, a size is no length, or the table has no row that size
        alone decides.
    """
    if not isinstance(kind, NoduleType):
        raise InputError("the type of the nodule was not entered", attribute="kind", advice="A person has to say it.")
    if not isinstance(change, NoduleChange):
        raise InputError(
            "baseline, new, growing or stable was not entered", attribute="change", advice="Compare and say it."
        )
    size = _length(diameter, "diameter")
    if change is NoduleChange.STABLE:
        raise InputError(
            "a stable nodule steps down from its earlier category by the time between, and not by size",
            attribute="change",
            advice="A reader has to.",
        )
    if kind is NoduleType.PART_SOLID:
        return _part_solid(size, change, solid_part)
    rows = _SOLID if kind is NoduleType.SOLID else _NON_SOLID
    return _suggestion(_row(rows[change], size))


def is_nodule(finding: Finding) -> bool:
    """True for a finding that is coded as a nodule, of whatever organ."""
    code = finding.label.type
    return (code.scheme, code.value) == _NODULE


def refusal(result: AnalysisResult, finding: Finding) -> str:
    """Why the table is not for ``finding``; "" where it is.

    It is for lung nodules in CT: a label that names another organ, or says more than "nodule" without naming the lung,
    is refused, and so are weights for demonstration.
    """
    if not is_nodule(finding):
        return "it is not labelled as a nodule"
    said = {word.lower() for word in _WORD.findall(finding.label.name)}
    if not said & _LUNG and said - _OF_NO_ORGAN:
        return "its label does not say that it is of the lung"
    if result.provenance.demonstration:
        return "demonstration weights found it"
    if not result.sources or any(one.modality != "CT" for one in result.sources):
        return "the images are not known to be CT"
    return ""


def is_of_box(finding: Finding) -> bool:
    """True where its axes are of the lesion inside a detector's box, segmented by contrast and not by the model."""
    return any(one.method == IN_BOX for one in finding.measurements)


def measured(finding: Finding, kind: NoduleType | None = None) -> float | None:
    """The mean of long and short axis in mm, to one decimal; None where either was not measured.

    None for a part-solid nodule in a box too (``kind``, as a person entered it): what was found there may be its solid
    part alone.
    """
    if kind is NoduleType.PART_SOLID and is_of_box(finding):
        return None
    sizes = {one.name: one.value for one in finding.measurements if not one.missing}
    both = [sizes.get(name, math.nan) for name in (LONG_AXIS, SHORT_AXIS)]
    return mean_diameter(*both) if all(math.isfinite(one) and one > 0 for one in both) else None


def suggested(result: AnalysisResult, finding: Finding, nodule: Nodule, *, edited: bool = False) -> Suggestion:
    """What the size of ``finding`` and what a person entered of it suggest.

    ``finding`` as it is with all decisions. Where it was ``edited``, the size counts that a person enters alone: the
    voxels are measured anew only as they are saved, and nobody would have seen what follows under their name.

    Raises
    ------
    InputError
        The table is not for this finding, its size is not known, or as :func:`suggest`.
    """
    why_not = refusal(result, finding)
    if why_not:
        raise InputError(why_not, attribute="finding", advice="Lung-RADS is for lung nodules in CT.")
    size = _size(finding, nodule, edited=edited)
    if size is None:
        part = not edited and measured(finding) is not None
        why = _NO_SOLID_PART if part else "its size was not measured"
        raise InputError(why, attribute="diameter", advice="Measure it, and enter its size.")
    return suggest(nodule.kind, size, change=nodule.change, solid_part=nodule.solid_part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a person entered of a finding, and what follows: a category, or ``why_not``.

    ``size`` is the mean diameter in mm that counts, None where nobody measured it; ``measured_by_person`` tells whose,
    and ``in_box`` that the result has it from inside a detector's box.
    """

    nodule: Nodule
    size: float | None
    category: str = ""
    why_not: str = ""
    in_box: bool = False

    @property
    def measured_by_person(self) -> bool:
        """True where the person measured the size, and not the result."""
        return self.nodule.diameter is not None

    @property
    def how_measured(self) -> str:
        """Where the size comes from; "" where there is none."""
        if self.size is None:
            return ""
        return _FROM_PERSON if self.measured_by_person else _FROM_BOX if self.in_box else _FROM_RESULT


def advice(result: AnalysisResult, finding: Finding, review: Review | None) -> Advice | None:
    """What follows from the last decision about ``finding``, which is as it is with all decisions.

    None where no type was entered, or it was taken back, or the finding rejected.
    """
    nodule = review.nodule if review is not None and review.decision is not Decision.REJECTED else None
    if nodule is None or nodule.kind is None:
        return None
    edited = review is not None and review.decision is Decision.EDITED
    found = Advice(nodule=nodule, size=_size(finding, nodule, edited=edited), in_box=is_of_box(finding))
    try:
        return replace(found, category=suggested(result, finding, nodule, edited=edited).category)
    except InputError as error:
        return replace(found, why_not=error.message)


def in_words(result: AnalysisResult, finding: Finding) -> str:
    """What a person entered of ``finding``, what that suggests or why it suggests nothing, and who entered it.

    "" where nobody entered a type. On the pseudonymous route people have no names.
    """
    found = advice(result, finding, last_decisions(result).get(finding.tracking_uid))
    if found is None:
        return ""
    who = found.nodule.person if found.nodule.person and result.study.identity is Identity.KEEP else "a person"
    if not found.category:
        return f"{_said(found)}, entered by {who}. No Lung-RADS suggestion: {found.why_not}."
    told = f"Lung-RADS {found.category} ({SOURCE})"
    return f"{_said(found)}: {told}. Suggestion by size and type entered by {who}; a person decides."


def _size(finding: Finding, nodule: Nodule, *, edited: bool) -> float | None:
    return nodule.diameter or (None if edited else measured(finding, nodule.kind))


def _said(found: Advice) -> str:
    """ "Lung nodule, part-solid (solid part 4.0 mm), baseline, mean diameter 7.3 mm as measured in this result"."""
    nodule = found.nodule
    solid = f" (solid part {nodule.solid_part:.1f} mm)" if nodule.solid_part is not None else ""
    diameter = f", mean diameter {found.size:.1f} mm {found.how_measured}" if found.size is not None else ""
    return f"Lung nodule, {nodule.kind}{solid}, {nodule.change}{diameter}"


def _part_solid(size: float, change: NoduleChange, solid_part: float | None) -> Suggestion:
    if solid_part is None:
        raise InputError("a part-solid nodule needs the size of its solid component", attribute="solid_part")
    solid = _length(solid_part, "solid_part")
    if solid > size:
        raise InputError("the solid component is larger than the nodule", attribute="solid_part")
    if size < 6 and change in _SMALL_PART_SOLID:
        return _suggestion(_SMALL_PART_SOLID[change])
    return _suggestion(_row(_SOLID_PART[change], solid))


def _row(rows: tuple[tuple[float, str], ...], size: float) -> str:
    return [category for least, category in rows if size >= least][-1]


def _suggestion(category: str) -> Suggestion:
    if not category:
        raise InputError("size alone does not decide this nodule", attribute="diameter", advice="A reader has to.")
    return Suggestion(category=category)


def _length(value: float, name: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise InputError("is no length in mm", attribute=name)
    return math.floor(value * 10 + 0.5) / 10
