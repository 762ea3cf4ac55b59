"""NIfTI-1 and NIfTI-2 files, read by the letter of the standard (nifti.nimh.nih.gov, nifti1.h and nifti2.h).

The usual library fills what a truncated file lacks with zeros and turns NaN into 0 without a word; here both are
errors, as is a header that does not say where its voxels begin. Where the sform is set (method 3) it places the
image, else the qform (method 2); a file with neither is refused, since it says nothing of left and right.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError, UnreadableFileError, UnsupportedImageError

FloatArray = NDArray[np.float64]

_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}
_NO_TIME = {32: "Hz", 40: "ppm", 48: "rad/s"}
_DIFFUSION = (".bval", ".bvals", ".bvec", ".bvecs")
"""What lies beside an image of diffusion by the name of its file, from dcm2niix, FSL and BIDS."""
_HALF_TURN = 1e-7
"""Below this 1 - b2 - c2 - d2 is rounding, and the rotation a half turn (as nifti1_io.c has it)."""

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the fields of one header version lie: the first voxel at the earliest, the magic of a single file and
    its place, then struct formats at byte offsets.
    """

    first_voxel: int
    magic: tuple[bytes, int]
    dim: tuple[str, int]
    datatype: int
    pixdim: tuple[str, int]
    vox_offset: tuple[str, int]
    slope: tuple[str, int]
    codes: tuple[str, int]
    quatern: tuple[str, int]
    srow: tuple[str, int]
    units: tuple[str, int]


_VERSIONS = {
    348: _Layout(
        352,
        (b"n+1\0", 344),
        ("8h", 40),
        70,
        ("8f", 76),
        ("f", 108),
        ("2f", 112),
        ("2h", 252),
        ("6f", 256),
        ("12f", 280),
        ("B", 123),
    ),
    540: _Layout(
        544,
        (b"n+2\0", 4),
        ("8q", 16),
        12,
        ("8d", 104),
        ("q", 168),
        ("2d", 176),
        ("2i", 344),
        ("6d", 352),
        ("12d", 400),
        ("i", 500),
    ),
}


class _Header:
    """The fields of a header, by name."""

    def __init__(self, data: bytes, path: Path) -> None:
        order = next((o for o in "<>" if len(data) >= 4 and struct.unpack_from(f"{o}i", data)[0] in _VERSIONS), None)
        layout = _VERSIONS[struct.unpack_from(f"{order}i", data)[0]] if order else None
        if order is None or layout is None or len(data) < layout.first_voxel:
            raise _broken(path, "no NIfTI file, or cut off in its header")
        self.order, self.layout, self._data = order, layout, data
        _check_magic(data, layout, path)

    def read(self, field: tuple[str, int]) -> tuple[float, ...]:
        """The numbers of one field."""
        return struct.unpack_from(self.order + field[0], self._data, field[1])

    @property
    def shape(self) -> tuple[int, ...]:
        """(columns, rows, slices, ...) as ``dim`` says."""
        dim = [int(n) for n in self.read(self.layout.dim)]
        return tuple(dim[1 : 1 + min(max(dim[0], 0), 7)])


def read_nifti(path: Path) -> tuple[Volume, tuple[str, ...]]:
    """The volume in ``path`` (.nii or .nii.gz), LPS, scaled by ``scl_slope``, and notes for people.

    Raises
    ------
    UnreadableFileError
        Truncated, damaged, or no NIfTI file: ANALYZE 7.5, one half of a .hdr and .img pair, a ``vox_offset`` inside
        the header.
    GeometryError
        Neither qform nor sform, or axes that are not at right angles.
    UnsupportedImageError
        Two- or four-dimensional, colour or complex voxels, NaN voxels.
    """
    data = _bytes(path)
    header = _Header(data, path)
    return _volume(data, header, (*_volume_shape(header, path), 1), path, 0)


def _volume(
    data: bytes, header: _Header, shape: tuple[int, int, int, int], path: Path, index: int
) -> tuple[Volume, tuple[str, ...]]:
    with np.errstate(all="ignore"):  # what comes of numbers that are none is refused below
        affine, notes = _affine(header, path)
    array = _voxels(data, header, shape, path, index)
    try:
        geometry = Geometry.from_ijk_lps((shape[2], shape[1], shape[0]), affine)
    except GeometryError as error:
        raise GeometryError(
            "does not say where the image lies in the patient: numbers that are none, or axes without length",
            file=path,
            attribute="sform, qform",
            advice="Export it again with its orientation.",
        ) from error
    if not geometry.is_orthogonal:
        raise GeometryError(
            "the axes are not at right angles",
            file=path,
            attribute="srow_x, srow_y, srow_z",
            advice="Resample the image to a grid without shear.",
        )
    return Volume(array=array, geometry=geometry, name=path.name), notes


class NiftiOverTime:
    """A NIfTI file whose fourth dimension is time.

    Attributes
    ----------
    count:
        How many frames.
    step:
        Seconds from one to the next; None where the file does not say it.

    Raises
    ------
    UnsupportedImageError
        One time alone, a fifth dimension, or a fourth that is not time: diffusion (b values lie beside the file), or a
        spectrum by its unit; else as :func:`read_nifti`.
    """

    def __init__(self, path: Path) -> None:
        _check_no_diffusion(path)
        self._path, self._data = path, _bytes(path)
        self._header = _Header(self._data, path)
        self._shape = _shape_over_time(self._header, path)
        self.count = self._shape[3]
        unit = _seconds(int(self._header.read(self._header.layout.units)[0]) & 56, path)
        step = self._header.read(self._header.layout.pixdim)[4]
        self.step = step * unit if unit is not None and math.isfinite(step) and step > 0 else None

    def volume(self, index: int) -> tuple[Volume, tuple[str, ...]]:
        """Frame ``index`` (from 0), and notes for people; raises as :func:`read_nifti`."""
        return _volume(self._data, self._header, self._shape, self._path, index)


def _check_no_diffusion(path: Path) -> None:
    stem = path.name[: path.name.lower().rindex(".nii")]
    beside = next((path.with_name(stem + end) for end in _DIFFUSION if path.with_name(stem + end).exists()), None)
    if beside is not None:
        raise UnsupportedImageError(
            f"{beside.name} lies beside it: its volumes differ in diffusion, and not in time",
            file=path,
            attribute="dim",
            advice="Choose one volume of it, or a map that was made of it.",
        )


def _seconds(unit: int, path: Path) -> float | None:
    """Seconds in a unit of the fourth dimension, None where none is said; raises for units of a spectrum."""
    if unit in _NO_TIME:
        raise UnsupportedImageError(
            f"its fourth dimension is in {_NO_TIME[unit]}, and not in time",
            file=path,
            attribute="xyzt_units",
            advice="Choose one volume of it, or a map that was made of it.",
        )
    return _SECONDS.get(unit)


def _shape_over_time(header: _Header, path: Path) -> tuple[int, int, int, int]:
    shape = header.shape
    if len(shape) < 4 or min(shape[:4]) < 2 or any(n != 1 for n in shape[4:]):
        raise UnsupportedImageError(
            f"an image of size {' x '.join(map(str, shape))}, and several volumes over time are needed",
            file=path,
            attribute="dim",
            advice="Run it without over_time.",
        )
    return shape[0], shape[1], shape[2], shape[3]


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, f"damaged or truncated ({type(error).__name__})") from error


def _broken(path: Path, what: str) -> UnreadableFileError:
    return UnreadableFileError(what, file=path, advice="Copy or export the file again.")


def _check_magic(data: bytes, layout: _Layout, path: Path) -> None:
    magic, place = layout.magic
    if data[place : place + 4] == magic:
        return
    pair = data[place : place + 4] == magic.replace(b"+", b"i")
    raise UnreadableFileError(
        "the header of a .hdr and .img pair" if pair else "no NIfTI file (ANALYZE 7.5 does not tell left from right)",
        file=path,
        attribute="magic",
        advice="Convert both files to one .nii file." if pair else "Export the image again as NIfTI.",
    )


def _first_voxel(header: _Header, path: Path) -> int:
    """``vox_offset``: 352 (NIfTI-1) or 544 (NIfTI-2) at least, as both standards have it for single files.

    0 is refused with all others: the usual libraries tolerate it and then read voxels from 0 or from 348.
    """
    start = header.read(header.layout.vox_offset)[0]
    if not (math.isfinite(start) and start >= header.layout.first_voxel and start == int(start)):
        raise UnreadableFileError(
            f"does not say where the voxels begin: a whole number from {header.layout.first_voxel} is needed",
            file=path,
            attribute="vox_offset",
            advice="Copy or export the file again.",
        )
    return int(start)


def _volume_shape(header: _Header, path: Path) -> tuple[int, int, int]:
    shape = header.shape
    if len(shape) < 3 or min(shape[:3]) < 2 or any(n != 1 for n in shape[3:]):
        raise UnsupportedImageError(
            f"an image of size {' x '.join(map(str, shape))}, and one volume is needed",
            file=path,
            attribute="dim",
            advice="Where the fourth dimension is time, run every frame with over_time." if len(shape) > 3 else "",
        )
    return shape[0], shape[1], shape[2]


def _voxels(
    data: bytes, header: _Header, shape: tuple[int, int, int, int], path: Path, index: int
) -> NDArray[np.generic]:
    """(slices, rows, columns) of the volume ``index``, scaled."""
    kind = _TYPES.get(int(header.read(("h", header.layout.datatype))[0]))
    if kind is None:
        raise UnsupportedImageError("colour, complex or unknown voxels", file=path, attribute="datatype")
    dtype, start = np.dtype(header.order + kind), _first_voxel(header, path)
    if len(data) < start + math.prod(shape) * dtype.itemsize:
        raise _broken(path, "truncated: fewer voxels than the header says")
    size = math.prod(shape[:3])
    array = np.frombuffer(data, dtype, size, start + index * size * dtype.itemsize).reshape(shape[2::-1])
    slope, intercept = header.read(header.layout.slope)
    if np.isfinite([slope, intercept]).all() and slope not in (0.0,) and (slope, intercept) != (1.0, 0.0):
        array = (array * slope + intercept).astype(np.float32)
    array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UnsupportedImageError(
            "the image holds NaN or infinite voxels",
            file=path,
            attribute="voxels",
            advice="Replace them (for instance by the background value) and run again.",
        )
    return array


def _affine(header: _Header, path: Path) -> tuple[FloatArray, tuple[str, ...]]:
    """4 x 4 from (column, row, slice) to LPS mm."""
    qform_code, sform_code = header.read(header.layout.codes)
    if qform_code <= 0 and sform_code <= 0:
        raise GeometryError(
            "does not say where the image lies in the patient",
            file=path,
            attribute="qform_code, sform_code",
            advice="Export it again with its orientation.",
        )
    sform, qform = _sform(header), _qform(header)
    notes: tuple[str, ...] = ()
    if qform_code > 0 and sform_code > 0 and np.abs(sform - qform).max() > 0.1:
        notes = ("The file's sform and qform place it differently: the sform was used.",)
    scale = _MILLIMETRES.get(int(header.read(header.layout.units)[0]) & 7, 1.0)
    affine = _RAS_TO_LPS @ (sform if sform_code > 0 else qform)
    return np.diag([scale, scale, scale, 1.0]) @ affine, notes


def _sform(header: _Header) -> FloatArray:
    return np.vstack([np.reshape(header.read(header.layout.srow), (3, 4)), [0, 0, 0, 1]]).astype(np.float64)


def _qform(header: _Header) -> FloatArray:
    """Method 2: a rotation from the quaternion (a, b, c, d), a >= 0, and the handedness in ``pixdim[0]``."""
    b, c, d, x, y, z = header.read(header.layout.quatern)
    pixdim = header.read(header.layout.pixdim)
    length = b * b + c * c + d * d
    a = np.sqrt(max(1.0 - length, 0.0))
    if 1.0 - length < _HALF_TURN:
        a, b, c, d = 0.0, *(part / np.sqrt(length) for part in (b, c, d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.array([pixdim[1], pixdim[2], pixdim[3] * (-1.0 if pixdim[0] < 0 else 1.0)])
    affine[:3, 3] = x, y, z
    return affine
