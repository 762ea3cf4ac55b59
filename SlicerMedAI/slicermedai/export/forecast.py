"""What of a saved result could be written in each format, and why the rest could not, before anything is written.

Small formats are written for a trial into a folder that is thrown away, so that what is told is what would happen.
Of those that cost time (masks of hundreds of slices) the conditions are looked at.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import Dataset

from slicermedai import __version__
from slicermedai.domain.decisions import decided
from slicermedai.domain.finding import Mask
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.errors import MedAIError, MissingContextError
from slicermedai.export import subject
from slicermedai.export.agreement import check_probabilities, check_volumes
from slicermedai.export.attributes import BODY_PART, EVEN_IF_UNKNOWN, IDENTITY
from slicermedai.export.context import ExportContext, make_context
from slicermedai.export.formats import FORMATS, Format, cites_of, fitting
from slicermedai.export.obstacle import obstacle_of
from slicermedai.export.planes import exclusive
from slicermedai.export.source import source_frames

_TOLD = (*EVEN_IF_UNKNOWN, BODY_PART)
_SAME_CONTENT = {"sr-plain": "sr"}
"""Formats that are filed otherwise and say the same: one trial is enough for both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What would come of one format. ``can_be_written`` without ``files``: it has nothing to say about this result.

    ``error`` says why it cannot be written, with the attribute and what to do. ``cites`` are the formats that must be
    written with it.
    """

    name: str
    files: tuple[str, ...] = ()
    error: MedAIError | None = None
    cites: tuple[str, ...] = ()

    @property
    def can_be_written(self) -> bool:
        """True where asking for the format is no error."""
        return self.error is None


def forecast(
    result: AnalysisResult,
    *,
    headers: tuple[Dataset, ...],
    pictures: tuple[Path, ...] = (),
    progress: Progress = silent,
) -> tuple[Forecast, ...]:
    """What each format of :data:`~slicermedai.export.formats.FORMATS` would make of ``result``, in their order.

    Parameters are those of :func:`slicermedai.export.run.export_result`; a format is judged together with those that
    it cites. Nothing is raised for what cannot be written: it is told.

    Raises
    ------
    JobCancelled
        From ``progress``.
    """
    try:
        check_volumes(result)
        check_probabilities(result)
        found_by_model, result = result, decided(result)
        shown = pictures if result is found_by_model else ()
        context = make_context(result, tuple(headers), version=__version__, pictures=shown)
    except MedAIError as error:
        return tuple(Forecast(name=n, error=error, cites=cites_of(made, result)) for n, made in FORMATS.items())
    found: dict[str, Forecast] = {}
    for number, made in enumerate(FORMATS.values()):
        progress("forecast", number / len(FORMATS))
        cites = cites_of(made, result)
        cited = [found[name] for name in cites if name in found and result.findings]
        refused = next((one.error for one in cited if one.error is not None), None)
        if refused is not None:
            told = Forecast(name=made.name, error=refused)
        elif made.name in _SAME_CONTENT:
            told = _like(found[_SAME_CONTENT[made.name]], made.name)
        else:
            told = _foreseen(made, result, context)
        found[made.name] = replace(told, cites=cites)
    return tuple(found.values())


def unsaid(headers: Sequence[Dataset]) -> tuple[str, ...]:
    """Attributes that every object carries, and that stay empty because the source does not say them; their keywords.

    They keep nothing from being written (type 2, PS3.5 7.4.3), but results without them are hard to find again.
    """
    return tuple(name for name in _TOLD if headers and not str(headers[0].get(name) or "").strip())


def _like(other: Forecast, name: str) -> Forecast:
    return Forecast(name=name, files=(f"{name}.dcm",) if other.files else (), error=other.error)


def _foreseen(made: Format, result: AnalysisResult, context: ExportContext) -> Forecast:
    try:
        if made.needs_context and not context.headers:
            raise MissingContextError(
                "it is filed under a patient and a study, and the source has none",
                attribute=", ".join(IDENTITY),
                advice="Run on a DICOM series, or choose NIfTI and the table (CSV).",
            )
        return Forecast(name=made.name, files=_CONDITIONS.get(made.name, _tried)(made, result, context))
    except MedAIError as error:
        return Forecast(name=made.name, error=error)


def _tried(made: Format, result: AnalysisResult, context: ExportContext) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory(prefix="medai-") as folder:
        return tuple(path.name for path in made.write(result, Path(folder), context=context))


def _on_source(made: Format, result: AnalysisResult, context: ExportContext) -> tuple[str, ...]:
    """Segments and contours: on the planes of the source, which says all that they must cite."""
    if not subject.segmented(result):
        return ()
    fitting((made.name,), obstacle=obstacle_of(context.headers, (), resampled=False))
    source_frames(context, subject.grid(result))
    return (f"{made.name}.dcm",)


def _segmented(made: Format, result: AnalysisResult, context: ExportContext) -> tuple[str, ...]:
    subject.segmented(result)
    return () if result.status is Status.FAILED else ("segmentation.seg.nrrd",)


def _exclusive(made: Format, result: AnalysisResult, context: ExportContext) -> tuple[str, ...]:
    """A label map: as segments, which must not overlap; with its twin."""
    files = _on_source(made, result, context)
    if files:
        exclusive(subject.segmented(result), subject.grid(result))
    return ("seg.dcm", *files) if files else ()


def _label_map(made: Format, result: AnalysisResult, context: ExportContext) -> tuple[str, ...]:
    """Findings that are values of one label map cannot overlap; others are laid over each other for a trial."""
    regions = [one.region for one in subject.segmented(result)]
    shared = {id(one.label_map) if isinstance(one, Mask) else None for one in regions}
    if None in shared or len(shared) > 1 or not subject.grid(result).is_orthogonal:
        return _tried(made, result, context)
    return () if result.status is Status.FAILED else ("segmentation.nii.gz", "segmentation.labels.json")


_CONDITIONS: dict[str, Callable[[Format, AnalysisResult, ExportContext], tuple[str, ...]]] = {
    "seg": _on_source,
    "seg-labelmap": _exclusive,
    "seg-labelmap-plain": _exclusive,
    "rtstruct": _on_source,
    "nrrd": _segmented,
    "nifti": _label_map,
}
