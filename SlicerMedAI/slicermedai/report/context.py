"""What a report is written from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from slicermedai.domain.result import AnalysisResult
from slicermedai.scene.pictures import Picture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportContext:
    """A result, its pictures, and what else people must be told about the run.

    Parameters
    ----------
    result:
        What was found, and how.
    pictures:
        PNG files; they are put into the page.
    no_pictures:
        Why there are none, in a sentence; said in the page wherever ``pictures`` is empty.
    files:
        What was written, as paths relative to the report's folder; sizes and hashes are taken from the disk.
    notes:
        What the geometry gate said about the input.
    title:
        Heading of the page.
    demonstration:
        True where the weights were trained for demonstration only.
    """

    result: AnalysisResult
    pictures: tuple[Picture, ...] = ()
    no_pictures: str = ""
    files: tuple[PurePath | str, ...] = ()
    notes: tuple[str, ...] = ()
    title: str = "Analysis report"
    demonstration: bool = False
