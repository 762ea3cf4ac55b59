"""What a file of weights is, told from its bytes alone: nothing in it is run, and no tensor is made.

A ``.pt`` file is a zip with a pickle, and a pickle is a program. Its instructions are read here one by one, without
following them: any name that it would import beyond those that tensors need is named and refused. safetensors files
(https://huggingface.co/docs/safetensors) have no code, but a header that may promise more than the file holds.
"""

from __future__ import annotations

import io
import json
import pickletools
import struct
import zipfile
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from slicermedai.errors import BundleError

TORCHSCRIPT, STATE, SAFETENSORS = "TorchScript", "PyTorch weights", "safetensors"
KINDS = (TORCHSCRIPT, STATE, SAFETENSORS)

DTYPES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
"""safetensors' types, and the bytes of one number."""

_HEADER_LIMIT = 100 * 2**20
_PICKLE_LIMIT = 256 * 2**20
_LEGACY_PICKLES = 5
_UNKNOWN_IMPORTS = {"STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4", "OBJ", "NEWOBJ_EX"}
_INTEGERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
_STORAGES = {"Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "Untyped"}
_HARMLESS = {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_parameter",
    "torch._tensor._rebuild_from_type_v2",
    "torch.Tensor",
    "torch.Size",
    "torch.device",
    "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout",
    *(f"torch.{name}Storage" for name in _STORAGES),
    *(f"torch.storage.{name}Storage" for name in _STORAGES),
}
_NUMBERS = {
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.ndarray",
    "numpy.dtype",
    *(f"numpy.dtypes.{name}DType" for name in ("Float64", "Float32", "Int64", "Int32", "Bool", "UInt8")),
    "_codecs.encode",
}
"""Numbers and arrays that trainers leave in checkpoints; plain bytes and types."""


def kind_of(path: Path) -> str:
    """One of :data:`KINDS`; raises :class:`BundleError` where it is none of them."""
    path = Path(path)
    with _opened(path) as stream:
        head = stream.read(9)
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path)
    if head[8:9] == b"{":
        return SAFETENSORS
    if head[:1] == b"\x80":
        return STATE
    raise _refused(path, "is neither PyTorch weights, TorchScript nor safetensors")


def check_weights(path: Path) -> str:
    """Refuse a file of weights that would run code on loading, or that promises more than it holds; returns its kind.

    TorchScript holds code by its nature: it is no reason to refuse here, but asks for consent elsewhere.

    Raises
    ------
    BundleError
        A pickle that imports anything but tensors; sizes in a header that the file does not have; damage.
    """
    kind = kind_of(path)
    if kind == SAFETENSORS:
        read_header(path)
    elif kind == STATE:
        _check_state(Path(path))
    else:
        _check_members(Path(path))
    return kind


def read_header(path: Path) -> dict[str, Any]:
    """Tensor name -> {dtype, shape, data_offsets} of a safetensors file, checked against its size.

    Raises
    ------
    BundleError
        The header is damaged or too long, or tensors lie outside of the file, overlap, or have another size than
        their shape says.
    """
    path = Path(path)
    with _opened(path) as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        length = struct.unpack("<Q", stream.read(8).ljust(8, b"\0"))[0]
        if length > min(size - 8, _HEADER_LIMIT):
            raise _refused(path, "has a header that is longer than the file")
        header = _parsed(stream.read(length), path)
    header.pop("__metadata__", None)
    end = 0
    for name, tensor in sorted(header.items(), key=lambda item: _offsets(item[1])):
        end = _check_tensor(tensor, end, f"tensor {name!r}", path)
    if end != size - 8 - length:
        raise _refused(path, "does not have the size that its header says")
    return header


def _check_tensor(tensor: Any, end: int, name: str, path: Path) -> int:
    try:
        width, shape = DTYPES[tensor["dtype"]], list(tensor["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(path, f"{name} has no known type or shape") from error
    first, last = _offsets(tensor)
    if not all(type(n) is int and n >= 0 for n in shape) or first != end or last - first != width * prod(shape):
        raise _refused(path, f"{name} does not have the size that its shape says")
    return last


def _offsets(tensor: Any) -> tuple[int, int]:
    try:
        first, last = tensor["data_offsets"]
        return int(first), int(last)
    except (KeyError, TypeError, ValueError):
        return -1, -1


def _parsed(content: bytes, path: Path) -> dict[str, Any]:
    try:
        header = json.loads(content)
    except ValueError as error:
        raise _refused(path, "has a damaged header") from error
    if not isinstance(header, dict):
        raise _refused(path, "has a damaged header")
    return header


def _kind_of_zip(path: Path) -> str:
    with _archive(path) as archive:
        names = [name.split("/", 1)[-1] for name in archive.namelist()]
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        return TORCHSCRIPT
    if "data.pkl" in names:
        return STATE
    raise _refused(path, "is a zip, but holds no PyTorch weights")


def _check_state(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        with _opened(path) as stream:
            for _ in range(_LEGACY_PICKLES):
                _check_pickle(stream, path, most=path.stat().st_size)
        return
    _check_members(path)
    with _archive(path) as archive:
        most = sum(info.file_size for info in archive.infolist())
        for info in archive.infolist():
            if info.filename.endswith(".pkl"):
                with archive.open(info) as member:
                    _check_pickle(io.BytesIO(member.read(_PICKLE_LIMIT)), path, most=most)


def _check_members(path: Path) -> None:
    """PyTorch stores members as they are: a member that is larger than the file is a bomb."""
    size = path.stat().st_size
    with _archive(path) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED and info.file_size > max(_HEADER_LIMIT, size):
                raise _refused(path, f"member {info.filename!r} would unpack to {info.file_size} bytes")


def _check_pickle(stream: BinaryIO, path: Path, *, most: int) -> None:
    """Read one pickle's instructions; raises where it imports what no tensor needs, or where a storage has > ``most``.

    Only what PyTorch itself writes is known: imports by name (protocol 2), never by what lies on the stack.
    """
    count = 0
    try:
        for operation, argument, _ in pickletools.genops(stream):
            if operation.name == "GLOBAL":
                _check_import(str(argument).replace(" ", "."), path)
            elif operation.name in _UNKNOWN_IMPORTS:
                raise _refused(path, f"imports in a way that PyTorch never writes ({operation.name})")
            elif operation.name in _INTEGERS:
                count = int(argument or 0)
            elif operation.name == "BINPERSID" and count > most:
                raise _refused(path, f"promises {count} numbers in one storage and has not so many bytes")
    except (ValueError, EOFError, UnicodeDecodeError) as error:
        raise _refused(path, "is damaged: its pickle cannot be read") from error


def _check_import(name: str, path: Path) -> None:
    if name not in _HARMLESS and name not in _NUMBERS and not _is_type(name):
        raise _refused(path, f"would run {name} on loading")


def _is_type(name: str) -> bool:
    return name in {f"torch.{kind}" for kind in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "bool")}


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise _refused(path, "is a damaged zip") from error


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror or type(error).__name__})") from error


def _refused(path: Path, reason: str) -> BundleError:
    return BundleError(
        reason, file=path, attribute="weights", advice="It was not loaded. Ask its author for safetensors weights."
    )
