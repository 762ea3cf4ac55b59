"""DICOM Secondary Capture (PS3.3 A.8.1): a page to read, and the pictures of the result, for viewers that know no more.

One plain colour image each, which every archive takes. No page carries the patient's identity in its pixels; the
viewer shows it from the header. Numbers are calibrated, or said not to be.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydicom.dataset import Dataset

from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity
from slicermedai.errors import UnreadableFileError
from slicermedai.export import lettering, words
from slicermedai.export.attributes import BODY_PART, LATERALITY
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.image import lossy
from slicermedai.export.lettering import Color

KIND = ObjectKind(
    name="capture",
    sop_class="1.2.840.10008.5.1.4.1.1.7",
    modality="OT",
    offset=5,
    place=(BODY_PART, LATERALITY),
)
SIZE = (1024, 1024)
_MARGIN = 32
_WHITE: Color = (235, 235, 235)
_YELLOW: Color = (255, 210, 60)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shot:
    """Pixels (rows, columns, 3), what they show, and whether a face may be known from them."""

    pixels: NDArray[np.uint8]
    title: str
    face: bool = False


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``capture-1.dcm`` ...: the page (more where it is long), then each picture of ``context``.

    Raises
    ------
    UnreadableFileError
        A picture is no image.
    MissingContextError
        The source has no headers.
    """
    kind = dataclasses.replace(KIND, name=_name(context))
    shots = [*_pages(result, context), *[_picture(path, result) for path in context.pictures]]
    return [
        save(
            finish(_capture(result, shot, context), context, result=result, kind=kind, number=number),
            folder / f"capture-{number}.dcm",
        )
        for number, shot in enumerate(shots, 1)
    ]


def _name(context: ExportContext) -> str:
    """UIDs follow from the pictures too: other pictures, other objects."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in context.pictures]
    return ":".join((KIND.name, *digests))


def _pages(result: AnalysisResult, context: ExportContext) -> list[_Shot]:
    told = [(words.heading(result), _WHITE), (words.RESEARCH, _YELLOW), ("", _WHITE)]
    if result.provenance.demonstration:
        told.append(("The weights were trained for demonstration only.", _YELLOW))
    told += [(text, _WHITE) for text in words.lines(result)]
    if any(not lettering.can_show(text) for text, _ in told):
        told.append(("Letters that this page cannot show stand as ?. Header and report have them.", _YELLOW))
    if not context.pictures:
        told.append(("No pictures of this result were at hand.", _WHITE))
    pages = lettering.page(told, size=SIZE, margin=_MARGIN)
    return [_Shot(pixels=pixels, title=f"Result, page {number}") for number, pixels in enumerate(pages, 1)]


def _picture(path: Path, result: AnalysisResult) -> _Shot:
    """The picture with its title and the warning on a strip below it."""
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise UnreadableFileError("is no picture", file=path) from error
    title = path.stem.replace("_", " ").capitalize()
    told = [(text, _YELLOW) for text in lettering.wrapped(f"{title}. {words.RESEARCH}", pixels.shape[1] - 16)]
    strip = np.zeros((len(told) * lettering.STEP + 8, pixels.shape[1], 3), np.uint8)
    for number, (text, color) in enumerate(told):
        lettering.write_line(strip, text, top=4 + number * lettering.STEP, left=8, color=color)
    face = path.stem == "3d" and result.study.identity is Identity.KEEP
    return _Shot(pixels=np.vstack([pixels, strip]), title=title, face=face)


def _capture(result: AnalysisResult, shot: _Shot, context: ExportContext) -> Dataset:
    """General Image, Image Pixel and SC Equipment modules (C.7.6.1, C.7.6.3, C.8.6.1)."""
    made = Dataset()
    made.ConversionType = "WSD"
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.PatientOrientation = ""
    made.ImageComments = f"{shot.title}. {words.RESEARCH}"
    made.BurnedInAnnotation = "NO"
    made.RecognizableVisualFeatures = "YES" if shot.face else "NO"
    made.DerivationDescription = f"{words.heading(result)}, weights {result.provenance.weights_sha256}"[:1024]
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 3, "RGB", 0
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.Rows, made.Columns = shot.pixels.shape[:2]
    content = shot.pixels.tobytes()
    made.PixelData = content + b"\0" * (len(content) % 2)
    lossy(made, context.header)
    return made
