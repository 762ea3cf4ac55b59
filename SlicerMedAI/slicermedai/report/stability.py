"""How the result moved when the image was changed within scanner noise: what was changed, and each worst move."""

from __future__ import annotations

from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.stability import StructureStability
from slicermedai.report.markup import Html, items, number, section, table, tag, terms

_HEADINGS = ("Finding", "Lowest Dice", "Largest change of volume", "Stable")


def stability_section(result: AnalysisResult) -> Html:
    """Numbers of the check; where none was asked for, that is said."""
    found = result.stability
    if found is None:
        return section("stability", "Stability", tag("p", "Not assessed: no stability check was asked for."))
    names = {one.tracking_uid: one.label.name for one in result.findings}
    steady = "yes" if found.is_whole else "as far as it was tried"
    rows = [_row(names[one.tracking_uid], one, steady) for one in found.structures if one.tracking_uid in names]
    bounds = f"Dice {found.dice_bound:g} with the result itself, and {found.volume_bound:g} % of its volume"
    said = terms([("Tried", "; ".join(found.perturbations) or "nothing"), ("Bounds", bounds)])
    numbers = table("How each structure moved", _HEADINGS, rows) if rows else ""
    return section("stability", "Stability", items(found.notes), said, numbers)


def _row(name: str, one: StructureStability, steady: str) -> tuple[object, ...]:
    return name, number(one.lowest_dice), f"{one.largest_change:+.1f} %", one.reason or steady
