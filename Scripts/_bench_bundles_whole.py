"""One bundle the whole way: generated DICOM series, a job with random weights, and its objects held against its result.

Weights are random, so that what is found means nothing: what counts is that every finding comes through whole. The
series, the truth about its grid and the reading are others' (fixtures, highdicom, dciodvfy); all else is the product.
"""

from __future__ import annotations

import hashlib
import json
import os
import unittest
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

FAR = 0.01
"""How far a place that was read may lie from the one that was found, mm."""


class DiffersError(Exception):
    """An object is missing, or says something else than the result: in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What came of a job, each in words: ``why`` names what stopped it, or what is not as it must be.

    ``image`` is what was generated; ``found`` the findings in the result; ``objects`` what was read of the files.
    """

    image: str = ""
    found: str = ""
    objects: str = ""
    why: str = ""

    @property
    def in_words(self) -> str:
        """One line; "" where no job ran."""
        return f"{self.image}: {self.found}, {self.objects}" if self.objects else ""


def takes_volumes(bundle: Path, task: str) -> bool:
    """True where a bundle finds places in an image of radiology, which are those that are no colour pictures."""
    from slicermedai.inference.adapter.inputs import InputFormat

    return task in ("segmentation", "detection") and not InputFormat.of(bundle).colour


def go_whole(bundle: Path, scratch: Path, *, formats: tuple[str, ...] = ()) -> Whole:
    """Run the bundle (with weights already in it) in a job of its own; ``scratch`` takes series, result and home.

    ``formats`` are those that the job is asked for, () for the product's own choice. Whatever the library refuses is in
    ``why``, as is what the objects lack: neither is raised.
    """
    from slicermedai.domain.result import AnalysisResult
    from slicermedai.errors import MedAIError

    os.environ["SLICERMEDAI_HOME"] = str(scratch / "home")
    volumes = _volumes(bundle)
    first = next(iter(volumes.values()))
    made = Whole(image=_counted(volumes))
    try:
        folder = _run(bundle, _written(volumes, scratch / "series"), scratch / "result", formats)
        result = AnalysisResult.load(folder)
        made = replace(made, found=_found(result))
        return replace(made, objects=judged(result, folder / "dicom", grid=first.geometry))
    except (MedAIError, DiffersError) as error:
        return replace(made, why=str(error))


def _volumes(bundle: Path) -> dict[str, Any]:
    """An image for each that the bundle takes; of MR where it does not say of what."""
    from slicermedai.bundles.manifest import read_manifest
    from slicermedai.inference.adapter.report import Ledger
    from slicermedai.inference.check import generated_inputs

    made = generated_inputs(read_manifest(bundle), Ledger())
    return {name: replace(volume, modality=volume.modality or "MR") for name, volume in made.items()}


def _counted(volumes: dict[str, Any]) -> str:
    first, several = next(iter(volumes.values())), f"{len(volumes)} " if len(volumes) > 1 else ""
    return f"{several}{first.modality} {'x'.join(map(str, first.geometry.shape))}"


def _written(volumes: dict[str, Any], folder: Path) -> dict[str, Path]:
    """A series for each image, of one patient and frame of reference."""
    from Testing.fixtures.series_spec import SeriesSpec
    from Testing.fixtures.series_writer import write_series

    for number, (name, volume) in enumerate(volumes.items(), 1):
        spec = SeriesSpec(modality=volume.modality, description=f"AX {name}", series_number=number)
        write_series(volume, folder / str(number), spec=spec)
    return {name: folder / str(number) for number, name in enumerate(volumes, 1)}


def _run(bundle: Path, series: dict[str, Path], output: Path, formats: tuple[str, ...]) -> Path:
    from slicermedai.bundles.consent import agree
    from slicermedai.bundles.manifest import read_manifest
    from slicermedai.bundles.store import Title
    from slicermedai.cli.execute import execute
    from slicermedai.jobs.specs import RunJob

    ref = read_manifest(bundle).ref
    agree(Title(name=ref.name, version=ref.version), "whoever started this bench", bundle)
    (first, source), *others = series.items()
    job = RunJob(
        source=str(source),
        bundle=str(bundle),
        output=str(output),
        inputs=tuple(f"{name}={path}" for name, path in others),
        shows=first if others else "",
        formats=formats,
        device="cpu",
        report=False,
    )
    return execute(job, job_id="bench")


# --- what others read ------------------------------------------------------------------------------------------------


def judged(result: Any, folder: Path, *, grid: Any) -> str:
    """What the DICOM objects in ``folder`` hold, in words; ``grid`` is the geometry of the series as it was generated.

    Raises
    ------
    DiffersError
        Nothing was found, an object is missing or has errors, or says otherwise than ``result``.
    """
    if not result.findings:
        raise DiffersError("nothing was found, so that there is no object to read")
    masks, boxes = _apart(result)
    seg = [_segments(_kept(folder, "seg.dcm"), masks, grid)] if masks else []
    reports = [("sr.dcm", masks)] * bool(masks) + [("sr-regions.dcm", boxes)] * bool(boxes)
    read = [_groups(_kept(folder, name), findings) for name, findings in reports]
    return ", ".join([*seg, *read, *_valid(sorted(folder.glob("*.dcm")))])


def _apart(result: Any) -> tuple[list[Any], list[Any]]:
    """(findings of voxels, findings of boxes); there is no other kind."""
    from slicermedai.domain.finding import Box, Mask, PackedMask

    masks = [one for one in result.findings if isinstance(one.region, Mask | PackedMask)]
    boxes = [one for one in result.findings if isinstance(one.region, Box)]
    if len(masks) + len(boxes) < len(result.findings):
        raise DiffersError("a finding has neither voxels nor a box")
    return masks, boxes


def _found(result: Any) -> str:
    masks, boxes = _apart(result)
    said = [f"{len(masks)} regions" if masks else "", f"{len(boxes)} boxes" if boxes else ""]
    return ", ".join(filter(None, said)) or "nothing"


def _kept(folder: Path, name: str) -> Path:
    if not (folder / name).exists():
        raise DiffersError(f"there is no {name}")
    return folder / name


def _segments(path: Path, findings: Sequence[Any], grid: Any) -> str:
    """Each segment has as many voxels as its finding, around the same place, all on the grid of the source."""
    import highdicom

    read = highdicom.seg.segread(path)
    if len(read.segment_numbers) != len(findings):
        raise DiffersError(f"the SEG has {len(read.segment_numbers)} segments for {len(findings)} findings")
    for number, one in zip(read.segment_numbers, findings, strict=True):
        volume = read.get_volume(segment_numbers=[number], combine_segments=True)
        _check_grid(volume, grid)
        wanted = _summed(one.region.to_array(), one.region.geometry.affine)
        if not _agree(_summed(volume.array > 0, volume.affine), wanted):
            raise DiffersError(f"segment {number} has other voxels than its finding")
        if read.get_segment_description(number).tracking_uid != one.tracking_uid:
            raise DiffersError(f"segment {number} has another tracking UID than its finding")
    return f"SEG of {len(findings)}"


def _check_grid(volume: Any, grid: Any) -> None:
    from slicermedai.domain.geometry import Geometry

    if not Geometry(shape=volume.spatial_shape, affine=volume.affine).same_box(grid):
        raise DiffersError("the SEG lies on another grid than the series")


def _summed(mask: Any, affine: Any) -> tuple[int, Any]:
    """How many voxels, and their middle, LPS mm."""
    import numpy as np

    index = np.argwhere(mask)
    return len(index), affine[:3, :3] @ index.mean(axis=0) + affine[:3, 3] if len(index) else np.zeros(3)


def _agree(found: tuple[int, Any], wanted: tuple[int, Any]) -> bool:
    return found[0] == wanted[0] and bool(abs(found[1] - wanted[1]).max() < FAR)


def _groups(path: Path, findings: Sequence[Any]) -> str:
    """A report has one group for each finding, and a box lies in it where it was found."""
    import highdicom

    read = highdicom.sr.srread(path).content.get_volumetric_roi_measurement_groups()
    if [one.tracking_uid for one in read] != [one.tracking_uid for one in findings]:
        raise DiffersError(f"{path.name} has {len(read)} groups for {len(findings)} findings, or of others")
    for group, one in zip(read, findings, strict=True):
        if not _is_there(group, one.region):
            raise DiffersError(f"{path.name} has a finding at another place")
    return f"SR of {len(findings)}"


def _is_there(group: Any, region: Any) -> bool:
    """A box by its two ends; what has voxels refers to its segment."""
    import numpy as np

    if not hasattr(region, "low"):
        return group.referenced_segment is not None
    points = np.concatenate(group.roi.graphic_data)
    ends = np.array([points.min(axis=0), points.max(axis=0)])
    return bool(abs(ends - np.array([region.low, region.high])).max() < FAR)


def _valid(paths: Sequence[Path]) -> list[str]:
    """What dciodvfy says; where it is not installed, that."""
    from Testing.export.validators import dciodvfy_errors

    try:
        errors = [f"{path.name}: {error}" for path in paths for error in dciodvfy_errors(path)]
    except unittest.SkipTest:
        return ["dciodvfy is not installed"]
    if errors:
        raise DiffersError(f"dciodvfy counts {len(errors)} errors, the first in {errors[0]}")
    return ["dciodvfy 0 errors"]


# --- weights ---------------------------------------------------------------------------------------------------------


def keep_weights(network: Any, bundle: Path) -> None:
    """Write what ``network`` has been made with as the weights of the bundle, and pin them in its entry."""
    import torch

    path = bundle / "models" / "model.pt"
    torch.save(network.state_dict(), path)
    entry = json.loads((bundle / "medai.json").read_text("utf-8"))
    entry["weights"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (bundle / "medai.json").write_text(json.dumps(entry))
