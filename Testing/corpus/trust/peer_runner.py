"""Runs in the peers' own environment: one reference implementation over the arrays of a file; JSON on the last line.

``peer_runner.py NAME INPUT.npz``. Nothing of this project is imported here.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

warnings.simplefilter("ignore")


def netcal_metrics(given: Any) -> dict[str, float]:
    """ECE, ACE and MCE of 15 bins."""
    from netcal.metrics import ACE, ECE, MCE

    p, y = given["p"], given["y"].astype(int)
    return {name: float(kind(15).measure(p, y)) for name, kind in (("ece", ECE), ("ace", ACE), ("mce", MCE))}


def netcal_fit(given: Any) -> dict[str, float]:
    """CPU seconds of netcal's temperature and logistic fit, the shortest of three."""
    from netcal.scaling import LogisticCalibration, TemperatureScaling

    p, y = given["p"], given["y"].astype(int)

    def seconds(kind: Callable[[], Any]) -> float:
        taken = []
        for _ in range(3):
            start = time.process_time()
            kind().fit(p, y)
            taken.append(time.process_time() - start)
        return min(taken)

    return {"temperature_s": seconds(TemperatureScaling), "platt_s": seconds(LogisticCalibration)}


def sklearn_scores(given: Any) -> dict[str, float]:
    """Brier score and log loss."""
    from sklearn.metrics import brier_score_loss, log_loss

    p, y = given["p"], given["y"].astype(int)
    return {"brier": float(brier_score_loss(y, p)), "nll": float(log_loss(y, p))}


def torchmetrics_ece(given: Any) -> dict[str, float]:
    """ECE of 15 bins."""
    import torch
    from torchmetrics.functional.classification import binary_calibration_error

    p, y = torch.from_numpy(given["p"]), torch.from_numpy(given["y"].astype(np.int64))
    return {"ece": float(binary_calibration_error(p, y, n_bins=15, norm="l1"))}


def monai_bins(given: Any) -> dict[str, float]:
    """How many voxels MONAI's binning counts of ``count`` with one probability."""
    import torch
    from monai.metrics.calibration import calibration_binning

    p = torch.full((1, 1, int(given["count"])), 0.95)
    _, _, counts = calibration_binning(p, torch.ones_like(p), num_bins=15)
    return {"counted": float(counts.sum(dtype=torch.float64))}


def crepes_intervals(given: Any) -> dict[str, Any]:
    """Half widths of normalised split conformal intervals."""
    from crepes import ConformalRegressor

    regressor = ConformalRegressor()
    regressor.fit(residuals=given["residuals"], sigmas=given["sigmas"])
    made = regressor.predict_int(given["predicted"], sigmas=given["new_sigmas"], confidence=float(given["level"]))
    return {"half": ((made[:, 1] - made[:, 0]) / 2).tolist()}


def surface_distance(given: Any) -> dict[str, list[float]]:
    """HD95, ASSD and surface Dice for each pair of masks."""
    import surface_distance as sd

    found: dict[str, list[float]] = {"hd95": [], "assd": [], "nsd": []}
    for a, b, spacing in zip(given["reference"], given["predicted"], given["spacing"], strict=True):
        both = sd.compute_surface_distances(a, b, tuple(spacing))
        there, back = both["distances_gt_to_pred"], both["distances_pred_to_gt"]
        areas = both["surfel_areas_gt"], both["surfel_areas_pred"]
        total = areas[0].sum() + areas[1].sum()
        found["hd95"].append(float(sd.compute_robust_hausdorff(both, 95.0)))
        found["assd"].append(float((there @ areas[0] + back @ areas[1]) / total))
        found["nsd"].append(float(sd.compute_surface_dice_at_tolerance(both, float(given["tolerance"]))))
    return found


def monai_distances(given: Any) -> dict[str, Any]:
    """HD100 for each pair of masks, and the Dice of two empty ones."""
    import torch
    from monai.metrics import DiceMetric, compute_hausdorff_distance

    found = []
    for a, b, spacing in zip(given["reference"], given["predicted"], given["spacing"], strict=True):
        pair = [torch.from_numpy(x.astype(np.float32))[None, None] for x in (b, a)]
        found.append(
            float(compute_hausdorff_distance(*pair, include_background=True, spacing=list(map(float, spacing))))
        )
    empty = torch.zeros(1, 1, 8, 8, 8)
    return {"hd": found, "empty": str(float(DiceMetric(include_background=True)(empty, empty)))}


def monai_froc(given: Any) -> dict[str, float]:
    """MONAI's FROC score from scores of hits and false alarms."""
    from monai.metrics import compute_froc_curve_data, compute_froc_score

    fps, sensitivity = compute_froc_curve_data(
        given["alarms"], given["hits"], int(given["lesions"]), int(given["scans"])
    )
    rates = (0.125, 0.25, 0.5, 1, 2, 4, 8)
    return {"score": float(compute_froc_score(fps, sensitivity, rates))}


def sklearn_froc(given: Any) -> dict[str, float]:
    """CPM from scikit-learn's ROC curve over all candidates, as the challenge's own evaluation makes it."""
    from sklearn.metrics import roc_curve

    hits, alarms = given["hits"], given["alarms"]
    truth = np.concatenate([np.ones(hits.size), np.zeros(alarms.size)])
    fpr, tpr, _ = roc_curve(truth, np.concatenate([hits, alarms]))
    fps = fpr * alarms.size / int(given["scans"])
    sensitivity = tpr * hits.size / int(given["lesions"])
    return {"cpm": float(np.mean(np.interp([0.125, 0.25, 0.5, 1, 2, 4, 8], fps, sensitivity)))}


def main() -> None:
    """Run the function that is named."""
    name, path = sys.argv[1:]
    work: Callable[[Any], dict[str, Any]] = globals()[name]
    with np.load(path, allow_pickle=False) as given:
        print("\n" + json.dumps(work(given)))  # noqa: T201  # the answer goes to the parent process


if __name__ == "__main__":
    main()
