"""OHIF shows our BINARY segmentation: every voxel on its image, under its label and in its colour."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import RLELossless

from slicermedai.export.run import export_result
from Testing.browser import Page
from Testing.export import ohif
from Testing.export.cases import BRAIN_LABEL, LESION, Case, a_ball, a_finding, a_result, in_space, with_label_map
from Testing.fixtures.grids import AXIAL, grid
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series

_RED = dataclasses.replace(BRAIN_LABEL, color=(255, 0, 0))
_BLUE = dataclasses.replace(LESION, color=(0, 0, 255))
_PATIENCE = 30.0


def a_head(folder: Path) -> tuple[Case, list[Path]]:
    """A head with two findings that do not touch, and its images as files."""
    volume, _ = head_phantom(grid(AXIAL, shape=(6, 64, 56), spacing=(12.0, 3.0, 3.0)))
    paths = [Path(path) for path in write_series(volume, folder)]
    headers = tuple(dcmread(path, stop_before_pixels=True) for path in paths)
    place = in_space(volume.geometry, headers)
    masks = (
        a_ball(place, middle=(0.5, 0.4, 0.3), radius=(0.6, 0.15, 0.15)),
        a_ball(place, middle=(0.5, 0.6, 0.7), radius=(0.6, 0.1, 0.1)),
    )
    findings = tuple(
        a_finding(mask, place, label=label, number=number)
        for number, (mask, label) in enumerate(zip(masks, (_RED, _BLUE), strict=True), 1)
    )
    return Case(result=a_result(place, headers, findings), headers=headers, masks=masks), paths


def pixels_of(page: Page, picture: Path) -> tuple[int, int]:
    """How many pixels of a picture of the window are reddish, and how many bluish, as no grey image is.

    The window's own colours are dark.
    """
    colours: NDArray[np.int16] = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(page.screenshot(picture))))
    red, green, blue = np.moveaxis(colours[..., :3].astype(np.int16), -1, 0)
    middle = (slice(150, 550), slice(320, 1200))
    return (
        int(np.count_nonzero(((red - green > 80) & (red - blue > 80))[middle])),
        int(np.count_nonzero(((blue - green > 80) & (blue - red > 80))[middle])),
    )


def voxels_of(case: Case) -> dict[str, int]:
    """How many voxels each finding has on each image, by "NUMBER UID"."""
    return {
        f"{number} {header.SOPInstanceUID}": int(plane.sum())
        for number, mask in enumerate(case.masks, 1)
        for header, plane in zip(case.headers, mask, strict=True)
        if plane.any()
    }


def test_ohif_shows_every_voxel_of_a_binary_segmentation_in_its_colour(tmp_path: Path) -> None:
    ohif.pages()
    case, images = a_head(tmp_path / "images")
    made = export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg", "sr-plain"))
    study, series = str(case.headers[0].StudyInstanceUID), str(dcmread(made[0]).SeriesInstanceUID)
    with ohif.showing([*images, *made], tmp_path, study=study, series=series) as page:
        ohif.open_segmentation(page)
        assert page.evaluate(ohif.LABELS) == [[1, "Brain"], [2, "Lesion"]]
        assert page.evaluate(ohif.VOXELS) == voxels_of(case)
        deadline = time.monotonic() + _PATIENCE
        while min(pixels_of(page, tmp_path / "ohif.png")) < 200:
            assert time.monotonic() < deadline, "the segments are not drawn in their colours"
            time.sleep(1)


def test_ohif_takes_every_voxel_of_a_compressed_label_map(tmp_path: Path) -> None:
    """Its colours are another matter: it gives the background the first one."""
    ohif.pages()
    case, images = a_head(tmp_path / "images")
    case = with_label_map(case)
    made = export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg-labelmap",))[-1]
    sent = dcmread(made, stop_before_pixels=True)
    assert sent.file_meta.TransferSyntaxUID == RLELossless
    study, series = str(sent.StudyInstanceUID), str(sent.SeriesInstanceUID)
    with ohif.showing([*images, made], tmp_path, study=study, series=series) as page:
        ohif.open_segmentation(page)
        assert page.evaluate(ohif.LABELS)[1:] == [[1, "Brain"], [2, "Lesion"]]
        assert page.evaluate(ohif.VOXELS) == voxels_of(case)


def test_ohif_takes_our_lengths_for_measurements_of_its_own(tmp_path: Path) -> None:
    ohif.pages()
    case, images = a_head(tmp_path / "images")
    (made,) = export_result(case.result, headers=case.headers, folder=tmp_path, formats=("sr-lengths",))
    study, series = str(case.headers[0].StudyInstanceUID), str(dcmread(made).SeriesInstanceUID)
    with ohif.showing([*images, made], tmp_path, study=study, series=series) as page:
        ohif.open_lengths(page)
        found = {one["label"].partition(",")[0]: one for one in page.evaluate(ohif.LINES)}
        page.screenshot(tmp_path / "lengths.png")
    for finding in case.result.findings:
        for name in ("Long axis", "Short axis"):
            number = next(one for one in finding.measurements if one.name.meaning == name)
            line = found[f"{finding.label.name}: {name}"]
            assert (line["tool"], line["locked"]) == ("Length", False)
            np.testing.assert_allclose(line["points"], number.points, atol=1e-3)
            place = case.geometry.to_index(number.points[0])
            assert line["image"] == str(case.headers[round(float(place[0]))].SOPInstanceUID)
            assert line["said"] == f"{number.value:.1f} mm"
