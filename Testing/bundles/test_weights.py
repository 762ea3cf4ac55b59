"""Weights are judged by their bytes, before anything loads them."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from slicermedai.bundles.weights import SAFETENSORS, STATE, TORCHSCRIPT, check_weights, kind_of, read_header
from slicermedai.errors import BundleError

STATES: list[Any] = [
    {"weight": torch.zeros(2, 3)},
    torch.nn.Conv3d(1, 2, 1).state_dict(),
    {"state_dict": {"a": torch.nn.Parameter(torch.ones(2))}, "epoch": 3, "best": np.float64(0.5)},
    {"arch_code": np.zeros((2, 3), dtype=np.float32)},
    {"half": torch.zeros(4, dtype=torch.bfloat16), "config": {"roi_size": [96, 96, 96]}},
]


class Evil:
    """What a pickle does on loading if nobody looks."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, ("touch /nonexistent/evil",)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("zipped", [True, False])
def test_plain_weights_pass(tmp_path: Path, state: Any, zipped: bool) -> None:
    torch.save(state, tmp_path / "m.pt", _use_new_zipfile_serialization=zipped)
    assert check_weights(tmp_path / "m.pt") == STATE


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_named_and_refused(tmp_path: Path, zipped: bool) -> None:
    torch.save({"weight": torch.zeros(2), "x": Evil()}, tmp_path / "m.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(BundleError, match=r"m\.pt, weights: would run (posix|nt)\.system on loading"):
        check_weights(tmp_path / "m.pt")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_bare_pickle_with_code_is_refused(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "m.pt").write_bytes(pickle.dumps(Evil(), protocol=protocol))
    with pytest.raises(BundleError, match=r"would run|never writes"):
        check_weights(tmp_path / "m.pt")


def test_a_whole_network_in_a_pickle_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Conv3d(1, 2, 1), tmp_path / "m.pt")
    with pytest.raises(BundleError, match=r"would run torch\.nn\.modules\.conv\.Conv3d"):
        check_weights(tmp_path / "m.pt")


def test_an_import_that_hides_on_the_stack_is_refused(tmp_path: Path) -> None:
    hidden = b"\x80\x04\x8c\x05posix\x8c\x06system\x8c\x0bcollections\x8c\x0bOrderedDict00\x93."
    (tmp_path / "m.pt").write_bytes(hidden)
    with pytest.raises(BundleError, match="STACK_GLOBAL"):
        check_weights(tmp_path / "m.pt")


def test_a_storage_that_promises_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(7)}, tmp_path / "small.pt")
    with zipfile.ZipFile(tmp_path / "small.pt") as small, zipfile.ZipFile(tmp_path / "m.pt", "w") as changed:
        for info in small.infolist():
            content = small.read(info)
            if info.filename.endswith("data.pkl"):
                content = content.replace(b"cpuq\x06K\x07", b"cpuq\x06J\xff\xff\xff\x7f")
                assert b"J\xff\xff\xff\x7f" in content
            changed.writestr(info.filename, content)
    with pytest.raises(BundleError, match="promises 2147483647 numbers"):
        check_weights(tmp_path / "m.pt")


def test_a_member_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("m/data/0", b"\0" * (101 * 2**20))
    with pytest.raises(BundleError, match="would unpack to 105906176 bytes"):
        check_weights(tmp_path / "m.pt")


def test_code_inside_an_array_is_refused_too(tmp_path: Path) -> None:
    torch.save({"x": np.array([Evil()], dtype=object)}, tmp_path / "m.pt")
    with pytest.raises(BundleError, match=r"would run (posix|nt)\.system"):
        check_weights(tmp_path / "m.pt")


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_torchscript_is_known_by_its_content(scripted: Path) -> None:
    assert check_weights(scripted / "models" / "model.pt") == TORCHSCRIPT


@pytest.mark.parametrize("content", [b"", b"hello world", b"PK\x03\x04 not really", b"\x80\x02."])
def test_what_is_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.pt").write_bytes(content)
    with pytest.raises(BundleError):
        check_weights(tmp_path / "m.pt")


def safetensors(header: dict[str, Any], data: bytes) -> bytes:
    """A file as its format says: length, header, numbers."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_safetensors_are_read_by_their_header(tmp_path: Path) -> None:
    header = {"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
    (tmp_path / "m.safetensors").write_bytes(safetensors(header, bytes(16)))
    assert kind_of(tmp_path / "m.safetensors") == SAFETENSORS
    assert list(read_header(tmp_path / "m.safetensors")) == ["w"]


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]},
        {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]},
        {"dtype": "F32", "shape": [-4, -1], "data_offsets": [0, 16]},
        {"dtype": "object", "shape": [4], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": "4", "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "text",
    ],
)
def test_safetensors_that_promise_more_than_they_hold_are_refused(tmp_path: Path, tensor: Any) -> None:
    (tmp_path / "m.safetensors").write_bytes(safetensors({"w": tensor}, bytes(16)))
    with pytest.raises(BundleError, match=r"size|shape"):
        check_weights(tmp_path / "m.safetensors")


@pytest.mark.parametrize("length", [1 << 62, 200])
def test_a_header_longer_than_the_file_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(BundleError, match="longer than the file"):
        check_weights(tmp_path / "m.safetensors")


def test_pytorch_itself_refuses_what_this_lets_pass_if_it_had_to(tmp_path: Path) -> None:
    """The loader stays the second guard: it takes weights alone."""
    buffer = io.BytesIO()
    torch.save({"x": Evil()}, buffer)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
