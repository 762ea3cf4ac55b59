"""Checks of saliency tell maps that say something from maps that do not, and what never ran counts as failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slicermedai.bundles.registry import resolve
from slicermedai.confidence.models import manifest_of, preprocessing_of, records_folder
from slicermedai.confidence.plain import from_plain, to_plain
from slicermedai.confidence.record import FitProvenance, TrustRecord, digest, file_name, load_record
from slicermedai.confidence.run import RunTrust
from slicermedai.confidence.saliency import checks_in_words
from slicermedai.confidence.saliency_checks import (
    SaliencyQuality,
    insertion_minus_deletion,
    marker_auroc,
    nearness,
    pearson,
    rank_correlation,
)
from slicermedai.confidence.scope import Applicability, Applies, Scope
from slicermedai.domain.bundle import BundleRef
from slicermedai.inference.task import Listeners, predict
from Testing.inference.conftest import tiny
from Testing.inference.test_again import ball

__all__ = ["tiny"]

SHAPE = (12, 12, 12)
PASSED = SaliencyQuality(
    method="hirescam",
    cases=10,
    seeds=5,
    gain=0.9,
    plain=0.1,
    distance=0.8,
    noise=0.0,
    rho=0.1,
    shortcut=0.95,
    repeat=1.0,
    additive=0.995,
)


def parts() -> tuple[np.ndarray, np.ndarray]:
    """An image whose score is the mean of one cube, and that cube."""
    cube = np.zeros(SHAPE, dtype=bool)
    cube[4:6, 4:6, 4:6] = True
    return np.ones(SHAPE, dtype=np.float32), cube


def gain(saliency: np.ndarray) -> float:
    image, cube = parts()
    return insertion_minus_deletion(lambda x: float(x[cube].mean()), image, np.zeros_like(image), saliency)


def test_a_map_of_what_counts_gains_all_and_its_opposite_loses_all() -> None:
    _, cube = parts()
    right = gain(cube.astype(np.float32))
    assert right > 0.98
    assert gain(-cube.astype(np.float32)) < -0.65


def test_chance_gains_nothing() -> None:
    rng = np.random.default_rng(0)
    assert abs(np.mean([gain(rng.random(SHAPE)) for _ in range(40)])) < 0.1


def test_ranks_correlate_whatever_the_scale() -> None:
    a = np.random.default_rng(1).random(SHAPE)
    assert rank_correlation(a, np.exp(5 * a)) == pytest.approx(1)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert pearson(a, 3 * a + 1) == pytest.approx(1)
    assert (rank_correlation(a, np.zeros(SHAPE)), pearson(a, np.zeros(SHAPE))) == (0.0, 0.0)


def test_the_marker_is_found_or_not() -> None:
    _, cube = parts()
    assert marker_auroc(cube.astype(np.float32), cube) == 1.0
    assert marker_auroc(np.zeros(SHAPE, dtype=np.float32), cube) == 0.5
    assert marker_auroc(-cube.astype(np.float32), cube) == 0.0


def test_nearness_is_largest_in_the_target() -> None:
    _, cube = parts()
    made = nearness(cube, (2.0, 1.0, 1.0))
    assert made[cube].min() == 0 and made[~cube].max() < 0
    assert made[3, 4, 4] == -2.0 and made[4, 3, 4] == -1.0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"cases": 9}, "too few"),
        ({"seeds": 4}, "too few"),
        ({"gain": 0.69, "distance": 0.6}, "insertion minus deletion 0.69"),
        ({"plain": 0.61}, "lead over Grad-CAM 0.29"),
        ({"plain": None}, "lead over Grad-CAM not measured"),
        ({"distance": 0.95}, "nearness"),
        ({"noise": 0.95}, "chance"),
        ({"rho": -0.4}, "randomised weights -0.40"),
        ({"shortcut": 0.5}, "planted marker"),
        ({"repeat": 0.9}, "second run"),
        ({"rho": None}, "randomised weights not measured"),
        ({"additive": 0.98}, "windows with all at once 0.98"),
        ({"additive": None}, "windows with all at once not measured"),
    ],
)
def test_each_check_that_fails_or_never_ran_is_named(changed: dict[str, float], words: str) -> None:
    assert PASSED.failures == () and PASSED.in_words.startswith("checked on 10 patients")
    failed = replace(PASSED, **changed)
    assert len(failed.failures) == 1 and words in failed.failures[0]
    assert failed.in_words.startswith("saliency not validated")
    assert "windows with all at once 0.99" in replace(PASSED, additive=0.992).in_words


def test_grad_cam_need_not_lead_over_itself() -> None:
    assert replace(PASSED, method="gradcam", plain=PASSED.gain).failures == ()


def test_checks_travel_in_the_record_by_method(tmp_path: Path) -> None:
    made = FitProvenance(date="2026-01-01", software="0", patients=20, images=20, generated=True)
    bare = TrustRecord(model="m@1", weights_sha256="a" * 64, preprocessing_sha256="b" * 64, provenance=made)
    record = load_record(replace(bare, saliency=(PASSED,)).save(tmp_path))
    assert record.saliency == (PASSED,) and digest(record) != digest(bare)
    before = to_plain(replace(bare, saliency=(replace(PASSED, additive=None),)))
    for plain in (before, before["saliency"][0]):
        plain.pop("additive", None)
        plain.pop("of_image", None)
    assert digest(from_plain(before, TrustRecord)) == digest(replace(bare, saliency=(replace(PASSED, additive=None),)))
    applies = Applicability(state=Applies.YES, reasons=())
    assert checks_in_words("hirescam", record, applies) == PASSED.in_words
    assert "no checks of this method" in checks_in_words("gradient", record, applies)
    doubted = checks_in_words("hirescam", record, replace(applies, reasons=("nobody knows the scanner",)))
    assert doubted == f"{PASSED.in_words}; but nobody knows the scanner"


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without trust records."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))


@pytest.mark.usefixtures("own_home")
@pytest.mark.parametrize(
    ("of", "precision", "words"),
    [
        ({}, "float32", "fitted on generated data, and this is a real image"),
        ({"weights_sha256": "f" * 64}, "float32", "for other weights"),
        ({"generated": False}, "bfloat16", "this run was in bfloat16"),
        (None, "float32", "there is no trust record"),
    ],
)
def test_checks_of_a_record_that_does_not_apply_are_not_cited(
    tiny: Path, of: dict[str, object] | None, precision: str, words: str
) -> None:
    ref = resolve(str(tiny))
    if of is not None:
        file_away(ref, **of)
    trust = RunTrust.of(ref, ball(6.0))
    made = predict(ref, ball(6.0), listeners=Listeners(saliency="gradient"))
    trust.judged((), precision=precision)
    said = dict(trust.maps(made)[0].about)["checks"]
    assert said.startswith("saliency not validated: ") and words in said


@pytest.mark.usefixtures("own_home")
def test_checks_of_a_record_that_applies_are_cited(tiny: Path) -> None:
    ref = resolve(str(tiny))
    file_away(ref, generated=False)
    trust = RunTrust.of(ref, ball(6.0))
    made = predict(ref, ball(6.0), listeners=Listeners(saliency="gradient"))
    trust.judged((), precision="float32")
    said = dict(trust.maps(made)[0].about)["checks"]
    assert said == f"{PASSED.in_words}; but the trust record does not say for which scanner maker it speaks"


def file_away(ref: BundleRef, *, generated: bool = True, weights_sha256: str = "") -> None:
    """Put a record of checks that passed where the model's record is looked for."""
    manifest = manifest_of(ref)
    made = FitProvenance(date="2026-01-01", software="0", patients=20, images=20, generated=generated)
    record = TrustRecord(
        model="m@1",
        weights_sha256=weights_sha256 or ref.weights_sha256,
        preprocessing_sha256=preprocessing_of(manifest),
        provenance=made,
        scope=Scope(modalities=("MR",)),
        saliency=(replace(PASSED, method="gradient"),),
    )
    records_folder().mkdir(parents=True, exist_ok=True)
    wanted = records_folder() / file_name(ref.weights_sha256, record.preprocessing_sha256)
    record.save(records_folder()).rename(wanted)
