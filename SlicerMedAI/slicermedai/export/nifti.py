"""A label map as NIfTI: for research tools. What its values mean and what made it stands in the JSON file beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from slicermedai import __version__
from slicermedai.domain.codes import Label
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.errors import FormatError
from slicermedai.export import subject
from slicermedai.export.context import ExportContext

FILE_NAME = "segmentation.nii.gz"
LABELS_NAME = "segmentation.labels.json"
RESEARCH = "research use only, not a medical device"


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``segmentation.nii.gz`` (0 background, then the findings in order), and what it is as JSON beside it.

    Nothing of a failed run, whose empty label map would say that nothing is there.

    Raises
    ------
    FormatError
        Findings that overlap or have no voxels, or a sheared grid: a label map cannot hold them.
    """
    findings = subject.segmented(result)
    if result.status is Status.FAILED:
        return []
    grid = subject.grid(result)
    if not grid.is_orthogonal:
        raise FormatError("a sheared grid is not written to NIfTI", attribute="affine")
    image = SimpleITK.GetImageFromArray(_labels(result))
    image.SetOrigin([float(v) for v in grid.origin])
    image.SetSpacing([float(v) for v in grid.spacing[::-1]])
    image.SetDirection([float(v) for v in grid.directions[:, ::-1].ravel()])
    image.SetMetaData("ITK_FileNotes", _short_note(result))
    SimpleITK.WriteImage(image, str(folder / FILE_NAME), useCompression=True)
    about = {"labels": {str(n): _meaning(finding.label) for n, finding in enumerate(findings, 1)}, **origin_of(result)}
    labels = folder / LABELS_NAME
    labels.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return [folder / FILE_NAME, labels]


def origin_of(result: AnalysisResult) -> dict[str, Any]:
    """Model, weights, software, status and warnings, for files that have no place of their own for them."""
    made = result.provenance
    return {
        "model": f"{made.bundle}@{made.bundle_version}",
        "weights_sha256": made.weights_sha256,
        "software": f"SlicerMedAI {__version__}",
        "status": result.outcome,
        "warnings": list(made.warnings),
        "note": RESEARCH,
    }


def _short_note(result: AnalysisResult) -> str:
    """For the header's ``descrip``, which holds 79 bytes of text (NIfTI-1)."""
    made = result.provenance
    note = f"{made.bundle}@{made.bundle_version}, made by an algorithm; {RESEARCH}"
    return note.encode()[:79].decode(errors="ignore")


def _meaning(label: Label) -> dict[str, str]:
    codes = {"category": label.category, "type": label.type}
    codes |= {"modifier": label.modifier} if label.modifier is not None else {}
    return {"name": label.name} | {key: f"{code.scheme}:{code.value} {code.meaning}" for key, code in codes.items()}


def _labels(result: AnalysisResult) -> NDArray[Any]:
    labels = np.zeros(subject.grid(result).shape, np.uint8 if len(result.findings) < 256 else np.uint16)
    for number, finding in enumerate(result.findings, 1):
        mask = subject.region(finding).to_array()
        if labels[mask].any():
            raise FormatError("findings overlap, and a label map cannot hold them", attribute="region")
        labels[mask] = number
    return labels
