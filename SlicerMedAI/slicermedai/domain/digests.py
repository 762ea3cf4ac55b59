"""One SHA-256 for an input, so that a result says which image it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.provenance import InputDigest
from slicermedai.domain.storage import sha256_file
from slicermedai.domain.volume import Volume
from slicermedai.errors import UnreadableFileError

_UPRIGHT = ("SI", "PA", "LR")
"""The axes of :func:`hash_of_image`: the letter towards which each runs, then its opposite."""


def digest_of(files: Sequence[Path], volume: Volume) -> InputDigest:
    """What was read: of ``files`` as :func:`combined`, or of ``volume`` itself where there are none: an
    image from memory, or one whose files are not known (a detached header).

    To be called right after reading: then the files are still in the system's cache, and it costs little.

    On the route "deidentify" ``files`` must be the de-identified copies. A hash of the identified originals would lead
    whoever holds them from a pseudonymous result back to its patient. Of an image without DICOM headers that route
    takes voxels and their place alone; their hash tells no more than the voxels in the result's own scene do.

    Raises
    ------
    UnreadableFileError
        A file is gone since it was read.
    """
    image = hash_of_image(volume)
    if not files:
        return InputDigest(sha256=hash_of_volume(volume), image=image)
    return InputDigest(sha256=combined(_hash(path) for path in files), files=len(files), image=image)


def digest_of_several(images: Sequence[tuple[Sequence[Path], Volume]]) -> InputDigest:
    """Of several images of which one at least has no files of its own: over the SHA-256 of each, as :func:`combined`.

    Each is that of :func:`digest_of`; the image of the first is the one that results refer to.
    """
    each = [digest_of(files, volume) for files, volume in images]
    return InputDigest(sha256=combined(one.sha256 for one in each), image=each[0].image)


def combined(hashes: Iterable[str]) -> str:
    """One SHA-256 for many files, whatever their order and names: over their sorted SHA-256s, a line each.

    ``(cd FOLDER; sha256sum * | cut -d ' ' -f 1 | LC_ALL=C sort | sha256sum)`` gives the same.
    """
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(hashes)).encode("ascii")).hexdigest()


def hash_of_volume(volume: Volume) -> str:
    """SHA-256 of voxels and their place: equal on machines of either byte order, without name and UIDs.

    Over a line ``<type> <slices> <rows> <columns>`` (numpy's little-endian type, as ``<i2``), the 4 x 4 that takes
    (slice, row, column, 1) to LPS mm as 16 little-endian doubles, and the voxels in C order, little-endian.
    """
    array = np.ascontiguousarray(volume.array, dtype=volume.array.dtype.newbyteorder("<"))
    head = f"{array.dtype.str} {' '.join(map(str, array.shape))}\n"
    digest = hashlib.sha256(head.encode("ascii"))
    digest.update(np.ascontiguousarray(volume.geometry.affine, dtype="<f8").tobytes())
    digest.update(array.data.cast("B"))
    return digest.hexdigest()


def hash_of_image(volume: Volume) -> str:
    """SHA-256 of the voxels alone, the same for every order and direction of the axes and every type that holds them.

    Over a line with the three sizes and the voxels as little-endian float32, each along the axes that run closest to
    superior, posterior and left, in this order. Where they lie is not in it: that is compared with a tolerance.
    """
    digest = hashlib.sha256()
    for piece in pieces_of_image(volume):
        digest.update(piece)
    return digest.hexdigest()


def pieces_of_image(volume: Volume) -> Iterator[bytes]:
    """What :func:`hash_of_image` is taken over, plane by plane, for whoever has a moment at a time."""
    array = _upright(volume)
    yield f"{' '.join(map(str, array.shape))}\n".encode("ascii")
    for plane in array:
        yield (np.ascontiguousarray(plane, dtype="<f4") + np.float32(0)).tobytes()  # -0 is 0


def _upright(volume: Volume) -> NDArray[Any]:
    """A view of the voxels along (superior, posterior, left)."""
    codes = volume.geometry.axis_codes
    order = tuple(next(i for i, code in enumerate(codes) if code in pair) for pair in _UPRIGHT)
    turned = tuple(axis for axis, pair in enumerate(_UPRIGHT) if codes[order[axis]] != pair[0])
    return np.asarray(np.flip(volume.array.transpose(order), turned))


def _hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise UnreadableFileError(
            f"cannot be read any more ({type(error).__name__})", file=path, advice="Is its disk still connected?"
        ) from error
