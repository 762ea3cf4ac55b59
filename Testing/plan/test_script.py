"""The documented script does what it says: a whole day of planning from the console, with two phases, on files."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image

import slicermedai
from slicermedai.console import planning
from slicermedai.dicom.inputs import open_source
from slicermedai.domain.volume import Volume
from slicermedai.errors import AmbiguousInputError, FormatError
from Testing.browser import printed
from Testing.fixtures import liver
from Testing.fixtures.grids import covering
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.plan.cases import a_result
from Testing.plan.test_page import pages
from Testing.plan.test_phases import ARTERIAL, LANDMARKS, MOVE, after, in_the_other_phase

DOCS = Path(__file__).resolve().parents[2] / "Resources" / "Docs" / "planning.md"
GRID = covering(spacing=(3.0, 2.5, 2.5), extent=(230.0, 150.0, 144.0))


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def write_image(volume: Volume, path: Path) -> None:
    grid = volume.geometry
    image = SimpleITK.GetImageFromArray(volume.array)
    image.SetOrigin(grid.origin.tolist())
    image.SetSpacing(grid.spacing[::-1].tolist())
    image.SetDirection(grid.directions[:, ::-1].ravel().tolist())
    SimpleITK.WriteImage(image, str(path))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the script is run in: a result, two phases, the artery of the other phase, landmarks in it."""
    a_result(GRID).save(tmp_path / "OUT" / "result")
    write_image(liver.phase("venous", GRID), tmp_path / "venous.nii.gz")
    write_image(liver.phase("arterial", ARTERIAL, transform=MOVE), tmp_path / "arterial.nii.gz")
    artery = in_the_other_phase(liver.ARTERY).to_array()
    a_result(ARTERIAL, masks={"portal vein": artery}).save(tmp_path / "ARTERIAL" / "result")
    np.savetxt(tmp_path / "landmarks-arterial.txt", after(LANDMARKS, MOVE))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def colours_in(picture: Path) -> int:
    """Colours of some strength: a background is grey, or nearly so."""
    pixels = np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3).astype(int)
    return len(np.unique(pixels[np.ptp(pixels, axis=1) > 60], axis=0))


def test_the_documented_script_runs_and_its_numbers_are_the_phantoms(desk: Path, capsys) -> None:
    day: dict[str, object] = {}
    first, second = blocks()
    exec(first, day)
    kept = liver.LIVER.volume_ml - liver.cut_off_ml((-24, 2, 8), (-0.8, 0.36, 0.48))
    share = 100 * kept / (liver.LIVER.volume_ml - liver.LESION.volume_ml)
    assert day["remnant"] == pytest.approx(share, rel=0.005)
    said = capsys.readouterr().out
    assert "liver remnant volume" in said and "not assessed" in said
    assert sorted(path.name for path in (desk / "OUT").iterdir()) == [
        *("plan-pictures", "plan.html", "planned-1", "result", "surfaces")
    ]
    assert [one.kind for one in day["drawn"]] == ["axial", "sagittal", "coronal", "3d"]  # type: ignore[attr-defined]
    assert colours_in(desk / "OUT" / "plan-pictures" / "3d.png") > 50, "what is planned is seen in 3D"
    assert (desk / "OUT" / "plan.html").read_text(encoding="utf-8").count("data:image/png") == 4
    assert pages(printed(desk / "OUT" / "plan.html", desk)) == 1
    again = planning.table(day["again"])
    assert [str(row) for row in again.rows] == [str(row) for row in day["table"].rows]  # type: ignore[attr-defined]
    assert "liver: planned remnant" in [one.label.name for one in slicermedai.load(desk / "OUT" / "planned-1").findings]

    exec(second, day)
    table = planning.table(day["plan"])
    known = liver.ARTERY.distance(np.array([liver.LESION.center]))[0] - 15.0
    assert abs(table.value("lesion to artery", "shortest distance") - known) < 3.0 + 2.0
    assert table.value("arterial", "residual") < 2.0
    assert "registered rigidly; residual" in capsys.readouterr().out


def test_every_verb_does_its_part(tmp_path: Path) -> None:
    plan = planning.start(a_result(), organ="liver", lesions=["lesion"], others=["portal vein"])
    boxed = planning.cut_box(plan, "box", low=liver.BOX.low, high=liver.BOX.high)
    assert planning.table(boxed).value("liver", "resected volume") == pytest.approx(liver.BOX_ML, rel=0.005)
    assert planning.remove_cut(boxed, "box").cuts == ()
    smaller = planning.redraw(plan, "lesion", liver.inside(liver.LESION, plan.geometry) & (np.arange(77) > 10))
    assert smaller.structures[1].edited
    files = planning.save_surfaces(plan, tmp_path, kind="obj", space="RAS", names=["lesion"])
    assert [path.name for path in files] == ["lesion.obj"]
    planned = ("liver: planned remnant", "liver: planned resection", "lesion + 10 mm: planned margin")
    made = planning.add_margin(boxed, "lesion", 10)
    assert len(planning.save_surfaces(made, tmp_path / "planned", kind="obj", names=planned)) == 3
    for wrong in ({"names": ["spleen"]}, {"space": "XYZ"}):
        with pytest.raises(FormatError, match="no such structure or space"):
            planning.save_surfaces(plan, tmp_path, **wrong)


def test_of_several_series_in_a_folder_the_one_that_was_analysed_is_drawn(tmp_path: Path) -> None:
    """An arterial and a venous phase lie in one folder, as archives send them."""
    grid = replace(GRID, frame_of_reference_uid="")
    for number, name in enumerate(("arterial", "venous")):
        spec = SeriesSpec(modality="CT", description=name, series_number=number, seed="liver", private=False)
        write_series(replace(liver.phase(name, grid), modality="CT"), tmp_path / "study" / name, spec=spec)
    source = open_source(tmp_path / "study" / "venous")
    found = a_result(source.volume.geometry)
    made = replace(found, study=source.study, sources=source.study.series)
    made.save(tmp_path / "OUT" / "result")
    plan = planning.start(tmp_path / "OUT", organ="liver", lesions=["lesion"])
    with pytest.raises(AmbiguousInputError):
        slicermedai.open_image(tmp_path / "study")
    drawn = planning.pictures(plan, tmp_path / "OUT", image=tmp_path / "study")
    assert [one.kind for one in drawn] == ["axial", "sagittal", "coronal", "3d"]
    seen = drawn[0].path.read_bytes()
    assert seen == planning.pictures(plan, tmp_path / "OUT", image=source.volume)[0].path.read_bytes()
    with pytest.raises(AmbiguousInputError, match="no series"):
        planning.pictures(plan, tmp_path / "OUT", image=tmp_path / "study", series="1.2.3")


def test_the_documented_names_are_there() -> None:
    used = set(re.findall(r"planning\.(\w+)", DOCS.read_text(encoding="utf-8")))
    assert used <= set(planning.__all__) == {name for name in planning.__all__ if hasattr(planning, name)}
