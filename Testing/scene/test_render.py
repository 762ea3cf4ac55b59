"""Pictures show the finding on the right side, in its colour, at its place."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import slicer
from PIL import Image

from slicermedai.domain.digests import digest_of
from slicermedai.domain.finding import Box, PackedMask, Point
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.scene import render, skin
from slicermedai.scene.clear import clear
from slicermedai.scene.letters import edge_letters
from slicermedai.scene.show import show
from slicermedai.scene.views import SliceView
from slicermedai.scene.volumes import to_matrix
from Testing.fixtures.grids import ORIENTATIONS
from Testing.scene.samples import BRAIN_COLOR, IN_VENTRICLE, VENTRICLE_COLOR, SmallHead, small_head

ROOT = Path(__file__).resolve().parents[2]
SIZE = (300, 300)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def near(picture: np.ndarray, color: tuple[int, int, int], tolerance: int = 12) -> np.ndarray:
    return np.abs(picture - np.array(color)).max(axis=-1) <= tolerance


def middle(hits: np.ndarray) -> tuple[float, float]:
    """(x, y) of the middle of the hits as fractions of the picture, from its left and top."""
    rows, columns = np.nonzero(hits)
    assert rows.size, "the colour is nowhere"
    height, width = hits.shape
    return float(columns.mean() / width), float(rows.mean() / height)


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The four pictures of the small head, by kind."""
    return pictures_of(small_head(), tmp_path_factory.mktemp("views"))


def pictures_of(head: SmallHead, folder: Path) -> dict[str, Path]:
    return {p.kind: p.path for p in render.render_views(head.result, head.volume, folder, size=SIZE)}


def test_four_pictures_of_the_wanted_size_are_made(views):
    assert list(views) == ["axial", "sagittal", "coronal", "3d"]
    assert {pixels(path).shape for path in views.values()} == {(300, 300, 3)}


def in_corner(picture: np.ndarray) -> np.ndarray:
    """Of a picture of 300 pixels, what is as yellow as letters are, in the upper left, where no letter stands."""
    return near(picture[20:60, 8:140], (255, 217, 76), 60)


def test_pictures_of_a_demonstration_say_so_in_a_corner_and_no_others_do(views, tmp_path):
    head = small_head()
    made = replace(head.result.provenance, demonstration=True, intended_use="Synthetic-trained, not for patients: x.")
    told = pictures_of(replace(head, result=replace(head.result, provenance=made)), tmp_path)
    for kind, path in told.items():
        assert in_corner(pixels(path)).sum() > 150, kind
        assert in_corner(pixels(views[kind])).sum() < 20, kind


@pytest.mark.parametrize("kind", ["axial", "coronal"])
def test_the_left_ventricle_is_on_the_right_of_the_picture(views, kind):
    x, _ = middle(near(pixels(views[kind]), VENTRICLE_COLOR))
    assert 0.52 < x < 0.62


def test_the_outline_of_the_brain_lies_where_the_brain_lies(views):
    """Brain: 124 mm wide, 162 mm long, its middle 2 mm posterior; the picture spans the 250 mm of the image."""
    outline = near(pixels(views["axial"]), BRAIN_COLOR)
    rows, columns = np.nonzero(outline)
    field = 230.0  # mm from the top to the bottom of the picture: the image is fitted in
    assert np.ptp(columns) * field / 300 == pytest.approx(124, abs=8)
    assert np.ptp(rows) * field / 300 == pytest.approx(162, abs=8)
    assert middle(outline)[0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("codes", ["SPL", "IAR", "LIP", "PSR", "RSA"])
def test_the_side_does_not_depend_on_how_the_scan_was_stored(codes, tmp_path: Path):
    views = pictures_of(small_head(codes=codes, spacing=8.0), tmp_path)
    assert 0.52 < middle(near(pixels(views["axial"]), VENTRICLE_COLOR))[0] < 0.62
    assert 0.52 < middle(near(pixels(views["coronal"]), VENTRICLE_COLOR))[0] < 0.62


def slices_of(head: SmallHead, views: dict[str, SliceView], folder: Path) -> list[np.ndarray]:
    """Axial, sagittal and coronal through the middle of a voxel of the left ventricle."""
    scene = views["Axial"].node.GetScene()
    shown = show(head.result, scene, volume=head.volume, surfaces=False)
    left, posterior, superior = IN_VENTRICLE
    found = []
    for name, view in views.items():
        view.show_volume(shown.volume_node, (-left, -posterior, superior))
        found.append(pixels(view.save(folder / f"{name}.png")))
    clear(head.result, scene)
    return found


@pytest.fixture(scope="module")
def upright(slice_views: dict[str, SliceView], tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """The slices of a head that is stored along the patient's axes."""
    return slices_of(small_head(codes="SPL", spacing=8.0), slice_views, tmp_path_factory.mktemp("upright"))


def differing(one: np.ndarray, other: np.ndarray) -> float:
    """The part of the pixels that differ to the eye; lines may lie a pixel aside."""
    return float((np.abs(one - other).max(axis=-1) > 12).mean())


def test_a_slice_that_is_mirrored_or_turned_has_other_pixels(upright):
    for picture in upright:
        for changed in (picture[:, ::-1], picture[::-1], picture[::-1, ::-1]):
            assert differing(picture, changed) > 0.03


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_slices_are_the_same_pixels_in_all_48_orientations(codes, slice_views, upright, tmp_path: Path):
    slices = slices_of(small_head(codes=codes, spacing=8.0), slice_views, tmp_path)
    for name, picture, wanted in zip(slice_views, slices, upright, strict=True):
        assert differing(picture, wanted) < 0.01, name
    for picture in (slices[0], slices[2]):
        assert middle(near(picture, VENTRICLE_COLOR, 60))[0] > 0.52


def test_the_nose_points_to_the_left_of_the_sagittal_picture(views):
    """The nose is the foremost bright part; behind the head there is nothing."""
    bright = pixels(views["sagittal"]).min(axis=-1) > 200
    columns = np.nonzero(bright.any(axis=0))[0]
    assert columns.min() / 300 < 1 - columns.max() / 300


def test_the_fill_lets_the_image_be_seen(views):
    """Inside the brain's outline, grey and white matter differ though the fill covers both."""
    picture = pixels(views["axial"])
    green = picture[:, :, 1] - picture[:, :, 0]
    inside = (green > 15) & ~near(picture, BRAIN_COLOR, 30)
    assert np.ptp(picture[inside][:, 1]) > 60


@pytest.mark.parametrize("kind", ["axial", "coronal", "sagittal"])
def test_letters_and_a_ruler_are_drawn(views, kind):
    yellow = near(pixels(views[kind]), (255, 217, 77), 40)
    bands = {
        "left": yellow[120:180, :25],
        "right": yellow[120:180, -25:],
        "top": yellow[:30, 130:170],
        "bottom": yellow[-65:, 130:170],
    }
    assert all(band.any() for band in bands.values()), {name: bool(band.any()) for name, band in bands.items()}
    ruler = pixels(views[kind])[-35:, 60:240].min(axis=-1) > 100
    assert ruler.sum() > 40


@pytest.mark.parametrize(
    ("orientation", "wanted"),
    [("Axial", "R L A P"), ("Sagittal", "A P S I"), ("Coronal", "R L S I")],
)
def test_letters_follow_slicers_own_views(scene, orientation, wanted):
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    node = scene.AddNewNodeByClass("vtkMRMLSliceNode", "view")
    node.SetOrientation(orientation)
    letters = edge_letters(node.GetSliceToRAS())
    assert [letters[edge] for edge in ("left", "right", "top", "bottom")] == wanted.split()


def test_letters_turn_when_the_view_is_turned():
    matrix = to_matrix(np.diag([1.0, -1.0, 1.0, 1.0]))
    assert edge_letters(matrix) == {"left": "L", "right": "R", "top": "P", "bottom": "A"}


def test_the_3d_view_shows_the_finding_inside_the_head_with_the_nose_to_the_left(views):
    picture = pixels(views["3d"])
    green = picture[:, :, 1] - np.maximum(picture[:, :, 0], picture[:, :, 2]) > 40
    x, y = middle(green)
    assert 0.35 < x < 0.65
    assert 0.2 < y < 0.6
    shell = (picture[:, :, 0] - picture[:, :, 2] > 2) & ~green
    columns = np.nonzero(shell.any(axis=0))[0]
    assert columns.min() < np.nonzero(green.any(axis=0))[0].min(), "the outer surface is wider than the brain"


def test_no_face_is_drawn_for_a_pseudonymous_result(head: SmallHead, views, tmp_path: Path):
    study = replace(head.result.study, identity=Identity.DEIDENTIFY)
    hidden = replace(head, result=replace(head.result, study=study))
    picture = render.render_views(hidden.result, hidden.volume, tmp_path, size=SIZE)[-1]
    assert "left out since it would show a face" in picture.description
    skin_tone = [int(((p := pixels(path))[:, :, 0] - p[:, :, 2] > 2).sum()) for path in (views["3d"], picture.path)]
    assert skin_tone[0] > 5000
    assert skin_tone[1] < 200
    assert (pixels(picture.path)[:, :, 1] - pixels(picture.path)[:, :, 0] > 40).sum() > 2000, "the finding is there"


def test_without_findings_the_image_alone_is_shown(head: SmallHead, empty_result: AnalysisResult, tmp_path: Path):
    pictures = render.render_views(empty_result, head.volume, tmp_path, size=SIZE)
    assert pictures[0].title == "Axial slice through the middle of the image, S 0.0 mm"
    axial = pixels(pictures[0].path)
    assert not near(axial, BRAIN_COLOR).any()
    assert (axial.min(axis=-1) > 150).mean() > 0.1


def test_a_point_and_a_box_are_gone_through(head: SmallHead):
    label = head.result.findings[0].label
    point = replace(head.result.findings[0], label=label, region=Point(position=(1.0, 2.0, 3.0)))
    box = replace(point, region=Box(low=(0.0, 0.0, 0.0), high=(2.0, 4.0, 6.0)))
    assert tuple(render.finding_center(point)) == (1.0, 2.0, 3.0)
    assert tuple(render.finding_center(box)) == (1.0, 2.0, 3.0)
    assert render.main_finding(replace(head.result, findings=(box, point))) is box


def test_a_finding_without_a_region_has_no_centre(head: SmallHead):
    with pytest.raises(InputError, match="region"):
        render.finding_center(replace(head.result.findings[0], region=None))


@pytest.mark.fetched
def test_the_brain_of_a_real_head_is_drawn_inside_its_head(colin27: Path, head: SmallHead, tmp_path: Path):
    image, brain = (nibabel.load(colin27 / name) for name in ("ch2.nii.gz", "ch2bet.nii.gz"))
    arrays = [np.asarray(item.dataobj).transpose(2, 1, 0) for item in (image, brain)]
    geometry = Geometry.from_ijk_lps(arrays[0].shape, np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine)
    region = PackedMask.from_array(arrays[1] > 0, geometry)
    finding = replace(head.result.findings[0], region=region)
    volume = Volume(array=arrays[0], geometry=geometry, modality="MR")
    made = replace(head.result.provenance, input=digest_of((), volume))
    result = replace(head.result, findings=(finding,), volume_geometry=geometry, provenance=made)
    for picture in render.render_views(result, volume, tmp_path, size=SIZE)[:3]:
        shown = pixels(picture.path)
        outline = np.nonzero(near(shown, BRAIN_COLOR, 30))
        bright = np.nonzero(shown.max(axis=-1) > 60)
        for axis in range(2):
            assert bright[axis].min() < outline[axis].min() < outline[axis].max() < bright[axis].max()


def test_the_slices_go_through_a_voxel_of_the_finding(head: SmallHead):
    finding = head.result.findings[0]
    index = np.rint(head.volume.geometry.to_index(render.finding_center(finding))).astype(int)
    assert finding.region.to_array()[tuple(index)]


def test_pictures_are_the_same_each_time(head: SmallHead, tmp_path: Path):
    first, second = (pictures_of(head, tmp_path / name) for name in ("one", "two"))
    assert all(first[kind].read_bytes() == second[kind].read_bytes() for kind in first)


def test_otsu_finds_the_gap_between_air_and_tissue():
    values = np.r_[np.zeros(500), np.full(500, 100.0)]
    assert 0 < skin.otsu(values) <= 100
    assert skin.otsu(np.full(10, 3.0)) is None


def in_a_process_of_its_own(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    program = (
        "from pathlib import Path\n"
        "from Testing.scene.samples import small_head\n"
        "from slicermedai.errors import OutputError\n"
        "from slicermedai.scene.render import render_views\n"
        "head = small_head(spacing=10.0)\n"
        "try:\n"
        f"    print(len(render_views(head.result, head.volume, Path({str(tmp_path)!r}), size=(100, 100))))\n"
        "except OutputError as error:\n"
        "    print('refused:', error)\n"
    )
    path = os.pathsep.join([str(ROOT / "SlicerMedAI"), str(ROOT)])
    variables = {**os.environ, "PYTHONPATH": path, "DISPLAY": "", **environment}
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_nothing_is_said_on_the_console_and_the_process_ends_well(tmp_path: Path):
    done = in_a_process_of_its_own(tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("4", "")


@pytest.mark.skipif(sys.platform != "linux", reason="absent: EGL, which only Linux has")
def test_without_opengl_the_error_says_what_to_install(tmp_path: Path):
    nowhere = str(tmp_path / "none")
    done = in_a_process_of_its_own(tmp_path, __EGL_VENDOR_LIBRARY_FILENAMES=nowhere, __EGL_VENDOR_LIBRARY_DIRS=nowhere)
    assert done.stdout.startswith("refused: OpenGL: no offscreen OpenGL is available")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("orientation", "words"), [("Axial", "I 12.3 mm"), ("Sagittal", "R 40.0 mm"), ("Coronal", "P 7.0 mm")]
)
def test_a_slice_says_where_it_lies(orientation: str, words: str):
    assert render.position_words(np.array([-40.0, 7.04, -12.3]), orientation) == words


def test_the_slice_is_drawn_where_its_title_says(head: SmallHead, tmp_path: Path):
    center = render.finding_center(head.result.findings[0])
    pictures = render.render_views(head.result, head.volume, tmp_path, size=SIZE)
    for orientation, picture in zip(render.ORIENTATIONS, pictures[:3], strict=True):
        assert picture.title.endswith(f", {render.position_words(center, orientation)}")
