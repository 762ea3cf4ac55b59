"""Where the image of a saved result can be read again, without ever crossing from one route to the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.study import Identity

COPIES = ("copies",)
"""The run's own de-identified copies, by one word for the child that reads them."""

FilesOf = Callable[[str], Sequence[str]]
"""The files of a series, by its UID, where they are known; else none."""


def image_files(result: AnalysisResult, folder: Path, files_of: FilesOf) -> Sequence[str]:
    """Files, or :data:`COPIES`, of the image of ``result`` in ``folder``; else nothing."""
    series = (one.series_uid for one in result.sources if one.series_uid)
    return files_to_read(folder, series, result.study.identity, files_of)


def files_to_read(folder: Path, series: Iterable[str], identity: Identity, files_of: FilesOf) -> Sequence[str]:
    """Of the result in ``folder``, made of ``series``: a pseudonymous one is shown on its own alone."""
    if folder.parent.joinpath("dicom", "source").is_dir():
        return COPIES
    if identity is Identity.DEIDENTIFY:
        return ()
    return next((files for files in map(files_of, series) if files), ())
