"""Every object, of every kind of source, before every validator: ``python -m Testing.export.validation FILE.md``.

The table of the documentation is written by this program alone, with the figures that it measured.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import highdicom
import numpy as np

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.result import Map
from slicermedai.errors import FormatError
from slicermedai.export.formats import FORMATS
from slicermedai.export.run import export_pictured, export_result
from Testing.export import validators
from Testing.export.cases import GRIDS, Case, a_ball, a_case, with_label_map
from Testing.fixtures.grids import tilted
from Testing.fixtures.identity import Identity
from Testing.fixtures.series_spec import SeriesSpec

Check = Callable[[Path, Path], int]


def _named(name: str, *charset: str, **fields: Any) -> SeriesSpec:
    return SeriesSpec(character_set=charset, identity=Identity(patient_name=name), private=False, **fields)


_UPRIGHT = {
    "axial CT": (GRIDS["axial"], SeriesSpec(modality="CT")),
    "oblique MR": (GRIDS["oblique and anisotropic"], SeriesSpec()),
    "reversed order": (GRIDS["flipped slices"], SeriesSpec(order="reverse")),
    "enhanced multi-frame": (GRIDS["oblique"], SeriesSpec(enhanced=True, order="shuffled")),
    "PET": (GRIDS["axial"], SeriesSpec(modality="PT")),
    "Japanese": (GRIDS["axial"], _named("Yamada^Tarou=山田^太郎=やまだ^たろう", "", "ISO 2022 IR 87")),
    "Cyrillic": (GRIDS["axial"], _named("Люкceмбypг", "ISO_IR 144")),
    "Latin-1": (GRIDS["axial"], _named("Müßigbrodt^Zoë", "ISO_IR 100")),
}
KINDS = {**_UPRIGHT, "tilted CT": (tilted(GRIDS["axial"], 15.0), SeriesSpec(modality="CT"))}
"""Name -> geometry and spec of the source series."""


def a_source(kind: str) -> Case:
    """Two findings that do not overlap, and a map, on a source of ``kind``."""
    geometry, spec = KINDS[kind]
    inner = a_ball(geometry, radius=(0.2, 0.2, 0.1))
    case = with_label_map(a_case(geometry, spec=spec, masks=(a_ball(geometry), inner)))
    array = np.linspace(-1, 1, int(np.prod(geometry.shape)), dtype=np.float32).reshape(geometry.shape)
    saliency = Code(value="130404", scheme="DCM", meaning="Saliency")
    drawn = Map(name="Saliency", quantity=saliency, unit=NO_UNITS, array=array, geometry=case.geometry)
    return dataclasses.replace(case, result=dataclasses.replace(case.result, maps=(drawn,)))


def _dciodvfy(path: Path, folder: Path) -> int:
    return len(validators.dciodvfy_errors(path))


def _pixelmed(path: Path, folder: Path) -> int:
    return len(validators.pixelmed_errors(path))


def _segments(path: Path, folder: Path) -> int:
    return int(len(validators.segimage2itkimage(path, folder)) != 2)


def _groups(path: Path, folder: Path) -> int:
    return int(len(validators.tid1500reader(path, folder)["Measurements"]) != 2)


def _map(path: Path, folder: Path) -> int:
    image, _ = validators.paramap2itkimage(path, folder)
    return int(image.GetPixelIDTypeAsString() != "32-bit float")


def _highdicom(path: Path, folder: Path) -> int:
    return int(len([number for number in highdicom.seg.segread(path).segment_numbers if number]) != 2)


def _fhir(module: str) -> Check:
    def check(path: Path, folder: Path) -> int:
        import_module(module).Bundle.model_validate(json.loads(path.read_text(encoding="utf-8")))
        return 0

    return check


def _hl7apy(path: Path, folder: Path) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        message = import_module("hl7apy.parser").parse_message(path.read_bytes().decode(), validation_level=1)
        return int(not message.validate())


CHECKS: dict[str, tuple[str, dict[str, Check]]] = {
    "seg": ("seg.dcm", {"dciodvfy": _dciodvfy, "dcmqi segimage2itkimage": _segments, "highdicom": _highdicom}),
    "seg-labelmap": ("seg-labelmap.dcm", {"dciodvfy": _dciodvfy, "highdicom": _highdicom}),
    "sr": ("sr.dcm", {"dciodvfy": _dciodvfy, "PixelMed": _pixelmed, "dcmqi tid1500reader": _groups}),
    "sr-plain": ("sr-plain.dcm", {"dciodvfy": _dciodvfy, "PixelMed": _pixelmed, "dcmqi tid1500reader": _groups}),
    "text": ("text.dcm", {"dciodvfy": _dciodvfy, "PixelMed": _pixelmed}),
    "pmap": ("pmap-1.dcm", {"dciodvfy": _dciodvfy, "dcmqi paramap2itkimage": _map}),
    "rtstruct": ("rtstruct.dcm", {"dciodvfy": _dciodvfy}),
    "capture": ("capture-1.dcm", {"dciodvfy": _dciodvfy}),
    "fhir": ("fhir-r4.json", {"fhir.resources R4B": _fhir("fhir.resources.R4B.bundle")}),
    "fhir-r5": ("fhir-r5.json", {"fhir.resources R5": _fhir("fhir.resources.bundle")}),
    "hl7": ("result.hl7", {"hl7apy 2.5.1": _hl7apy}),
}
"""Format -> its file, and who judges or reads it."""


def written(case: Case, folder: Path) -> dict[str, str]:
    """Write all formats of :data:`CHECKS` that ``case`` allows; returns why others were refused, by attribute."""
    refused = {}
    for name in CHECKS:
        formats = (*FORMATS[name].cites, name)
        try:
            export_result(case.result, headers=case.headers, folder=folder, formats=formats)
            export_pictured(case.result, headers=case.headers, folder=folder, formats=formats, pictures=())
        except FormatError as error:
            refused[name] = f"refused: {error.attribute}"
    return refused


def entity_errors(case: Case, folder: Path) -> int:
    """What dcentvfy says of all objects beside their sources; a structure set cites the study as if it were a file.

    It compares names byte by byte: sources in ISO 2022, whose objects are in UTF-8, are encoded like them first.
    """
    sources = [folder / f"source{number}.dcm" for number in range(len(case.headers))]
    for header, path in zip(case.headers, sources, strict=True):
        if "SpecificCharacterSet" in header and header["SpecificCharacterSet"].VM > 1:
            header.decode()
            header.SpecificCharacterSet = "ISO_IR 192"
        header.save_as(path)
    study = str(case.headers[0].StudyInstanceUID)
    return len([error for error in validators.dcentvfy_errors(sorted(folder.glob("*.dcm"))) if study not in error])


def column(kind: str) -> dict[tuple[str, str], str]:
    """(format, validator) -> number of errors for one kind of source, or why there is no object."""
    case, cells = a_source(kind), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        refused = written(case, folder)
        for made, (file, checks) in CHECKS.items():
            for validator, check in checks.items():
                out = folder / f"{made} {validator}"
                out.mkdir()
                cells[made, validator] = refused.get(made) or str(check(folder / file, out))
        cells["all DICOM objects", "dcentvfy"] = str(entity_errors(case, folder))
    return cells


def page() -> str:
    """The page of the documentation."""
    columns = {kind: column(kind) for kind in KINDS}
    rows = list(next(iter(columns.values())))
    head = ["| format | validator or reader |", "|---|---|"]
    table = [f"{head[0]} {' | '.join(columns)} |", head[1] + "---|" * len(columns)]
    table += [f"| {row[0]} | {row[1]} | {' | '.join(columns[kind][row] for kind in columns)} |" for row in rows]
    return "\n".join([*_INTRODUCTION, "", *table, ""])


_INTRODUCTION = (
    "# Objects before validators",
    "",
    "Written by `python -m Testing.export.validation Resources/Docs/validation.md`, with the numbers of errors that",
    "were counted: two findings and a map, in every format, of every kind of source. For a reader (dcmqi, highdicom)",
    "an error is anything but the whole object. PixelMed's warnings count as errors. What cannot be written right is",
    "refused, by the name of the attribute. Sources are generated, and valid themselves.",
    "",
    "Not counted: that dcentvfy misses the study, which a structure set must cite as if it were an instance (PS3.3",
    "C.8.8.5). Before dcentvfy, which compares names byte by byte, sources in ISO 2022 are encoded in UTF-8 as our",
    "objects are.",
)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
