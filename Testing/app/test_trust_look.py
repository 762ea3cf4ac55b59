"""How far a model can be believed is told before the run, by the record that the run itself would use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app import trust_look
from slicermedai.app.run_words import trust_text
from slicermedai.app.state import Phase
from slicermedai.app.trust_look import TrustLook, question_of
from slicermedai.bundles.manifest import read_manifest
from slicermedai.confidence.models import preprocessing_of, records_folder
from slicermedai.confidence.record import TrustRecord
from slicermedai.confidence.scope import Scope
from slicermedai.domain.bundle import BundleRef
from slicermedai.errors import WorkerCrashed
from Testing.app.runs import until_idle
from Testing.app.test_estimates import Asked, Child
from Testing.confidence.test_record import a_record
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series
from Testing.inference.tiny_bundle import write_tiny_bundle

NONE = "Confidence: not calibrated. No trust record is in use for this model and its preprocessing."


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application data of the test's own, and no waiting."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(trust_look, "PAUSE", 0.0)
    return tmp_path / "home"


@pytest.fixture
def model(tmp_path: Path) -> BundleRef:
    """A model on the disk."""
    write_tiny_bundle(tmp_path / "tiny@0.1")
    return read_manifest(tmp_path / "tiny@0.1").ref


def use(model: BundleRef, **changes: Any) -> TrustRecord:
    """A record for exactly this model, in use."""
    manifest = read_manifest(Path(model.path))
    record = a_record(
        **{
            "model": model.title,
            "weights_sha256": model.weights_sha256,
            "preprocessing_sha256": preprocessing_of(manifest),
            **changes,
        }
    )
    record.save(records_folder())
    return record


def told(model: BundleRef, source: Any = None, modality: str = "") -> str:
    look = TrustLook()
    look.consider(question_of(model, source, modality))
    until_idle(look)
    assert look.state.phase is Phase.IDLE, look.state.message
    return look.state.message


def test_without_a_record_it_is_not_calibrated(model: BundleRef) -> None:
    assert told(model) == NONE
    assert question_of(None, None, "") is None
    other = replace(model, weights_sha256="0" * 64)
    assert question_of(other, None, "") != question_of(model, None, ""), "other weights are asked about anew"
    assert question_of(replace(model, path="nowhere"), None, "") is None


def test_the_record_in_use_speaks_for_the_image_or_says_why_not(model: BundleRef, tmp_path: Path) -> None:
    record = use(model)
    without = told(model)
    assert without.startswith("Confidence: calibrated for ")
    assert f"{record.provenance.patients} patients" in without
    assert "told once one is chosen" in without
    head, _ = head_phantom(covering("SPL", spacing=(20.0, 20.0, 20.0)))
    files = write_series(replace(head, modality="MR"), tmp_path / "series")
    use(model, scope=Scope(modalities=("CT",), manufacturers=("Nobody",)))
    refused = told(model, files, "MR")
    assert refused.startswith("Confidence: not calibrated for this image: modality MR: the trust record knows CT alone")
    assert told(model, str(tmp_path / "series")) == refused, "a folder's first file says the same"
    use(model, scope=Scope(modalities=("MR",), manufacturers=("Nobody",)))
    assert "scanner maker Phantom Works: the trust record knows Nobody alone" in told(model, files, "MR")
    use(model, scope=Scope(modalities=("MR",), manufacturers=("Phantom Works",)))
    assert told(model, files, "MR") == (
        f"Confidence: calibrated for Brain, by its trust record ({record.provenance.date}, 24 patients, "
        "MR, Phantom Works)."
    )
    doubted = told(model, object(), "MR")
    assert doubted.startswith("Confidence: calibrated for ")
    assert "Not known: " in doubted


def test_a_record_of_generated_data_or_of_other_preprocessing_calibrates_nothing(model: BundleRef) -> None:
    record = use(model)
    use(model, provenance=replace(record.provenance, generated=True))
    assert "generated data: for no real image" in told(model)
    (path,) = records_folder().iterdir()
    path.unlink()
    use(model, preprocessing_sha256="ab" * 32)
    assert told(model) == NONE


def test_a_record_that_was_edited_is_told_and_not_believed(model: BundleRef) -> None:
    use(model)
    (path,) = records_folder().iterdir()
    path.write_text(path.read_text(encoding="utf-8").replace('"schema": 3', '"schema": 3, "x": 1'), encoding="utf-8")
    assert told(model).startswith("Confidence: not calibrated, for its trust record cannot be used.")


def test_a_record_that_comes_into_use_or_is_exchanged_is_asked_about_though_nothing_else_is_chosen(
    model: BundleRef,
) -> None:
    look = TrustLook()
    messages = []
    for scope in (None, Scope(), Scope(modalities=("CT",))):
        if scope is not None:
            use(model, scope=scope)
        look.consider(question_of(model, None, ""))
        look.consider(question_of(model, None, ""))
        until_idle(look)
        messages.append(look.state.message)
    assert messages[0] == NONE
    assert messages[1].startswith("Confidence: calibrated for ")
    assert "24 patients, CT)" in messages[2] and "CT)" not in messages[1]


def test_a_record_without_a_calibrated_structure_is_no_calibration() -> None:
    assert "could calibrate nothing" in trust_text({"calibrated": [], "generated": False})


def test_one_choice_is_asked_at_a_time_and_the_last_one_is_told(model: BundleRef) -> None:
    asked = Asked(Child({}, turns=9), Child({"unreadable": "It is damaged."}))
    look = TrustLook(ask=asked)
    first, second = ({"folder": name, "image": False, "modality": "", "file": ""} for name in ("a", "b"))
    look.consider(first)
    look.consider(dict(first))
    look.poll()
    assert len(asked.requests) == 1
    look.consider(second)
    assert asked.children[0].cancelled
    finish(look)
    assert asked.requests == [first, second]
    assert "It is damaged." in look.state.message


def test_what_nobody_waits_for_is_stopped_and_driven_to_its_end() -> None:
    asked = Asked(Child({}, turns=9))
    look = TrustLook(ask=asked)
    look.consider({"folder": "a"})
    look.poll()
    look.cancel()
    assert look.state.phase is Phase.STOPPING
    finish(look)
    assert look.state.message == ""


def test_a_child_that_cannot_start_or_dies_is_told() -> None:
    def refuse(request: Mapping[str, Any]) -> Any:
        raise WorkerCrashed("cannot be started", file="python")

    for ask in (refuse, Asked(Child(None, WorkerCrashed("ended before it was done", file="python")))):
        look = TrustLook(ask=ask)
        look.consider({"folder": "a"})
        finish(look)
        assert look.state.phase is Phase.FAILED
        assert "python" in look.state.message


def finish(look: TrustLook) -> None:
    for _ in range(20):
        look.poll()
    assert not look.busy
