"""A model that can be run: its name, where it lies, what it needs and what its outputs mean."""

from __future__ import annotations

from dataclasses import dataclass

from slicermedai.domain.codes import Label
from slicermedai.errors import BundleError


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRef:
    """A verified MONAI bundle on disk.

    Parameters
    ----------
    name, version:
        From the bundle's metadata.
    path:
        The bundle folder (``configs/``, ``models/``).
    task:
        "segmentation", "detection" or "classification".
    modality:
        DICOM modalities it was made for, as ("MR",); empty accepts any.
    weights, weights_sha256:
        The weights file relative to ``path``, and its SHA-256.
    labels:
        Output value -> coded label; values start at 1, 0 is background.
    licence, intended_use:
        Shown before the run and written into the provenance.
    runs_code:
        True for TorchScript, ``$`` expressions or scripts: consent is needed.
    consent:
        Who agreed: "" nobody, "pinned hash" (the repository pins it), or a person's word.
    demonstration:
        True for weights trained for demonstration only; everything they make says so.
    """

    name: str
    version: str
    path: str
    task: str
    modality: tuple[str, ...]
    weights: str
    weights_sha256: str
    labels: tuple[tuple[int, Label], ...]
    licence: str = ""
    intended_use: str = ""
    runs_code: bool = False
    consent: str = ""
    demonstration: bool = False

    def __post_init__(self) -> None:
        values = [value for value, _ in self.labels]
        if len(set(values)) != len(values) or min(values, default=1) < 1:
            raise BundleError("label values must be distinct and start at 1", file=self.path, attribute="labels")

    @property
    def title(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"
