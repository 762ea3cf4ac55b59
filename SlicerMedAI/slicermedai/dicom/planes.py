"""One image plane: a single-frame file, or one frame of a multi-frame file. What grouping and the gate work on.

Attributes of an enhanced object are looked up in the frame's own functional groups first, then in the shared
ones, then at the top (PS3.3 C.7.6.16).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset

from slicermedai.dicom.flat_kinds import CAPTURES, FLAT
from slicermedai.dicom.sides import TAGS as VIEW_TAGS
from slicermedai.dicom.sides import short_view

_GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "GantryDetectorTilt": "CTAcquisitionDetailsSequence",
    "ReconstructionDiameter": "CTReconstructionSequence",
    "ConvolutionKernel": "CTReconstructionSequence",
    "KVP": "CTXRayDetailsSequence",
    "EffectiveEchoTime": "MREchoSequence",
    "RepetitionTime": "MRTimingAndRelatedParametersSequence",
    "FlipAngle": "MRTimingAndRelatedParametersSequence",
    "InversionTimes": "MRModifierSequence",
    "InversionRecovery": "MRModifierSequence",
    "AcquisitionContrast": "MRImageFrameTypeSequence",
    "AnatomicRegionSequence": "FrameAnatomySequence",
    "StackID": "FrameContentSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "FrameAcquisitionNumber": "FrameContentSequence",
    "FrameReferenceDateTime": "FrameContentSequence",
    "FrameAcquisitionDateTime": "FrameContentSequence",
    "TemporalPositionTimeOffset": "TemporalPositionSequence",
    "NominalCardiacTriggerDelayTime": "CardiacSynchronizationSequence",
    "RRIntervalTimeNominal": "CardiacSynchronizationSequence",
    "DiffusionBValue": "MRDiffusionSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
}
_ACQUISITION = ("AcquisitionNumber", "FrameAcquisitionNumber", "TriggerTime", "AcquisitionTime")
TIMES = (
    *("TemporalPositionIndex", "TemporalPositionIdentifier", "TriggerTime", "NominalCardiacTriggerDelayTime"),
    *("FrameReferenceTime", "TemporalPositionTimeOffset", "FrameReferenceDateTime", "FrameAcquisitionDateTime"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "AcquisitionNumber"),
    *("NominalInterval", "RRIntervalTimeNominal", "NumberOfTemporalPositions", "CardiacNumberOfImages"),
    "NumberOfTimeSlices",
)
"""What tells the time of an image, in :attr:`Plane.times`."""
SETTINGS = (
    *("FlipAngle", "InversionTime", "InversionTimes", "SequenceName", "DiffusionGradientOrientation"),
    *("KVP", "ConvolutionKernel"),
)
"""What else of the acquisition tells images of one place apart, in :attr:`Plane.settings`: angles and times of MR maps,
energies and kernels of CT, and Siemens' b values of old."""
_FRAME_TYPES = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence")

HEADER_TAGS = (
    *("SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesDescription"),
    *("PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber"),
    *("InstanceNumber", "AcquisitionNumber", "EchoNumbers", "EchoTime", "TemporalPositionIdentifier"),
    *(
        "DiffusionBValue",
        "TriggerTime",
        "AcquisitionTime",
        "StackID",
        "ImagePositionPatient",
        "ImageOrientationPatient",
    ),
    *(keyword for keyword in TIMES if keyword not in _GROUPS),
    *("FrameOfReferenceUID", "PixelSpacing", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel"),
    *("PhotometricInterpretation", "BitsAllocated", "SharedFunctionalGroupsSequence"),
    "PerFrameFunctionalGroupsSequence",
    *(*SETTINGS, *VIEW_TAGS),
)
"""What :func:`planes_of` reads; enough for ``pydicom.dcmread(specific_tags=...)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Where one image plane lies and what tells its stack from others.

    ``position`` and ``orientation`` are LPS mm and unit vectors (row direction, then column direction) or None
    where absent; ``spacing`` is (rows, columns) in mm; ``frame`` counts from 0. ``contrast`` holds what differs
    between stacks at one place (echo, image type, time, b value); ``acquisition`` what only may; ``instance`` is the
    SOP Instance UID. ``view`` is the side and view of a projection, as "R MLO". ``times`` are the values of
    :data:`TIMES`, and ``settings`` those of :data:`SETTINGS`, "" where absent.
    """

    file: Path
    frame: int
    frames: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    size: tuple[int, int]
    samples: int
    photometric: str
    image_type: tuple[str, ...]
    frame_of_reference_uid: str
    contrast: tuple[str, ...]
    acquisition: tuple[str, ...]
    number: int
    instance: str = ""
    sop_class: str = ""
    view: str = ""
    times: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    @property
    def is_flat(self) -> bool:
        """True for a projection, photograph or capture, which is a picture by itself and no slice of a stack."""
        return self.position is None and self.sop_class in FLAT

    @property
    def is_capture(self) -> bool:
        """True for a Secondary Capture without a place: a screen, a page, a converted file."""
        return self.is_flat and self.sop_class in CAPTURES

    @property
    def is_localizer(self) -> bool:
        """True where Image Type says LOCALIZER (PS3.3 C.7.6.1.1.2; SCOUT in older CTs)."""
        return any(part in ("LOCALIZER", "SCOUT") for part in self.image_type)

    @property
    def is_colour(self) -> bool:
        """True for anything but one greyscale sample a pixel."""
        return self.samples != 1 or not self.photometric.startswith("MONOCHROME")


def planes_of(dataset: Dataset, file: Path) -> tuple[Plane, ...]:
    """The planes of one file, in frame order.

    Raises
    ------
    ValueError, TypeError
        Numbers that are no numbers.
    """
    frames = int(dataset.get("NumberOfFrames") or 1)
    return tuple(_plane(dataset, file, frame, frames) for frame in range(frames))


def frame_value(dataset: Dataset, frame: int, keyword: str) -> Any:
    """The value of ``keyword`` for ``frame`` (from 0): frame's group, shared group, top of the dataset, or None."""
    group = _GROUPS.get(keyword)
    for item in _group_items(dataset, frame, group) if group else ():
        if keyword in item:
            return item[keyword].value
    return dataset.get(keyword)


def _group_items(dataset: Dataset, frame: int, group: str) -> Iterator[Dataset]:
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    holders = [*per_frame[frame : frame + 1], *(dataset.get("SharedFunctionalGroupsSequence") or ())]
    for holder in holders:
        yield from holder.get(group) or ()


def _plane(dataset: Dataset, file: Path, frame: int, frames: int) -> Plane:
    sop_class = str(dataset.get("SOPClassUID") or "")
    return Plane(
        file=file,
        frame=frame,
        frames=frames,
        position=_position(dataset, frame, frames),
        orientation=_numbers(frame_value(dataset, frame, "ImageOrientationPatient"), 6),
        spacing=_numbers(frame_value(dataset, frame, "PixelSpacing"), 2),
        size=(int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        photometric=str(dataset.get("PhotometricInterpretation") or "MONOCHROME2"),
        image_type=_image_type(dataset, frame),
        frame_of_reference_uid=str(dataset.get("FrameOfReferenceUID") or ""),
        contrast=_contrast(dataset, frame),
        acquisition=_texts(dataset, frame, _ACQUISITION),
        number=int(dataset.get("InstanceNumber") or 0),
        sop_class=sop_class,
        view=short_view(dataset) if sop_class in FLAT else "",
        instance=str(dataset.get("SOPInstanceUID") or ""),
        times=_texts(dataset, frame, TIMES),
        settings=_texts(dataset, frame, SETTINGS),
    )


def _position(dataset: Dataset, frame: int, frames: int) -> tuple[float, ...] | None:
    """A multi-frame object's one position at the top says nothing about where its frames lie."""
    if frames > 1 and "PerFrameFunctionalGroupsSequence" not in dataset:
        return None
    return _numbers(frame_value(dataset, frame, "ImagePositionPatient"), 3)


def _image_type(dataset: Dataset, frame: int) -> tuple[str, ...]:
    for group in _FRAME_TYPES:
        for item in _group_items(dataset, frame, group):
            return _strings(item.get("FrameType")) + _strings(item.get("ComplexImageComponent"))
    return _strings(dataset.get("ImageType"))


def _contrast(dataset: Dataset, frame: int) -> tuple[str, ...]:
    echo = frame_value(dataset, frame, "EffectiveEchoTime") or dataset.get("EchoTime")
    keywords = ("EchoNumbers", "StackID", "TemporalPositionIndex", "TemporalPositionIdentifier", "DiffusionBValue")
    return (*_texts(dataset, frame, keywords), "" if echo in (None, "") else f"{float(echo):.2f}")


def _texts(dataset: Dataset, frame: int, keywords: tuple[str, ...]) -> tuple[str, ...]:
    values = [frame_value(dataset, frame, keyword) for keyword in keywords]
    return tuple("" if value is None else str(value) for value in values)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if value is None or isinstance(value, (str, bytes)) or not hasattr(value, "__len__") or len(value) != count:
        return None
    return tuple(float(part) for part in value)


def _strings(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else tuple(str(part) for part in value)
