"""Image objects without identity: geometry, acquisition and pixels of each modality (PS3.3 Annex A)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "US": "1.2.840.10008.5.1.4.1.1.3.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
    "RTDOSE": "1.2.840.10008.5.1.4.1.1.481.2",
}
BYTE_KINDS = ("US", "SC")
MAKERS = (("SIEMENS", "SOMATOM Force"), ("GE MEDICAL SYSTEMS", "Discovery MR750"), ("Philips", "Ingenuity TF"))
PARTS = ("HEAD", "HAND", "CHEST", "ABDOMEN", "KNEE")


@dataclass(frozen=True)
class Place:
    """Where an image stands in its series: slice position in mm (LPS), and whether maker and model are told."""

    index: int
    side: int
    maker: bool


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def make_image(kind: str, rng: random.Random, place: Place) -> tuple[Dataset, np.ndarray]:
    """The data set and the pixels (frames, rows, columns[, 3]), not yet written into it."""
    data = Dataset()
    data.SOPClassUID = SOP_CLASSES[kind]
    data.Modality = kind
    data.InstanceCreationTime = "101112"
    data.SeriesNumber, data.AcquisitionNumber = rng.randrange(1, 30), rng.randrange(1, 5)
    data.BodyPartExamined = rng.choice(PARTS)
    data.StudyTime, data.SeriesTime = "093000", "094500"
    data.AcquisitionTime, data.ContentTime = "094512.25", "094600"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    if place.maker:
        data.Manufacturer, data.ManufacturerModelName = rng.choice(MAKERS)
    data.PatientSex, data.PatientAge = rng.choice("MF"), f"{rng.randrange(20, 80):03}Y"
    data.PatientWeight, data.PatientSize = str(rng.randrange(45, 110)), f"1.{rng.randrange(50, 95)}"
    MAKE[kind](data, rng, place)
    return data, _pixels(kind, data, rng, place)


def _slice(data: Dataset, rng: random.Random, place: Place) -> None:
    data.PixelSpacing = [
        f"0.{rng.randrange(4, 9)}{rng.randrange(1, 9)}",
        f"0.{rng.randrange(4, 9)}{rng.randrange(1, 9)}",
    ]
    data.ImagePositionPatient = [str(-rng.randrange(80, 120)), str(-rng.randrange(80, 120)), f"{place.index * 2.5:.1f}"]
    data.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    data.SliceThickness, data.SliceLocation = "2.5", f"{place.index * 2.5:.1f}"
    data.PositionReferenceIndicator = ""
    data.PatientPosition = "HFS"
    data.WindowCenter, data.WindowWidth = str(rng.randrange(20, 60)), str(rng.randrange(200, 500))
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]


def _ct(data: Dataset, rng: random.Random, place: Place) -> None:
    _slice(data, rng, place)
    data.KVP, data.XRayTubeCurrent, data.ExposureTime = "120", str(rng.randrange(80, 400)), str(rng.randrange(300, 900))
    data.Exposure, data.ConvolutionKernel, data.GantryDetectorTilt = str(rng.randrange(50, 300)), "B30f", "0"
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "-1024", "1", "HU"
    data.DataCollectionDiameter, data.ReconstructionDiameter = "500", str(rng.randrange(220, 400))
    data.SpiralPitchFactor, data.CTDIvol = 0.9, rng.randrange(200, 900) / 64
    data.FilterType, data.RotationDirection = "FLAT", "CW"
    data.SeriesDescription = rng.choice(["Thorax 2.5 B30f", "Hand AP left", "Head without contrast", "Long axis"])
    data.ProtocolName = "ThoraxRoutine"


def _mr(data: Dataset, rng: random.Random, place: Place) -> None:
    _slice(data, rng, place)
    data.ScanningSequence, data.SequenceVariant, data.MRAcquisitionType = "SE", "SK", "2D"
    data.EchoTime, data.RepetitionTime = str(rng.randrange(8, 120)), str(rng.randrange(400, 5000))
    data.EchoTrainLength, data.FlipAngle = str(rng.randrange(1, 20)), str(rng.randrange(10, 180))
    data.MagneticFieldStrength, data.ImagingFrequency = "3", f"123.{rng.randrange(100, 999)}"
    data.NumberOfAverages, data.PixelBandwidth = "1", str(rng.randrange(100, 400))
    data.EchoNumbers, data.ImagedNucleus, data.SAR = "1", "1H", f"0.{rng.randrange(10, 99)}"
    data.SpacingBetweenSlices, data.PercentSampling = "3", "100"
    data.SeriesDescription = rng.choice(["t2_tse_tra", "May-Thurner protocol", "Head TOF"])
    block = data.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", str(rng.randrange(0, 20) * 50))
    block = data.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    block.add_new(0x0E, "FL", float(np.float32(rng.randrange(1, 100) / 32)))


def _pt(data: Dataset, rng: random.Random, place: Place) -> None:
    _slice(data, rng, place)
    data.Units, data.CountsSource, data.SeriesType = "BQML", "EMISSION", ["STATIC", "IMAGE"]
    data.DecayCorrection, data.CorrectedImage = "START", ["DECY", "ATTN", "SCAT"]
    data.RescaleIntercept, data.RescaleSlope = "0", f"{rng.randrange(10, 99)}.5"
    data.FrameReferenceTime, data.ActualFrameDuration = str(rng.randrange(10, 900) * 100), "120000"
    data.NumberOfSlices, data.ImageIndex, data.DecayFactor = 40, place.index + 1, "1.02"
    drug = Dataset()
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = f"{rng.randrange(200, 400)}000000", "6586.2"
    drug.RadionuclidePositronFraction, drug.RadiopharmaceuticalStartTime = "0.9673", "083015.00"
    drug.RadionuclideCodeSequence = Sequence([code("C-111A1", "SRT", "^18^Fluorine")])
    data.RadiopharmaceuticalInformationSequence = Sequence([drug])
    data.SeriesDescription = "PET WB"
    block = data.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", f"0.000{rng.randrange(100, 999)}")


def _us(data: Dataset, rng: random.Random, place: Place) -> None:
    data.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    data.FrameTime, data.HeartRate, data.TransducerType = f"{rng.randrange(20, 60)}.5", "72", "CURVED LINEAR"
    data.FrameIncrementPointer = Tag(0x0018, 0x1063)
    data.MechanicalIndex, data.BoneThermalIndex = f"0.{rng.randrange(4, 9)}", "0.7"
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 20, 60
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 300, 230
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = rng.randrange(10, 60) / 1024
    data.SequenceOfUltrasoundRegions = Sequence([region])
    data.SeriesDescription = "Abdomen clip"


def _projection(data: Dataset, rng: random.Random, place: Place) -> None:
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.ViewPosition, data.KVP = rng.choice(["AP", "PA", "LL"]), str(rng.randrange(50, 125))
    data.ImageLaterality = rng.choice("LR")
    data.ExposureInuAs, data.DistanceSourceToDetector = str(rng.randrange(100, 9000)), "1100"
    data.ImagerPixelSpacing = ["0.168", "0.168"]
    data.WindowCenter, data.WindowWidth = "2048", "4096"
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "0", "1", "US"
    if data.Modality == "CR" and rng.random() < 0.3:
        data.PhotometricInterpretation = "MONOCHROME1"
    data.Grid, data.FocalSpots, data.Sensitivity = "IN", "0.6", str(rng.randrange(100, 400))
    data.SeriesDescription = rng.choice(["Hand AP", "Chest PA", "Knee lateral"])
    data.AnatomicRegionSequence = Sequence([code("T-D8700", "SRT", "Hand")])
    if data.Modality != "CR":
        data.PixelIntensityRelationship, data.PixelIntensityRelationshipSign = "LOG", -1
        data.PresentationIntentType, data.DetectorType = "FOR PRESENTATION", "DIRECT"
        data.BodyPartThickness, data.CompressionForce = str(rng.randrange(20, 80)), str(rng.randrange(50, 180))


def _sc(data: Dataset, rng: random.Random, place: Place) -> None:
    data.ImageType = ["DERIVED", "SECONDARY"]
    data.ConversionType = "WSD"
    data.NominalScannedPixelSpacing = [f"0.{rng.randrange(1, 9)}", "0.4"]
    data.SeriesDescription = "Screen capture"


def _dose(data: Dataset, rng: random.Random, place: Place) -> None:
    _slice(data, rng, place)
    data.ImageType = ["DERIVED", "SECONDARY"]
    data.DoseUnits, data.DoseType, data.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    data.DoseGridScaling, data.GridFrameOffsetVector = f"0.000{rng.randrange(100, 999)}", ["0", "2.5", "5"]
    data.FrameIncrementPointer = Tag(0x3004, 0x000C)


MAKE: dict[str, Callable[[Dataset, random.Random, Place], None]] = {
    "CT": _ct,
    "MR": _mr,
    "PT": _pt,
    "US": _us,
    "CR": _projection,
    "DX": _projection,
    "MG": _projection,
    "SC": _sc,
    "RTDOSE": _dose,
}


def _pixels(kind: str, data: Dataset, rng: random.Random, place: Place) -> np.ndarray:
    """A smooth body with noise, as 8-bit colour for screens and clips, as 12-bit grey for the rest."""
    source = np.random.default_rng(rng.randrange(2**32))
    side = place.side
    colour = kind == "SC" and rng.random() < 0.5
    frames = {"US": 4, "RTDOSE": 3}.get(kind, 1)
    down, across = np.mgrid[0:side, 0:side] / side - 0.5
    disc = np.clip(1 - (down**2 + across**2) * 5, 0, 1)
    top = 255 if kind in BYTE_KINDS else 4095
    grey = disc[None] * top * 0.6 + source.normal(0, top * 0.02, (frames, side, side))
    image = np.clip(grey, 0, top).astype(np.uint8 if top == 255 else np.uint16)
    return np.repeat(image[..., None], 3, axis=-1) if colour else image


def set_pixel_attributes(data: Dataset, pixels: np.ndarray) -> None:
    """Image Pixel Module (PS3.3 C.7.6.3) for that array."""
    bits = pixels.dtype.itemsize * 8
    data.Rows, data.Columns = pixels.shape[1:3]
    if pixels.ndim == 4:
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    if pixels.shape[0] > 1:
        data.NumberOfFrames = str(pixels.shape[0])
    data.BitsAllocated = bits
    data.BitsStored = bits if bits == 8 else 12
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = 0


def add_icon(data: Dataset, pixels: np.ndarray) -> None:
    """An Icon Image Sequence item, 32 x 32."""
    icon = Dataset()
    frame = pixels[0] if pixels.ndim == 3 else pixels[0, ..., 0]
    step = max(1, frame.shape[0] // 32)
    small = (frame[::step, ::step][:32, :32] // (1 if frame.dtype == np.uint8 else 16)).astype(np.uint8)
    icon.SamplesPerPixel, icon.PhotometricInterpretation, icon.PixelRepresentation = 1, "MONOCHROME2", 0
    icon.Rows, icon.Columns = small.shape
    icon.BitsAllocated, icon.BitsStored, icon.HighBit = 8, 8, 7
    icon.PixelData = small.tobytes()
    icon["PixelData"].VR = "OB"
    data.IconImageSequence = Sequence([icon])


def path_value(value: Any) -> str:
    """A value as the ledger tells it: multiple values joined by a backslash."""
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return (
        "\\".join(str(part) for part in value)
        if not isinstance(value, str) and hasattr(value, "__iter__")
        else str(value)
    )
