"""Files to time: many alike of half a megabyte, and one that is large. They carry the corpus's identity."""

from __future__ import annotations

import random
from pathlib import Path

from pydicom import dcmread, dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from Testing.corpus.deid.encoding import Way
from Testing.corpus.deid.generate import Maker
from Testing.corpus.deid.ledger import Ledger
from Testing.corpus.deid.people import make_patient

HALF_MEGABYTE = 512  # pixels along a side: 512 x 512 x 2 bytes


def uniform(folder: Path, seed: int, count: int) -> None:
    """``count`` CT slices of 512 x 512 in Explicit VR Little Endian."""
    maker = Maker(folder, Ledger(seed), random.Random(f"load {seed}"), HALF_MEGABYTE, way=Way(ExplicitVRLittleEndian))
    maker.files(make_patient(maker.rng, 0), 0, ["CT"] * count)


def large(folder: Path, seed: int, megabytes: int) -> None:
    """One clip of that many MB, written without holding more than it."""
    maker = Maker(folder, Ledger(seed), random.Random(f"load {seed}"), HALF_MEGABYTE, way=Way(ExplicitVRLittleEndian))
    maker.files(make_patient(maker.rng, 0), 0, ["US"])
    (path,) = folder.rglob("*.dcm")
    data = dcmread(path)
    frame = bytes(data.PixelData)[: int(data.Rows) * int(data.Columns)]
    data.BurnedInAnnotation = "NO"  # a tool that reads no pixels leaves out what says otherwise
    data.NumberOfFrames = str(megabytes * 10**6 // len(frame))
    data.PixelData = frame * int(data.NumberOfFrames)
    dcmwrite(path, data)
