"""How answers varied, and what maps there are: method, cost, numbers for each structure."""

from __future__ import annotations

from slicermedai.domain.maps import fixed_range
from slicermedai.domain.result import AnalysisResult, Map
from slicermedai.domain.uncertainty import StructureSpread, Uncertainty
from slicermedai.report.markup import Html, items, join, number, section, table, tag, terms

_HEADINGS = (
    "Finding",
    "Pairwise Dice",
    "Volume (ml), mean",
    "Standard deviation",
    "Smallest to largest",
    "Found in",
    "Disputed border (ml)",
)
_REGIONS = "what {:.0%} of the samples agree on; hidden in the scene at first"


def uncertainty_section(result: AnalysisResult) -> Html:
    """Numbers of the samples; where none were taken, that is said."""
    found = result.uncertainty
    if found is None:
        return section("uncertainty", "Uncertainty", tag("p", "Not assessed: no samples of the answer were taken."))
    names = {one.tracking_uid: one.label.name for one in result.findings}
    rows = [_row(names[one.tracking_uid], one, found) for one in found.structures if one.tracking_uid in names]
    said = terms(
        [
            ("Method", found.method),
            ("Samples", f"{found.samples}, the result itself {'' if found.includes_result else 'not '}among them"),
            *(("Check", one[:1].upper() + one[1:]) for one in found.checks),
            *((("Seeds", ", ".join(map(str, found.seeds))),) if found.seeds else ()),
            ("Cost", f"{found.cost:.1f} times the network's work of a run without samples"),
            *((("Inner and outer regions", _REGIONS.format(found.level)),) if found.structures else ()),
        ]
    )
    numbers = table("How each structure varied over the samples", _HEADINGS, rows) if rows else ""
    return section("uncertainty", "Uncertainty", items(found.notes), said, numbers)


def maps_section(result: AnalysisResult) -> Html:
    """What the maps show, and how each was made."""
    if not result.maps:
        return section("maps", "Maps", tag("p", "There are none."))
    return section("maps", "Maps", *(_map(one) for one in result.maps))


def _map(one: Map) -> Html:
    facts = [("Quantity", one.quantity.meaning), ("Unit", one.unit.meaning), *one.about]
    facts.append(("Largest value", number(float(one.array.max(initial=0)))))
    if ends := fixed_range(one):
        facts.append(("Colours", f"from {ends[0]:g} to {ends[1]:g} in every map of this kind, whoever the patient is"))
    return join([tag("h3", one.name), terms([(name[:1].upper() + name[1:], value) for name, value in facts])])


def _row(name: str, one: StructureSpread, found: Uncertainty) -> tuple[object, ...]:
    return (
        name,
        number(one.pairwise_dice),
        number(one.volume_mean),
        number(one.volume_deviation),
        join([number(one.volume_low), number(one.volume_high)], " to "),
        f"{one.found_in} of {found.samples}",
        number(one.band_ml),
    )
