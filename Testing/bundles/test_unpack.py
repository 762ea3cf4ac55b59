"""Zips and folders from elsewhere: nothing reaches out of the bundle's own folder."""

from __future__ import annotations

import os
import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from slicermedai.bundles.unpack import copy_folder, unpack_zip
from slicermedai.errors import BundleError


def zip_of(path: Path, members: dict[str, bytes], *, compress: int = zipfile.ZIP_STORED) -> Path:
    """A zip with these members."""
    with zipfile.ZipFile(path, "w", compress) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_wrapped_bundle_is_found(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "b.zip", {"b/configs/metadata.json": b"{}", "b/LICENSE": b"x", "__MACOSX/b": b""})
    inner = unpack_zip(archive, tmp_path / "out")
    assert inner == tmp_path / "out" / "b"
    assert (inner / "configs" / "metadata.json").read_bytes() == b"{}"
    assert not (tmp_path / "out" / "__MACOSX").exists()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "..\\evil", "a\\b", ".."])
def test_members_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    archive = zip_of(tmp_path / "b.zip", {"configs/metadata.json": b"{}", name: b"evil"})
    with pytest.raises(BundleError, match="leaves its folder"):
        unpack_zip(archive, tmp_path / "deep" / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b.zip"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        link = zipfile.ZipInfo("models")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")
        archive.writestr("models/passwd", b"evil")
    with pytest.raises(BundleError, match="'models' is a link"):
        unpack_zip(tmp_path / "b.zip", tmp_path / "out")


@pytest.mark.parametrize("second", ["a.json", "A.json"])
def test_a_member_that_comes_twice_is_refused(tmp_path: Path, second: str) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        warnings.simplefilter("ignore", UserWarning)
        archive.writestr("a.json", b"shown")
        archive.writestr(second, b"loaded")
    with pytest.raises(BundleError, match="comes twice"):
        unpack_zip(tmp_path / "b.zip", tmp_path / "out")


def test_a_bomb_is_refused_unopened(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "b.zip", {"models/model.pt": bytes(64 * 2**20)}, compress=zipfile.ZIP_DEFLATED)
    assert archive.stat().st_size < 100_000
    with pytest.raises(BundleError, match="would unpack to 67108864 bytes"):
        unpack_zip(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    content = zip_of(tmp_path / "b.zip", {"a.bin": bytes(5000)}, compress=zipfile.ZIP_DEFLATED).read_bytes()
    lying = content.replace((5000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    (tmp_path / "b.zip").write_bytes(lying)
    with pytest.raises(BundleError):
        unpack_zip(tmp_path / "b.zip", tmp_path / "out")


def test_what_is_no_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(BundleError, match=r"b\.zip, zip: cannot be unpacked"):
        unpack_zip(tmp_path / "b.zip", tmp_path / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_member_whose_bytes_are_damaged_is_named_and_no_crash(tmp_path: Path, method: int) -> None:
    text = " ".join(map(str, range(4000))).encode()
    whole = zip_of(tmp_path / "b.zip", {"a.txt": text}, compress=method).read_bytes()
    for place in (45, 60, 2000):
        (tmp_path / "b.zip").write_bytes(whole[:place] + b"\xff" * 40 + whole[place + 40 :])
        with pytest.raises(BundleError, match=r"b\.zip, zip: cannot be unpacked"):
            unpack_zip(tmp_path / "b.zip", tmp_path / "out")


@pytest.mark.parametrize("target", ["/etc/passwd", "inside.txt", "/etc"])
def test_links_in_a_folder_are_refused(tmp_path: Path, target: str) -> None:
    source = tmp_path / "b"
    (source / "models").mkdir(parents=True)
    (source / "models" / "inside.txt").write_text("x")
    (source / "models" / "model.pt").symlink_to(target)
    with pytest.raises(BundleError, match=r"model\.pt, bundle: is a link"):
        copy_folder(source, tmp_path / "out")


def test_a_device_in_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b" / "pipe")
    with pytest.raises(BundleError, match="plain files alone"):
        copy_folder(tmp_path / "b", tmp_path / "out")
