"""What a whole-body segmentation costs as DICOM SEG: ours, plain highdicom and dcmqi, each in a process of its own.

105 generated organs on a CT of 512 x 512 x 300. Time is from the masks in memory to the file (of dcmqi: from its input
files), memory the peak of the process, with the masks and the headers of the source, without its voxels.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

GRID, BLOCKS = (300, 512, 512), (3, 5, 7)
ORGANS = int(np.prod(BLOCKS))
_PREPARED = "prepared"
GOALS = {"ours, LABELMAP": (1.5, 0.3), "ours, BINARY": (8.5, None)}
"""Row -> (seconds, GiB) at most."""


def main(arguments: list[str]) -> int:
    """Print the table; 0 where every row that is installed was measured."""
    parser = argparse.ArgumentParser(prog="Scripts/bench seg", description=__doc__)
    parser.add_argument("--slices", type=int, default=GRID[0], help=f"of the CT (default: {GRID[0]})")
    parser.add_argument("--one", choices=[_PREPARED, *sorted(ROWS)], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one == _PREPARED:
        prepare(given.folder, slices=given.slices)
        return 0
    if given.one:
        print(json.dumps(ROWS[given.one](given.folder)))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-seg-") as folder:
        subprocess.run([*_command(_PREPARED, Path(folder)), "--slices", str(given.slices)], check=True)
        return max(_row(name, Path(folder)) for name in ROWS)


def _command(name: str, folder: Path) -> list[str]:
    """A process of its own. A new process counts as its peak what its parent holds: so this one stays small."""
    return [sys.executable, __file__, "--one", name, "--folder", str(folder)]


def _row(name: str, folder: Path) -> int:
    done = subprocess.run(_command(name, folder), capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name:22} NOT MEASURED: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'failed'}")
        return 1
    found = json.loads(done.stdout.splitlines()[-1])
    if "absent" in found:
        print(f"{name:22} absent: {found['absent']}")
        return 0
    seconds, memory, size = found["seconds"], found["memory"] / 2**30, found["bytes"] / 1e6
    goal = GOALS.get(name)
    missed = goal is not None and (seconds > goal[0] or (goal[1] is not None and memory > goal[1]))
    wanted = f"goal {goal[0]} s{f', {goal[1]} GiB' if goal[1] else ''}: {'MISSED' if missed else 'met'}" if goal else ""
    told = f"{name:22} {seconds:7.2f} s ({found['cpu']:6.2f} CPU)  {memory:5.2f} GiB  {size:8.1f} MB  {wanted}"
    print(told.rstrip(), flush=True)
    return 0


# --- what is written ---------------------------------------------------------------------------------------------


def prepare(folder: Path, *, slices: int) -> None:
    """The source's headers, the label map as an array, and what dcmqi takes."""
    from slicermedai.domain.volume import Volume
    from Testing.fixtures.series_writer import SeriesSpec, write_series

    labels = organs((slices, *GRID[1:]))
    np.save(folder / "labels.npy", labels)
    volume = Volume(array=np.zeros(labels.shape, np.int16), geometry=_grid(labels.shape), modality="CT")
    write_series(volume, folder / "source", spec=SeriesSpec(modality="CT"))


def _grid(shape: tuple[int, ...]) -> Any:
    from slicermedai.domain.geometry import Geometry

    slices, rows, columns = shape
    return Geometry.from_axes((slices, rows, columns), spacing=(2.0, 0.8, 0.8), origin=(-200.0, -200.0, 0.0))


def organs(shape: tuple[int, ...]) -> np.ndarray:
    """Ellipsoids numbered 1 to 105, a block of the grid each, of sizes that differ."""
    labels = np.zeros(shape, np.uint8)
    rng = np.random.default_rng(1)
    for number, block in enumerate(np.ndindex(*BLOCKS), 1):
        sides = [slice(n * at // of, n * (at + 1) // of) for n, at, of in zip(shape, block, BLOCKS, strict=True)]
        radius = rng.uniform(0.5, 1.0)
        axes = np.meshgrid(*[np.linspace(-1, 1, side.stop - side.start) for side in sides], indexing="ij", sparse=True)
        labels[tuple(sides)][sum(axis**2 for axis in axes) < radius**2] = number
    return labels


def _headers(folder: Path) -> list[Any]:
    from pydicom import dcmread

    found = [dcmread(path, stop_before_pixels=True) for path in (folder / "source").iterdir()]
    return sorted(found, key=lambda header: float(header.ImagePositionPatient[2]))


def _measured(write: Callable[[], Path]) -> dict[str, float]:
    began, used = time.perf_counter(), _cpu()
    path = write()
    seconds, cpu = time.perf_counter() - began, _cpu() - used
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"seconds": seconds, "cpu": cpu, "memory": peak * 1024, "bytes": path.stat().st_size}


def _cpu() -> float:
    """Seconds of processor time of this process and of those that it waited for."""
    return sum(os.times()[:4])


def _ours(folder: Path, kind: str) -> dict[str, float]:
    """The writer alone, given a result: as a run calls it after the network."""
    from slicermedai import __version__
    from slicermedai.domain.finding import Finding, Mask
    from slicermedai.domain.volume import LabelMap
    from slicermedai.export.context import make_context
    from slicermedai.export.formats import FORMATS
    from Testing.export.cases import BRAIN_LABEL, a_result, in_space

    headers, labels = tuple(_headers(folder)), np.load(folder / "labels.npy")
    geometry = in_space(_grid(labels.shape), headers)
    shared = LabelMap(array=labels, geometry=geometry)
    findings = tuple(
        Finding(tracking_uid=f"2.25.{number}", label=BRAIN_LABEL, region=Mask(label_map=shared, value=number))
        for number in range(1, ORGANS + 1)
    )
    result = a_result(geometry, headers, findings)
    context, write = make_context(result, headers, version=__version__), FORMATS[kind].write
    return _measured(lambda: write(result, folder, context=context)[-1])


def _highdicom(folder: Path, kind: str) -> dict[str, float]:
    import highdicom as hd
    from pydicom.sr.codedict import codes
    from pydicom.uid import ExplicitVRLittleEndian, RLELossless

    headers, labels = _headers(folder), np.load(folder / "labels.npy")
    algorithm = hd.AlgorithmIdentificationSequence("bench", codes.DCM.ArtificialIntelligence, "1")
    described = [
        hd.seg.SegmentDescription(
            number, f"organ {number}", codes.SCT.Organ, codes.SCT.Brain, "AUTOMATIC", algorithm_identification=algorithm
        )
        for number in range(1, ORGANS + 1)
    ]

    options = {
        "series_instance_uid": hd.UID(),
        "series_number": 1,
        "sop_instance_uid": hd.UID(),
        "instance_number": 1,
        "manufacturer": "x",
        "manufacturer_model_name": "x",
        "software_versions": "1",
        "device_serial_number": "1",
        "transfer_syntax_uid": RLELossless if kind == "LABELMAP" else ExplicitVRLittleEndian,
    }

    def write() -> Path:
        made = hd.seg.Segmentation(headers, labels, hd.seg.SegmentationTypeValues[kind], described, **options)
        made.save_as(folder / f"highdicom-{kind}.dcm")
        return folder / f"highdicom-{kind}.dcm"

    return _measured(write)


def _dcmqi(folder: Path) -> dict[str, Any]:
    import SimpleITK

    program = shutil.which("itkimage2segimage", path=str(Path(sys.executable).parent)) or shutil.which(
        "itkimage2segimage"
    )
    if program is None:
        return {"absent": "itkimage2segimage (PyPI dcmqi)"}
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder / "source")))
    image = SimpleITK.GetImageFromArray(np.load(folder / "labels.npy"))
    image.CopyInformation(reader.Execute())
    SimpleITK.WriteImage(image, str(folder / "labels.nrrd"))
    (folder / "labels.json").write_text(json.dumps(_metadata()), encoding="utf-8")
    out = folder / "dcmqi.dcm"
    names = ("--inputImageList", "labels.nrrd", "--inputDICOMDirectory", "source", "--inputMetadata", "labels.json")
    command = [program, *names, "--outputDICOM", out.name, "--skip"]

    def write() -> Path:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return out

    return _measured(write)


def _metadata() -> dict[str, Any]:
    code = {"CodingSchemeDesignator": "SCT", "CodeValue": "12738006", "CodeMeaning": "Brain"}
    segment = {
        "SegmentAlgorithmType": "AUTOMATIC",
        "SegmentAlgorithmName": "bench",
        "SegmentedPropertyCategoryCodeSequence": {
            **code,
            "CodeValue": "123037004",
            "CodeMeaning": "Anatomical Structure",
        },
        "SegmentedPropertyTypeCodeSequence": code,
    }
    segments = [{**segment, "labelID": n, "SegmentDescription": f"organ {n}"} for n in range(1, ORGANS + 1)]
    return {"ContentCreatorName": "bench", "SeriesDescription": "bench", "segmentAttributes": [segments]}


ROWS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "ours, BINARY": lambda folder: _ours(folder, "seg"),
    "ours, LABELMAP": lambda folder: _ours(folder, "seg-labelmap"),  # after its twin, which it would write too
    "highdicom, LABELMAP": lambda folder: _highdicom(folder, "LABELMAP"),
    "highdicom, BINARY": lambda folder: _highdicom(folder, "BINARY"),
    "dcmqi, BINARY": _dcmqi,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
