"""What ``Scripts/demo --all`` adds: a small cohort and a surgical plan, both on generated data, and a page over all."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from slicermedai.batch.outputs import SHEET, TABLE
from slicermedai.console import cohorts, planning
from slicermedai.deid.keystore import save_key
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.domain.digests import hash_of_image, hash_of_volume
from slicermedai.domain.markup import el, page, table
from slicermedai.domain.notice import RESEARCH_USE
from slicermedai.domain.plan import Plan
from slicermedai.domain.provenance import InputDigest
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.storage import write_text
from slicermedai.domain.study import Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import OutputError
from slicermedai.scene.pictures import Picture
from Testing.fixtures import faults, liver
from Testing.fixtures.grids import covering
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.phantoms import HeadSpec, head_phantom
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.plan.cases import a_result

COHORT, PLAN, INDEX = "cohort", "plan", "index.html"
WITH_IDENTITY = ("queue", "preview.csv")
"""Of a cohort, what is patient data on both routes (Resources/Docs/batch.md)."""
STUDIES = 3
RULES = """
[[rule]]
name = "original T1"
modality = "MR"
origin = "original"
without_words = ["scout"]
"""
GENERATED = "GENERATED DATA: what is here shows how it works, and says nothing about patients."
_LINES = ("volume", "functional volume", "resected volume", "remnant volume", "remnant of functional volume")


def add_all(out: Path, scratch: Path) -> list[str]:
    """Add ``cohort/``, ``plan/`` and ``index.html`` to the demo's ``out``; returns the identities that were invented.

    Raises :class:`slicermedai.MedAIError` where one of them cannot be made; what is there stays.
    """
    tokens = _cohort(out / COHORT, scratch)
    numbers = _plan(out / PLAN)
    write_text(out / INDEX, _index(_cases(out / COHORT), numbers))
    return tokens


def _cohort(folder: Path, scratch: Path) -> list[str]:
    """Studies of generated heads, each with a localizer and a derived series; pseudonymous, by a key for this alone."""
    tokens = []
    for number in range(STUDIES):
        who = Identity(patient_id=f"ZZ-{number:03d}", patient_name=f"Quillfeather^{number:03d}")
        _study(scratch / "studies" / str(number), who, number)
        tokens += identity_tokens(who)
    rules = scratch / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    passphrase = secrets.token_urlsafe(16)
    key = save_key(scratch / "cohort.key", ProjectKey.generate(), passphrase)
    settings = {"bundle": "brain", "identity": "deidentify", "project_key": key, "tilt": "refuse"}
    cohorts.make(folder, scratch / "studies", rules, **settings)
    cohorts.run(folder, passphrase=passphrase)
    return tokens


def _study(folder: Path, who: Identity, number: int) -> None:
    grid = covering(spacing=(2.5, 1.5 + 0.1 * number, 1.5 + 0.1 * number))
    head, _ = head_phantom(grid, spec=HeadSpec(noise=8.0, seed=number))
    made = {}
    for series, name in enumerate(("scout", "T1", "T1 MPR"), start=1):
        spec = SeriesSpec(identity=who, description=name, series_number=series, seed=f"demo{number}")
        made[name] = write_series(replace(head, name=name), folder / name, spec=spec)
    faults.make_localizer(faults.drop_slices(made["scout"], *range(1, len(made["scout"]))))
    faults.set_value(made["T1 MPR"], "ImageType", ["DERIVED", "PRIMARY", "MPR"])


def _cases(folder: Path) -> list[tuple[str, str, str]]:
    rows = [row for row in cohorts.to_rows(folder) if row["measurement"] in ("Volume", "")]
    return [(str(row["case"]), str(row["state"]), _told(row)) for row in rows]


def _told(row: Mapping[str, object]) -> str:
    """A row's number to a tenth of its unit, or why there is none."""
    value = row["value"]
    number = f"{value:.1f}" if isinstance(value, float) else str(value)
    return f"{number} {row['unit']} {row['reason']}".strip()


def _plan(folder: Path) -> list[tuple[str, str]]:
    """A generated liver with a lesion, planned with a margin and a plane; its page, surfaces and numbers."""
    grid = liver.GRIDS["axial"]
    image = liver.phase("venous", grid)
    result = _read_from(image, _nobodys(a_result(grid)))
    result.save(folder / "result")
    plan = planning.start(result, organ="liver", lesions=["lesion"], vessels=["hepatic vein", "portal vein"])
    plan = planning.add_margin(plan, "lesion", 10)
    plan = planning.add_size(plan, height_cm=171, weight_kg=68)
    plan = planning.cut_by_plane(plan, "right half", point=(-24, 2, 8), normal=(-0.8, 0.36, 0.48))
    planning.save(plan, folder)
    planning.save_surfaces(plan, folder / "surfaces", kind="3mf")
    planning.print_page(plan, folder, pictures=_pictures(plan, folder, image))
    rows = planning.table(plan).rows
    told = [(row, row.missing or f"{row.value:.1f} {row.unit.value}") for row in rows if row.name in _LINES]
    return [(f"{row.subject}: {row.name}", words) for row, words in told]


def _nobodys(result: AnalysisResult) -> AnalysisResult:
    """The result of no patient, not even of an invented one."""
    series = tuple(replace(one, modality="CT", description="Generated liver") for one in result.sources)
    study = Study(
        study_uid=result.study.study_uid, patient_id="GENERATED", description="Generated liver", series=series
    )
    return replace(result, study=study, sources=series)


def _read_from(image: Volume, result: AnalysisResult) -> AnalysisResult:
    """``result``, which notes that it was computed from ``image``."""
    read = InputDigest(sha256=hash_of_volume(image), image=hash_of_image(image))
    return replace(result, provenance=replace(result.provenance, input=read))


def _pictures(plan: Plan, folder: Path, image: Volume) -> tuple[Picture, ...]:
    """Views of the plan; none where this computer cannot draw, which the demo's own report has said by then."""
    try:
        return planning.pictures(plan, folder, image=image)
    except OutputError:
        return ()


def _index(cases: list[tuple[str, str, str]], numbers: list[tuple[str, str]]) -> str:
    states = Counter(state for _, state, _ in cases)
    told = ", ".join(f"{count} {state}" for state, count in states.items())
    parts = [
        el("h1", "What the demonstration made"),
        el("p", RESEARCH_USE, class_="banner", role="note"),
        el("h2", "One study"),
        el("p", el("a", "The report", href="report.html"), ": de-identified, segmented, measured, written as DICOM."),
        el("p", el("a", "What was made of it, and a detector on a generated thorax", href="objects.html")),
        el("h2", "A small cohort"),
        el("p", GENERATED, class_="banner", role="note"),
        el("p", el("a", "The quality sheet", href=f"{COHORT}/{SHEET}"), f": {told}. ",
           el("a", "The table", href=f"{COHORT}/{TABLE}"), " has all numbers. The results are "
           "pseudonymous; queue and preview say who is who, as in every cohort, and stay on this computer."),
        table("Cases, each found beside a localizer and a derived series", ("Case", "State", "Volume"), cases),
        el("h2", "A surgical plan"),
        el("p", GENERATED, class_="banner", role="note"),
        el("p", el("a", "The page for theatre", href=f"{PLAN}/plan.html"), ": a liver with a lesion, a margin of 10 mm "
           "and a plane. Surfaces for a printer lie in ", el("code", f"{PLAN}/surfaces"), "."),
        table("Numbers of the plan", ("What", "How much"), numbers),
    ]  # fmt: skip
    import slicermedai.batch

    style = (Path(slicermedai.batch.__file__).parent / "sheet.css").read_text(encoding="utf-8")
    return page("What the demonstration made", style, *parts)
