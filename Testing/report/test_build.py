"""Scene, pictures and page beside a result: the right image, no identity, and no result lost for a picture."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("slicer", reason="absent: slicer-core")

from slicermedai.domain.notice import picture_notice
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, InputError, OutputError
from slicermedai.report import build as builder
from slicermedai.report.build import build
from slicermedai.report.files import explain
from slicermedai.report.flat_picture import draw_flat
from Testing.scene.samples import SmallHead, small_head


@pytest.fixture(scope="module")
def head() -> SmallHead:
    return small_head(spacing=8.0)


def members(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return b"".join(name.encode() + archive.read(name) for name in archive.namelist())


def test_scene_pictures_and_page_are_made(head: SmallHead, tmp_path: Path) -> None:
    page = build(head.result, tmp_path, volume=head.volume)
    assert page.read_text(encoding="utf-8").count("<img") == 4
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "scene.mrb", "pictures"}


def test_every_file_that_was_written_is_listed(head: SmallHead, tmp_path: Path) -> None:
    page = build(head.result, tmp_path, volume=head.volume).read_text(encoding="utf-8")
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"pictures/axial.png", "pictures/3d.png"} < written
    assert {name for name in written if f'href="{name}"' in page} == written - {"report.html"}


def test_a_notice_stands_below_a_projection(head: SmallHead, tmp_path: Path) -> None:
    grid = head.volume.geometry
    flat = Volume(array=head.volume.array[:1], geometry=replace(grid, shape=(1, *grid.shape[1:])), name="x")
    (plain,), (told,) = (
        draw_flat(flat, tmp_path / name, notice=notice)
        for name, notice in (("plain", ""), ("told", "Synthetic-trained, not for patients"))
    )
    before, after = (np.asarray(Image.open(one.path)).astype(int) for one in (plain, told))
    assert (after[: len(before)] == before).all() and len(after) > len(before)
    below = (after[len(before) :] == (255, 214, 10)).all(axis=-1)
    assert below.sum() > 300


@pytest.mark.parametrize(
    ("demonstration", "use", "said"),
    [
        (False, "Synthetic-trained, not for patients: shows reports.", ""),
        (True, "Synthetic-trained, not for patients: shows reports.", "Synthetic-trained, not for patients"),
        (True, "Segments brains.", "For demonstration only, not for patients"),
        (True, "", "For demonstration only, not for patients"),
        (True, "x" * 60 + " not for patients", "For demonstration only, not for patients"),
    ],
)
def test_pictures_of_a_demonstration_have_its_own_words_where_they_are_short(
    head: SmallHead, demonstration: bool, use: str, said: str
) -> None:
    made = replace(head.result.provenance, demonstration=demonstration, intended_use=use)
    assert picture_notice(replace(head.result, provenance=made)) == said


_SURFACES_OF = """
import sys
import slicer
from pathlib import Path
from slicermedai.scene.archive import load_scene

scene = load_scene(Path(sys.argv[1]), slicer.vtkMRMLScene())
segmentation = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode").GetSegmentation()
segments = [segmentation.GetNthSegment(number) for number in range(segmentation.GetNumberOfSegments())]
print([segment.GetRepresentation("Closed surface").GetNumberOfPoints() > 0 for segment in segments])
"""


def test_the_words_about_the_scene_are_true(head: SmallHead, tmp_path: Path) -> None:
    """Slicer, which has not seen the result, shows its surfaces; written and read in processes of their own."""
    write = (
        "import sys; from pathlib import Path; from slicermedai.report.build import build; "
        "from Testing.scene.samples import small_head; head = small_head(spacing=8.0); "
        "build(head.result, Path(sys.argv[1]), volume=head.volume)"
    )
    said = ""
    for program, argument in ((write, tmp_path), (_SURFACES_OF, tmp_path / "scene.mrb")):
        command = [sys.executable, "-c", program, str(argument)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[True, True]"
    assert "segmentation with its surfaces" in explain(Path("scene.mrb"))


def test_an_identified_image_enters_a_pseudonymous_scene_without_its_names(head: SmallHead, tmp_path: Path) -> None:
    study = replace(head.result.study, identity=Identity.DEIDENTIFY)
    pseudonymous = replace(head.result, study=study)
    volume = replace(head.volume, name="Thornbury", series_uid="1.2.826.0.1.99887766")
    build(pseudonymous, tmp_path, volume=volume)
    held = members(tmp_path / "scene.mrb")
    assert b"Thornbury" not in held
    assert b"99887766" not in held


def test_another_image_is_refused(head: SmallHead, tmp_path: Path) -> None:
    other = replace(head.volume, geometry=head.volume.geometry.cropped((1, 0, 0), _moved(head)))
    with pytest.raises(GeometryError, match="not the one that was analysed"):
        build(head.result, tmp_path, volume=other)


def _moved(head: SmallHead) -> tuple[int, int, int]:
    slices, rows, columns = head.volume.geometry.shape
    return slices + 1, rows, columns


def test_other_voxels_on_the_same_grid_are_refused(head: SmallHead, tmp_path: Path) -> None:
    for array in (np.zeros_like(head.volume.array), head.volume.array[::-1]):
        with pytest.raises(InputError, match="voxels are others"):
            build(head.result, tmp_path, volume=replace(head.volume, array=array))
    assert list(tmp_path.iterdir()) == []


def test_the_page_of_an_old_result_says_that_its_image_could_not_be_compared(
    head: SmallHead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "find_spec", lambda name: None)
    old = replace(head.result, provenance=replace(head.result.provenance, input=None))
    assert "could not be compared" in build(old, tmp_path, volume=head.volume).read_text(encoding="utf-8")
    (tmp_path / "report.html").unlink()
    assert "could not be compared" not in build(head.result, tmp_path, volume=head.volume).read_text(encoding="utf-8")


def test_a_scene_that_cannot_be_saved_is_said_and_loses_nothing(
    head: SmallHead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Path:
        raise OutputError("a node failed")

    monkeypatch.setattr("slicermedai.scene.save.save_result", fails)
    page = build(head.result, tmp_path, volume=head.volume).read_text(encoding="utf-8")
    assert "There is no scene file: a node failed" in page


def test_without_the_image_the_page_says_why_there_are_no_pictures(head: SmallHead, tmp_path: Path) -> None:
    page = build(head.result, tmp_path, volume=None).read_text(encoding="utf-8")
    assert "the image was not at hand" in page
    assert "<img" not in page


def test_without_slicers_packages_the_page_says_so(
    head: SmallHead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "find_spec", lambda name: None)
    assert "not installed here" in build(head.result, tmp_path, volume=head.volume).read_text(encoding="utf-8")
