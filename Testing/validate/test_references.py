"""References that are drawn and not painted: contours and markups become the voxels that they enclose."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon
from pydicom import dcmread

from slicermedai.domain.codes import ANATOMY, BRAIN, Label
from slicermedai.domain.geometry import Geometry
from slicermedai.errors import FormatError, GeometryError, InputError, UnreadableFileError
from slicermedai.export.rtstruct_read import read as read_structure_set
from slicermedai.export.run import export_result
from slicermedai.validate import markups
from slicermedai.validate.cases import match_labels
from slicermedai.validate.contours import ball, even_odd, filled, voxels_cut
from slicermedai.validate.references import masks_on, names_in, read_reference
from Testing.export.cases import GRIDS, Case, a_ball, a_case

GRID = Geometry.from_axes((24, 40, 36), spacing=(3.0, 1.0, 1.5), origin=(-20.0, 11.0, 5.0))


def shell(case: Case) -> np.ndarray:
    whole, hole = a_ball(case.geometry), a_ball(case.geometry, radius=(0.3, 0.2, 0.25))
    return np.asarray((whole & ~hole) | a_ball(case.geometry, radius=(0.15, 0.08, 0.1)))


def structure_set(case: Case, folder: Path) -> Path:
    (path,) = export_result(case.result, headers=case.headers, folder=folder, formats=("rtstruct",))
    return path


def circle(radius: float, *, plane: float, middle: tuple[float, float] = (20.0, 18.0), corners: int = 60) -> np.ndarray:
    """A contour in index space of :data:`GRID` as LPS mm."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    rows, columns = middle[0] + radius * np.cos(turn), middle[1] + radius * np.sin(turn)
    return GRID.to_lps(np.column_stack([np.full(corners, plane), rows, columns]))


# --- contours ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-4, 24), st.floats(-4, 24)), min_size=3, max_size=9))
def test_the_even_odd_rule_is_that_of_counting_crossings(corners: list[tuple[float, float]]) -> None:
    """Each centre by itself: how many sides of the polygon lie to its left."""
    shape, points = (20, 18), np.array(corners)
    wanted = np.zeros(shape, dtype=bool)
    for r, c in np.ndindex(shape):
        for (r0, c0), (r1, c1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if (r0 <= r - 1e-9) != (r1 <= r - 1e-9) and c0 + (r - r0) * (c1 - c0) / (r1 - r0) <= c:
                wanted[r, c] ^= True
    differs = wanted != even_odd([points], shape)
    assert not differs[~_near_a_side(points, shape)].any()


def _near_a_side(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    centres = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).astype(float)
    near = np.zeros(shape, dtype=bool)
    for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
        along = b - a
        share = np.clip(((centres - a) @ along) / max(along @ along, 1e-12), 0, 1)
        near |= np.linalg.norm(centres - a - share[..., None] * along, axis=-1) < 1e-6
    return near


def test_a_polygon_is_filled_as_others_fill_it() -> None:
    points = np.array([[2.3, 3.1], [17.2, 5.4], [12.9, 14.8], [9.1, 8.2], [4.4, 16.6]])
    centres = np.argwhere(np.ones((20, 18), dtype=bool))
    wanted = Polygon(np.vstack([points, points[:1]]), closed=True).contains_points(centres).reshape(20, 18)
    assert np.array_equal(even_odd([points], (20, 18)), wanted)


def test_a_contour_within_a_contour_is_a_hole_and_a_third_one_an_island() -> None:
    rings = [circle(radius, plane=5) for radius in (12.0, 8.0, 3.0)]
    mask = filled(rings, GRID, name="Ring")
    away = np.hypot(*(np.indices((40, 36)) - np.array([20, 18])[:, None, None]))
    clear = np.abs(away[..., None] - [12, 8, 3]).min(axis=-1) > 0.1
    wanted = (away < 3) | ((away > 8) & (away < 12))
    assert np.array_equal(mask[5][clear], wanted[clear])
    assert mask.any(axis=(1, 2)).nonzero()[0].tolist() == [5]


def test_contours_may_stand_across_any_axis_of_the_image() -> None:
    points = GRID.to_lps([[4, 7.0, 6], [16, 7.0, 6], [16, 7.0, 30], [4, 7.0, 30]])
    mask = filled([points], GRID, name="Sheet")
    assert mask.any(axis=(0, 2)).nonzero()[0].tolist() == [7]
    assert mask[:, 7].sum() == 12 * 24


def test_contours_a_little_off_their_plane_are_taken_and_farther_ones_refused() -> None:
    near = filled([circle(6, plane=plane + 0.15) for plane in (4, 5)], GRID, name="Near")
    assert near.any(axis=(1, 2)).nonzero()[0].tolist() == [4, 5]
    for planes, words in (((4.4, 5.4), "do not lie in the planes"), ((23, 24), "beyond the image")):
        with pytest.raises(GeometryError, match=words):
            filled([circle(6, plane=plane) for plane in planes], GRID, name="Far")


def test_what_is_drawn_on_every_third_slice_is_refused_and_two_pieces_are_not() -> None:
    with pytest.raises(GeometryError, match="once in 3 slices"):
        filled([circle(6, plane=plane) for plane in (3, 6, 9, 12)], GRID, name="Sparse")
    two = filled([circle(6, plane=plane) for plane in (3, 4, 5, 15, 16)], GRID, name="Two")
    assert two.any(axis=(1, 2)).nonzero()[0].tolist() == [3, 4, 5, 15, 16]


@pytest.mark.parametrize(
    "planes", [(2, 4, 6, 8, 10, 11, 12, 13, 14, 15), (1, 2, 3, 4, 5, 6, 9, 12), (3, 8), (2, 4, 7, 9)]
)
def test_what_is_drawn_on_every_second_slice_for_a_part_is_refused(planes: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match=r"once in \d slices"):
        filled([circle(6, plane=plane) for plane in planes], GRID, name="Half")


def test_three_pieces_at_even_distances_are_not_refused() -> None:
    planes = (2, 3, 9, 10, 16, 17)
    mask = filled([circle(6, plane=plane) for plane in planes], GRID, name="Three")
    assert tuple(mask.any(axis=(1, 2)).nonzero()[0].tolist()) == planes


def test_contours_at_two_places_of_one_slice_are_refused() -> None:
    """At 20.0 and 20.5 mm, where slices are 5 mm apart: both would be that of the slice, and take each other away."""
    thick = Geometry.from_axes((12, 40, 36), spacing=(5.0, 1.0, 1.5))
    low = np.array([[12.0, 10.0, 20.0], [30.0, 10.0, 20.0], [30.0, 28.0, 20.0], [12.0, 28.0, 20.0]])
    both = [low, low + np.array([0.0, 0.0, 0.5])]
    with pytest.raises(GeometryError, match=r"several times within one slice.*0\.10 of a slice"):
        filled(both, thick, name="Twice")
    assert filled(both[:1], thick, name="Once").sum() == filled([low, low + 1e-4], thick, name="Again").sum() > 200


def test_a_contour_of_a_region_that_is_drawn_twice_counts_once() -> None:
    once, again = circle(6, plane=4), np.roll(circle(6, plane=4), 7, axis=0)[::-1]
    wanted = filled([once], GRID, name="One")
    assert wanted.sum() > 100 and np.array_equal(filled([once, again], GRID, name="One"), wanted)


@pytest.mark.parametrize("middle", [(200.0, 18.0), (20.0, -90.0), (-60.0, 300.0)])
def test_a_contour_beyond_rows_or_columns_is_refused(middle: tuple[float, float]) -> None:
    with pytest.raises(GeometryError, match="'Away' lie beyond the image"):
        filled([circle(6, plane=4), circle(6, plane=5, middle=middle)], GRID, name="Away")


def test_a_structure_that_marks_no_voxel_is_refused_and_a_small_end_of_one_is_not() -> None:
    small = circle(0.2, plane=5, middle=(20.5, 18.5))
    with pytest.raises(GeometryError, match="smaller than a voxel"):
        filled([small], GRID, name="Dot")
    assert filled([circle(6, plane=4), small], GRID, name="Ended")[5].sum() == 0


def test_contours_that_reach_beyond_the_rows_and_columns_are_cut_there() -> None:
    mask = filled([circle(100, plane=2)], GRID, name="All")
    assert mask[2].all() and mask.sum() == 40 * 36


# --- structure sets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRIDS)
def test_a_structure_set_gives_the_masks_that_it_was_made_from(name: str, tmp_path: Path) -> None:
    """With a hole and an island in it, in every orientation."""
    case = a_case(GRIDS[name])
    case = a_case(GRIDS[name], masks=(a_ball(case.geometry), shell(case)))
    path = structure_set(case, tmp_path)
    found = read_reference(path, case.geometry)
    assert tuple(found.masks) == names_in(path)
    for mask, wanted in zip(found.masks.values(), case.masks, strict=True):
        assert np.array_equal(mask, wanted)
    assert found.rough == frozenset()


def test_a_structure_set_is_matched_by_a_label_table_and_brought_to_another_grid(tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]),))
    path = structure_set(case, tmp_path)
    (name,) = names_in(path)
    table = tmp_path / "labels.csv"
    table.write_text(f"reference,label\n{name},Body\n")
    matches = match_labels(table, ((1, Label(name="Body", category=ANATOMY, type=BRAIN)),), [name])
    fine = case.geometry.resized(tuple(2 * n for n in case.geometry.shape))
    mask = masks_on(read_reference(path, case.geometry), matches, fine)[1]
    assert mask.sum() == pytest.approx(8 * case.masks[0].sum(), rel=0.05)


def test_points_and_open_lines_are_no_structure(tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]), shell(a_case(GRIDS["axial"]))))
    path = structure_set(case, tmp_path)
    names = names_in(path)
    dataset = dcmread(path)
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        contour.ContourGeometricType = "OPEN_PLANAR"
    dataset.save_as(path)
    assert names_in(path) == names[1:]
    (first, _) = read_structure_set(path).regions
    assert first.polygons == () and first.other > 0


def test_a_structure_that_is_not_there_is_empty(tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]),))
    path = structure_set(case, tmp_path)
    dataset = dcmread(path)
    del dataset.ROIContourSequence[0].ContourSequence
    dataset.save_as(path)
    (mask,) = read_reference(path, case.geometry).masks.values()
    assert not mask.any()


def test_a_structure_set_of_another_frame_of_reference_is_refused(tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]),))
    path = structure_set(case, tmp_path)
    other = replace(case.geometry, frame_of_reference_uid="1.2.3")
    with pytest.raises(InputError, match="another frame of reference"):
        read_reference(path, other)
    assert read_reference(path, replace(case.geometry, frame_of_reference_uid="")).masks


def test_one_region_of_another_frame_of_reference_is_enough_to_refuse_it(tmp_path: Path) -> None:
    """Regions that name several frames have none in common, and each is held against the image by itself."""
    case = a_case(masks=(a_ball(GRIDS["axial"]), shell(a_case(GRIDS["axial"]))))
    path = structure_set(case, tmp_path)
    dataset = dcmread(path)
    dataset.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"
    dataset.save_as(path)
    assert read_structure_set(path).frame_of_reference_uid == ""
    with pytest.raises(InputError, match="another frame of reference"):
        read_reference(path, case.geometry)
    for contour in dataset.ROIContourSequence[1].ContourSequence:
        contour.ContourGeometricType = "POINT"
    dataset.save_as(path)
    assert len(read_reference(path, case.geometry).masks) == 1  # points of another frame are not looked at


def test_two_regions_of_one_name_are_one_structure_and_none_is_a_hole_in_the_other(tmp_path: Path) -> None:
    whole, part = a_ball(GRIDS["axial"]), a_ball(GRIDS["axial"], radius=(0.2, 0.15, 0.2))
    case = a_case(masks=(whole, part))
    path = structure_set(case, tmp_path)
    dataset = dcmread(path)
    for one in dataset.StructureSetROISequence:
        one.ROIName = "Kidney"
    dataset.save_as(path)
    assert names_in(path) == ("Kidney",)
    assert np.array_equal(read_reference(path, case.geometry).masks["Kidney"], whole)


# --- segmentations -----------------------------------------------------------------------------------------------


def segmentation(case: Case, folder: Path) -> Path:
    (path,) = export_result(case.result, headers=case.headers, folder=folder, formats=("seg",))
    return path


def two_kidneys(folder: Path, *, other_code: bool = False) -> tuple[Case, Path]:
    """Two segments called "Kidney", apart from each other, of one code or of two."""
    grid = GRIDS["axial"]
    first = a_ball(grid, radius=(0.3, 0.2, 0.2))
    second = np.zeros_like(first)
    second[0, :2, :3] = True
    case = a_case(masks=(first, second))
    path = segmentation(case, folder)
    dataset = dcmread(path)
    for one in dataset.SegmentSequence:
        one.SegmentLabel = "Kidney"
        if not other_code:
            for name in ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence"):
                setattr(one, name, copy.deepcopy(dataset.SegmentSequence[0][name].value))
    dataset.save_as(path)
    return case, path


def test_segments_of_one_name_and_code_are_one_structure(tmp_path: Path) -> None:
    case, path = two_kidneys(tmp_path)
    assert names_in(path) == ("Kidney",)
    found = read_reference(path, case.geometry)
    assert found.masks["Kidney"].sum() == case.masks[0].sum() + case.masks[1].sum()


def test_segments_of_one_name_and_several_codes_are_refused(tmp_path: Path) -> None:
    case, path = two_kidneys(tmp_path, other_code=True)
    with pytest.raises(InputError, match="SegmentLabel"):
        read_reference(path, case.geometry)


def test_a_segmentation_of_another_frame_of_reference_is_refused(tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]),))
    path = segmentation(case, tmp_path)
    with pytest.raises(InputError, match="another frame of reference"):
        read_reference(path, replace(case.geometry, frame_of_reference_uid="1.2.3"))
    for known in (case.geometry, replace(case.geometry, frame_of_reference_uid="")):
        assert read_reference(path, known).masks


# --- structure sets that are damaged -----------------------------------------------------------------------------


@pytest.mark.parametrize("points", [[0.0, 0.0, 0.0], [0.0] * 10])
def test_a_damaged_contour_is_named(points: list[float], tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]),))
    path = structure_set(case, tmp_path)
    dataset = dcmread(path)
    dataset.ROIContourSequence[0].ContourSequence[0].ContourData = points
    dataset.save_as(path)
    with pytest.raises(FormatError):
        read_structure_set(path)


# --- markups -----------------------------------------------------------------------------------------------------


def control_point(place: tuple[float, ...], label: str = "Lesion-1", description: str = "") -> dict[str, object]:
    return {"id": "1", "label": label, "description": description, "position": place, "positionStatus": "defined"}


def write_markups(path: Path, *found: dict[str, object], system: str = "LPS") -> Path:
    made = [{"coordinateSystem": system, "coordinateUnits": "mm", **one} for one in found]
    path.write_text(json.dumps({"@schema": "markups-schema-v1.0.4.json#", "markups": made}))
    return path


def a_box(centre: tuple[float, ...], size: tuple[float, ...], turn: np.ndarray) -> dict[str, object]:
    return {
        "type": "ROI", "roiType": "Box", "center": centre, "size": size, "orientation": turn.ravel().tolist(),
        "controlPoints": [control_point(centre)],
    }  # fmt: skip


def turned(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def test_a_box_of_either_coordinate_system_is_where_it_was_drawn(tmp_path: Path) -> None:
    """One box, turned by 30 degrees, as each of the two systems writes it."""
    middle, size, turn = np.array([0.0, 30.0, 41.0]), (18.0, 9.0, 21.0), turned(30)
    flip = np.diag([-1.0, -1.0, 1.0])
    lps = write_markups(tmp_path / "l.mrk.json", a_box(tuple(middle), size, turn))
    ras = write_markups(tmp_path / "r.mrk.json", a_box(tuple(flip @ middle), size, flip @ turn), system="RAS")
    masks = [read_reference(path, GRID).masks["Lesion"] for path in (lps, ras)]
    assert np.array_equal(*masks)
    voxels = GRID.to_lps(np.argwhere(masks[0]))
    assert np.allclose(voxels.mean(axis=0), middle, atol=0.3)
    assert masks[0].sum() * GRID.voxel_volume == pytest.approx(np.prod(size), rel=0.03)
    inside = (np.abs((GRID.to_lps(np.argwhere(np.ones(GRID.shape))) - middle) @ turn) <= np.array(size) / 2).all(axis=1)
    assert np.array_equal(masks[0].ravel(), inside)
    wrong = write_markups(tmp_path / "w.mrk.json", a_box(tuple(middle), size, turn), system="RAS")
    with pytest.raises(GeometryError, match="marks no voxel"):  # the image is not there
        read_reference(wrong, GRID)


def test_points_are_balls_of_the_size_that_they_say(tmp_path: Path) -> None:
    points = [
        control_point((-2.0, 30.0, 30.0), "Nodule-1", "radius 6 mm"),
        control_point((10.0, 20.0, 50.0), "Nodule-2", "Diameter: 9.0 mm, spiculated"),
        control_point((0.0, 0.0, 0.0), "Cyst", "radius=4mm") | {"positionStatus": "undefined"},
    ]
    path = write_markups(tmp_path / "p.mrk.json", {"type": "Fiducial", "controlPoints": points})
    assert names_in(path) == ("Nodule",)
    found = read_reference(path, GRID)
    volume = 4 / 3 * np.pi * (6.0**3 + 4.5**3)
    assert found.masks["Nodule"].sum() * GRID.voxel_volume == pytest.approx(volume, rel=0.05)
    assert found.rough == {"Nodule"}
    lesions = markups.lesions(markups.read(path))
    assert [(one.position, one.diameter) for one in lesions] == [((-2, 30, 30), 12), ((10, 20, 50), 9)]


def test_a_point_without_a_size_is_refused_and_told_what_to_write(tmp_path: Path) -> None:
    path = write_markups(tmp_path / "p.mrk.json", {"type": "Fiducial", "controlPoints": [control_point((0, 0, 0))]})
    with pytest.raises(InputError, match="radius 5 mm"):
        names_in(path)


def test_closed_curves_of_a_folder_are_one_structure(tmp_path: Path) -> None:
    for number, plane in enumerate((4, 5, 6)):
        points = [control_point(tuple(place), f"Liver-{n}") for n, place in enumerate(circle(7.0, plane=plane))]
        write_markups(tmp_path / f"{number}.mrk.json", {"type": "ClosedCurve", "controlPoints": points})
    found = read_reference(tmp_path, GRID)
    assert found.rough == frozenset()
    wanted = filled([circle(7.0, plane=plane) for plane in (4, 5, 6)], GRID, name="Liver")
    assert np.array_equal(found.masks["Liver"], wanted) and wanted.sum() > 3 * 140


def curves(folder: Path, *drawn: np.ndarray) -> Path:
    """A folder of closed curves, each in a file of its own."""
    for number, points in enumerate(drawn):
        labelled = [control_point(tuple(place), f"Lesion-{n}") for n, place in enumerate(points)]
        write_markups(folder / f"{number}.mrk.json", {"type": "ClosedCurve", "controlPoints": labelled})
    return folder


def test_curves_that_overlap_keep_what_they_share_and_one_drawn_twice_is_there(tmp_path: Path) -> None:
    left, right = (circle(6, plane=4, middle=(20, column)) for column in (14.0, 20.0))
    one, other = (filled([points], GRID, name="Lesion") for points in (left, right))
    found = read_reference(curves(tmp_path, left, right, left), GRID).masks["Lesion"]
    assert (one & other).any() and np.array_equal(found, one | other)


def test_a_curve_within_a_curve_is_a_hole_and_a_third_one_an_island(tmp_path: Path) -> None:
    rings = [circle(radius, plane=4) for radius in (8.0, 12.0, 3.0)]
    aside = circle(9.0, plane=4, middle=(20.0, 30.0))  # overlaps the outermost, and no hole is left of what it covers
    found = read_reference(curves(tmp_path, *rings, aside), GRID).masks["Lesion"]
    ring = filled(rings, GRID, name="Ring")
    assert np.array_equal(found, ring | filled([aside], GRID, name="Aside"))
    assert not found[4, 20, 13] and found[4, 20, 18] and found[4, 20, 8]


@pytest.mark.parametrize("size", ["radius 5 mm", "radius 0.1 mm"])
def test_a_ball_that_marks_no_voxel_is_refused(size: str, tmp_path: Path) -> None:
    """Beyond the image, or between its voxels' centres: neither is an image without the structure."""
    place = GRID.to_lps([4.5, 10.5, 10.5]) if "0.1" in size else np.array([1000.0, 0.0, 0.0])
    points = [control_point(tuple(GRID.to_lps([4, 10, 10])), "Nodule", "radius 5 mm")]
    points += [control_point(tuple(place), "Nodule", size)]
    path = write_markups(tmp_path / "p.mrk.json", {"type": "Fiducial", "controlPoints": points})
    with pytest.raises(GeometryError, match="'Nodule' was drawn and marks no voxel"):
        read_reference(path, GRID)


def test_a_box_beyond_the_image_is_refused(tmp_path: Path) -> None:
    path = write_markups(tmp_path / "b.mrk.json", a_box((0.0, 900.0, 0.0), (5.0, 5.0, 5.0), np.eye(3)))
    with pytest.raises(GeometryError, match="marks no voxel"):
        read_reference(path, GRID)


def test_a_segmentation_wholly_beyond_the_image_is_refused(tmp_path: Path) -> None:
    case = a_case(masks=(a_ball(GRIDS["axial"]),))
    path = segmentation(case, tmp_path)
    affine = np.array(case.geometry.affine)
    affine[:3, 3] += 500.0
    with pytest.raises(GeometryError, match="all that it marks lies beyond the image"):
        read_reference(path, replace(case.geometry, affine=affine))
    affine[:3, 3] -= 490.0
    assert read_reference(path, replace(case.geometry, affine=affine)).masks


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "Line"}, "encloses nothing"),
        ({"coordinateSystem": "IJK"}, "LPS or RAS"),
        ({"coordinateUnits": "cm"}, "in mm"),
        ({"insideOut": True}, "inside of them"),
        ({"size": [1, 0, 1]}, "lacks what belongs"),
        ({"orientation": [1, 0, 0, 0, 2, 0, 0, 0, 1]}, "lacks what belongs"),
        ({"center": ["a", 1, 2]}, "lacks what belongs"),
    ],
)
def test_markups_that_cannot_be_a_reference_are_refused_by_name(
    change: dict[str, object], words: str, tmp_path: Path
) -> None:
    path = write_markups(tmp_path / "m.mrk.json", a_box((0, 0, 0), (1, 1, 1), np.eye(3)) | change)
    with pytest.raises(InputError, match=words):
        names_in(path)


@pytest.mark.parametrize("text", ["", "{}", '{"markups": 3}', '{"markups": [3]}', "[]"])
def test_a_file_without_markups_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(UnreadableFileError, match="holds no markups"):
        names_in(tmp_path / "m.json")


def test_shapes_that_reach_beyond_the_image_are_cut_there() -> None:
    corner = GRID.to_lps([0, 0, 0])
    assert 0 < ball(corner, 6.0, GRID, name="Corner").sum() * GRID.voxel_volume < 4 / 3 * np.pi * 6**3 / 4


def test_what_slicer_itself_saves_is_read(tmp_path: Path) -> None:
    """Slicer's own storage nodes write a box and points in either coordinate system."""
    slicer = pytest.importorskip("slicer")
    scene = slicer.vtkMRMLScene()
    paths = []
    for kind, storage in (
        ("vtkMRMLMarkupsROINode", "vtkMRMLMarkupsROIJsonStorageNode"),
        ("vtkMRMLMarkupsFiducialNode", "vtkMRMLMarkupsJsonStorageNode"),
    ):
        node = scene.AddNewNodeByClass(kind, "Lesion")
        if kind.endswith("ROINode"):
            node.SetSize(18.0, 9.0, 21.0)
            node.SetCenter(2.0, -30.0, 41.0)  # RAS
        else:
            node.AddControlPoint(2.0, -30.0, 41.0, "Lesion-1")
            node.SetNthControlPointDescription(0, "radius 6 mm")
        for system in ("RAS", "LPS"):
            store = getattr(slicer, storage)()
            scene.AddNode(store)
            store.SetCoordinateSystem(0 if system == "RAS" else 1)
            paths.append(tmp_path / f"{kind}-{system}.mrk.json")
            store.SetFileName(str(paths[-1]))
            assert store.WriteData(node)
            assert json.loads(paths[-1].read_text())["markups"][0]["coordinateSystem"] == system
    for path in paths:
        (mask,) = read_reference(path, GRID).masks.values()
        assert np.allclose(GRID.to_lps(np.argwhere(mask)).mean(axis=0), [-2, 30, 41], atol=0.5), path.name


# --- what lies beyond the image ----------------------------------------------------------------------------------


def moved(grid: Geometry, voxels: tuple[float, float, float]) -> Geometry:
    """The same grid elsewhere: its voxel 0 lies where that of ``grid`` at ``voxels`` does."""
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.to_lps(voxels)
    return replace(grid, affine=affine)


@pytest.mark.parametrize("name", [name for name in GRIDS if name != "one slice"])
@pytest.mark.parametrize("by", [(0.0, 0.0, 3.0), (-4.0, 0.0, 0.0), (0.0, 5.4, 0.0)])
def test_voxels_of_a_segmentation_beyond_the_image_are_counted(
    name: str, by: tuple[float, float, float], tmp_path: Path
) -> None:
    case = a_case(GRIDS[name])
    whole = np.ones(case.geometry.shape, dtype=bool)
    whole[:, :, -1] = False
    path = segmentation(a_case(GRIDS[name], masks=(whole,)), tmp_path)
    axis = int(np.argmax(np.abs(by)))
    place = np.argwhere(whole)[:, axis] - by[axis]
    wanted = int(((place < -0.5) | (place > whole.shape[axis] - 0.5)).sum())
    found = read_reference(path, moved(case.geometry, by))
    assert list(found.cut.values()) == [wanted] and wanted
    assert read_reference(path, case.geometry).cut == {}


def test_voxels_of_contours_beyond_the_image_are_counted() -> None:
    assert voxels_cut([circle(10, plane=2)], GRID, name="All") == 0
    corner = circle(10, plane=2, middle=(0.0, 35.0))
    wide = GRID.cropped((0, -20, 0), (24, 40, 60))
    wanted = filled([corner], wide, name="All").sum() - filled([corner], GRID, name="All").sum()
    assert voxels_cut([corner], GRID, name="All") == wanted > 100
    ring = [circle(29.7, plane=2), circle(15.2, plane=2)]
    wide = GRID.cropped((0, -20, -20), (24, 60, 60))
    wanted = filled(ring, wide, name="All").sum() - filled(ring, GRID, name="All").sum()
    assert voxels_cut(ring, GRID, name="All") == wanted > 100


@pytest.mark.parametrize("kind", ["box", "ball"])
def test_voxels_of_markups_beyond_the_image_are_counted(kind: str, tmp_path: Path) -> None:
    """By their volume, so that the number is about right."""
    size = (10.4, 20.7, 27.3)
    for index, share in (((12, 20, 18), 0.0), ((-0.5, 19.9, 18.2), 0.5)):
        place = tuple(GRID.to_lps(index))
        point = {"type": "Fiducial", "controlPoints": [control_point(place, "Lesion", "radius 12 mm")]}
        path = write_markups(tmp_path / "b.mrk.json", point if kind == "ball" else a_box(place, size, np.eye(3)))
        volume = 4 / 3 * np.pi * 12**3 if kind == "ball" else np.prod(size)
        found = read_reference(path, GRID)
        assert sum(found.cut.values()) == pytest.approx(share * volume / GRID.voxel_volume, rel=0.15)
