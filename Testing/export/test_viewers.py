"""The libraries of web viewers read our objects: dcmjs and @cornerstonejs/adapters, in node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slicermedai.export.run import export_result
from Testing.export.cases import GRIDS, Case, a_ball, a_case, with_label_map

HERE = Path(__file__).resolve().parents[1] / "viewers"
_SECONDS = 120


def installed() -> Path:
    """Where the packages of ``Testing/viewers`` are installed; skips by name where they are not."""
    data = Path(os.environ.get("SLICERMEDAI_TEST_DATA", HERE.parents[1] / ".data"))
    modules = data / "viewers" / "node_modules"
    if shutil.which("node") is None or not (modules / "@cornerstonejs" / "adapters").is_dir():
        pytest.skip("absent: dcmjs and @cornerstonejs/adapters (node, and npm ci: see .ci/run)")
    return modules


def read_by_viewers(case: Case, folder: Path, *, report: str, segmentation: str = "seg") -> dict[str, Any]:
    """What :file:`read.mjs` prints of the segmentation and a report."""
    modules, formats = installed(), tuple({"seg", segmentation, "sr", "sr-plain"})
    export_result(case.result, headers=case.headers, folder=folder, formats=formats)
    sources = [folder / f"source{number}.dcm" for number in range(len(case.headers))]
    for header, path in zip(case.headers, sources, strict=True):
        header.save_as(path)
    (folder / "node_modules").symlink_to(modules)
    for name in ("read.mjs", "groups.mjs", "images.mjs"):
        shutil.copy(HERE / name, folder / name)
    command = ["node", "read.mjs", f"{segmentation}.dcm", report, *(path.name for path in sources)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def two_findings(grid: str) -> Case:
    """They overlap, so that a viewer needs two layers."""
    geometry = GRIDS[grid]
    return a_case(geometry, masks=(a_ball(geometry), a_ball(geometry, radius=(0.2, 0.2, 0.1))))


@pytest.mark.parametrize(("grid", "report"), [("axial", "sr.dcm"), ("oblique", "sr-plain.dcm")])
def test_viewers_see_every_voxel_of_every_segment_on_its_image_and_every_number(
    grid: str, report: str, tmp_path: Path
) -> None:
    case = two_findings(grid)
    read = read_by_viewers(case, tmp_path, report=report)
    assert len(read["segments"]) == len(read["groups"]) == 2
    for number, (finding, mask) in enumerate(zip(case.result.findings, case.masks, strict=True)):
        segment, group = read["segments"][number], read["groups"][number]
        assert (segment["number"], segment["label"]) == (number + 1, finding.label.name)
        assert (segment["tracking"], segment["type"]) == (finding.tracking_uid, finding.label.type.value)
        assert segment["voxels"] == on_images(case, mask)
        assert group["tracking"] == finding.tracking_uid
        told = [[one.name.meaning, [float(f"{one.value:.10g}"), one.unit.value]] for one in finding.measurements]
        assert [[name, [float(f"{value:.10g}"), unit]] for name, (value, unit) in group["numbers"]] == told


@pytest.mark.parametrize("segmentation", ["seg-labelmap", "seg-labelmap-plain"])
def test_viewers_see_every_voxel_of_a_label_map_compressed_or_not(segmentation: str, tmp_path: Path) -> None:
    geometry = GRIDS["axial"]
    masks = (a_ball(geometry), a_ball(geometry, middle=(0.6, 0.6, 0.6), radius=(0.3, 0.2, 0.3)))
    case = with_label_map(a_case(geometry, masks=masks))
    read = read_by_viewers(case, tmp_path, report="sr.dcm", segmentation=segmentation)
    found = {segment["number"]: segment for segment in read["segments"] if segment["number"]}
    assert set(found) == {1, 2}
    for number, (finding, mask) in enumerate(zip(case.result.findings, case.masks, strict=True), 1):
        assert (found[number]["label"], found[number]["tracking"]) == (finding.label.name, finding.tracking_uid)
        assert found[number]["voxels"] == on_images(case, mask)


def on_images(case: Case, mask: Any) -> dict[str, dict[str, Any]]:
    """Count of voxels, sum of their places and size of the image, for each image that the mask is on."""
    made = {}
    for header, plane in zip(case.headers, mask, strict=True):
        places = np.flatnonzero(plane)
        if len(places):
            told = {"count": len(places), "places": int(places.sum()), "size": list(plane.shape)}
            made[str(header.SOPInstanceUID)] = told
    return made
