"""SlicerMedAI: MONAI models on clinical images, in 3D Slicer and outside.

>>> import slicermedai
>>> job = slicermedai.submit("DICOM_FOLDER", "brain", on_done=slicermedai.show)   # returns at once
>>> result = slicermedai.run("DICOM_FOLDER", "brain", output="RESULT")            # blocks until it is done

Research use only: not a medical device. Nothing heavy is loaded by importing this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "AnalysisResult": "slicermedai.domain.result",
    "BundleRef": "slicermedai.domain.bundle",
    "Code": "slicermedai.domain.codes",
    "Confidence": "slicermedai.domain.finding",
    "ConfidenceState": "slicermedai.domain.finding",
    "DeidJob": "slicermedai.jobs.specs",
    "Finding": "slicermedai.domain.finding",
    "Geometry": "slicermedai.domain.geometry",
    "Identity": "slicermedai.domain.study",
    "JobHandle": "slicermedai.console.handle",
    "Label": "slicermedai.domain.codes",
    "LabelMap": "slicermedai.domain.volume",
    "Mask": "slicermedai.domain.finding",
    "Measurement": "slicermedai.domain.finding",
    "MedAIError": "slicermedai.errors",
    "RunJob": "slicermedai.jobs.specs",
    "Status": "slicermedai.domain.result",
    "Study": "slicermedai.domain.study",
    "Volume": "slicermedai.domain.volume",
    "deidentify": "slicermedai.console.verbs",
    "estimate": "slicermedai.console.estimates",
    "export_result": "slicermedai.console.verbs",
    "fetch_model": "slicermedai.console.verbs",
    "image_of": "slicermedai.console.verbs",
    "list_models": "slicermedai.console.verbs",
    "load": "slicermedai.console.verbs",
    "open_image": "slicermedai.console.verbs",
    "prompt": "slicermedai.console.prompting",
    "run": "slicermedai.console.verbs",
    "show": "slicermedai.console.verbs",
    "submit": "slicermedai.console.verbs",
    "write_report": "slicermedai.console.verbs",
}

__all__ = [
    "AnalysisResult",
    "BundleRef",
    "Code",
    "Confidence",
    "ConfidenceState",
    "DeidJob",
    "Finding",
    "Geometry",
    "Identity",
    "JobHandle",
    "Label",
    "LabelMap",
    "Mask",
    "Measurement",
    "MedAIError",
    "RunJob",
    "Status",
    "Study",
    "Volume",
    "deidentify",
    "estimate",
    "export_result",
    "fetch_model",
    "image_of",
    "list_models",
    "load",
    "open_image",
    "prompt",
    "run",
    "show",
    "submit",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'slicermedai' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
