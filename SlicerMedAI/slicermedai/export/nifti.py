"""A label map as NIfTI: for research tools. It has no patient, no codes and no provenance but its file beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import FormatError
from slicermedai.export import subject
from slicermedai.export.context import ExportContext

FILE_NAME = "segmentation.nii.gz"
LABELS_NAME = "segmentation.labels.json"


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``segmentation.nii.gz`` (0 background, then the findings in order) and the names of its values.

    Raises
    ------
    FormatError
        Findings that overlap or have no voxels, or a sheared grid: a label map cannot hold them.
    """
    findings = subject.segmented(result)
    grid = subject.grid(result)
    if not grid.is_orthogonal:
        raise FormatError("a sheared grid is not written to NIfTI", attribute="affine")
    image = SimpleITK.GetImageFromArray(_labels(result))
    image.SetOrigin([float(v) for v in grid.origin])
    image.SetSpacing([float(v) for v in grid.spacing[::-1]])
    image.SetDirection([float(v) for v in grid.directions[:, ::-1].ravel()])
    SimpleITK.WriteImage(image, str(folder / FILE_NAME), useCompression=True)
    names = {str(n): finding.label.name for n, finding in enumerate(findings, 1)}
    labels = folder / LABELS_NAME
    labels.write_text(json.dumps(names, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return [folder / FILE_NAME, labels]


def _labels(result: AnalysisResult) -> NDArray[Any]:
    labels = np.zeros(subject.grid(result).shape, np.uint8 if len(result.findings) < 256 else np.uint16)
    for number, finding in enumerate(result.findings, 1):
        mask = subject.region(finding).to_array()
        if labels[mask].any():
            raise FormatError("findings overlap, and a label map cannot hold them", attribute="region")
        labels[mask] = number
    return labels
