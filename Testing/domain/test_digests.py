"""The hash of an input: the same for the same image, another for any other."""

from __future__ import annotations

import hashlib
import itertools
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slicermedai.domain.digests import combined, digest_of, digest_of_several, hash_of_image, hash_of_volume
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import InputDigest
from slicermedai.domain.volume import Volume
from slicermedai.errors import UnreadableFileError

VOXELS = np.arange(24, dtype=np.int16).reshape(4, 3, 2)


def a_volume(array: np.ndarray = VOXELS, affine: np.ndarray | None = None) -> Volume:
    return Volume(array=array, geometry=Geometry(shape=array.shape, affine=np.eye(4) if affine is None else affine))


def test_files_are_hashed_whatever_their_names_and_order(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "ab"]
    for number, path in enumerate(files):
        path.write_bytes(bytes([number]))
    found = digest_of(files, a_volume())
    assert found == digest_of(files[::-1], a_volume())
    both = combined(hashlib.sha256(bytes([n])).hexdigest() for n in (1, 0))
    assert found == InputDigest(sha256=both, files=2, image=hash_of_image(a_volume()))
    files[0].write_bytes(b"x")
    assert digest_of(files, a_volume()) != found


def test_several_images_of_which_one_is_from_memory_have_a_hash_that_any_of_them_changes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    other = a_volume(VOXELS + 1)
    images = [([tmp_path / "a"], a_volume()), ((), other)]
    found = digest_of_several(images)
    each = [digest_of(*image).sha256 for image in images]
    assert found == InputDigest(sha256=combined(each), files=0, image=hash_of_image(a_volume()))
    (tmp_path / "a").write_bytes(b"b")
    assert digest_of_several(images) != found
    assert digest_of_several([images[0], ((), a_volume(VOXELS + 2))]) != digest_of_several(images)


def test_a_file_that_is_gone_after_reading_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"gone\.dcm: cannot be read any more"):
        digest_of([tmp_path / "gone.dcm"], a_volume())


def test_an_image_from_memory_is_hashed_as_documented() -> None:
    written = b"<i2 4 3 2\n" + struct.pack("<16d", *np.eye(4).ravel()) + struct.pack("<24h", *range(24))
    assert digest_of((), a_volume()).sha256 == hashlib.sha256(written).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        a_volume(VOXELS + np.int16(1)),
        a_volume(VOXELS.astype(np.int32)),
        a_volume(VOXELS.reshape(2, 3, 4)),
        a_volume(affine=np.diag([1.0, 1.0, -1.0, 1.0])),
    ],
    ids=["voxels", "type", "shape", "place"],
)
def test_another_image_has_another_hash(other: Volume) -> None:
    assert hash_of_volume(other) != hash_of_volume(a_volume())


def test_memory_layout_byte_order_and_names_do_not_change_the_hash() -> None:
    known = hash_of_volume(a_volume())
    assert hash_of_volume(a_volume(np.asfortranarray(VOXELS))) == known
    assert hash_of_volume(a_volume(VOXELS.astype(">i2"))) == known
    assert hash_of_volume(replace(a_volume(), name="Quillfeather", series_uid="1.2.3")) == known


def test_an_image_has_one_hash_in_every_order_of_its_axes_and_type_of_its_voxels() -> None:
    known, volume = hash_of_image(a_volume()), a_volume()
    for order in itertools.permutations(range(3)):
        for turned in itertools.chain.from_iterable(itertools.combinations(range(3), n) for n in range(4)):
            geometry = volume.geometry.permuted(order).flipped(turned)
            array = np.flip(volume.array.transpose(order), turned)
            assert hash_of_image(Volume(array=array.astype(np.float64), geometry=geometry)) == known


def test_other_voxels_have_another_hash() -> None:
    known = hash_of_image(a_volume())
    for other in (VOXELS + np.int16(1), VOXELS[::-1], VOXELS[:, :, ::-1], VOXELS.reshape(2, 3, 4)):
        assert hash_of_image(a_volume(other)) != known
