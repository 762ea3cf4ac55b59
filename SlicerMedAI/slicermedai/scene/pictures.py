"""What a rendered picture is; importable without Slicer, so that the report can speak of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A PNG file, what is on it, and which view it is.

    ``kind`` is "axial", "sagittal", "coronal" or "3d"; ``description`` is for people who cannot see it.
    """

    path: Path
    title: str
    kind: str
    description: str = ""
