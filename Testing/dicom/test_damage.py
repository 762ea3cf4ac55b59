"""Damaged bytes anywhere in a file end in an error of ours or in an image, never in a traceback."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import encapsulate

from slicermedai.dicom.headers import save_headers
from slicermedai.dicom.inputs import open_source
from slicermedai.dicom.volumes import from_array
from slicermedai.errors import MedAIError, UnreadableFileError
from Testing.fixtures import faults
from Testing.fixtures.grids import grid
from Testing.fixtures.series_writer import SeriesSpec, write_series


@cache
def _series(syntax: str) -> tuple[bytes, ...]:
    values = np.random.default_rng(0).integers(0, 900, (3, 9, 8)).astype(np.int16)
    head = from_array(values, grid(shape=(3, 9, 8)), modality="MR")
    with TemporaryDirectory() as folder:
        files = write_series(head, Path(folder), spec=SeriesSpec(transfer_syntax=syntax))
        return tuple(path.read_bytes() for path in files)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    syntax=st.sampled_from(["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.5"]),
    hits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_flipped_bytes_never_end_in_a_traceback(syntax: str, hits: list[tuple[float, int]]) -> None:
    with TemporaryDirectory() as folder:
        for index, data in enumerate(_series(syntax)):
            damaged = bytearray(data)
            for place, value in hits if index == 1 else ():
                damaged[132 + int(place * (len(data) - 133))] = value
            (Path(folder) / f"{index}.dcm").write_bytes(damaged)
        with contextlib.suppress(MedAIError):
            assert open_source(folder).volume.array.ndim == 3


def test_an_unknown_transfer_syntax_is_named(tmp_path: Path) -> None:
    for index, data in enumerate(_series("1.2.840.10008.1.2.1")):
        (tmp_path / f"{index}.dcm").write_bytes(data)

    def encode_otherwise(dataset: object) -> None:
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"  # type: ignore[attr-defined]  # Dataset
        dataset.PixelData = encapsulate([b"\0" * 64])  # type: ignore[attr-defined]
        dataset["PixelData"].is_undefined_length = True  # type: ignore[index]

    for path in tmp_path.iterdir():
        faults.edit(path, encode_otherwise)
    with pytest.raises(UnreadableFileError) as caught:
        open_source(tmp_path)
    assert caught.value.attribute == "TransferSyntaxUID"
    assert "MPEG-4" in str(caught.value)


def test_headers_kept_without_pixels_are_no_images(tmp_path: Path) -> None:
    for index, data in enumerate(_series("1.2.840.10008.1.2.1")):
        (tmp_path / f"{index}.dcm").write_bytes(data)
        faults.edit(tmp_path / f"{index}.dcm", lambda dataset: dataset.pop("PixelData") and None)
    assert "PixelData" not in dcmread(tmp_path / "0.dcm")
    with pytest.raises(UnreadableFileError) as caught:
        open_source(tmp_path)
    assert caught.value.attribute == "PixelData"


def test_an_odd_value_is_not_quoted_in_a_log_or_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = [part.replace(b"19510823", b"born 51?") for part in _series("1.2.840.10008.1.2.1")]
    for index, part in enumerate(data):
        (tmp_path / f"{index}.dcm").write_bytes(part)
    source = open_source(tmp_path)
    save_headers(source.headers, tmp_path / "kept")
    assert source.study.birth_date == "born 51?"
    assert caplog.records == []
