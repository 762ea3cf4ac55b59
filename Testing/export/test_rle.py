"""RLE Lossless: what we encode, pydicom decodes; runs end with their row, and no control byte says nothing."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.pixels.decoders.rle import _rle_decode_frame

from slicermedai.export.rle import encode_frame


def decoded(content: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
    found = _rle_decode_frame(content, shape[0], shape[1], 1, 8)
    return np.frombuffer(bytes(found), np.uint8).reshape(shape)


def runs(content: bytes) -> Iterator[tuple[bool, int]]:
    """(repeated, how many bytes it stands for) of each run of the one byte segment."""
    segment, at = content[64:], 0
    while at < len(segment) - 1:
        control = segment[at]
        assert control != 128
        yield (True, 257 - control) if control > 128 else (False, control + 1)
        at += 2 if control > 128 else control + 2


def assert_sound(frame: NDArray[np.uint8]) -> None:
    content = encode_frame(frame)
    assert np.array_equal(decoded(content, (frame.shape[0], frame.shape[1])), frame)
    assert struct.unpack("<16L", content[:64]) == (1, 64, *[0] * 14)
    assert len(content) % 2 == 0
    ends = set(np.cumsum([count for _, count in runs(content)]).tolist())
    assert {row * frame.shape[1] for row in range(1, frame.shape[0] + 1)} <= ends


@settings(deadline=None, max_examples=150)
@given(
    shape=st.tuples(st.integers(1, 5), st.sampled_from([1, 2, 3, 127, 128, 129, 130, 256, 257, 300])),
    most=st.integers(0, 255),
    repeated=st.integers(1, 140),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_frame_comes_back(shape: tuple[int, int], most: int, repeated: int, seed: int) -> None:
    """From noise to areas: values are repeated ``repeated`` times on average."""
    random = np.random.default_rng(seed)
    values = random.integers(0, most + 1, shape[0] * shape[1], dtype=np.uint8)
    flat = np.repeat(values, random.integers(1, 2 * repeated, values.size))[: values.size]
    assert_sound(flat.reshape(shape))


@pytest.mark.parametrize("length", [1, 2, 127, 128, 129, 130, 255, 256, 257, 258, 384, 385])
@pytest.mark.parametrize("kind", ["alike", "all different", "alike, then one", "one, then alike"])
def test_runs_at_the_limits_of_a_control_byte_come_back(length: int, kind: str) -> None:
    alike, different = np.full(length, 7, np.uint8), (np.arange(length) % 251).astype(np.uint8)
    one = np.array([9], np.uint8)
    row = {
        "alike": alike,
        "all different": different,
        "alike, then one": np.concatenate([alike, one]),
        "one, then alike": np.concatenate([one, alike]),
    }[kind]
    assert_sound(np.stack([row, row[::-1]]))


def test_a_view_that_is_not_contiguous_is_encoded_as_it_looks() -> None:
    frame = np.random.default_rng(1).integers(0, 3, (40, 30), dtype=np.uint8)
    assert_sound(frame.T)
    assert_sound(frame[::2, ::-1])


def test_background_costs_two_bytes_for_128_pixels() -> None:
    assert len(encode_frame(np.zeros((512, 512), np.uint8))) == 64 + 512 * 4 * 2


def test_noise_grows_by_one_byte_in_128_at_most() -> None:
    frame = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    assert len(encode_frame(frame)) == 64 + 256 * 258


def test_frames_of_a_label_map_are_encoded_in_no_loop_over_bytes() -> None:
    """Lines of Python that a frame of 512 x 512 takes: fewer than it has rows."""
    frame = np.zeros((512, 512), np.uint8)
    frame[100:400, 120:300] = 3
    frame[150:200, 310:330] = 9
    lines = 0

    def count(code: object, event: str, argument: object) -> object:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)  # type: ignore[arg-type]  # a tracer of lines
    try:
        encode_frame(frame)
    finally:
        sys.settrace(before)
    assert 0 < lines < 512
