"""Lengths as web viewers draw them: the ends where they were measured, in a report that validators take."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.domain.finding import Finding
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import Decision, Review
from slicermedai.errors import FormatError, NoImagesError
from slicermedai.export.read_back import read_result
from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, SPECS, Case, a_ball, a_case
from Testing.export.test_explanations import named, walk
from Testing.export.test_viewers import HERE, installed
from Testing.export.validators import dcentvfy_errors, dciodvfy_errors, dsrdump_errors, pixelmed_errors
from Testing.fixtures.grids import CORONAL, grid, rotated

_SECONDS = 120
_TURNED = rotated(grid(CORONAL, shape=(7, 20, 18), spacing=(3.0, 0.8, 0.8)), (14.0, -9.0, 31.0))
PLACES: dict[str, Geometry] = {
    "axial": GRIDS["axial"],
    "flipped": grid("IAR", shape=(7, 20, 18), spacing=(2.0, 1.0, 1.0)),
    "oblique": _TURNED,
}


def two(geometry: Geometry = GRIDS["axial"], **fields: Any) -> Case:
    return a_case(geometry, masks=(a_ball(geometry), a_ball(geometry, radius=(0.2, 0.2, 0.1))), **fields)


def exported(case: Case, folder: Path, *formats: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    return export_result(case.result, headers=case.headers, folder=folder, formats=formats or ("sr-lengths",))


def with_sources(case: Case, folder: Path) -> list[Path]:
    paths = [folder / f"source{number}.dcm" for number in range(len(case.headers))]
    for header, path in zip(case.headers, paths, strict=True):
        header.save_as(path)
    return paths


def drawn(case: Case, folder: Path) -> list[dict[str, Any]]:
    """The lines that the adapters of OHIF make of the report."""
    modules = installed()
    exported(case, folder)
    sources = with_sources(case, folder)
    (folder / "node_modules").symlink_to(modules)
    for name in ("lengths.mjs", "images.mjs"):
        shutil.copy(HERE / name, folder / name)
    command = ["node", "lengths.mjs", "sr-lengths.dcm", *(path.name for path in sources)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    found: list[dict[str, Any]] = json.loads(done.stdout[done.stdout.rindex("[{") :])
    return found


def lengths_of(found: Finding) -> list[Any]:
    return [one for one in found.measurements if one.points and one.name.meaning in ("Long axis", "Short axis")]


def other_than_comments(warnings: list[str]) -> list[str]:
    """TID 1501 may be extended: a comment is no error, though the validator's templates have no row for it."""
    beside = 'CONTAINER (125007,DCM,"Measurement Group")/TEXT (121106,DCM,"Comment"): Content Item not in template'
    return [one for one in warnings if not one.endswith(beside)]


@pytest.mark.parametrize("place", PLACES)
def test_a_viewer_draws_each_axis_between_its_ends_on_its_image_and_names_it(place: str, tmp_path: Path) -> None:
    case = two(PLACES[place])
    lines = {(one["label"].partition(",")[0]): one for one in drawn(case, tmp_path)}
    wanted = [(found, one) for found in case.result.findings for one in lengths_of(found)]
    assert len(wanted) == 4
    for found, one in wanted:
        line = lines[f"{found.label.name}: {one.name.meaning}"]
        assert (line["tool"], line["unit"], line["finding"]) == ("Length", "mm", found.label.type.value)
        assert line["length"] == pytest.approx(one.value, rel=1e-9)
        np.testing.assert_allclose(line["points"], one.points, atol=2e-4)
        assert np.linalg.norm(np.subtract(*line["points"])) == pytest.approx(one.value, abs=1e-3)
        middle = case.geometry.to_index(np.mean(one.points, axis=0))
        assert line["image"] == str(case.headers[round(float(middle[0]))].SOPInstanceUID)
        assert line["label"].endswith("by an algorithm, not verified")


def test_frames_of_a_multi_frame_image_are_named(tmp_path: Path) -> None:
    case = two(_TURNED, spec=SPECS["enhanced MR shuffled"])
    (header,) = case.headers
    for line in drawn(case, tmp_path):
        place = header.PerFrameFunctionalGroupsSequence[line["frame"] - 1].PlanePositionSequence[0]
        away = np.subtract(line["points"], [float(v) for v in place.ImagePositionPatient])
        assert np.abs(away @ case.geometry.directions[:, 0]).max() < 1e-3


@pytest.mark.parametrize("kind", SPECS)
def test_it_is_valid_for_every_kind_of_source(kind: str, tmp_path: Path) -> None:
    case = two(spec=SPECS[kind])
    (path,) = exported(case, tmp_path)
    assert dcentvfy_errors([path, *with_sources(case, tmp_path)]) == []
    assert (dciodvfy_errors(path), dsrdump_errors(path)) == ([], [])


def test_pixelmed_takes_it_with_warnings_and_verified(tmp_path: Path) -> None:
    case = two()
    made = dataclasses.replace(case.result.provenance, warnings=("It reaches the edge.",))
    reviews = tuple(
        Review(tracking_uid=one.tracking_uid, person="Roe^Jane", decision=Decision.ACCEPTED, time="2026-11-23T10:00")
        for one in case.result.findings
    )
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, provenance=made, reviews=reviews))
    (path,) = exported(case, tmp_path)
    assert (other_than_comments(pixelmed_errors(path)), dciodvfy_errors(path)) == ([], [])
    said = [str(item.TextValue) for item in walk(dcmread(path)) if named(item, "121106")]
    assert "Warning: It reaches the edge." in said and "Brain: Long axis" in said


def test_each_line_is_tracked_apart_and_the_first_as_its_finding(tmp_path: Path) -> None:
    case = two()
    (path,) = exported(case, tmp_path)
    found = [str(item.UID) for item in walk(dcmread(path)) if named(item, "112040")]
    assert len(set(found)) == len(found) >= 4
    assert {one.tracking_uid for one in case.result.findings} <= set(found)
    again = exported(case, tmp_path / "again")[0]
    assert again.read_bytes() == path.read_bytes()


def test_pixels_that_are_not_square_and_findings_without_lines_give_no_file(tmp_path: Path) -> None:
    assert exported(two(GRIDS["anisotropic"]), tmp_path) == []
    assert exported(a_case(masks=()), tmp_path) == []
    case = two()
    bad = dataclasses.replace(case.result.findings[0], tracking_uid="no uid")
    case = dataclasses.replace(case, result=dataclasses.replace(case.result, findings=(bad,)))
    with pytest.raises(FormatError, match="tracking_uid"):
        exported(case, tmp_path)


def test_who_reads_the_result_back_reads_each_number_once(tmp_path: Path) -> None:
    case = two()
    plain = read_result(exported(case, tmp_path / "plain", "seg", "sr-plain"))
    both = read_result(exported(case, tmp_path / "both", "seg", "sr-plain", "sr-lengths"))
    assert [one.tracking_uid for one in both.result.findings] == [one.tracking_uid for one in plain.result.findings]
    assert [one.measurements for one in both.result.findings] == [one.measurements for one in plain.result.findings]
    assert both.lost == plain.lost == ()
    alone = read_result([tmp_path / "both" / "seg.dcm", tmp_path / "both" / "sr-lengths.dcm"])
    assert "sr-lengths.dcm: not read, since it repeats numbers of a report." in alone.lost
    with pytest.raises(NoImagesError):
        read_result([tmp_path / "both" / "sr-lengths.dcm"])
