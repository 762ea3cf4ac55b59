"""Random results written in every format and read back: what comes back must be what was written.

A result follows from a seed and a number alone. Numbers and texts are drawn from what is hard to say: many magnitudes,
scripts, names as long as VR LO has room for, overlapping and empty masks, missing numbers, intervals without an end.
"""

from __future__ import annotations

import dataclasses
import math
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from pydicom.valuerep import PersonName

from slicermedai.dicom.decimals import decimal_string
from slicermedai.domain.codes import ANATOMY, MILLIMETER, NO_UNITS, Code, Label, ucum
from slicermedai.domain.decisions import decided, is_edited
from slicermedai.domain.finding import (
    Box,
    Confidence,
    ConfidenceState,
    Finding,
    Interval,
    Measurement,
    PackedMask,
    Point,
)
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Provenance, WeightsFile
from slicermedai.domain.result import AnalysisResult, Decision, Map, Review, Status
from slicermedai.export.codes import SIDES
from slicermedai.export.read_back import read_result
from slicermedai.export.reviews import verifiers
from slicermedai.export.run import export_result
from slicermedai.measure.methods import measure
from Testing.export.cases import GRIDS, LESION, SPECS, Case, a_case
from Testing.fixtures.series_writer import SeriesSpec

_SMALL = {name: dataclasses.replace(one, shape=(4, 9, 8)) for name, one in GRIDS.items() if name != "one slice"}
_SOURCES = (
    *((name, SeriesSpec()) for name in _SMALL),
    *(("axial", spec) for spec in SPECS.values()),
    ("axial", SeriesSpec(character_set=("ISO_IR 144",), private=False)),
)
_NAMES = (
    *("Brain", "Läsion links", "左腎", "Печень", "a" * 64, "x / y: 3,5 (z)", "Kidney 2", '"quoted" & <tagged>'),
    *("Vertebra #3", "Tumor, part 2", "Ωmega^caret", "trailing."),
)
_TYPES = (
    *(("12738006", "SCT", "Brain"), ("64033007", "SCT", "Kidney"), ("108369006", "SCT", "Neoplasm")),
    *(("10200004", "SCT", "Liver"), ("RID1301", "RADLEX", "Lung"), ("C0024485", "UMLS", "Anatomy of something")),
)
_MODIFIERS = (
    None,
    Code(value="7771000", scheme="SCT", meaning="Left"),
    Code(value="24028007", scheme="SCT", meaning="Right"),
    Code(value="255549009", scheme="SCT", meaning="Anterior"),
)
_QUANTITIES = (
    Code(value="410668003", scheme="SCT", meaning="Length"),
    Code(value="112031", scheme="DCM", meaning="Attenuation Coefficient"),
    Code(value="C0JK", scheme="IBSI", meaning="Surface Area of Mesh"),
)
_UNITS = (MILLIMETER, NO_UNITS, ucum("[hnsf'U]", "Hounsfield unit"), ucum("mm2", "square millimeter"))
_DERIVATIONS = (None, Code(value="373098007", scheme="SCT", meaning="Mean"))
_METHODS = (None, Code(value="126030", scheme="DCM", meaning="Sum of segmented voxel method for volume"))
_WORDS = ("The image reaches the edge.", "Контраст неизвестен: 3,5 %", "Warning: twice", "100 %, \\ and ^", "造影なし")
_SALIENCY = Code(value="130404", scheme="DCM", meaning="Saliency")


@cache
def _source(number: int) -> Case:
    name, spec = _SOURCES[number]
    return a_case(_SMALL[name], spec=spec, masks=())


def a_result(seed: int, number: int) -> Case:
    """The ``number``-th random result of ``seed``, on one of some twenty sources."""
    rng = random.Random(f"{seed} {number}")
    base = _source(rng.randrange(len(_SOURCES)))
    kind = rng.choices(("segments", "regions", "whole", "none", "failed"), (12, 3, 2, 1, 1))[0]
    if kind in ("none", "failed"):
        status = Status.NO_FINDING if kind == "none" else Status.FAILED
        message = rng.choice(("", _WORDS[0], *_WORDS[3:])) if kind == "failed" else ""
        fields = {"status": status, "message": message, "provenance": _provenance(rng)}
        return dataclasses.replace(base, result=dataclasses.replace(base.result, **fields))
    findings = _findings(rng, base.geometry, kind)
    result = dataclasses.replace(
        base.result,
        status=Status.COMPLETE,
        findings=findings,
        provenance=_provenance(rng),
        maps=_maps(rng, base.geometry, findings),
        reviews=_reviews(rng, base.geometry, findings, kind),
    )
    return dataclasses.replace(base, result=result)


def _provenance(rng: random.Random) -> Provenance:
    sha = f"{rng.getrandbits(256):064x}"
    further = (WeightsFile(file="models/locator.pt", sha256=f"{rng.getrandbits(256):064x}"),)
    return Provenance(
        bundle=rng.choice(("brain", "wholeBody_ct segmentation", "b" * 60, "肝臓")),
        bundle_version=rng.choice(("1.2.0", "0.1.0-rc.1+build 5")),
        weights_sha256=sha,
        weights=(WeightsFile(file="models/model.pt", sha256=sha), *(further if rng.random() < 0.3 else ())),
        device=rng.choice(("cpu", "cuda:1")),
        precision=rng.choice(("float32", "bfloat16")),
        seed=rng.choice((0, 7, 2**31 - 1)),
        warnings=tuple(rng.sample(_WORDS, rng.randrange(3))),
        finished=f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T01:02:{rng.randrange(60):02}.123456+00:00",
    )


def _findings(rng: random.Random, grid: Geometry, kind: str) -> tuple[Finding, ...]:
    columns = [_column(rng) for _ in range(rng.randrange(4))]
    sure = rng.choice(("all", "some", "none"))
    made = []
    for number in range(rng.randint(1, 4)):
        region = _region(rng, grid, kind)
        base = measure(region) if isinstance(region, PackedMask) else ()
        numbers = (*base, *(_number(rng, column) for column in columns))
        made.append(
            Finding(
                tracking_uid=f"2.25.{rng.getrandbits(120)}{number}",
                label=_label(rng),
                region=region,
                measurements=numbers,
                confidence=_confidence(rng, calibrated=sure == "all" or (sure == "some" and rng.random() < 0.5)),
            )
        )
    return tuple(made)


def _region(rng: random.Random, grid: Geometry, kind: str) -> PackedMask | Box | Point | None:
    if kind == "whole":
        return None
    if kind == "segments":
        array = np.random.default_rng(rng.getrandbits(32)).random(grid.shape) < rng.choice((0.02, 0.3, 0.9))
        array[tuple(rng.randrange(n) for n in grid.shape)] = True
        return PackedMask.from_array(array, grid)
    low = [rng.choice((-200.25, -0.5, 0.0, 31.125)) for _ in range(3)]
    if rng.random() < 0.3:
        return Point(position=(low[0], low[1], low[2]))
    return Box(low=(low[0], low[1], low[2]), high=(low[0] + 1.5, low[1] + rng.choice((0.25, 40.0)), low[2] + 8.0))


def _label(rng: random.Random) -> Label:
    value, scheme, meaning = rng.choice(_TYPES)
    return Label(
        name=rng.choice((*_NAMES, meaning)),
        category=rng.choice((ANATOMY, LESION.category)),
        type=Code(value=value, scheme=scheme, meaning=meaning),
        modifier=rng.choice(_MODIFIERS),
        color=(rng.randrange(256), rng.randrange(256), rng.randrange(256)),
    )


_Column = tuple[Code, Code, Code | None, Code | None]


def _column(rng: random.Random) -> _Column:
    return rng.choice(_QUANTITIES), rng.choice(_UNITS), rng.choice(_METHODS), rng.choice(_DERIVATIONS)


def _number(rng: random.Random, column: _Column) -> Measurement:
    name, unit, method, derivation = column
    if rng.random() < 0.15:
        made = {"value": math.nan, "missing": rng.choice(("touches the edge", "端に接する"))}
    else:
        value = rng.choice((0.0, -1.0, 1 / 3, rng.gauss(0, 1) * 10.0 ** rng.randint(-9, 12)))
        made = {"value": value, "interval": _interval(rng, value)}
    return Measurement(name=name, unit=unit, method=method, derivation=derivation, **made)  # type: ignore[arg-type]


def _interval(rng: random.Random, value: float) -> Interval | None:
    if rng.random() < 0.6:
        return None
    low, high = rng.choice(((value - 1, value + 1), (-math.inf, value), (value, math.inf)))
    return Interval(low=low, high=high, level=rng.choice((0.5, 0.9, 0.95, 0.975)))


def _confidence(rng: random.Random, *, calibrated: bool) -> Confidence:
    if not calibrated:
        state = rng.choice((ConfidenceState.NOT_CALIBRATED, ConfidenceState.NOT_ASSESSED))
        return Confidence(state=state, raw_score=0.98765432)
    sure = rng.choice((0.0, 1.0, rng.random()))
    return Confidence(
        state=ConfidenceState.CALIBRATED,
        probability=sure,
        calibration=rng.choice(("Platt scaling, site A: 31 patients", "isotonic (2026)", "校正")),
        interval=rng.choice((None, Interval(low=max(0.0, sure - 0.1), high=min(1.0, sure + 0.1), level=0.9))),
    )


def _maps(rng: random.Random, grid: Geometry, findings: tuple[Finding, ...]) -> tuple[Map, ...]:
    made = []
    for number in range(rng.choice((0, 0, 1, 2))):
        array = np.random.default_rng(rng.getrandbits(32)).normal(0, 10.0 ** rng.randint(-3, 6), grid.shape)
        explains = tuple(one.tracking_uid for one in findings if rng.random() < 0.5)
        made.append(
            Map(
                name=f"{rng.choice(_NAMES)[:40]} {number}",
                quantity=_SALIENCY,
                unit=NO_UNITS,
                array=array.astype(np.float32),
                geometry=grid,
                explains=explains,
            )
        )
    return tuple(made)


def _reviews(rng: random.Random, grid: Geometry, findings: tuple[Finding, ...], kind: str) -> tuple[Review, ...]:
    if rng.random() < 0.5:
        return ()
    choices = (Decision.ACCEPTED, Decision.ACCEPTED, Decision.EDITED, Decision.REJECTED)
    return tuple(
        _review(rng, grid, one, rng.choice(choices if kind == "segments" else choices[:2])) for one in findings
    )


def _review(rng: random.Random, grid: Geometry, finding: Finding, decision: Decision) -> Review:
    region = _region(rng, grid, "segments") if decision is Decision.EDITED else None
    person, time = rng.choice(("Roe^Jane", "Jane van Roe", "山田^太郎")), "2026-11-23T10:20:30+01:00"
    return Review(tracking_uid=finding.tracking_uid, person=person, decision=decision, region=region, time=time)


# --- there and back --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Figures:
    """How many results were written how, and what did not come back; ``faults`` are (number, road, what)."""

    results: int = 0
    findings: int = 0
    numbers: int = 0
    roads: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.results} results with {self.findings} findings and {self.numbers} numbers, there and back:"]
        lines += [f"  {road}: {count}" for road, count in sorted(self.roads.items())]
        lines += [f"  FAULT in result {number}, {road}: {what}" for number, road, what in self.faults]
        return "\n".join([*lines, f"faults: {len(self.faults)}"])


def campaign(count: int, *, seed: int = 1, first: int = 0, told: Callable[[int], None] | None = None) -> Figures:
    """Write and read ``count`` results of ``seed``, from number ``first`` on."""
    figures = Figures()
    for number in range(first, first + count):
        _there_and_back(a_result(seed, number), number, figures)
        if told is not None:
            told(number)
    return figures


def _there_and_back(case: Case, number: int, figures: Figures) -> None:
    wanted = decided(case.result)
    figures.results += 1
    figures.findings += len(wanted.findings)
    figures.numbers += sum(len(one.measurements) for one in wanted.findings)
    with tempfile.TemporaryDirectory(prefix="there-") as name:
        for road, formats, exact in _roads(wanted):
            folder = Path(name) / road
            folder.mkdir()
            made = export_result(case.result, headers=case.headers, folder=folder, formats=formats)
            for files in [[one] for one in made if one.suffix == ".json"] if exact else [made]:
                figures.roads[files[0].stem if exact else road] += 1
                after = read_result(files).result
                figures.faults += [(number, road, what) for what in differences(wanted, after, exact=exact)]
            if number % 10 == 0:
                figures.faults += [(number, road, what) for what in _again(case, folder, made, formats)]
                figures.roads["written again, byte by byte"] += 1


def _roads(result: AnalysisResult) -> list[tuple[str, tuple[str, ...], bool]]:
    """(name, formats, whether a bundle alone is read) of the formats that can hold the result."""
    regions = [one.region for one in result.findings]
    if any(one is None for one in regions):
        bundles = ("FHIR of the image", ("sr-image", "fhir", "fhir-r5"), True)
        return [("report of the image", ("sr-image",), False), bundles]
    masks = [one.to_array() for one in regions if isinstance(one, PackedMask)]
    if len(masks) < len(regions):
        bundles = ("FHIR of boxes and points", ("sr-regions", "fhir", "fhir-r5"), True)
        return [("report of boxes and points", ("sr-regions",), False), bundles]
    roads = [("SEG, SR and maps", ("seg", "sr", "pmap"), False), ("FHIR", ("seg", "sr", "fhir", "fhir-r5"), True)]
    overlap = np.sum(masks, axis=0).max() > 1 if masks else False
    return roads if overlap else [*roads, ("label map and plain SR", ("seg", "seg-labelmap", "sr-plain"), False)]


def _again(case: Case, folder: Path, made: list[Path], formats: tuple[str, ...]) -> list[str]:
    """A saved and loaded result gives the same bytes."""
    loaded = AnalysisResult.load(case.result.save(folder / "saved"))
    (folder / "again").mkdir()
    export_result(loaded, headers=case.headers, folder=folder / "again", formats=formats)
    return [
        f"{path.name} has other bytes when written again"
        for path in made
        if path.read_bytes() != (folder / "again" / path.name).read_bytes()
    ]


# --- what must be the same -------------------------------------------------------------------------------------------


def differences(before: AnalysisResult, after: AnalysisResult, *, exact: bool) -> list[str]:
    """What of ``before`` is not in ``after``; ``exact``: of a bundle, which has no places and full numbers."""
    found = [name for name, is_same in _whole(before, after, exact=exact).items() if not is_same]
    if len(before.findings) != len(after.findings):
        return [*found, f"{len(after.findings)} findings of {len(before.findings)}"]
    for number, (one, other) in enumerate(zip(before.findings, after.findings, strict=True), 1):
        parts = _of_finding(one, exact=exact, mixed=_mixed(before)).items()
        others = _of_finding(other, exact=exact, mixed=_mixed(before))
        found += [
            f"finding {number}: {name}: {part!r} != {others[name]!r}" for name, part in parts if part != others[name]
        ]
        if not exact:
            found += [f"finding {number}: {what}" for what in _places(one, other)]
    return found


def _mixed(result: AnalysisResult) -> bool:
    """Some are calibrated and some are not: readers take columns by position, and a report has no such number."""
    known = {one.confidence.state is ConfidenceState.CALIBRATED for one in result.findings}
    return len(known) > 1


def _whole(before: AnalysisResult, after: AnalysisResult, *, exact: bool) -> dict[str, bool]:
    made, read = before.provenance, after.provenance
    people = [one.in_words for one in verifiers(before)]
    said = [_spoken(one.person) for one in after.reviews]
    checks = {
        "status": before.status is after.status,
        "message": before.message == after.message,
        "study": before.study.study_uid == after.study.study_uid,
        "people": [" ".join(one.split()) for one in people] == [" ".join(one.split()) for one in said],
        "warnings": made.warnings == read.warnings,
        "model": (made.bundle, made.bundle_version) == (read.bundle, read.bundle_version),
        "finished": read.finished[:19] != "",
    }
    if before.findings:
        names = ("weights_sha256", "device", "precision", "seed")
        checks |= {name: getattr(made, name) == getattr(read, name) for name in names}
        checks["weights"] = _others(made) == _others(read)
    if after.maps:
        kept = {one.tracking_uid for one in before.findings if not is_edited(before, one)}
        checks["maps"] = [_of_map(one, kept) for one in before.maps] == [_of_map(one, kept) for one in after.maps]
    if not exact and any(isinstance(one.region, PackedMask) for one in before.findings):
        checks["grid"] = before.volume_geometry.same_grid(after.volume_geometry)
    return checks


def _others(made: Provenance) -> list[str]:
    """Weights beside those of the model."""
    return [one.sha256 for one in made.weights if one.sha256 != made.weights_sha256]


def _of_map(one: Map, kept: set[str]) -> tuple[object, ...]:
    """A finding that people rejected or edited is explained by no map."""
    explains = tuple(uid for uid in one.explains if uid in kept)
    return one.name, one.quantity, one.unit, one.calibration, one.array.tobytes(), explains


def _of_finding(one: Finding, *, exact: bool, mixed: bool) -> dict[str, object]:
    label, sure = one.label, one.confidence
    placed = isinstance(one.region, PackedMask) or exact
    side = label.modifier if label.modifier in SIDES else None
    made: dict[str, object] = {
        "tracking UID": one.tracking_uid,
        "type": label.type,
        "side": side,
        "numbers": [_of_number(each, exact=exact) for each in one.measurements],
    }
    if placed:
        made |= {"name": label.name, "category": label.category, "modifier": label.modifier}
    if exact or not mixed:
        chance = None if sure.probability is None else sure.probability if exact else _rounded(sure.probability)
        made |= {
            "state": sure.state,
            "probability": chance,
            "calibration": sure.calibration if chance is not None else "",
        }
    if exact:
        made["interval"] = sure.interval
    return made


def _spoken(person: str) -> str:
    """A name in the order in which it is read (PS3.5 6.2.1.2)."""
    name = PersonName(person)
    return f"{name.name_prefix} {name.given_name} {name.middle_name} {name.family_name} {name.name_suffix}"


def _of_number(one: Measurement, *, exact: bool) -> tuple[object, ...]:
    codes = (one.name, one.name.meaning, one.method, one.derivation)
    if one.missing:
        return (*codes, one.missing if exact else "missing")
    return (*codes, one.unit, one.value, one.interval) if exact else (*codes, one.unit, _rounded(one.value))


def _rounded(value: float) -> float:
    """As a Decimal String of 16 characters says it (PS3.5 6.2)."""
    return float(decimal_string(value))


def _places(one: Finding, other: Finding) -> list[str]:
    if not isinstance(one.region, PackedMask):
        return [] if one.region == other.region else [f"place: {one.region} != {other.region}"]
    same = isinstance(other.region, PackedMask) and np.array_equal(one.region.to_array(), other.region.to_array())
    far = np.abs(np.subtract(one.label.color, other.label.color)).max() > 1
    return [*([] if same else ["voxels"]), *([f"colour {one.label.color} != {other.label.color}"] if far else [])]
