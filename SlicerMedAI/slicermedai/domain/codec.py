"""Loss-free save and load of the domain's dataclasses: JSON for structure, ``.npy`` in a zip for arrays.

No pickle anywhere. The same object gives the same bytes: keys in field order, zip entries with a fixed date.
An array that several fields share (one label map, many findings) is written once and shared again on loading.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable, Generator
from enum import Enum
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from slicermedai.domain import (
    bundle,
    change,
    codes,
    course,
    finding,
    flat,
    geometry,
    nodule,
    plan,
    prompts,
    provenance,
    result,
    stability,
    study,
    uncertainty,
    volume,
)
from slicermedai.domain.pieces import PIECE, finished
from slicermedai.domain.seal import checking, seal
from slicermedai.domain.storage import atomic_folder
from slicermedai.errors import InputError, MedAIError, UnreadableFileError

SCHEMA = 1
_JSON_NAME = "{kind}.json"
_ARRAYS_NAME = "arrays.npz"
_DATE = (1980, 1, 1, 0, 0, 0)
_MODULES = (
    change,
    codes,
    course,
    geometry,
    flat,
    volume,
    study,
    finding,
    nodule,
    prompts,
    provenance,
    bundle,
    uncertainty,
    stability,
    result,
    plan,
)
_TYPES: dict[str, type] = {
    name: kind
    for module in _MODULES
    for name, kind in vars(module).items()
    if isinstance(kind, type) and kind.__module__ == module.__name__
}
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
_T = TypeVar("_T")


def save_object(value: Any, folder: Path, *, kind: str) -> Path:
    """Write ``value`` as ``folder/<kind>.json`` and ``folder/arrays.npz``, whole or not at all."""
    with atomic_folder(folder) as partial:
        write_object(value, partial, kind=kind)
    return Path(folder)


def write_object(value: Any, folder: Path, *, kind: str, compress: bool = True) -> None:
    """As :func:`save_object`, into an existing folder whose caller takes care of renaming; results are sealed.

    Without ``compress`` the arrays are written as they are: some fifty times faster, for what is soon thrown away.
    """
    encoder = _Encoder()
    body = {"schema": SCHEMA, "kind": kind, "value": encoder.encode(value)}
    text = json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)
    write = _write_compressed if compress else _write_stored
    with zipfile.ZipFile(folder / _ARRAYS_NAME, "w") as archive:
        for name, array in encoder.arrays.items():
            write(archive, f"{name}.npy", array)
    (folder / _JSON_NAME.format(kind=kind)).write_text(text, encoding="utf-8", newline="\n")
    if kind == result.RESULT:
        seal(folder)


def load_object(folder: Path, expected: type[_T], *, kind: str) -> _T:
    """Read what :func:`save_object` wrote.

    Raises
    ------
    UnreadableFileError
        Missing, damaged or changed files, another kind of object, or a newer schema.
    """
    return finished(loading(folder, expected, kind=kind))


def loading(folder: Path, expected: type[_T], *, kind: str) -> Generator[None, None, _T]:
    """As :func:`load_object`, in pieces: it returns the object, and raises the same."""
    path = Path(folder) / _JSON_NAME.format(kind=kind)
    yield from checking(Path(folder))
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        _check_header(body, path, kind)
        arrays = yield from _arrays(Path(folder) / _ARRAYS_NAME)
        value = _Decoder(arrays.__getitem__).decode(body["value"])
    except UnreadableFileError:
        raise
    except (*_DAMAGE, MedAIError) as error:
        raise UnreadableFileError(
            f"cannot be read ({type(error).__name__})",
            file=path,
            advice="Was it written by this program, and copied whole?",
        ) from error
    if not isinstance(value, expected):
        raise UnreadableFileError(f"holds no {expected.__name__}", file=path, attribute="value")
    return value


def load_fields(folder: Path, names: tuple[str, ...], *, kind: str) -> tuple[Any, ...]:
    """Those fields alone of what :func:`save_object` wrote, in the order in which it has them: for lists.

    No array is read, and nothing is held against the seal: who goes on with it loads it whole.

    Raises
    ------
    UnreadableFileError
        Missing, damaged, another kind of object, or a newer schema.
    """
    path = Path(folder) / _JSON_NAME.format(kind=kind)
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        _check_header(body, path, kind)
        with zipfile.ZipFile(Path(folder) / _ARRAYS_NAME) as archive:
            decoder = _Decoder(partial(_read_array, archive))
            return tuple(decoder.decode(body["value"][name]) for name in names)
    except UnreadableFileError:
        raise
    except (*_DAMAGE, MedAIError) as error:
        raise UnreadableFileError(f"cannot be read ({type(error).__name__})", file=path) from error


def _check_header(body: dict[str, Any], path: Path, kind: str) -> None:
    if body.get("kind") != kind:
        raise UnreadableFileError(f"is no {kind}", file=path, attribute="kind")
    if not isinstance(body.get("schema"), int) or body["schema"] > SCHEMA:
        raise UnreadableFileError(
            "was written by a newer version", file=path, attribute="schema", advice="Update MedAI."
        )


def _write_compressed(archive: zipfile.ZipFile, name: str, array: np.ndarray[Any, Any]) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    entry = zipfile.ZipInfo(name, date_time=_DATE)
    archive.writestr(entry, buffer.getvalue(), zipfile.ZIP_DEFLATED, 3)


def _write_stored(archive: zipfile.ZipFile, name: str, array: np.ndarray[Any, Any]) -> None:
    """Piece by piece: of a contiguous array no copy is made."""
    entry = zipfile.ZipInfo(name, date_time=_DATE)
    with archive.open(entry, "w", force_zip64=True) as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)


def _read_array(archive: zipfile.ZipFile, name: str) -> Any:
    return finished(reading_array(archive, name))


def _arrays(path: Path) -> Generator[None, None, dict[str, Any]]:
    """All arrays of a file by name."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            plain = name.removesuffix(".npy")
            found[plain] = yield from reading_array(archive, plain)
    return found


def reading_array(archive: zipfile.ZipFile, name: str) -> Generator[None, None, Any]:
    """The array ``name`` of a file of arrays, in pieces.

    Raises
    ------
    OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error
        It is not there, or damaged.
    """
    with archive.open(f"{name}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read_header(stream)
        if dtype.hasobject:
            raise ValueError("objects are not read")
        array = np.empty(shape, dtype, order="F" if is_fortran else "C")
        yield from _filling(array.T if is_fortran else array, stream)
    return array


def _filling(array: np.ndarray[Any, Any], stream: IO[bytes]) -> Generator[None, None, None]:
    """Read the voxels of a contiguous array, and see that no more of them stand there."""
    flat, at = array.reshape(-1).view(np.uint8), 0
    while at < flat.size:
        piece = stream.read(min(PIECE, flat.size - at))
        if not piece:
            raise EOFError("fewer voxels than the array has")
        flat[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
        yield
    if stream.read(1):
        raise ValueError("more voxels than the array has")


class _Encoder:
    """Domain values -> JSON values and named arrays; objects met twice are written once."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self._seen: dict[int, tuple[int, Any]] = {}

    def encode(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return {"$enum": type(value).__name__, "value": value.value}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._object(value)
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, tuple):
            return [self.encode(item) for item in value]
        return _scalar(value)

    def _object(self, value: Any) -> dict[str, Any]:
        if id(value) in self._seen:
            return {"$ref": self._seen[id(value)][0]}
        number = len(self._seen)
        self._seen[id(value)] = (number, value)
        fields = {f.name: self.encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"$type": type(value).__name__, "$id": number, **fields}

    def _array(self, value: np.ndarray[Any, Any]) -> dict[str, Any]:
        name = f"a{len(self.arrays)}"
        self.arrays[name] = value
        return {"$array": name}


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise InputError(f"a value of type {type(value).__name__} cannot be saved")


class _Decoder:
    """The way back; unknown types and fields are errors, never guesses."""

    def __init__(self, array: Callable[[str], Any]) -> None:
        self._array = array
        self._objects: dict[int, Any] = {}

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self.decode(item) for item in value)
        if not isinstance(value, dict):
            return value
        if "$enum" in value:
            return _TYPES[value["$enum"]](value["value"])
        if "$array" in value:
            return self._array(value["$array"])
        if "$float" in value:
            return float(value["$float"])
        if "$ref" in value:
            return self._objects[value["$ref"]]
        return self._object(value)

    def _object(self, value: dict[str, Any]) -> Any:
        kind = _TYPES[value["$type"]]
        fields = {name: self.decode(item) for name, item in value.items() if not name.startswith("$")}
        made = kind(**fields)
        self._objects[value["$id"]] = made
        return made
