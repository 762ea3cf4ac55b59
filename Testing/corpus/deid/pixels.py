"""Pixels before and after: untouched where nothing was drawn, illegible where identity was."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from Testing.corpus.deid.encoding import as_item, items_of
from Testing.corpus.deid.ledger import BurnedIn, Entry, Ledger
from Testing.corpus.deid.people import stripped

OCR = "rapidocr_onnxruntime"
SIMILAR = 0.5  # correlation with the text as it was, from which it counts as still legible


@dataclass
class PixelScores:
    """Counts; ``reader`` is what judged legibility."""

    reader: str
    identical: int = 0
    should_be_identical: int = 0
    legible: int = 0
    identity_texts: int = 0
    kept: int = 0
    other_texts: int = 0
    collateral: int = 0
    unreadable: int = 0


def pixel_digest(data: Dataset) -> str:
    """Digest of the pixel data element's bytes as they stand in the file; of native ones, as far as pixels go."""
    if "PixelData" not in data:
        return ""
    return hashlib.sha256(bytes(data.PixelData)[: _meant(data)]).hexdigest()


def _meant(data: Dataset) -> int | None:
    """Bytes of native pixel data that rows, columns, samples and frames tell of."""
    if _syntax(data) is None or _syntax(data).is_encapsulated:
        return None
    sizes = [int(data.get(name) or 1) for name in ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames")]
    return int(np.prod(sizes)) * int(data.get("BitsAllocated", 8)) // 8


def judge_pixels(folder: Path, ledger: Ledger, found: dict[str, Path]) -> PixelScores:
    """Judge every file with pixels; the reader is rapidocr where installed, else correlation in the text's box."""
    scores = PixelScores(f"{OCR} or correlation > {SIMILAR}" if find_spec(OCR) else f"correlation > {SIMILAR} (proxy)")
    texts: dict[str, list[BurnedIn]] = {}
    for text in ledger.burned_in:
        texts.setdefault(text.file, []).append(text)
    for entry in ledger.entries:
        if entry.has_pixels:
            _judge_file(scores, (folder, found.get(entry.file)), entry, texts.get(entry.file, []))
    return scores


def _judge_file(scores: PixelScores, files: tuple[Path, Path | None], entry: Entry, texts: list[BurnedIn]) -> None:
    scores.identity_texts += sum(text.identity for text in texts)
    scores.other_texts += sum(not text.identity for text in texts)
    scores.should_be_identical += not entry.burned_in
    if files[1] is None:
        return
    same = is_identical(dcmread(files[0] / entry.file), _read(files[1]))
    scores.identical += same and not entry.burned_in
    if same:
        scores.legible += sum(text.identity for text in texts)
        scores.kept += sum(not text.identity for text in texts)
    elif texts or not entry.burned_in:
        _judge_changes(scores, (files[0] / entry.file, files[1]), texts)


def _read(path: Path) -> Dataset:
    return dcmread(path, force=True)


def is_identical(before: Dataset, after: Dataset) -> bool:
    """The same pixel data, byte for byte; after a change of transfer syntax, or in compressed frames of which a remark
    was taken, the same pixels."""
    if pixel_digest(before) == pixel_digest(after):
        return True
    changed = _syntax(before) != _syntax(after) or _syntax(before).is_encapsulated
    pair = (frames(before), frames(after)) if changed else (None, None)
    return pair[0] is not None and pair[1] is not None and np.array_equal(pair[0], pair[1])


def _syntax(data: Dataset) -> Any:
    return getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)


def frames(data: Dataset) -> np.ndarray | None:
    """Pixels as (frames, rows, columns) greys, or None where they cannot be decoded."""
    try:
        pixels = np.asarray(_decodable(data).pixel_array, dtype=np.float64)
    except (AttributeError, ValueError, RuntimeError, NotImplementedError, KeyError, TypeError):
        return None
    if int(data.get("SamplesPerPixel", 1)) > 1:
        pixels = pixels.mean(axis=-1)
    return pixels if pixels.ndim == 3 else pixels[None]


def _decodable(data: Dataset) -> Dataset:
    """The same without what the generator puts around pixels, which decoders take for a part of them."""
    wanted = [tag for tag in data.keys() if tag.group == 0x0028 or tag == "PixelData"]  # noqa: SIM118  # a data set iterates over elements
    bare = Dataset({tag: data[tag] for tag in wanted})
    bare.file_meta, encapsulated = data.file_meta, data["PixelData"].is_undefined_length
    raw = bytes(data.PixelData)
    whole = b"".join(map(as_item, (b"", *items_of(raw)[1:]))) if encapsulated else raw[: _meant(data)]
    bare["PixelData"] = DataElement(0x7FE00010, data["PixelData"].VR, whole)
    bare["PixelData"].is_undefined_length = encapsulated
    return bare


def _judge_changes(scores: PixelScores, files: tuple[Path, Path], texts: list[BurnedIn]) -> None:
    before, after = frames(dcmread(files[0])), frames(_read(files[1]))
    if before is None or after is None or before.shape != after.shape:
        scores.unreadable += 1
        return
    for text in texts:
        here = is_legible(text, before, after)
        scores.legible += here and text.identity
        scores.kept += here and not text.identity
    changed = np.abs(before - after).max(axis=0) > tolerance(before)
    for text in texts:
        if text.identity:
            left, top, right, bottom = padded(text.box, text.size)
            changed[top:bottom, left:right] = False
    scores.collateral += int(changed.sum())


def tolerance(pixels: np.ndarray) -> float:
    """A lossy codec's own noise, where the image had to be written anew: 4 % of the range."""
    return float(np.ptp(pixels)) * 0.04


def padded(box: tuple[int, int, int, int], size: int) -> tuple[int, int, int, int]:
    """The box with a margin of the letters' height."""
    left, top, right, bottom = box
    return max(0, left - size), max(0, top - size), right + size, bottom + size


def is_legible(text: BurnedIn, before: np.ndarray, after: np.ndarray) -> bool:
    """Whether any frame still shows the text."""
    left, top, right, bottom = text.box
    for first, second in zip(before, after, strict=True):
        one, other = first[top:bottom, left:right], second[top:bottom, left:right]
        if other.std() > 1e-9 and abs(float(np.corrcoef(one.ravel(), other.ravel())[0, 1])) > SIMILAR:
            return True
    reader = _reader()
    return reader is not None and text.text.casefold() in _words(reader, after[0], text)


@cache
def _reader() -> Any:
    if find_spec(OCR) is None:
        return None
    from importlib import import_module

    return import_module(OCR).RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)  # others spin while they wait


def _words(reader: Any, frame: np.ndarray, text: BurnedIn) -> str:
    left, top, right, bottom = padded(text.box, text.size)
    crop = frame[top:bottom, left:right]
    grey = (crop / max(1.0, float(frame.max())) * 255).astype(np.uint8)
    found, _ = reader(np.repeat(np.repeat(grey, 3, axis=0), 3, axis=1))
    return stripped(" ".join(line[1] for line in found or [])).casefold()
