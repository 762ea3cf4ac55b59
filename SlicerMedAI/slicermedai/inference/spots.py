"""A small detector of roundish things: for each place of the image whether one is there, how large, and where exactly.

As CenterNet does it (Zhou et al., arXiv:1904.07850): local maxima of one map are the candidates, others give their size
and what their places lie off the grid. The demonstration detector is made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

STRIDE = 2
"""Voxels of the image for one place of the maps."""
_DEEPEST = 4
HEAT, SIZE, OFFSET = 0, 1, slice(2, 5)
_RARE = -4.0
"""The score of a place before training: nearly all of them hold nothing."""


class SpotNet(nn.Module):
    """(N, 1, a, b, c) image -> (N, 5, a/2, b/2, c/2): score (logit), logarithm of the diameter and offsets, in voxels.

    Place ``i`` of the maps lies at voxel ``2 i`` of the image. The image's edges are multiples of four.
    """

    def __init__(self, channels: int = 10) -> None:
        super().__init__()
        wide = 2 * channels
        self.fine = nn.Sequential(_block(1, channels, size=5, stride=2), _block(channels, channels))
        self.coarse = nn.Sequential(_block(channels, wide, stride=2), _block(wide, wide), _block(wide, wide))
        joined = _block(channels + wide, channels, size=1)
        self.both = nn.Sequential(joined, _block(channels, channels), nn.Conv3d(channels, 5, 1))
        nn.init.constant_(self.both[2].bias[HEAT : HEAT + 1], _RARE)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The maps of a batch of images."""
        fine = self.fine(image)
        wide = functional.interpolate(self.coarse(fine), size=fine.shape[2:], mode="trilinear", align_corners=False)
        return torch.as_tensor(self.both(torch.cat([fine, wide], dim=1)))


class SpotDetector:
    """Candidates of one image by a :class:`SpotNet`, with the surface of MONAI's detectors as far as a run needs it.

    Parameters
    ----------
    threshold:
        The smallest score of a candidate, 0 to 1.
    most:
        The largest number of candidates; the surest stay.
    """

    target_box_key, target_label_key, pred_score_key = "box", "label", "label_scores"
    nms_thresh = 0.22
    """From which overlap on boxes of two networks are one thing: the least that equal balls a radius apart have."""
    network: Any = None

    def __init__(self, threshold: float = 0.05, most: int = 40) -> None:
        self.threshold, self.most = threshold, most

    @property
    def detections_per_img(self) -> int:
        """As MONAI's detectors call it."""
        return self.most

    def eval(self) -> SpotDetector:
        """Nothing in it learns beside the network."""
        self.network.eval()
        return self

    def __call__(self, image: torch.Tensor, *, use_inferer: bool = False) -> list[dict[str, torch.Tensor]]:
        """Boxes (N, 6) from and to, in voxels of ``image`` (1, 1, a, b, c); their labels, all 0, and scores, (N,)."""
        edges = [-n % _DEEPEST for n in image.shape[2:]]
        filled = functional.pad(image, [part for n in reversed(edges) for part in (0, n)])
        maps = self.network(filled)[0].float()
        boxes, scores = spots_in(maps, threshold=self.threshold, most=self.most)
        inside = (boxes[:, :3] < torch.tensor(image.shape[2:], device=boxes.device)).all(dim=1)
        boxes, scores = boxes[inside], scores[inside]
        labels = torch.zeros(len(boxes), dtype=torch.long)
        return [{self.target_box_key: boxes, self.target_label_key: labels, self.pred_score_key: scores}]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Peaks:
    """Candidates, the surest first: ``boxes`` (N, 6) in voxels, ``places`` (N, 3) of the maps, ``scores`` (N,)."""

    boxes: torch.Tensor
    places: torch.Tensor
    scores: torch.Tensor


def spots_in(maps: torch.Tensor, *, threshold: float, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes (N, 6) in voxels and scores (N,) of (5, a, b, c) maps, the surest first; none in a surer one's ball."""
    found = peaks_in(maps, threshold=threshold, most=most)
    return found.boxes, found.scores


def peaks_in(maps: torch.Tensor, *, threshold: float, most: int) -> Peaks:
    """As :func:`spots_in`, with the places that the candidates come from."""
    heat = torch.sigmoid(maps[HEAT])
    peak = functional.max_pool3d(heat[None, None], 3, stride=1, padding=1)[0, 0] == heat
    places = torch.nonzero(peak & (heat >= threshold))
    scores = heat[tuple(places.T)]
    order = scores.argsort(descending=True, stable=True)
    places, scores = places[order], scores[order]
    values = maps[:, places[:, 0], places[:, 1], places[:, 2]]
    centres = STRIDE * places + values[OFFSET].T
    radii = values[SIZE].exp() / 2
    kept: list[int] = []
    for number in range(len(places)):
        apart = (centres[kept] - centres[number]).norm(dim=1) >= radii[kept]
        if bool(apart.all()):
            kept.append(number)
        if len(kept) == most:
            break
    boxes = torch.cat([centres - radii[:, None], centres + radii[:, None]], dim=1)
    return Peaks(boxes=boxes[kept], places=places[kept], scores=scores[kept])


def _block(inputs: int, outputs: int, *, size: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv3d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(outputs), nn.ReLU(inplace=True))
