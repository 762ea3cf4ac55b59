"""Whether saliency maps of one model say anything: what was measured, what was wanted, what is said of them.

Each measure is a plain function of arrays and of a callable score, so that any method can be held against it, ours and
the trivial ones. Definitions: randomisation after Adebayo et al. (NeurIPS 2018), insertion and deletion after Petsiuk
et al. (BMVC 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.stats import rankdata

Array = NDArray[np.float32]
Score = Callable[[Array], float]
LEAST_GAIN, LEAST_LEAD, MOST_RHO, LEAST_AUROC, LEAST_REPEAT = 0.70, 0.30, 0.35, 0.90, 0.99
LEAST_CASES, LEAST_SEEDS = 10, 5
LEAST_ADDITIVE = 0.99
_SHARES = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaliencyQuality:
    """What checks of one method on one model gave; None is what was not run.

    Parameters
    ----------
    cases, seeds:
        How many images, each of another patient, and how many randomisations of each gave a map.
    gain, plain, distance, noise:
        Mean insertion minus deletion of the method, of Grad-CAM at the same layer, and of the trivial maps: nearness
        to the target, and chance.
    rho:
        Mean size (without its sign) of the rank correlation of the map with that of the network after its weights were
        randomised.
    shortcut:
        Mean AUROC with which the map finds a planted marker that the network was trained to go by.
    repeat:
        Smallest correlation of the map with that of a second run.
    additive:
        Mean correlation of the map that the windows' maps add up to with that of one window over all of them.
    of_image:
        Whether the target is a label of the whole image, so that ``distance`` is nearness to the image's middle.
    """

    method: str
    cases: int = 0
    seeds: int = 0
    gain: float | None = None
    plain: float | None = None
    distance: float | None = None
    noise: float | None = None
    rho: float | None = None
    shortcut: float | None = None
    repeat: float | None = None
    additive: float | None = None
    of_image: bool = False

    @property
    def failures(self) -> tuple[str, ...]:
        """Which checks failed or were never run, in words; () where all passed."""
        enough = self.cases >= LEAST_CASES and self.seeds >= LEAST_SEEDS
        gain, distance, noise, rho = self.gain, self.distance, self.noise, self.rho
        checks = (
            (enough, f"images of {self.cases} patients with {self.seeds} randomisations are too few"),
            (_above(gain, LEAST_GAIN), f"insertion minus deletion {_said(gain)}, wanted {LEAST_GAIN:.2f}"),
            (self._leads, f"lead over Grad-CAM {_said(self.lead)}, wanted {LEAST_LEAD:.2f}"),
            (_above(gain, distance), f"not above nearness to {self._near} ({_said(distance)})"),
            (_above(gain, noise), f"not above chance ({_said(noise)})"),
            (rho is not None and abs(rho) <= MOST_RHO, f"rank correlation with randomised weights {_said(rho)}"),
            (_above(self.shortcut, LEAST_AUROC), f"planted marker found with an AUROC of {_said(self.shortcut)}"),
            (_above(self.repeat, LEAST_REPEAT), f"correlation with a second run {_said(self.repeat)}"),
            (_above(self.additive, LEAST_ADDITIVE), f"correlation of windows with all at once {_said(self.additive)}"),
        )
        return tuple(words for passed, words in checks if not passed)

    @property
    def lead(self) -> float | None:
        """How far insertion minus deletion is above that of Grad-CAM; None where one of the two was not measured."""
        return None if self.gain is None or self.plain is None else self.gain - self.plain

    @property
    def _near(self) -> str:
        return "the middle of the image" if self.of_image else "the target"

    @property
    def _leads(self) -> bool:
        return self.method == "gradcam" or _above(self.lead, LEAST_LEAD)

    @property
    def in_words(self) -> str:
        """For whoever sees the map; what was not run counts as failed."""
        if self.failures:
            return f"saliency not validated: {'; '.join(self.failures)}"
        return (
            f"checked on {self.cases} patients: insertion minus deletion {_said(self.gain)} (nearness to {self._near} "
            f"{_said(self.distance)}, chance {_said(self.noise)}, Grad-CAM {_said(self.plain)}), rank correlation with "
            f"randomised weights {_said(self.rho)}, planted marker AUROC {_said(self.shortcut)}, correlation of "
            f"windows with all at once {_said(self.additive)}"
        )


def _above(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value >= limit


def _said(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"


def insertion_minus_deletion(score: Score, image: Array, cover: Array, saliency: Array) -> float:
    """The area under the score when the most salient voxels come first into ``cover``, less that when they leave first.

    Parameters
    ----------
    score:
        From an image to how sure the network is of the target, 0 to 1.
    image, cover, saliency:
        (a, b, c), the first two also (channels, a, b, c); ``cover`` is what stands where nothing of the image is seen.
        Ties keep the order of the voxels.
    """
    order = np.argsort(-saliency.ravel(), kind="stable")
    inserted = _area(score, cover, image, order)
    return inserted - _area(score, image, cover, order)


def rank_correlation(first: Array, second: Array) -> float:
    """Spearman's rho of two maps; 0 where one of them is constant."""
    a, b = rankdata(first.ravel()), rankdata(second.ravel())
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def marker_auroc(saliency: Array, marker: NDArray[np.bool_]) -> float:
    """With what probability a voxel of the marker is more salient than one outside; a tie counts one half."""
    inside, outside = int(marker.sum()), int((~marker).sum())
    ranks = rankdata(saliency.ravel())[marker.ravel()]
    return float((ranks.sum() - inside * (inside + 1) / 2) / (inside * outside))


def pearson(first: Array, second: Array) -> float:
    """Pearson's correlation of two maps; 0 where one of them is constant."""
    a, b = first.ravel().astype(np.float64), second.ravel().astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def nearness(mask: NDArray[np.bool_], spacing: Sequence[float] = (1.0, 1.0, 1.0)) -> Array:
    """The trivial map: how near a voxel is to the target, a bool mask with a voxel at least; no network is asked."""
    return np.asarray(-distance_transform_edt(~mask, sampling=spacing), dtype=np.float32)


def middle_of(shape: Sequence[int]) -> NDArray[np.bool_]:
    """The voxel in the middle of an image: the trivial target of what is asked of the image as a whole."""
    mask = np.zeros(tuple(shape), dtype=bool)
    mask[tuple(n // 2 for n in shape)] = True
    return mask


def _area(score: Score, start: Array, end: Array, order: NDArray[np.intp]) -> float:
    values = []
    for share in _SHARES:
        seen, chosen = start.reshape(-1, order.size).copy(), order[: round(share * order.size)]
        seen[:, chosen] = end.reshape(-1, order.size)[:, chosen]
        values.append(score(seen.reshape(start.shape)))
    return float(np.trapezoid(values, _SHARES))
