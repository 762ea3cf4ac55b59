"""Projections and photographs: one picture however it is stored, with side, view and size, or refused by name."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from slicermedai.dicom.inputs import Source, open_source
from slicermedai.domain.geometry import Space
from slicermedai.errors import AmbiguousInputError, UnreadableFileError, UnsupportedImageError
from Testing.fixtures.flat_writer import TOP, FlatSpec, chest, retina, write_flat
from Testing.fixtures.grids import grid
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series

CURVE = tuple(int(v) for v in np.rint(255 * (np.arange(TOP + 1) / TOP) ** 0.5))
STEEP = tuple(int(v) for v in np.rint(1023 * (np.arange(TOP + 1) / TOP) ** 2))


def read(folder: Path, picture: np.ndarray | None = None, **spec: Any) -> Source:
    write_flat(chest() if picture is None else picture, folder, spec=FlatSpec(**spec))
    return open_source(folder)


def linear(x: np.ndarray, c: float, w: float) -> np.ndarray:
    """C.11.2.1.2.1, in its own words."""
    return np.clip((x - (c - 0.5)) / (w - 1) + 0.5, 0, 1)


def exact(x: np.ndarray, c: float, w: float) -> np.ndarray:
    """C.11.2.1.3.2."""
    return np.clip((x - c) / w + 0.5, 0, 1)


def sigmoid(x: np.ndarray, c: float, w: float) -> np.ndarray:
    """C.11.2.1.3.1."""
    return 1 / (1 + np.exp(-4 * (x - c) / w))


WAYS: list[tuple[dict[str, Any], Any]] = [
    ({"window": (1800.0, 2000.0)}, lambda x: linear(x, 1800, 2000)),
    ({"window": (1800.0, 2000.0), "function": "LINEAR_EXACT"}, lambda x: exact(x, 1800, 2000)),
    ({"window": (1800.0, 2000.0), "function": "SIGMOID"}, lambda x: sigmoid(x, 1800, 2000)),
    ({"window": None}, lambda x: x / TOP),
    ({"window": None, "table": (CURVE, 8)}, lambda x: np.take(CURVE, x.astype(int)) / 255),
    ({"window": (9.0, 9.0), "table": (STEEP, 10)}, lambda x: np.take(STEEP, x.astype(int)) / 1023),
]


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("white_is_low", [False, True], ids=["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize(
    ("spec", "formula"), WAYS, ids=["linear", "exact", "sigmoid", "none", "8-bit table", "table before window"]
)
def test_a_picture_looks_the_same_however_it_is_stored(
    spec: dict[str, Any], formula: Any, white_is_low: bool, signed: bool, tmp_path: Path
) -> None:
    read_back = read(tmp_path, white_is_low=white_is_low, signed=signed, **spec).volume
    expected = formula(chest().astype(float))
    assert np.abs(read_back.flat.display[0] / 255 - expected).max() < 1e-5
    assert np.array_equal(read_back.array[0], chest())


@pytest.mark.parametrize("white_is_low", [False, True], ids=["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize(
    "spec",
    [
        {"window": (1800.0, 2000.0)},
        {"window": (1800.0, 2000.0), "function": "SIGMOID"},
        {"window": (2000.0, 1500.0), "slope": 0.5, "intercept": -100.0},
        {"window": None, "table": (CURVE, 8)},
        {"window": None, "table": (STEEP, 10)},
        {"window": None, "table": (CURVE[::-1], 8)},
    ],
    ids=["linear", "sigmoid", "rescaled", "8-bit table", "10-bit table", "table that falls"],
)
def test_another_program_shows_the_same_greys(spec: dict[str, Any], white_is_low: bool, tmp_path: Path) -> None:
    """dcmtk's dcmj2pnm rounds down, and by tables in steps: up to two of 255."""
    program = shutil.which("dcmj2pnm")
    if program is None:
        pytest.skip("absent: dcmj2pnm (Debian dcmtk)")
    file = write_flat(chest(), tmp_path, spec=FlatSpec(white_is_low=white_is_low, signed=True, **spec))
    shown_by = ["+Wi", "1"] if spec["window"] else ["+Wl", "1"]
    subprocess.run([program, "+op", *shown_by, str(file), str(tmp_path / "other.pgm")], check=True, capture_output=True)
    other = np.asarray(Image.open(tmp_path / "other.pgm")).astype(float)
    assert np.abs(open_source(file).volume.flat.display[0] - other).max() < 2


@pytest.mark.parametrize("white_is_low", [False, True])
def test_rescaled_values_stay_in_their_unit_and_high_is_bright(white_is_low: bool, tmp_path: Path) -> None:
    """A window counts in rescaled values, and mirroring is done in the range that the header allows."""
    spec = {"slope": 0.5, "intercept": -100.0, "window": (2000.0, 1500.0), "function": "LINEAR_EXACT"}
    volume = read(tmp_path, white_is_low=white_is_low, **spec).volume
    assert np.allclose(volume.array[0], chest() * 0.5 - 100)
    assert np.abs(volume.flat.display[0] / 255 - exact(chest().astype(float), 2000, 1500)).max() < 1e-5


def test_a_modality_table_comes_before_the_window(tmp_path: Path) -> None:
    path = write_flat(chest(), tmp_path, spec=FlatSpec(window=(500.0, 800.0), function="LINEAR_EXACT"))
    other = dcmread(write_flat(chest(), tmp_path / "x", spec=FlatSpec(window=None, table=(STEEP, 10))))
    dataset = dcmread(path)
    dataset.ModalityLUTSequence = other.VOILUTSequence
    dataset.ModalityLUTSequence[0].ModalityLUTType = "US"
    del dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType
    dataset.save_as(path)
    volume = open_source(path).volume
    values = np.take(STEEP, chest())
    assert np.array_equal(volume.array[0], values)
    assert np.abs(volume.flat.display[0] / 255 - exact(values.astype(float), 500, 800)).max() < 1e-5


@pytest.mark.parametrize("white_is_low", [False, True])
def test_padding_is_black_in_either_polarity(white_is_low: bool, tmp_path: Path) -> None:
    picture = np.maximum(chest(), 30)
    picture[:, :6] = TOP  # bright unless it is known for padding
    volume = read(tmp_path, picture, white_is_low=white_is_low, padding=0 if white_is_low else TOP).volume
    assert not volume.flat.display[0, :, :6].any() and volume.flat.display[0, :, 6:].all()
    assert (volume.array[0, :, :6] == volume.array[0, :, 6:].min()).all()


def test_contradicting_polarities_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="PhotometricInterpretation, PresentationLUTShape: they contradict"):
        read(tmp_path, white_is_low=True, more={"PresentationLUTShape": "IDENTITY"})


@pytest.mark.parametrize("more", [{"WindowWidth": "0"}, {"VOILUTFunction": "CUBIC"}, {"RescaleSlope": "0"}])
def test_a_window_that_cannot_be_used_is_named(more: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="WindowWidth"):
        read(tmp_path, more=more)


@pytest.mark.parametrize("white_is_low", [False, True], ids=["MONOCHROME2", "MONOCHROME1"])
def test_values_are_high_where_a_falling_table_shows_them_bright(white_is_low: bool, tmp_path: Path) -> None:
    volume = read(tmp_path, white_is_low=white_is_low, window=None, table=(CURVE[::-1], 8)).volume
    assert np.array_equal(volume.array[0], TOP - chest())
    assert np.array_equal(volume.flat.display[0], np.take(CURVE[::-1], chest()).astype(np.float32))
    assert np.corrcoef(volume.array.ravel(), volume.flat.display.ravel())[0, 1] > 0.8
    said = "not turned: low values are stored white, and" if white_is_low else "turned: the VOI LUT shows low values"
    assert any(step.startswith(said) for step in volume.flat.steps)


def test_a_table_that_rises_and_falls_is_refused(tmp_path: Path) -> None:
    hill = tuple(CURVE[min(2 * n, 2 * (TOP - n))] for n in range(TOP + 1))
    with pytest.raises(UnsupportedImageError, match="VOILUTSequence: the table both rises and falls"):
        read(tmp_path, np.linspace(0, TOP, 40 * 30).reshape(40, 30).astype(int), window=None, table=(hill, 8))


@pytest.mark.parametrize("padding", [None, TOP])
def test_what_a_table_does_to_padding_alone_does_not_count(padding: int | None, tmp_path: Path) -> None:
    """The table rises to white, and the last value, which is none, is black."""
    table = (*CURVE[:-1], 0)
    picture = np.minimum(chest(), TOP - 1)
    if padding is not None:
        picture[:, :6] = padding
    volume = read(tmp_path, picture, window=None, table=(table, 8), padding=padding).volume
    inner = (slice(None), slice(6, None))
    assert np.array_equal(volume.array[0][inner], picture[inner])


def test_a_table_with_too_few_entries_is_refused(tmp_path: Path) -> None:
    path = write_flat(chest(), tmp_path, spec=FlatSpec(table=(STEEP, 10)))
    dataset = dcmread(path)
    dataset.VOILUTSequence[0].LUTDescriptor = [TOP + 2, 0, 10]
    dataset.save_as(path)
    with pytest.raises(UnreadableFileError, match="VOILUTSequence"):
        open_source(path)


def test_a_picture_without_window_says_that_it_may_look_flat(tmp_path: Path) -> None:
    assert "all 12 bits" in read(tmp_path, window=None).warnings[0]
    assert read(tmp_path / "b").warnings == ()


def test_raw_detector_values_are_known_for_what_they_are(tmp_path: Path) -> None:
    assert "FOR PROCESSING" in read(tmp_path, more={"PresentationIntentType": "FOR PROCESSING"}).volume.flat.shown


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"], ids=["native", "RLE"])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_a_colour_photograph_keeps_its_three_channels(photometric: str, syntax: str, tmp_path: Path) -> None:
    spec = {"modality": "OP", "window": None, "towards": None, "side": "L", "transfer_syntax": syntax}
    volume = read(tmp_path, retina(), photometric=photometric, **spec).volume
    assert np.abs(volume.flat.colours[:, 0] - np.moveaxis(retina(), -1, 0)).max() <= (2 if "YBR" in photometric else 0)
    brightness = retina() @ np.array([0.299, 0.587, 0.114])
    assert np.abs(volume.array[0] - brightness).max() < 2
    assert volume.flat.laterality == "L" and volume.geometry.space is Space.PIXELS


def test_a_grey_photograph_of_8_bits_is_shown_as_it_is(tmp_path: Path) -> None:
    grey = retina()[..., 0]
    volume = read(tmp_path, grey, modality="OP", window=None, towards=None).volume
    assert np.allclose(volume.flat.display[0], grey) and volume.flat.colours is None


@pytest.mark.parametrize(
    ("more", "spacing", "words"),
    [
        ({}, (0.15, 0.15), "in the plane of the detector; in the patient they are shorter"),
        ({"EstimatedRadiographicMagnificationFactor": "1.1"}, (0.15, 0.15), "a magnification of 1.1"),
        ({"PixelSpacing": ["0.15", "0.15"]}, (0.15, 0.15), "in the plane of the detector"),
        ({"PixelSpacing": ["0.12", "0.12"]}, (0.12, 0.12), "how is not stated"),
        (
            {"PixelSpacing": ["0.12", "0.13"], "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.12, 0.13),
            "calibrated on an object of known size",
        ),
        ({"ImagerPixelSpacing": None, "PixelSpacing": ["0.2", "0.2"]}, (0.2, 0.2), "whether in the patient"),
        ({"ImagerPixelSpacing": None, "NominalScannedPixelSpacing": ["0.1", "0.1"]}, (0.1, 0.1), "on the film"),
    ],
)
def test_lengths_are_said_to_be_what_they_are(
    more: dict[str, Any], spacing: tuple[float, float], words: str, tmp_path: Path
) -> None:
    source = read(tmp_path, more=more)
    geometry = source.volume.geometry
    assert tuple(geometry.spacing[1:]) == pytest.approx(spacing)
    assert geometry.space is Space.PLANE and not geometry.is_in_patient and not geometry.frame_of_reference_uid
    assert words in source.notes[0]


def test_a_picture_without_spacing_has_no_millimetres(tmp_path: Path) -> None:
    geometry = read(tmp_path, spacing=None, more={"PixelAspectRatio": ["2", "1"]}).volume.geometry
    assert geometry.space is Space.PIXELS and "mm" not in geometry.in_words
    assert tuple(geometry.spacing[1:]) == (2.0, 1.0)


def test_a_spacing_of_zero_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="ImagerPixelSpacing: is not two positive numbers"):
        read(tmp_path, spacing=(0.0, 0.1))


def test_opposite_sides_are_refused_and_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="Laterality, ImageLaterality: one says left"):
        read(tmp_path, side="R", more={"Laterality": "L"})


def test_opposite_views_are_refused_and_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="ViewPosition, ViewCodeSequence: they name different views"):
        read(tmp_path, modality="MG", side="L", view="CC", more={"ViewPosition": "MLO"})


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"side": "B", "more": {"Laterality": "R"}}, "both sides"),
        ({"towards": ("R", "F")}, "mirrored"),
        ({"towards": ("L", "H")}, "stands on its head"),
        ({"towards": ("A", "F")}, "no PA view"),
        ({"towards": None}, "Patient Orientation is not stated"),
    ],
)
def test_doubts_about_how_a_picture_hangs_are_said(spec: dict[str, Any], said: str, tmp_path: Path) -> None:
    source = read(tmp_path, **spec)
    assert any(said in line for line in source.warnings)
    assert np.array_equal(source.volume.array[0], chest()), "and nothing is turned"


def test_what_the_machine_turned_already_is_not_turned_again(tmp_path: Path) -> None:
    more = {"FieldOfViewRotation": "90", "FieldOfViewHorizontalFlip": "YES"}
    source = read(tmp_path, more=more)
    assert np.array_equal(source.volume.array[0], chest())
    assert "turned by 90 degrees and flipped" in source.notes[-1]


def mammograms(folder: Path, *, apart: bool) -> None:
    for number, (side, view) in enumerate([("L", "CC"), ("R", "CC"), ("L", "MLO"), ("R", "MLO")], 1):
        base = FlatSpec(modality="MG", side=side, view=view, towards=("A", "F"))
        spec = replace(base, series_number=number) if apart else replace(base, number=number)
        write_flat(chest() + number, folder, spec=spec)


@pytest.mark.parametrize("apart", [True, False], ids=["a series each", "one series"])
def test_of_four_mammograms_one_must_be_named_by_side_and_view(apart: bool, tmp_path: Path) -> None:
    mammograms(tmp_path, apart=apart)
    with pytest.raises(AmbiguousInputError) as error:
        open_source(tmp_path)
    for view in ("L CC", "R CC", "L MLO", "R MLO"):
        assert f"one picture, {view}, " in str(error.value)
    third = str(error.value).split("one picture, L MLO, ")[1].partition(")")[0]
    source = open_source(tmp_path, series=third)
    assert source.volume.flat.in_words == "left MLO" and np.array_equal(source.volume.array[0], chest() + 3)
    assert len(source.files) == 1


def test_a_capture_is_refused_unless_it_is_named(tmp_path: Path) -> None:
    write_flat(chest(), tmp_path, spec=FlatSpec(modality="OT"))
    with pytest.raises(UnsupportedImageError, match="secondary capture"):
        open_source(tmp_path)
    uid = str(dcmread(next(tmp_path.iterdir())).SeriesInstanceUID)
    assert open_source(tmp_path, series=uid).volume.flat is not None


def test_a_picture_is_taken_before_a_capture_and_a_volume_before_a_picture(tmp_path: Path) -> None:
    write_flat(chest(), tmp_path / "capture", spec=FlatSpec(modality="OT", series_number=5))
    write_flat(chest(), tmp_path / "picture", spec=FlatSpec(series_number=6))
    source = open_source(tmp_path)
    assert source.volume.modality == "DX" and "one capture" in source.notes[-1]
    head = head_phantom(grid(shape=(8, 20, 20), spacing=(20.0, 10.0, 10.0)))[0]
    write_series(head, tmp_path / "volume")
    assert open_source(tmp_path).volume.modality == "MR"


def test_a_cut_off_picture_is_refused(tmp_path: Path) -> None:
    path = write_flat(chest(), tmp_path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UnreadableFileError):
        open_source(path)
