"""What all tasks have in common: the verified manifest, the checks before a run, and what a run leaves of itself."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.bundles.verify import PINNED, check_hash, require_consent, with_consent
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.estimate import Workload
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.provenance import Step
from slicermedai.domain.volume import Volume
from slicermedai.inference.adapter.report import CompatibilityReport
from slicermedai.inference.anatomy import check_body_part
from slicermedai.inference.contrast import check_acquisition
from slicermedai.inference.device import Device, hardware_of
from slicermedai.inference.fitness import check_image
from slicermedai.inference.task import RunSettings
from slicermedai.inference.together import check_together

_PACKAGES = ("torch", "monai", "numpy", "scipy")


@dataclass(slots=True)
class Checks:
    """What was noticed about the images before the run."""

    warnings: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, manifest: Manifest, inputs: Mapping[str, Volume], settings: RunSettings, *, flat: bool = False
    ) -> Checks:
        """Raises where the model cannot be run on an image, or where images do not lie in one space.

        See :func:`slicermedai.inference.fitness.check_image`, :func:`.anatomy.check_body_part` and
        :func:`.together.check_together`.
        """
        images = inputs.values()
        made = [check_acquisition(manifest, volume) for volume in images]
        made += [check_body_part(manifest, volume, settings.body_part) for volume in images]
        warnings = [line for one in made for line in one.warnings]
        warnings += [line for volume in inputs.values() for line in check_image(manifest, volume, flat=flat)]
        warnings += check_together(inputs, other_frames=settings.other_frames)
        unchecked = dict.fromkeys(line for one in made for line in one.unchecked)
        return cls(warnings=list(dict.fromkeys(warnings)), unchecked=list(unchecked))


def manifest_of(ref: BundleRef) -> Manifest:
    """The manifest on disk with the consent of ``ref``; it must still pin the weights that ``ref`` names.

    A pinned hash is looked up again, since the configuration may have changed; a person's word stands.
    """
    manifest = read_manifest(Path(ref.path))
    check_hash(Path(ref.path) / ref.weights, expected=ref.weights_sha256, found=manifest.ref.weights_sha256)
    made = dataclasses.replace(manifest, ref=with_consent(manifest, "" if ref.consent == PINNED else ref.consent))
    require_consent(made.ref)
    return made


def told(report: CompatibilityReport) -> list[Step]:
    """The rules that were applied, as steps of the provenance."""
    return [Step(name=f"adapt: {item.rule}", detail=item.detail) for item in report.applied]


def sized(work: Workload | None, inputs: Mapping[str, Volume]) -> Workload | None:
    """``work`` with the size of the first image; None stays None."""
    return None if work is None else sized_by(work, next(iter(inputs.values())).geometry)


def sized_by(work: Workload, first: Geometry) -> Workload:
    """``work`` with the size of the image that lies on the grid ``first``."""
    count = float(math.prod(first.shape))
    millilitres = count * first.voxel_volume / 1000
    return dataclasses.replace(work, image_voxels=count, millilitres=millilitres, voxels=work.voxels or count)


def machine(device: Device) -> dict[str, Any]:
    """The fields of a prediction that say what it ran on."""
    return {
        "device": device.name,
        "device_reason": device.reason,
        "hardware": hardware_of(device.name),
        "versions": tuple((name, version(name)) for name in _PACKAGES),
    }
