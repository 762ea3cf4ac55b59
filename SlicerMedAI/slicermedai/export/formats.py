"""The table of output formats: a newcomer adds one file with a ``write`` function, and one line here.

Command line, console, GUI and the shared tests read this table. Listing it loads no format.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.suggest import did_you_mean
from slicermedai.errors import FormatError
from slicermedai.export.obstacle import Obstacle

if TYPE_CHECKING:
    from slicermedai.export.context import ExportContext


class Writer(Protocol):
    """Writes ``result`` into ``folder`` and returns the files; the same result gives the same bytes."""

    def __call__(self, result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
        """Raises :class:`~slicermedai.errors.FormatError` for what the format cannot say."""


class Reader(Protocol):
    """Reads one file of the format back."""

    def __call__(self, path: Path) -> Any:
        """Raises :class:`~slicermedai.errors.FormatError` or :class:`~slicermedai.errors.UnreadableFileError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One output format.

    Parameters
    ----------
    name, title:
        What people type, and what they read.
    writer, reader:
        ``module:function`` below this package; no reader where it is "".
    needs_context:
        True where the format files its objects under a patient and a study.
    needs_place:
        True where the format puts regions into the patient's space.
    needs_pictures:
        True where the format shows pictures of the result, and is written after they were drawn.
    cites:
        The formats whose objects this one refers to, so that they must be written too.
    any_finding:
        True where findings without voxels can be held too; then the reports are cited that hold these.
    """

    name: str
    title: str
    writer: str
    reader: str = ""
    needs_context: bool = False
    needs_place: bool = False
    needs_pictures: bool = False
    cites: tuple[str, ...] = ()
    any_finding: bool = False

    @property
    def write(self) -> Writer:
        """The writing function; its module is loaded now."""
        return cast(Writer, _load(self.writer))

    @property
    def read(self) -> Reader | None:
        """The reading function, or None where the format is written alone."""
        return cast(Reader, _load(self.reader)) if self.reader else None


FORMATS: dict[str, Format] = {
    made.name: made
    for made in (
        Format(
            name="seg",
            title="DICOM Segmentation (BINARY)",
            writer="seg:write",
            reader="seg_read:read",
            needs_context=True,
            needs_place=True,
        ),
        Format(
            name="seg-labelmap",
            title="DICOM Segmentation (LABELMAP, with its BINARY twin)",
            writer="seg_labelmap:write",
            reader="seg_read:read",
            needs_context=True,
            needs_place=True,
        ),
        Format(
            name="seg-labelmap-plain",
            title="DICOM Segmentation (LABELMAP, uncompressed: for readers without RLE)",
            writer="seg_labelmap:write_plain",
            reader="seg_read:read",
            needs_context=True,
            needs_place=True,
        ),
        Format(
            name="sr",
            title="DICOM Structured Report (TID 1500, Comprehensive 3D)",
            writer="sr:write",
            reader="sr_read:read",
            needs_context=True,
            needs_place=True,
            cites=("seg",),
        ),
        Format(
            name="sr-plain",
            title="DICOM Structured Report (TID 1500, Comprehensive: for older readers)",
            writer="sr_plain:write",
            reader="sr_read:read",
            needs_context=True,
            needs_place=True,
            cites=("seg",),
        ),
        Format(
            name="sr-lengths",
            title="DICOM Structured Report of lengths that web viewers draw (TID 1500, Comprehensive)",
            writer="sr_lengths:write",
            needs_context=True,
            needs_place=True,
        ),
        Format(
            name="sr-regions",
            title="DICOM Structured Report of boxes and points (TID 1500, Comprehensive 3D)",
            writer="sr_regions:write",
            reader="sr_read:read",
            needs_context=True,
            needs_place=True,
        ),
        Format(
            name="sr-image",
            title="DICOM Structured Report of findings of an image as a whole (TID 1500, Comprehensive)",
            writer="sr_image:write",
            reader="sr_read:read",
            needs_context=True,
        ),
        Format(
            name="text",
            title="DICOM Basic Text SR (the result in words)",
            writer="text_report:write",
            needs_context=True,
        ),
        Format(
            name="pmap",
            title="DICOM Parametric Maps (one for each map of the result)",
            writer="pmap:write",
            reader="pmap_read:read",
            needs_context=True,
            needs_place=True,
        ),
        Format(
            name="rtstruct",
            title="DICOM RT Structure Set (contours in the image planes)",
            writer="rtstruct:write",
            needs_context=True,
            needs_place=True,
        ),
        Format(
            name="capture",
            title="DICOM Secondary Capture (a page to read, and the pictures)",
            writer="capture:write",
            needs_context=True,
            needs_pictures=True,
        ),
        Format(
            name="fhir",
            title="FHIR R4 bundle (DiagnosticReport, Observation, ImagingStudy, Device)",
            writer="fhir:write",
            reader="fhir_read:read",
            needs_context=True,
            cites=("seg", "sr"),
            any_finding=True,
        ),
        Format(
            name="fhir-r5",
            title="FHIR R5 bundle (HL7's mapping of DICOM SR)",
            writer="fhir_r5:write",
            reader="fhir_read:read",
            needs_context=True,
            cites=("seg", "sr"),
            any_finding=True,
        ),
        Format(name="hl7", title="HL7 v2.5.1 message ORU^R01", writer="hl7v2:write", needs_context=True),
        Format(name="nifti", title="NIfTI label map", writer="nifti:write", needs_place=True),
        Format(
            name="nrrd",
            title="NRRD segmentation (.seg.nrrd, with the names and colours of its segments)",
            writer="nrrd:write",
            needs_place=True,
        ),
        Format(name="csv", title="Table of findings (CSV)", writer="table:write"),
    )
}


def cites_of(made: Format, result: AnalysisResult) -> tuple[str, ...]:
    """The formats that ``made`` refers to in an export of ``result``; what has no voxels is in reports of its own."""
    regions = [one.region for one in result.findings]
    if not made.any_finding or not regions or any(isinstance(one, (Mask, PackedMask)) for one in regions):
        return made.cites
    places = ("sr-regions",) if any(one is not None for one in regions) else ()
    return (*places, *(("sr-image",) if any(one is None for one in regions) else ()))


_SHEARED = "the image's axes do not stand at right angles"


def chosen(names: tuple[str, ...]) -> list[Format]:
    """The formats of ``names``, each once, in the order of the table: what is cited comes first.

    Raises
    ------
    FormatError
        An unknown name, or none.
    """
    for name in names:
        if name not in FORMATS:
            hint = did_you_mean(name, FORMATS)
            raise FormatError(
                f"there is no format {name!r}",
                attribute="formats",
                advice=f"{hint + ' ' if hint else ''}Choose from {', '.join(FORMATS)}.",
            )
    if not names:
        raise FormatError("no format was asked for", attribute="formats")
    return [made for name, made in FORMATS.items() if name in names]


_DEFAULTS = {"detection": ("sr-regions",), "classification": ("sr-image", "csv")}
"""Kind of model -> what is written where nobody chose; SEG and SR for all others."""


def fitting(
    names: tuple[str, ...], *, obstacle: Obstacle | None, orthogonal: bool = True, task: str = "segmentation"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(formats to write, what is not written and why), decided before anything is computed.

    ``names`` empty leaves the choice: SEG and SR, a report of regions for boxes (``task`` detection) or of the image as
    a whole (classification), or NIfTI and CSV where ``obstacle`` says why no DICOM object can be filed. ``orthogonal``
    is False for a sheared grid, which NIfTI readers do not agree about. Boxes and labels of a whole image have no
    voxels for a NIfTI file.

    Raises
    ------
    FormatError
        An unknown name, or a format by name that ``obstacle`` forbids.
    """
    if not names and obstacle is None:
        return _DEFAULTS.get(task, ("seg", "sr")), ()
    if not names and obstacle is not None:
        refused = (f"No DICOM SEG and SR: {obstacle.in_words}.",)
        if obstacle.of_place:
            whole = task == "classification"
            filed = "What is said of the image as a whole is filed" if whole else "As text it can be filed"
            return (_DEFAULTS[task] if whole else ("csv",)), (f"{refused[0]} {filed}.",)
        if task in _DEFAULTS:
            return ("csv",), refused
        return (("nifti", "csv"), refused) if orthogonal else (("csv",), (*refused, f"No NIfTI: {_SHEARED}."))
    for made in chosen(names):
        if not orthogonal and made.name == "nifti":
            raise FormatError(f"format 'nifti' cannot be written: {_SHEARED}", attribute="formats")
        if obstacle is not None and (made.needs_place if obstacle.of_place else made.needs_context):
            raise FormatError(
                f"format {made.name!r} cannot be written: {obstacle.reason}",
                file=obstacle.file,
                attribute=obstacle.attribute or "formats",
                advice=f"Ask for {'csv' if obstacle.of_place else 'nifti,csv'}, {obstacle.advice}.",
            )
    return names, ()


def _load(place: str) -> Any:
    module, function = place.split(":")
    return getattr(import_module(f"slicermedai.export.{module}"), function)
