"""Every object, of every kind of source, before every validator: ``python -m Testing.export.validation FILE.md``.

The table of the documentation is written by this program alone, with the figures that it measured.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import SimpleITK
from pydicom import config, dcmread

from slicermedai.dicom.inputs import open_source
from slicermedai.domain.codes import MILLILITER, NO_UNITS, Code
from slicermedai.domain.course import Course, Ejection, FrameOutcome, Moment
from slicermedai.domain.finding import Box, Finding, Measurement
from slicermedai.domain.result import Map
from slicermedai.domain.study import InstanceRef
from slicermedai.domain.volume import Volume
from slicermedai.errors import FormatError, GeometryError
from slicermedai.export.formats import FORMATS, cites_of
from slicermedai.export.run import export_pictured, export_result
from slicermedai.measure.ejection import PERCENT
from Testing.export import validators
from Testing.export.cases import GRIDS, SHAPE, Case, a_ball, a_case, with_label_map
from Testing.export.test_sr_image import LESION, a_picture, said_of
from Testing.export.test_sr_lengths import other_than_comments
from Testing.export.test_sr_regions import detected
from Testing.export.test_viewers import HERE, installed
from Testing.fixtures import faults
from Testing.fixtures.grids import AXIAL, grid, rotated, tilted
from Testing.fixtures.identity import Identity
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series

Check = Callable[[Path, Path], int]
NOTHING = "nothing to say"


def _named(name: str, *charset: str, **fields: Any) -> SeriesSpec:
    return SeriesSpec(character_set=charset, identity=Identity(patient_name=name), private=False, **fields)


_TURNED = rotated(grid(AXIAL, shape=SHAPE, spacing=(2.0, 1.0, 1.0)), (14.0, -9.0, 31.0))
_UPRIGHT = {
    "axial CT": (GRIDS["axial"], SeriesSpec(modality="CT")),
    "oblique MR": (GRIDS["oblique and anisotropic"], SeriesSpec()),
    "reversed order": (GRIDS["flipped slices"], SeriesSpec(order="reverse")),
    "enhanced multi-frame": (_TURNED, SeriesSpec(enhanced=True, order="shuffled")),
    "PET": (GRIDS["axial"], SeriesSpec(modality="PT")),
    "Japanese": (GRIDS["axial"], _named("Yamada^Tarou=山田^太郎=やまだ^たろう", "", "ISO 2022 IR 87")),
    "Cyrillic": (GRIDS["axial"], _named("Люкceмбypг", "ISO_IR 144")),
    "Latin-1": (GRIDS["axial"], _named("Müßigbrodt^Zoë", "ISO_IR 100")),
}
_STACKS = {**_UPRIGHT, "tilted CT": (tilted(GRIDS["axial"], 15.0), SeriesSpec(modality="CT"))}
KINDS = (*_STACKS, "DX")
"""Kinds of sources of which a result can be made."""
MISSING = "missing slice"
COURSE = "sr-course"
"""No format of its own: it comes with the report of a result that has a course."""
COLUMNS = (*KINDS, MISSING)


def a_source(kind: str) -> Case:
    """Two findings that do not overlap, and a map, on a source of ``kind``; of a picture two labels of the whole."""
    if kind == "DX":
        with tempfile.TemporaryDirectory() as name:
            return said_of(a_picture(Path(name), "DX"), LESION, LESION)
    geometry, spec = _STACKS[kind]
    inner = a_ball(geometry, radius=(0.2, 0.2, 0.1))
    case = with_label_map(a_case(geometry, spec=spec, masks=(a_ball(geometry), inner)))
    array = np.linspace(-1, 1, int(np.prod(geometry.shape)), dtype=np.float32).reshape(geometry.shape)
    saliency = Code(value="130404", scheme="DCM", meaning="Saliency")
    drawn = Map(name="Saliency", quantity=saliency, unit=NO_UNITS, array=array, geometry=case.geometry)
    return dataclasses.replace(case, result=dataclasses.replace(case.result, maps=(drawn,)))


def holding(name: str, case: Case) -> Case:
    """``case`` with findings that a format is for: boxes, or labels of the whole image."""
    if name == "sr-regions":
        middle = np.asarray(case.geometry.to_lps((np.array(case.geometry.shape) - 1) / 2))
        box = Box(low=tuple((middle - 3).tolist()), high=tuple((middle + 4).tolist()))
        return detected(case, box, box)
    if name == COURSE:
        return dataclasses.replace(case, result=dataclasses.replace(case.result, course=a_course(case)))
    return said_of(case, LESION, LESION) if name == "sr-image" else case


def a_course(case: Case) -> Course:
    """Two frames, of the first and the last source image, with an ejection fraction for each finding."""
    known = [
        InstanceRef(sop_class_uid=str(one.SOPClassUID), sop_instance_uid=str(one.SOPInstanceUID))
        for one in case.headers
    ]
    frames = tuple(
        FrameOutcome(moment=Moment(number=number, of=2, seconds=0.4 * number - 0.4), images=(image,))
        for number, image in enumerate((known[0], known[-1]), 1)
    )
    return Course(frames=frames, ejections=tuple(_ejection(one) for one in case.result.findings))


_OF_A_HEART = (
    Code(value="8811-2", scheme="LN", meaning="Left ventricular ejection fraction by MR"),
    Code(value="8821-1", scheme="LN", meaning="Left Ventricular ED Volume"),
    Code(value="8823-7", scheme="LN", meaning="Left Ventricular ES Volume"),
)


def _ejection(found: Finding) -> Ejection:
    fraction, largest, smallest = _OF_A_HEART
    return Ejection(
        tracking_uid=found.tracking_uid,
        label=found.label,
        fraction=Measurement(name=fraction, value=60.0, unit=PERCENT),
        end_diastolic=Measurement(name=largest, value=120.0, unit=MILLILITER),
        end_systolic=Measurement(name=smallest, value=48.0, unit=MILLILITER),
        diastole=0,
        systole=1,
    )


def refusal() -> str:
    """Why no result is ever made of a series that lacks a slice, by attribute."""
    with tempfile.TemporaryDirectory() as name:
        volume = Volume(array=np.zeros(GRIDS["axial"].shape, np.int16), geometry=GRIDS["axial"], modality="CT")
        faults.drop_slices(write_series(volume, Path(name), spec=SeriesSpec(modality="CT")), 3)
        try:
            open_source(Path(name))
        except GeometryError as error:
            return f"refused: {error.attribute}"
    raise AssertionError("a series that lacks a slice was taken")


# --- validators and readers: how many errors they find in a file ---------------------------------------------------


def _dciodvfy(path: Path, folder: Path) -> int:
    return len(validators.dciodvfy_errors(path))


def _pixelmed(path: Path, folder: Path) -> int:
    return len(validators.pixelmed_errors(path))


def _pixelmed_on_lengths(path: Path, folder: Path) -> int:
    return len(other_than_comments(validators.pixelmed_errors(path)))


def _dsrdump(path: Path, folder: Path) -> int:
    return len(validators.dsrdump_errors(path))


def _segments(path: Path, folder: Path) -> int:
    return int(len(validators.segimage2itkimage(path, folder)) != 2)


def _values(path: Path, folder: Path) -> int:
    (image,) = validators.segimage2itkimage(path, folder)
    return int(set(np.unique(SimpleITK.GetArrayViewFromImage(image)).tolist()) != {0, 1, 2})


def _groups(path: Path, folder: Path) -> int:
    return int(len(validators.tid1500reader(path, folder)["Measurements"]) != 2)


def _map(path: Path, folder: Path) -> int:
    image, _ = validators.paramap2itkimage(path, folder)
    return int(image.GetPixelIDTypeAsString() != "32-bit float")


def _seen_by_highdicom(path: Path, folder: Path) -> int:
    return int(len([number for number in highdicom.seg.segread(path).segment_numbers if number]) != 2)


def _place_by_highdicom(path: Path, folder: Path) -> int:
    """Floats it does not decode; where the frames lie it says."""
    return int(highdicom.imread(path).get_volume_geometry() is None)


def _report_by_highdicom(path: Path, folder: Path) -> int:
    content = highdicom.sr.srread(path).content
    groups = [*content.get_volumetric_roi_measurement_groups(), *content.get_image_measurement_groups()]
    return int(len(groups) < 2)


def _pydicom(path: Path, folder: Path) -> int:
    """Every value of every element, held against its VR."""
    mode = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.RAISE
    try:
        return int(not sum(1 for _ in dcmread(path).iterall()))
    except ValueError:
        return 1
    finally:
        config.settings.reading_validation_mode = mode


def _viewer(script: str, *objects: str) -> Any:
    """What a script of ``Testing/viewers`` prints of objects that lie beside their sources."""

    def run(folder: Path) -> Any:
        here = folder / "viewer"
        here.mkdir(exist_ok=True)
        for name in HERE.glob("*.mjs"):
            shutil.copy(name, here / name.name)
        if not (here / "node_modules").exists():
            (here / "node_modules").symlink_to(installed())
        sources = sorted(str(path) for path in folder.glob("source*.dcm"))
        command = ["node", script, *(str(folder / name) for name in objects), *sources]
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-500:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


def _seen_by_viewers(path: Path, folder: Path) -> int:
    found = _viewer("read.mjs", path.name, "sr.dcm")(path.parent)
    return int([bool(one["voxels"]) for one in found["segments"]] != [True, True])


def _read_by_viewers(path: Path, folder: Path) -> int:
    return int(len(_viewer("groups.mjs", path.name)(path.parent)) < 2)


def _drawn_by_viewers(path: Path, folder: Path) -> int:
    return int(len(_viewer("lengths.mjs", path.name)(path.parent)) < 2)


def _itk(path: Path, folder: Path) -> int:
    return int(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))).max() != 2)


def _csv(path: Path, folder: Path) -> int:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, strict=True))
    return int(len({row["tracking_uid"] for row in rows}) != 2 or any(None in row for row in rows))


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


_DICOM: dict[str, Check] = {"dciodvfy": _dciodvfy, "pydicom, every value": _pydicom}
_REPORT: dict[str, Check] = {
    **_DICOM,
    "PixelMed": _pixelmed,
    "dsrdump": _dsrdump,
    "highdicom": _report_by_highdicom,
    "dcmjs": _read_by_viewers,
}
_OF_SEGMENTS: dict[str, Check] = {**_REPORT, "dcmqi tid1500reader": _groups}
_TEXT: dict[str, Check] = {**_DICOM, "PixelMed": _pixelmed, "dsrdump": _dsrdump}
_OF_LABEL_MAPS: dict[str, Check] = {
    **_DICOM,
    "dcmqi segimage2itkimage": _values,
    "highdicom": _seen_by_highdicom,
}
CHECKS: dict[str, tuple[str, dict[str, Check]]] = {
    "seg": (
        "seg.dcm",
        {
            **_DICOM,
            "dcmqi segimage2itkimage": _segments,
            "highdicom": _seen_by_highdicom,
            "dcmjs, @cornerstonejs/adapters": _seen_by_viewers,
        },
    ),
    "seg-labelmap": ("seg-labelmap.dcm", _OF_LABEL_MAPS),
    "seg-labelmap-plain": ("seg-labelmap-plain.dcm", _OF_LABEL_MAPS),
    "sr": ("sr.dcm", _OF_SEGMENTS),
    "sr-plain": ("sr-plain.dcm", _OF_SEGMENTS),
    "sr-lengths": (
        "sr-lengths.dcm",
        {**_REPORT, "PixelMed": _pixelmed_on_lengths, "@cornerstonejs/adapters": _drawn_by_viewers},
    ),
    "sr-regions": ("sr-regions.dcm", _REPORT),
    "sr-image": ("sr-image.dcm", _REPORT),
    COURSE: ("sr-course.dcm", _REPORT),
    "text": ("text.dcm", _TEXT),
    "pmap": ("pmap-1.dcm", {**_DICOM, "dcmqi paramap2itkimage": _map, "highdicom": _place_by_highdicom}),
    "rtstruct": ("rtstruct.dcm", _DICOM),
    "capture": ("capture-1.dcm", _DICOM),
    "fhir": ("fhir-r4.json", {"fhir.resources R4B": _fhir("fhir.resources.R4B.bundle")}),
    "fhir-r5": ("fhir-r5.json", {"fhir.resources R5": _fhir("fhir.resources.bundle")}),
    "hl7": ("result.hl7", {"hl7apy 2.5.1": _hl7apy}),
    "nifti": ("segmentation.nii.gz", {"SimpleITK": _itk}),
    "nrrd": ("segmentation.seg.nrrd", {"SimpleITK": _itk}),
    "csv": ("findings.csv", {"Python's csv": _csv}),
}
"""Format -> its file, and who judges or reads it."""


# --- the table --------------------------------------------------------------------------------------------------------


def written(case: Case, folder: Path) -> dict[str, str]:
    """Write all formats of :data:`CHECKS` that ``case`` allows; returns why others were refused, by attribute."""
    refused = {}
    for name in CHECKS:
        one = holding(name, case)
        made = "sr" if name == COURSE else name
        formats = (*cites_of(FORMATS[made], one.result), made)
        place = folder / name if name == COURSE else folder
        place.mkdir(exist_ok=True)
        try:
            export_result(one.result, headers=one.headers, folder=place, formats=formats)
            export_pictured(one.result, headers=one.headers, folder=place, formats=formats, pictures=())
        except FormatError as error:
            refused[name] = f"refused: {error.attribute}"
            continue
        if name == COURSE:
            (place / CHECKS[name][0]).rename(folder / CHECKS[name][0])
    return refused


def save_sources(case: Case, folder: Path) -> None:
    """The images behind the objects, as ``source0.dcm`` ... beside them, encoded as objects of them are."""
    for number, header in enumerate(case.headers):
        if "SpecificCharacterSet" in header and header["SpecificCharacterSet"].VM > 1:
            header.decode()
            header.SpecificCharacterSet = "ISO_IR 192"
        header.save_as(folder / f"source{number}.dcm")


def entity_errors(case: Case, folder: Path) -> int:
    """What dcentvfy says of all objects beside their sources; a structure set cites the study as if it were a file.

    It compares names byte by byte: sources in ISO 2022, whose objects are in UTF-8, are encoded like them first.
    """
    save_sources(case, folder)
    study = str(case.headers[0].StudyInstanceUID)
    return len([error for error in validators.dcentvfy_errors(sorted(folder.glob("*.dcm"))) if study not in error])


def column(kind: str) -> dict[tuple[str, str], str]:
    """(format, validator) -> number of errors for one kind of source, or why there is no object."""
    if kind == MISSING:
        return dict.fromkeys([*_ROWS, _ENTITIES], refusal())
    case, cells = a_source(kind), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        refused = written(case, folder)
        cells[_ENTITIES] = str(entity_errors(case, folder))
        for made, validator in _ROWS:
            file, checks = CHECKS[made]
            out = folder / f"{made} {validator.partition(',')[0].replace('/', ' ')}"
            out.mkdir()
            there = (folder / file).exists()
            said = str(checks[validator](folder / file, out)) if there else NOTHING
            cells[made, validator] = refused.get(made) or said
    return cells


_ROWS = [(made, validator) for made, (_, checks) in CHECKS.items() for validator in checks]
_ENTITIES = ("all DICOM objects", "dcentvfy")


def page() -> str:
    """The page of the documentation."""
    columns = {kind: column(kind) for kind in COLUMNS}
    head = ["| format | validator or reader |", "|---|---|"]
    table = [f"{head[0]} {' | '.join(columns)} |", head[1] + "---|" * len(columns)]
    rows = [*_ROWS, _ENTITIES]
    table += [f"| {row[0]} | {row[1]} | {' | '.join(columns[kind][row] for kind in columns)} |" for row in rows]
    return "\n".join([*_INTRODUCTION, "", *table, ""])


_INTRODUCTION = (
    "# Objects before validators",
    "",
    "Written by `python -m Testing.export.validation Resources/Docs/validation.md`, with the numbers of errors that",
    "were counted: two findings and a map, in every format, of every kind of source; boxes in `sr-regions`, labels of",
    "the whole image in `sr-image` and of DX; two ejection fractions, of two of the images as if they were frames over",
    "time, in `sr-course`, which is no format of its own and comes with `sr`. For a reader (dcmqi, highdicom, dcmjs,",
    "SimpleITK) an error is anything but the whole object. Warnings of PixelMed and dsrdump count as errors. What",
    'cannot be written right is refused, by the name of the attribute; "nothing to say" is a format without a file for',
    "such a result. Of a series that lacks a slice no result is made. Sources are generated, and valid themselves.",
    "",
    "Not counted: that dcentvfy misses the study, which a structure set must cite as if it were an instance (PS3.3",
    "C.8.8.5); that PixelMed's template has no row for the comment of a length, though it may be extended; that",
    "dsrdump checks no values in character sets other than ASCII and Latin-1. Before dcentvfy, which compares names",
    "byte by byte, sources in ISO 2022 are encoded in UTF-8 as our objects are.",
)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
