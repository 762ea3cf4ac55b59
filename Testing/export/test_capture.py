"""A page and pictures that any viewer shows, without the patient in their pixels and without uncalibrated numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread

from slicermedai.cli.execute import export_saved
from slicermedai.dicom.headers import save_headers
from slicermedai.domain.finding import Confidence, ConfidenceState
from slicermedai.domain.observer import silent
from slicermedai.domain.result import Status
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.errors import UnreadableFileError
from slicermedai.export import words
from slicermedai.export.lettering import write_line
from slicermedai.export.run import export_pictured
from slicermedai.jobs.specs import ExportJob
from slicermedai.report.build import build
from Testing.export.cases import GRIDS, SPECS, Case, a_ball, a_case
from Testing.export.test_sr_image import a_picture as a_picture_of
from Testing.export.validators import dcentvfy_errors, dciodvfy_errors
from Testing.fixtures.identity import Identity as Person
from Testing.fixtures.series_spec import SeriesSpec


def exported(case: Case, folder: Path, pictures: tuple[Path, ...] = ()) -> list[Dataset]:
    paths = export_pictured(case.result, headers=case.headers, folder=folder, formats=("capture",), pictures=pictures)
    return [dcmread(path) for path in paths]


def says(pixels: NDArray[np.uint8], text: str) -> bool:
    """True where ``text`` is drawn somewhere on the page, letter by letter."""
    ink = np.zeros((22, 12 * len(text), 3), np.uint8)
    write_line(ink, text, top=0, left=0, color=(255, 255, 255))
    wanted, shown = ink[..., 0] > 0, pixels.max(axis=2) > 0
    rows, columns = wanted.shape
    lefts = [left for left in (8, 32, 56) if left + columns <= shown.shape[1]]
    tops = range(0, shown.shape[0] - rows + 1, 2)
    return any(np.array_equal(shown[top : top + rows, left : left + columns], wanted) for top in tops for left in lefts)


def a_picture(folder: Path, name: str, size: tuple[int, int] = (61, 40)) -> Path:
    path = folder / f"{name}.png"
    noise = np.random.default_rng(3).integers(0, 255, (*size, 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path


def changed(case: Case, **fields: object) -> Case:
    return dataclasses.replace(case, result=dataclasses.replace(case.result, **fields))


@pytest.mark.parametrize("kind", SPECS)
def test_a_page_of_every_kind_of_source_is_valid(kind: str, tmp_path: Path) -> None:
    case = a_case(spec=SPECS[kind])
    picture = a_picture(tmp_path, "axial")
    exported(case, tmp_path, (picture,))
    paths = sorted(tmp_path.glob("*.dcm"))
    assert len(paths) == 2
    assert [dciodvfy_errors(path) for path in paths] == [[], []]
    assert dcentvfy_errors(paths) == []


def test_the_page_can_be_read(tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]), a_ball(GRIDS["axial"], radius=(0.2, 0.2, 0.1))))
    (page,) = exported(case, tmp_path)
    pixels = page.pixel_array
    assert pixels.shape == (1024, 1024, 3)
    assert says(pixels, "Research use only. Not for primary diagnosis.")
    assert says(pixels, "MedAI result: brain 1.2.0")
    assert says(pixels, "1. Brain (Brain)") and says(pixels, "2. Lesion (Neoplasm)")
    assert says(pixels, words.amount(case.result.findings[0].measurements[0]))
    assert says(pixels, words.NOT_VERIFIED)
    assert not says(pixels, "1. Brain (Liver)")


def test_a_number_that_is_not_calibrated_is_not_shown(tmp_path: Path) -> None:
    case = a_case()
    text = "\n".join(words.lines(case.result))
    assert "Confidence: not calibrated" in text and "0.98" not in text
    sure = Confidence(state=ConfidenceState.CALIBRATED, raw_score=0.98765432, probability=0.61, calibration="site A")
    (finding,) = case.result.findings
    case = changed(case, findings=(dataclasses.replace(finding, confidence=sure),))
    assert "Probability: 0.61 (calibration: site A)" in "\n".join(words.lines(case.result))
    assert says(exported(case, tmp_path)[0].pixel_array, "Probability: 0.61 (calibration: site A)")


@pytest.mark.parametrize(
    ("status", "message", "text"),
    [
        (Status.NO_FINDING, "", "The algorithm ran and found nothing."),
        (
            Status.FAILED,
            "out of memory",
            "The algorithm failed: out of memory. Nothing follows from this for the patient.",
        ),
    ],
)
def test_no_finding_and_failure_are_said(status: Status, message: str, text: str, tmp_path: Path) -> None:
    case = changed(a_case(masks=(), status=status), message=message)
    (page,) = exported(case, tmp_path)
    assert says(page.pixel_array, text)
    assert dciodvfy_errors(tmp_path / "capture-1.dcm") == []


@pytest.mark.parametrize("identity", Identity)
def test_no_pixel_names_the_patient_on_any_route(identity: Identity, tmp_path: Path) -> None:
    case = a_case()
    for header in case.headers:
        header.PatientIdentityRemoved = "YES" if identity is Identity.DEIDENTIFY else "NO"
    case = changed(case, study=dataclasses.replace(case.result.study, identity=identity))
    (page,) = exported(case, tmp_path)
    assert page.BurnedInAnnotation == "NO"
    assert not any(says(page.pixel_array, str(page[word].value)) for word in ("PatientName", "PatientID"))
    for word in ("PatientName", "PatientID", "AccessionNumber", "PatientBirthDate"):
        assert str(case.headers[0][word].value) not in "\n".join(words.lines(case.result))


_NAMES = {
    "Yamada^Tarou=山田^太郎=やまだ^たろう": ("", "ISO 2022 IR 87"),
    "Люкceмбypг": ("ISO_IR 144",),
    "Müßigbrodt^Zoë": ("ISO_IR 100",),
    "Wang^XiaoDong=王^小东": ("GB18030",),
}


@pytest.mark.parametrize("name", _NAMES)
def test_the_header_has_the_patients_name_in_its_own_script(name: str, tmp_path: Path) -> None:
    spec = SeriesSpec(character_set=_NAMES[name], identity=Person(patient_name=name), private=False)
    case = a_case(spec=spec)
    pages = exported(case, tmp_path, (a_picture(tmp_path, "axial"),))
    assert [str(page.PatientName) for page in pages] == [name, name]
    assert [dciodvfy_errors(path) for path in sorted(tmp_path.glob("*.dcm"))] == [[], []]
    assert not says(pages[0].pixel_array, "Letters that this page cannot show"), "no name of a patient is drawn"


def test_letters_that_the_page_cannot_show_are_said_to_be_missing(tmp_path: Path) -> None:
    case = a_case()
    (finding,) = case.result.findings
    label = dataclasses.replace(finding.label, name="左腎")
    case = changed(case, findings=(dataclasses.replace(finding, label=label),))
    (page,) = exported(case, tmp_path)
    assert says(page.pixel_array, "1. ?? (Brain)")
    assert says(page.pixel_array, "Letters that this page cannot show stand as ?.")


def test_pictures_follow_the_page_with_the_warning_below_them(tmp_path: Path) -> None:
    case = a_case()
    pictures = (a_picture(tmp_path, "axial", (200, 600)), a_picture(tmp_path, "3d", (61, 41)))
    page, axial, model = exported(case, tmp_path, pictures)
    assert not says(page.pixel_array, "No pictures of this result were at hand.")
    assert np.array_equal(axial.pixel_array[:200], np.asarray(Image.open(pictures[0])))
    assert says(axial.pixel_array[200:], "Axial. Research use only. Not for primary")
    assert [one.RecognizableVisualFeatures for one in (page, axial, model)] == ["NO", "NO", "YES"]
    assert [one.InstanceNumber for one in (page, axial, model)] == [1, 2, 3]
    assert len({one.SeriesInstanceUID for one in (page, axial, model)}) == 1


def test_other_pictures_make_other_objects_and_the_same_ones_the_same_bytes(tmp_path: Path) -> None:
    case = a_case()
    folders = [tmp_path / name for name in ("first", "second", "third")]
    (tmp_path / "other").mkdir()
    pictures = [a_picture(tmp_path, "axial")] * 2 + [a_picture(tmp_path / "other", "axial", (50, 50))]
    for folder, picture in zip(folders, pictures, strict=True):
        folder.mkdir()
        exported(case, folder, (picture,))
    first, second, third = [{p.name: p.read_bytes() for p in sorted(folder.iterdir())} for folder in folders]
    assert first == second
    uids = [{str(dcmread(p).SOPInstanceUID) for p in folder.iterdir()} for folder in (folders[0], folders[2])]
    assert uids[0].isdisjoint(uids[1])
    assert first.keys() == third.keys()


def test_a_long_result_goes_on_on_the_next_page(tmp_path: Path) -> None:
    case = a_case()
    made = dataclasses.replace(case.result.provenance, warnings=tuple(f"warning {n}" for n in range(40)))
    pages = exported(changed(case, provenance=made), tmp_path)
    assert len(pages) > 1
    assert says(pages[1].pixel_array, "Warning: warning 39") and not says(pages[0].pixel_array, "Warning: warning 39")


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "axial.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(UnreadableFileError, match=r"axial\.png"):
        exported(a_case(), tmp_path, (path,))


def test_a_report_draws_the_pictures_first_and_a_later_export_shows_the_same(tmp_path: Path) -> None:
    case, out = a_case(), tmp_path / "out"
    case.result.save(out / "result")
    save_headers(case.headers, out / "result" / "source")
    (out / "dicom").mkdir()
    volume = Volume(array=np.where(case.masks[0], 1000, 0).astype(np.int16), geometry=case.geometry, modality="MR")
    build(case.result, out, volume=volume, then=lambda files: exported(case, out / "dicom", files))
    files, pictures = sorted((out / "dicom").iterdir()), sorted((out / "pictures").iterdir())
    assert len(files) == 1 + len(pictures) == 5
    axial = np.asarray(Image.open(out / "pictures" / "axial.png").convert("RGB"))
    assert np.array_equal(dcmread(files[1]).pixel_array[: axial.shape[0]], axial)
    assert "capture-5.dcm" in (out / "report.html").read_text(encoding="utf-8")
    job = ExportJob(source=str(out), output=str(tmp_path / "again"), formats=("capture",))
    again = export_saved(job, job_id="k", progress=silent)
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {p.name: p.read_bytes() for p in files}


@pytest.mark.parametrize(
    ("modality", "part", "side"), [("DX", "CHEST", ""), ("DX", "KNEE", "L"), ("MG", "BREAST", "L")]
)
def test_a_page_on_a_projection_has_its_side_where_the_part_has_two(
    modality: str, part: str, side: str, tmp_path: Path
) -> None:
    case = a_picture_of(tmp_path, modality)
    case.headers[0].BodyPartExamined = part
    (page,) = exported(case, tmp_path)
    assert str(page.get("Laterality") or "") == side
    assert dciodvfy_errors(tmp_path / "capture-1.dcm") == []
