"""The demo's page over its objects: what each is, and what validators say of it where these are installed."""

from __future__ import annotations

import json
import unittest
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from xml.etree.ElementTree import Element

from _demo_examples import EXAMPLES, add_examples
from _demo_lesions import LESIONS

from slicermedai.domain.markup import el, page, table
from slicermedai.domain.notice import RESEARCH_USE
from slicermedai.domain.storage import write_text
from slicermedai.export.formats import FORMATS
from Testing.export import validators

PAGE, DICOM = "objects.html", "dicom"
ALL = tuple(FORMATS)
_FILES = {"fhir-r4": "fhir", "result": "hl7", "segmentation.seg": "nrrd", "segmentation": "nifti", "findings": "csv"}
"""Beginning of a file's name -> its format, where it is not the format's own name."""
_ABSENT = "not installed"
Judge = Callable[[Path], int]


def add_objects(out: Path) -> str:
    """Write ``out/examples`` and, over these and ``out/dicom``, ``out/objects.html``; what it says, in a sentence."""
    files = [path for path in sorted((out / DICOM).glob("*")) if path.is_file()] + add_examples(out)
    rows = [(path, _format(path), dict(_judged(path))) for path in files]
    write_text(out / PAGE, _page(out, rows))
    found = [said for _, _, judged in rows for said in judged.values()]
    looks = [said for said in found if isinstance(said, int)]
    absent = sorted({name for _, _, judged in rows for name, said in judged.items() if said == _ABSENT})
    told = f"Objects: {len(files)} files; {len(looks)} looks by validators found {sum(looks)} errors"
    return told + (f"; not installed: {', '.join(absent)}." if absent else ".")


def _format(path: Path) -> str:
    """The format that a file is of; "" for one that is not known."""
    stems = (*_FILES, *sorted(FORMATS, key=len, reverse=True))
    stem = next((one for one in stems if path.name.startswith(one)), "")
    return _FILES.get(stem, stem)


def _judged(path: Path) -> Iterator[tuple[str, int | str]]:
    """(validator, errors that it found, or that it is not installed)."""
    for name, judge in _judges(_format(path), path).items():
        try:
            yield name, judge(path)
        except (unittest.SkipTest, ModuleNotFoundError):
            yield name, _ABSENT


def _judges(kind: str, path: Path) -> dict[str, Judge]:
    judges: dict[str, Judge] = {}
    if path.suffix == ".dcm":
        judges["dciodvfy"] = lambda one: len(validators.dciodvfy_errors(one))
    if kind == "sr":
        judges["PixelMed"] = lambda one: len(validators.pixelmed_errors(one))
    if kind.startswith("sr") or kind == "text":
        judges["dsrdump"] = lambda one: len(validators.dsrdump_errors(one))
    if kind == "fhir":
        judges["fhir.resources"] = lambda one: _fhir("fhir.resources.R4B.bundle", one)
    if kind == "fhir-r5":
        judges["fhir.resources"] = lambda one: _fhir("fhir.resources.bundle", one)
    return judges


def _fhir(module: str, path: Path) -> int:
    try:
        import_module(module).Bundle.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        return 1
    return 0


def _lesions(out: Path) -> tuple[Element, ...]:
    """Where the candidates of the demonstration detector are, if there are any."""
    if not (out / LESIONS / "report.html").is_file():
        return ()
    words = " of a detector that is synthetic-trained, not for patients, on a generated thorax."
    return (el("p", el("a", "The report", href=f"{LESIONS}/report.html"), words),)


def _page(out: Path, rows: list[tuple[Path, str, dict[str, int | str]]]) -> str:
    import slicermedai.batch

    style = (Path(slicermedai.batch.__file__).parent / "sheet.css").read_text(encoding="utf-8")
    return page(
        "The objects of the demonstration",
        style,
        el("h1", "The objects of the demonstration"),
        el("p", RESEARCH_USE, class_="banner", role="note"),
        el("p", el("a", "The report", href="report.html"), " says what is in them."),
        *_lesions(out),
        _table("Files, and errors that validators found", [one for one in rows if one[0].parent.name == DICOM]),
        el("p", _GENERATED, class_="banner", role="note"),
        _table("Objects that the one study has none of", [one for one in rows if one[0].parent.name == EXAMPLES]),
    )


_GENERATED = "GENERATED DATA of nobody: a box, a label of a whole image and a map that no model made."


def _table(caption: str, rows: list[tuple[Path, str, dict[str, int | str]]]) -> Element:
    cells = [
        (
            el("a", path.name, href=f"{path.parent.name}/{path.name}"),
            FORMATS[kind].title if kind else "",
            size(path),
            said(judged),
        )
        for path, kind, judged in rows
    ]
    return table(caption, ("File", "What it is", "Size", "Validators"), cells)


def size(path: Path) -> str:
    """In kilobytes."""
    return f"{max(1, round(path.stat().st_size / 1000))} kB"


def said(judged: dict[str, int | str]) -> str:
    """ "dciodvfy 0 errors, PixelMed not installed"."""
    told = [
        f"{name} {one} error{'' if one == 1 else 's'}" if isinstance(one, int) else f"{name} {one}"
        for name, one in judged.items()
    ]
    return ", ".join(told) or "none knows this format"
