"""One result into the formats that were asked for."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from slicermedai import __version__
from slicermedai.domain.decisions import decided
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import FormatError, MissingContextError
from slicermedai.export.agreement import check_probabilities, check_volumes
from slicermedai.export.attributes import IDENTITY
from slicermedai.export.context import ExportContext, make_context
from slicermedai.export.formats import Format, chosen, cites_of
from slicermedai.export.subject import explains_findings


def export_result(
    result: AnalysisResult,
    *,
    headers: tuple[Dataset, ...],
    folder: Path,
    formats: tuple[str, ...],
    progress: Progress = silent,
) -> list[Path]:
    """Write ``result`` into ``folder``, which exists and which the caller renames as a whole.

    Parameters
    ----------
    headers:
        Headers of the source series without pixels, in slice order; one for a multi-frame source; empty for a
        source that was no DICOM.
    formats:
        Names of :data:`~slicermedai.export.formats.FORMATS`; what others cite is written first. Those
        that show pictures are left to :func:`export_pictured`. With ``sr`` goes the report on a series over time.

    Returns
    -------
    list of Path
        The files, in the order written. The same result gives the same bytes.

    Raises
    ------
    MissingContextError
        A DICOM format, and a source without patient and study; the missing attributes are named.
    IdentityError
        The headers are not those of the result's source, or would cross the identity routes.
    FormatError
        An unknown format, one that cites another which was not asked for, a result it cannot express, or one whose
        volumes are not those of its masks, or with a number that is coded as a probability.
    JobCancelled
        From ``progress``.
    """
    wanted = [made for made in chosen(tuple(formats)) if not made.needs_pictures]
    check_volumes(result)
    check_probabilities(result)
    result = decided(result)
    _check(result, wanted, headers)
    links = any(made.name == "pmap" for made in wanted) and explains_findings(result)
    context = make_context(result, tuple(headers), version=__version__, links_maps=links)
    written: list[Path] = []
    for number, made in enumerate(wanted):
        progress("export", number / len(wanted))
        written += made.write(result, folder, context=context)
    written += _course(result, folder, context) if "sr" in [made.name for made in wanted] else []
    progress("export", 1.0)
    return written


def _course(result: AnalysisResult, folder: Path, context: ExportContext) -> list[Path]:
    """The report on a series over time; nothing of a single image."""
    if result.course is None:
        return []
    from slicermedai.export import sr_course

    return sr_course.write(result, folder, context=context)


def export_pictured(
    result: AnalysisResult,
    *,
    headers: tuple[Dataset, ...],
    folder: Path,
    formats: tuple[str, ...],
    pictures: tuple[Path, ...],
) -> list[Path]:
    """Write those of ``formats`` that show pictures, after these were drawn; raises as :func:`export_result`.

    ``pictures`` are PNG files in the order in which they are shown; without any, the formats say so. They show what the
    model found: where a person edited or rejected any of it, they are left out.
    """
    wanted = [made for made in chosen(tuple(formats)) if made.needs_pictures]
    if not wanted:
        return []
    made, result = result, decided(result)
    _check(result, wanted, headers)
    shown = pictures if result is made else ()
    context = make_context(result, tuple(headers), version=__version__, pictures=shown)
    return [path for one in wanted for path in one.write(result, folder, context=context)]


def _check(result: AnalysisResult, wanted: list[Format], headers: tuple[Dataset, ...]) -> None:
    names = {made.name for made in wanted}
    for made in wanted:
        if made.needs_context and not headers:
            raise MissingContextError(
                f"format {made.name!r} files its objects under a patient and a study, and the source has none",
                attribute=", ".join(IDENTITY),
                advice="Run on a DICOM series, or ask for nifti and csv.",
            )
        cited = cites_of(made, result)
        lacking = [name for name in cited if name not in names]
        if lacking and result.findings:
            raise FormatError(
                f"format {made.name!r} cites {' and '.join(lacking)}, which was not asked for",
                attribute="formats",
                advice=f"Ask for {','.join((*cited, made.name))}.",
            )
