"""``Scripts/train_demo_detector``: train on generated patients, calibrate and validate on others; leaves a bundle."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from _train_detector import PATIENTS, SPACING, STEPS, WINDOW, trained

from slicermedai.bundles.registry import resolve
from slicermedai.cli.execute import execute
from slicermedai.confidence.models import manifest_of
from slicermedai.domain.observer import silent
from slicermedai.domain.storage import atomic_folder, write_text
from slicermedai.jobs.specs import CalibrateJob
from slicermedai.validate.cases import list_cases
from slicermedai.validate.detection import Detection, detection
from slicermedai.validate.lesions import run_scans
from slicermedai.validate.resampling import Resampling
from slicermedai.validate.running import ModelRun
from Testing.fixtures.thorax import Thorax, thorax

NAME, VERSION = "synthetic-nodules", "0.1"
WARNING = "synthetic-trained, not for patients"
LABEL = f"{WARNING[:1].upper()}{WARNING[1:]}: nodule"
"""The warning first: some objects keep the first characters of a name."""
WEIGHTS = "models/model.pt"
CALIBRATION, VALIDATION = range(5000, 5030), range(6000, 6040)
"""Seeds of patients that the training did not see."""
SEEDS_TRAINED = f"{PATIENTS.start} to {PATIENTS.stop - 1}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the bundle in a new folder."""
    parser = argparse.ArgumentParser(prog="Scripts/train_demo_detector", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build") / f"{NAME}@{VERSION}", help="folder to make")
    parser.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of the training (default: {STEPS})")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)  # the same sums in the same order everywhere
    state = trained(given.seed, steps=given.steps).state_dict()
    with atomic_folder(given.output) as folder, tempfile.TemporaryDirectory(prefix="medai-demo-") as scratch:
        write_bundle(folder, state)
        calibrated(folder, Path(scratch))
        found = validated(folder, Path(scratch))
        write_text(folder / "docs" / "README.md", card(words(found)))
    print(f"{given.output}: {words(found)}")
    return 0


def write_bundle(folder: Path, state: dict[str, torch.Tensor]) -> None:
    """Weights and descriptions of the bundle into an existing folder."""
    for part in ("configs", "models", "docs", "trust"):
        (folder / part).mkdir()
    torch.save(state, folder / WEIGHTS)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    for path, body in descriptions(digest).items():
        write_text(folder / path, json.dumps(body, indent=1) + "\n")


def descriptions(digest: str) -> dict[str, dict[str, Any]]:
    """What is written about weights of that SHA-256."""
    return {"configs/metadata.json": _metadata(), "configs/inference.json": _config(), "medai.json": _entry(digest)}


def calibrated(bundle: Path, scratch: Path) -> Path:
    """Leave the trust record of patients that were held out in the bundle.

    It speaks of images that are declared to be generated, and of no other. Runs declare none so, whatever they are
    given: it shows what a record is, and no run uses it.
    """
    table = write_cohort(scratch / "calibration", [(n, thorax(n)) for n in CALIBRATION])
    (scratch / "trained.txt").write_text("".join(f"generated {n}\n" for n in PATIENTS), encoding="utf-8")
    job = CalibrateJob(
        source=str(table), output=str(scratch / "calibrated"), bundle=str(bundle), labels=str(scratch / "labels.csv"),
        trained_on=str(scratch / "trained.txt"), generated=True, device="cpu",
    )  # fmt: skip
    (record,) = execute(job, job_id="demo").glob("*.trust.json")
    return record.rename(bundle / "trust" / record.name)


def validated(bundle: Path, scratch: Path) -> Detection:
    """How well the detector does on further patients that were held out."""
    ref = resolve(str(bundle))
    cases = list_cases(write_cohort(scratch / "validation", [(n, thorax(n)) for n in VALIDATION]))
    run = ModelRun(ref=ref, device="cpu")
    labels = scratch / "labels.csv"
    done, _ = run_scans(cases, manifest=manifest_of(ref), labels=labels, run=run, progress=silent)
    return detection(LABEL, [case.scans[1] for case in done], Resampling())


def write_cohort(folder: Path, patients: Sequence[tuple[int, Thorax]]) -> Path:
    """A table of generated patients: images as NIfTI, nodules as markups, and beside the folder the labels' table."""
    folder.mkdir()
    (folder.parent / "labels.csv").write_text("reference,label\nNodule,1\n", encoding="utf-8")
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case", "image", "reference", "subject"])
        for number, made in patients:
            save_nifti(made, folder / f"{number}.nii")
            write_markups(made, folder / f"{number}.mrk.json")
            writer.writerow([number, f"{number}.nii", f"{number}.mrk.json", f"generated {number}"])
    return folder / "cases.csv"


def save_nifti(made: Thorax, path: Path) -> None:
    """The image; NIfTI's axes run to right, anterior and superior where ours run to left, posterior and superior."""
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ made.volume.geometry.ijk_to_lps
    nibabel.save(nibabel.Nifti1Image(made.volume.array.transpose(2, 1, 0), affine), path)


def write_markups(made: Thorax, path: Path) -> None:
    """Points that say how large their nodules are, as 3D Slicer saves them."""
    points = [
        {"label": f"Nodule-{n}", "description": f"diameter {one.diameter:.2f} mm", "position": list(one.center)}
        for n, one in enumerate(made.nodules, 1)
    ]
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": points}
    path.write_text(json.dumps({"markups": [markup]}), encoding="utf-8")


def words(found: Detection) -> str:
    """What the validation found, in a line."""
    assert found.cpm is not None and found.curve is not None
    return (
        f"CPM {found.cpm.words}, sensitivity {found.curve.at(1.0):.2f} at one false alarm a scan; {found.lesions} "
        f"nodules in {found.scans} generated scans"
    )


def card(validation: str) -> str:
    """The model card, with what the validation found in words."""
    return f"""# {NAME} {VERSION}: {WARNING}

A detector of roundish things in the lungs of **generated** CT images. It shows how candidates, their probabilities and
reports look. It was never shown a real image, and what it finds in one means nothing.

- **Made by** `Scripts/train_demo_detector` in this repository, from seeds; no patient's image is in it.
- **Training**: {len(PATIENTS)} generated patients (seeds {SEEDS_TRAINED}), {STEPS} steps on one processor core.
- **Network**: `slicermedai.inference.spots.SpotNet`, a small network at {SPACING:g} mm; 140 kB of weights.
- **Input**: CT of the thorax, {WINDOW[0]:g} to {WINDOW[1]:g} HU.
- **Output**: boxes coded as nodule (SNOMED CT 27925004), each with a score.
- **Validation**: {validation} that neither training nor calibration saw.
- **Trust record**: `trust/`, of {len(CALIBRATION)} other generated patients. It applies to images alone whose headers
  say that they are generated (Synthetic Data, 0008,001C); of every other image a run says "not calibrated". It makes
  no light green, of no image.
- **Licence**: Apache-2.0. Research and demonstration only; not a medical device.
"""


def _metadata() -> dict[str, Any]:
    return {
        "version": VERSION,
        "changelog": {VERSION: "first version"},
        "monai_version": "1.6.1",
        "name": f"Nodules in generated CT: {WARNING}",
        "task": "detection",
        "description": f"A demonstration detector, {WARNING}.",
        "authors": "The SlicerMedAI contributors",
        "copyright": "Apache-2.0",
        "intended_use": _USE,
        "network_data_format": {"inputs": {"image": {"modality": "CT", "num_channels": 1}}},
    }


def _config() -> dict[str, Any]:
    low, high = WINDOW
    scaled = {"a_min": low, "a_max": high, "b_min": 0.0, "b_max": 1.0, "clip": True}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("LoadImaged", {}),
        ("EnsureChannelFirstd", {}),
        ("Orientationd", {"axcodes": "RAS"}),
        ("Spacingd", {"pixdim": [SPACING] * 3, "mode": "bilinear"}),
        ("ScaleIntensityRanged", scaled),
    ]
    transforms = [{"_target_": target, "keys": "image", **rest} for target, rest in steps]
    return {
        "image_key": "image",
        "network_def": {"_target_": "slicermedai.inference.spots.SpotNet"},
        "detector": {"_target_": "slicermedai.inference.spots.SpotDetector", "threshold": 0.25, "most": 40},
        "preprocessing": {"_target_": "Compose", "transforms": transforms},
        "inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {"_target_": "Compose", "transforms": []},
    }


def _entry(digest: str) -> dict[str, Any]:
    category = {"value": "49755003", "scheme": "SCT", "meaning": "Morphologically Abnormal Structure"}
    nodule = {"value": "27925004", "scheme": "SCT", "meaning": "Nodule"}
    return {
        "medai": 1,
        "name": NAME,
        "task": "detection",
        "modality": ["CT"],
        "weights": {"file": WEIGHTS, "sha256": digest},
        "labels": [{"value": 1, "name": LABEL, "category": category, "type": nodule, "color": [230, 90, 60]}],
        "field_of_view_mm": [150, 600],
        "body_parts": ["CHEST"],
        "licence": "Apache-2.0",
        "intended_use": _USE,
        "demonstration": True,
    }


_USE = f"{WARNING[:1].upper()}{WARNING[1:]}: shows how candidates, their probabilities and reports look."
