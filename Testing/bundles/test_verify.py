"""Hashes before loading, consent before running."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicermedai.bundles import verify
from slicermedai.bundles.manifest import read_manifest
from slicermedai.errors import BundleError, ConsentError, HashMismatchError
from Testing.inference.tiny_bundle import change_json, digest_of


def test_untouched_files_pass(tiny: Path) -> None:
    manifest = read_manifest(tiny)
    verify.verify_files(manifest)
    assert verify.verified_bytes(tiny, manifest.files[0]) == (tiny / "models" / "model.pt").read_bytes()


def test_one_flipped_bit_is_named_with_both_hashes(tiny: Path) -> None:
    manifest, path = read_manifest(tiny), tiny / "models" / "model.pt"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    for attempt in (lambda: verify.verify_files(manifest), lambda: verify.verified_bytes(tiny, manifest.files[0])):
        with pytest.raises(HashMismatchError) as caught:
            attempt()
        assert caught.value.file == str(path)
        assert manifest.files[0].sha256 in str(caught.value)
        assert digest_of(path) in str(caught.value)


def test_missing_weights_are_an_error_of_the_bundle(tiny: Path) -> None:
    manifest = read_manifest(tiny)
    (tiny / "models" / "model.pt").unlink()
    with pytest.raises(BundleError, match=r"model\.pt, weights: cannot be read"):
        verify.verify_files(manifest)


def test_a_bundle_without_code_needs_nobody(tiny: Path) -> None:
    ref = verify.with_consent(read_manifest(tiny))
    verify.require_consent(ref)
    assert ref.consent == ""


def test_torchscript_that_nobody_agreed_to_is_refused(scripted: Path) -> None:
    with pytest.raises(ConsentError, match="nobody agreed"):
        verify.require_consent(verify.with_consent(read_manifest(scripted)))


def test_a_person_can_agree(scripted: Path) -> None:
    ref = verify.with_consent(read_manifest(scripted), "read and trusted by the physicist")
    verify.require_consent(ref)
    assert ref.consent == "read and trusted by the physicist"


def test_a_hash_pinned_here_counts_as_consent(scripted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(scripted)
    monkeypatch.setattr(verify, "pinned_weights", lambda: {"known": manifest.ref.weights_sha256})
    assert verify.with_consent(manifest).consent == "pinned hash"


def test_a_pinned_hash_never_speaks_for_code_in_the_configuration(
    scripted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_json(scripted / "configs" / "inference.json", initialize=["$print('hello')"])
    manifest = read_manifest(scripted)
    monkeypatch.setattr(verify, "pinned_weights", lambda: {"known": manifest.ref.weights_sha256})
    assert verify.with_consent(manifest).consent == ""


def test_all_pinned_hashes_are_hashes() -> None:
    assert verify.pinned_weights()
    assert all(len(digest) == 64 for digest in verify.pinned_weights().values())
