"""D1, O1 and V1: detection by LUNA16's rules, out-of-distribution alarms, distances on boxes."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter

from slicermedai.confidence.appearance import appearance
from slicermedai.confidence.ood import OodState, fit_ood
from slicermedai.domain.geometry import Geometry
from slicermedai.validate.decisions import auc
from slicermedai.validate.froc import Candidate, Lesion, Outcome, Scan, cpm, froc, matched, outcomes
from slicermedai.validate.resampling import Resampling
from slicermedai.validate.segmentation import CaseName, score
from slicermedai.validate.surfaces import BorderDistances, border_distances
from Testing.corpus.trust.peers import Peers
from Testing.corpus.trust.phantoms import SHAPE, SPACING, Phantom, phantoms, smooth_field
from Testing.corpus.trust.rows import Row
from Testing.corpus.trust.study import volume_of

ALPHA = 0.05
SPLITS = 20
SPACINGS = ((1.0, 1.0, 1.0), (5.0, 0.7, 0.7), (0.5, 2.0, 1.25))
TOLERANCE = 2.0


# --- D1 ----------------------------------------------------------------------------------------------------------


def detection_rows(seed: int, peers: Peers) -> list[Row]:
    """A perfect detector, and a random one against scikit-learn by the challenge's own way."""
    perfect = [_perfect_scan(n) for n in range(20)]
    how = Resampling(rounds=200, seed=seed)
    found = cpm(perfect, how=how)
    theirs = peers.ask("monai_froc", **_scores([matched(scan) for scan in perfect]))
    scans = _random_scans(np.random.default_rng(seed))
    drawn = [matched(scan) for scan in scans]
    ours, sklearn = cpm(scans, how=how), peers.ask("sklearn_froc", **_scores(drawn))
    apart = abs(froc(drawn).cpm - sklearn["cpm"]) if sklearn else float("nan")
    return [
        Row("D1", "CPM of a perfect detector", "1.0", f"{found.value:.6f}", found.value == 1.0,
            f"MONAI {theirs['score']:.3f}" if theirs else peers.absent),
        Row("D1", "CPM of a random detector against scikit-learn's curve", "1e-9", f"{apart:.1e} apart",
            apart <= 1e-9 if sklearn else None, f"{sklearn['cpm']:.6f}" if sklearn else peers.absent),
        Row("D1", "CPM has an interval over patients", "printed", ours.words, ours.interval is not None),
        by_the_rules(),
    ]  # fmt: skip


def by_the_rules() -> Row:
    """Each rule of LUNA16 on a scan of its own, by hand."""
    lesion = Lesion(position=(0.0, 0.0, 0.0), diameter=8.0)
    other = Lesion(position=(50.0, 0.0, 0.0), diameter=8.0, excluded=True)
    inside, again = Candidate(position=(0.5, 0, 0), score=0.9), Candidate(position=(1.0, 0, 0), score=0.8)
    far, in_other = Candidate(position=(99.0, 0, 0), score=0.9), Candidate(position=(50.0, 0.5, 0.0), score=0.99)
    checks = {
        "double hits": outcomes(_scan((lesion,), (again, inside))) == (Outcome.AGAIN, Outcome.HIT),
        "exclusions": outcomes(_scan((lesion, other), (in_other,))) == (Outcome.EXCLUDED,)
        and matched(_scan((lesion, other), ())).lesions == 1,
        "negative scans": froc([matched(_scan((), (far,))), matched(_scan((lesion,), (inside,)))]).false_alarms.max()
        == 0.5,
        "ties": froc([matched(_scan((lesion,), (inside, far)))]).sensitivity[-1] == 1.0
        and not (froc([matched(_scan((lesion,), (inside, far)))]).false_alarms[1:] == 0).any(),
    }
    failed = [name for name, right in checks.items() if not right]
    held = f"{len(checks) - len(failed)} of {len(checks)}"
    return Row("D1", "LUNA16's rules, each by itself", "all", held, not failed,
               "; ".join(failed) or ", ".join(checks))  # fmt: skip


def _scan(lesions: tuple[Lesion, ...], candidates: tuple[Candidate, ...]) -> Scan:
    return Scan(subject="1", lesions=lesions, candidates=candidates)


def _perfect_scan(number: int) -> Scan:
    lesion = Lesion(position=(0.0, 0.0, 0.0), diameter=8.0)
    return Scan(subject=str(number), lesions=(lesion,), candidates=(Candidate(position=(0.5, 0, 0), score=0.9),))


def _random_scans(rng: np.random.Generator) -> list[Scan]:
    """Sixty scans of forty patients; some without lesions, some lesions excluded, many ties and double hits."""
    scans = []
    for number in range(60):
        lesions = tuple(
            Lesion(
                position=tuple(rng.uniform(0, 200, 3)), diameter=rng.uniform(6, 30), excluded=bool(rng.random() < 0.2)
            )
            for _ in range(rng.integers(0, 4))
        )
        near = [tuple(np.add(x.position, rng.normal(0, x.diameter / 5, 3))) for x in lesions for _ in range(2)]
        far = [tuple(rng.uniform(0, 200, 3)) for _ in range(rng.integers(0, 12))]
        candidates = [Candidate(position=p, score=round(rng.beta(4, 2), 2)) for p in near if rng.random() < 0.7]
        candidates += [Candidate(position=p, score=round(rng.beta(2, 4), 2)) for p in far]
        scans.append(Scan(subject=str(number % 40), lesions=lesions, candidates=tuple(candidates)))
    return scans


def _scores(outcomes: list) -> dict[str, np.ndarray | int]:  # type: ignore[type-arg]
    return {
        "hits": np.concatenate([o.hits for o in outcomes]),
        "alarms": np.concatenate([o.false_alarms for o in outcomes]),
        "lesions": sum(o.lesions for o in outcomes),
        "scans": len(outcomes),
    }


# --- O1 ----------------------------------------------------------------------------------------------------------


def ood_rows(seed: int) -> list[Row]:
    """Five shifts of patients that the reference has not seen, and those patients as they are."""
    cases = list(phantoms(140, seed=seed, hard=False))
    seen, fresh = cases[:60], cases[60:]
    reference = fit_ood([_looks(c.image) for c in seen], subjects=[c.subject for c in seen])
    plain = [reference.strangeness(_looks(c.image)) for c in fresh]
    rng = np.random.default_rng(seed)
    made = []
    for name in ("noise", "blur", "offset", "crop", "other anatomy"):
        strange = [reference.strangeness(_looks(_shift(name, c, rng))) for c in fresh]
        area = auc(np.repeat([True, False], len(fresh)), np.array([*strange, *plain]))
        rung = np.mean([reference.report(_looks(_shift(name, c, rng))).state is OodState.OUTSIDE for c in fresh])
        made.append(Row("O1", f"AUROC of {name}", ">= 0.95", f"{area:.4f}", area >= 0.95, f"alarm in {rung:.0%}"))
    return [*made, _false_alarms([_looks(c.image) for c in cases], rng)]


def _false_alarms(looks: list[dict[str, np.ndarray]], rng: np.random.Generator) -> Row:
    """Over many splits: one reference's own rate varies by some hundredths, and the promise is of the mean."""
    rates = []
    for _ in range(SPLITS):
        order = rng.permutation(len(looks))
        reference = fit_ood([looks[n] for n in order[:60]], subjects=[str(n) for n in range(60)])
        rates.append(np.mean([reference.report(looks[n]).state is OodState.OUTSIDE for n in order[60:]]))
    mean, limit = float(np.mean(rates)), ALPHA + 2 * float(np.std(rates)) / np.sqrt(SPLITS)
    what = f"false alarms, all checks together, mean of {SPLITS} splits"
    said = f"60 patients in a reference, {len(looks) - 60} fresh; one split varies by {np.std(rates):.3f}"
    return Row("O1", what, f"<= {limit:.3f}", f"{mean:.3f}", mean <= limit, said)


def _looks(image: np.ndarray) -> dict[str, np.ndarray]:
    return appearance(volume_of(image, SPACING))


def _shift(name: str, case: Phantom, rng: np.random.Generator) -> np.ndarray:
    if name == "noise":
        return (case.image + rng.normal(0, 10, SHAPE)).astype(np.float32)
    if name == "blur":
        return np.asarray(gaussian_filter(case.image, 1.0))
    if name == "offset":
        return case.image + np.float32(15)
    if name == "crop":
        return case.image[:, :, : SHAPE[2] - 6]
    field = smooth_field(rng, SHAPE, 2.5)  # many small structures of the same brightness
    return np.asarray(
        20 + 100 * gaussian_filter((field > 0.9).astype(float), 0.7) + rng.normal(0, 5, SHAPE), np.float32
    )


# --- V1 ----------------------------------------------------------------------------------------------------------


def distance_rows(peers: Peers) -> list[Row]:
    """Boxes moved along each axis at each spacing, whose Hausdorff distance is known; blobs; empty masks."""
    pairs = list(product(SPACINGS, range(3), (1, 3)))
    boxes, spacings = [_pair(axis, steps) for _, axis, steps in pairs], [spacing for spacing, _, _ in pairs]
    exact = [steps * spacing[axis] for spacing, axis, steps in pairs]
    wrong = max(abs(d.hausdorff() - e) for d, e in zip(_compared(boxes, spacings), exact, strict=True))
    monai = peers.ask("monai_distances", **_given(boxes, spacings))
    off = max(abs(a - e) for a, e in zip(monai["hd"], exact, strict=True)) if monai else float("nan")
    said = f"MONAI {off:.2g} mm off" if monai else peers.absent
    what = f"Hausdorff distance of {len(pairs)} box pairs, 3 spacings"
    blobs = [(case.truth, case.prediction) for case in phantoms(12, seed=1)]
    return [
        Row("V1", what, "exact (1e-9 mm)", f"{wrong:.1e} mm off", wrong <= 1e-9, said),
        *_package_rows("boxes", boxes, spacings, peers),
        *_package_rows("ragged blobs", blobs, [SPACINGS[n % 3] for n in range(12)], peers),
        _empty_row(monai),
    ]


def _package_rows(what: str, masks: list, spacings: list, peers: Peers) -> list[Row]:  # type: ignore[type-arg]
    theirs, found, rows = peers.ask("surface_distance", **_given(masks, spacings)), _compared(masks, spacings), []
    for name, tolerance, ours in (
        ("hd95", 0.05, [d.hausdorff(95) for d in found]),
        ("assd", 0.02, [d.assd() for d in found]),
        ("nsd", 0.005, [d.surface_dice(TOLERANCE) for d in found]),
    ):
        apart = max(abs(a - b) for a, b in zip(ours, theirs[name], strict=True)) if theirs else float("nan")
        mean = f"surface-distance mean {np.mean(theirs[name]):.4f}" if theirs else peers.absent
        met = apart <= tolerance if theirs else None
        rows.append(Row("V1", f"{name.upper()} of {what} against surface-distance", f"within {tolerance}",
                        f"{apart:.2g} apart", met, mean))  # fmt: skip
    return rows


def _compared(masks: list, spacings: list) -> list[BorderDistances]:  # type: ignore[type-arg]
    grids = [Geometry.from_axes(a.shape, spacing=s) for (a, _), s in zip(masks, spacings, strict=True)]
    return [border_distances(a, b, grid) for (a, b), grid in zip(masks, grids, strict=True)]


def _given(masks: list, spacings: list) -> dict[str, object]:  # type: ignore[type-arg]
    reference, predicted = (np.stack(side) for side in zip(*masks, strict=True))
    return {"reference": reference, "predicted": predicted, "spacing": np.array(spacings), "tolerance": TOLERANCE}


def _pair(axis: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((18, 20, 22), dtype=bool)
    mask[4:11, 5:13, 6:14] = True
    return mask, np.roll(mask, steps, axis)


def _empty_row(monai: dict | None) -> Row:  # type: ignore[type-arg]
    empty, full = np.zeros((8, 8, 8), dtype=bool), np.ones((8, 8, 8), dtype=bool)
    geometry, name = Geometry.from_axes((8, 8, 8)), CaseName(case="c", subject="s", structure="x")
    both = score(empty, empty, geometry, name=name)
    missed, invented = score(full, empty, geometry, name=name), score(empty, full, geometry, name=name)
    right = (both.dice, missed.dice, invented.dice) == (1.0, 0.0, 0.0) and bool(np.isfinite(missed.hd95))
    return Row("V1", "Dice where both, the prediction, the reference is empty", "defined: 1, 0, 0",
               f"{both.dice:g}, {missed.dice:g}, {invented.dice:g}", right,
               f"MONAI both empty: {monai['empty']}" if monai else "")  # fmt: skip
