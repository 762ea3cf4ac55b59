"""Pictures with text drawn by Pillow, as DICOM files of many kinds, and the person whose text it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

from slicermedai.deid.vocabulary import Vocabulary, date_tokens, identifier_tokens, name_tokens, place_tokens

VOCABULARY = Vocabulary.of(
    name_tokens("Quillfeather^Ambrosia^Tansy")
    | name_tokens("Thornbury^Leopold")
    | identifier_tokens("QF-7391586")
    | identifier_tokens("AC9064417")
    | date_tokens("19510823")
    | date_tokens("20190614")
    | place_tokens("Saint Wendelin Infirmary")
)
IDENTITY = ("QUILLFEATHER, AMBROSIA", "ID: QF-7391586", "DOB: 23.08.1951", "Saint Wendelin Infirmary", "14 Jun 2019")
KEPT = ("120 kVp 250 mA", "MI 0.8  TIS 0.4", "Depth 16 cm", "PORTABLE SUPINE", "Right Carotid Artery")
US, US_CLIP, SC, DX, CT, MR = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("6.1", "3.1", "7", "1.1.1", "2", "4"))
_BUILT_IN = ImageFont.load_default


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text at a column and row."""

    x: int
    y: int
    text: str


def listing(*lines: str, x: int = 12, y: int = 12, step: int = 30) -> list[Text]:
    """One line below the other."""
    return [Text(x, y + number * step, line) for number, line in enumerate(lines)]


def written_on(
    ground: NDArray[np.uint8], texts: Sequence[Text], *, size: int = 14, ink: Any = 255
) -> NDArray[np.uint8]:
    """``ground`` (rows, columns) or (rows, columns, 3) with ``texts`` on it."""
    image = Image.fromarray(ground)
    draw = ImageDraw.Draw(image)
    for text in texts:
        draw.text((text.x, text.y), text.text, fill=ink, font=_BUILT_IN(size))
    return np.asarray(image).copy()


def boxes_of(texts: Sequence[Text], *, size: int = 14) -> list[tuple[int, int, int, int]]:
    """(x0, y0, x1, y1) of each text's ink."""
    draw = ImageDraw.Draw(Image.new("L", (8, 8)))
    return [tuple(int(v) for v in draw.textbbox((t.x, t.y), t.text, font=_BUILT_IN(size))) for t in texts]


def tissue(shape: tuple[int, int] = (320, 400), *, mean: float = 60, noise: float = 15, seed: int = 0) -> Any:
    """A grey ground with noise."""
    values = np.random.default_rng(seed).normal(mean, noise, shape)
    return values.clip(0, 255).astype(np.uint8)


def speckle(shape: tuple[int, int] = (320, 400), *, seed: int = 0) -> Any:
    """An ultrasound sector with speckle on black."""
    rows, columns = np.indices(shape)
    angle = np.arctan2(columns - shape[1] / 2, rows + 20)
    distance = np.hypot(columns - shape[1] / 2, rows + 20)
    inside = (np.abs(angle) < 0.7) & (distance < shape[0] * 0.95) & (distance > 60)
    values = np.random.default_rng(seed).rayleigh(35, shape)
    return np.where(inside, values, 0).clip(0, 255).astype(np.uint8)


def strange_script(shape: tuple[int, int]) -> Any:
    """Two rows of signs that no reader knows: hooks and dots on a line, as in a script that is written joined."""
    page, chance = np.full(shape, 20, np.uint8), np.random.default_rng(11)
    for top in (20, 60):
        page[top + 14 : top + 16, 10:200] = 230
        for x in range(12, 196, 9):
            height = int(chance.integers(2, 12))
            page[top + 14 - height : top + 16, x : x + 2] = 230
            page[top + 18 : top + 20, x + 3 : x + 5] = 230 * int(chance.integers(0, 2))
    return page


def a_file(path: Path, frames: NDArray[Any], **attributes: Any) -> Path:
    """A DICOM file of (rows, columns), (frames, rows, columns) or the same with 3 samples; uncompressed.

    ``syntax`` compresses it; other ``attributes`` go into the dataset by keyword. Colour has 3 as last size.
    """
    syntax = attributes.pop("syntax", ExplicitVRLittleEndian)
    dataset = _dataset(frames, attributes.pop("SOPClassUID", SC))
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    data = np.ascontiguousarray(frames).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if frames.dtype.itemsize > 1 else "OB"
    if syntax == JPEGBaseline8Bit:
        _jpeg(dataset, frames)
    elif syntax == ExplicitVRBigEndian:
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = frames.astype(frames.dtype.newbyteorder(">")).tobytes()
    elif syntax.is_encapsulated:
        dataset.compress(syntax, generate_instance_uid=False)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)
    return path


def _dataset(frames: NDArray[Any], sop_class: str) -> Dataset:
    colour = frames.shape[-1] == 3
    shape = frames.shape[:-1] if colour else frames.shape
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid(entropy_srcs=["picture"])
    dataset.StudyInstanceUID = dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.Modality = {US: "US", US_CLIP: "US", SC: "OT", DX: "DX", CT: "CT", MR: "MR"}.get(sop_class, "OT")
    dataset.Rows, dataset.Columns = shape[-2:]
    if len(shape) == 3:
        dataset.NumberOfFrames = shape[0]
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = frames.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(frames.dtype.kind == "i")
    return dataset


def _jpeg(dataset: Dataset, frames: NDArray[Any]) -> None:
    colour = frames.shape[-1] == 3
    single = frames.ndim == (3 if colour else 2)
    encoded = []
    for frame in frames[None] if single else frames:
        buffer = BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=90)
        encoded.append(buffer.getvalue())
    dataset.PixelData = encapsulate(encoded)
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.LossyImageCompression = "01"
    if colour:
        dataset.PhotometricInterpretation = "YBR_FULL_422"
