"""Pictures of a trust record show what is in it, and none is made of what is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slicermedai.confidence.conformal import VolumeModel
from slicermedai.confidence.light import GreenRule
from slicermedai.confidence.metrics import CalibrationMetrics
from slicermedai.confidence.record import StructureTrust, TrustRecord, sketch_text
from slicermedai.confidence.scaling import Method, Scaling
from slicermedai.confidence.sketch import MarginSketch
from slicermedai.confidence.structure import DiceModel
from slicermedai.validate.record_plots import HEIGHT, WIDTH, Sheet, record_pictures, scope_text
from Testing.confidence.test_record import a_record

BLUE, ORANGE = (0, 90, 181), (200, 110, 0)


def a_structure() -> StructureTrust:
    """Twice too sure: margins must be halved. Volumes of 30 patients that err by up to a tenth."""
    rng = np.random.default_rng(0)
    margins = rng.normal(0.0, 3.0, 40_000)
    inside = rng.random(margins.size) < 1 / (1 + np.exp(-margins / 2))
    metrics = CalibrationMetrics(ece=0.12, ace=0.1, mce=0.2, brier=0.1, nll=0.3, weight=1.0)
    return StructureTrust(
        value=1,
        name="Brain",
        patients=30,
        scaling=Scaling(method=Method.PLATT, slope=0.5, offset=0.0),
        before=metrics,
        after=replace(metrics, ece=0.004),
        sketch=sketch_text(MarginSketch().add(margins, inside)),
        volume=VolumeModel(scores=tuple(n / 300 for n in range(30)), floor=70.0),
        dice=DiceModel(features=("x",), weights=(0.1, 0.9), held_out=tuple((v, v - 0.02) for v in (0.7, 0.85, 0.95))),
        rule=GreenRule(threshold=0.85, patients=30, good=29),
    )


def pictured(tmp_path: Path, *structures: StructureTrust, **changes: object) -> list[tuple[str, str, np.ndarray]]:
    record: TrustRecord = a_record(structures=structures, **changes)
    made = record_pictures(record, tmp_path)
    assert sorted(tmp_path.iterdir()) == [one.file for one in made], "nothing half-written is left"
    return [(one.title, one.caption, np.asarray(Image.open(one.file).convert("RGB"))) for one in made]


def pixels(image: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """(rows, columns) of the pixels of one colour."""
    return np.argwhere((image == color).all(axis=-1))


def test_all_that_was_fitted_is_shown_with_its_scope(tmp_path: Path) -> None:
    found = pictured(tmp_path, a_structure())
    assert [title for title, _, _ in found] == [
        "Brain: are stated probabilities kept?", "Brain: how far volumes err", "Brain: is the Dice foreseen?",
    ]  # fmt: skip
    for _, caption, image in found:
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert caption.endswith("24 patients, 30 images; for MR, MAKER A, Maker B.")
    assert "ECE 0.120 before, 0.004 after" in found[0][1]
    assert "29 of 30 patients" in found[2][1]


def test_calibrated_probabilities_lie_on_the_diagonal_and_raw_ones_do_not(tmp_path: Path) -> None:
    image = pictured(tmp_path, a_structure())[0][2][100:-60, 80:-20]
    rows, columns = image.shape[0], image.shape[1]

    def away(color: tuple[int, int, int]) -> float:
        """How far, at most, in shares of the frame; a corner of it is cut off with the key."""
        places = pixels(image, color)
        above = 1 - (places[:, 0] + 56) / (rows + 58)
        return float(np.abs(above - (places[:, 1] + 6) / (columns + 10)).max())

    assert away(BLUE) < 0.08
    assert away(ORANGE) > 0.1


def test_the_volume_band_widens_with_the_volume_around_the_diagonal(tmp_path: Path) -> None:
    image = pictured(tmp_path, a_structure())[1][2]
    found = pixels(image, BLUE)

    def width(column: int) -> int:
        return int(np.ptp(found[found[:, 1] == column][:, 0]))

    assert width(150) < width(350) < width(600)


def test_of_what_was_not_fitted_there_is_no_picture(tmp_path: Path) -> None:
    bare = StructureTrust(value=2, name="Lesion", patients=3, reasons=("3 patients are too few",))
    few = replace(a_structure(), volume=VolumeModel(scores=(0.1, 0.2), floor=1.0), dice=None, rule=None)
    assert pictured(tmp_path, bare) == []
    assert [title for title, _, _ in pictured(tmp_path, bare, few)] == ["Brain: are stated probabilities kept?"]
    never = pictured(tmp_path, replace(a_structure(), rule=None))[2]
    assert "No light is green." in never[1]
    assert len(pixels(never[2], ORANGE)) == 0


def test_generated_data_is_named_first() -> None:
    record = a_record()
    made = replace(record, provenance=replace(record.provenance, generated=True))
    assert scope_text(made).startswith("GENERATED DATA: never applies to a real image.")


@pytest.mark.parametrize(
    ("point", "corner"), [((0.0, 0.0), (74, 402)), ((1.0, 1.0), (624, 44)), ((2.0, -1.0), (624, 402))]
)
def test_data_are_where_the_axes_say(point: tuple[float, float], corner: tuple[float, float]) -> None:
    sheet = Sheet("", (0.0, 1.0), (0.0, 1.0), ("", ""), ((), ()))
    assert sheet.at(point) == corner
