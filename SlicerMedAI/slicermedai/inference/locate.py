"""A coarse look with a network of its own, so that the close look sees the structure alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.domain.volume import Volume
from slicermedai.inference.framing import Extent, Framing, extent_of
from slicermedai.inference.metatensor import geometry_of
from slicermedai.inference.not_a_number import checked
from slicermedai.inference.regions import largest_component
from slicermedai.inference.shadow import scores_of


def located(
    prepare: Callable[[Volume], Any], network: Any, *, coarse: Volume, framing: Framing, logits: bool
) -> Extent | None:
    """The extent of what ``network`` sees in the ``coarse`` image; None where it sees nothing."""
    tensor = prepare(coarse)
    with torch.inference_mode():
        output = checked(scores_of(network(tensor.as_tensor()[None])))[0].float().cpu()
    if logits:
        output = torch.sigmoid(output) if output.shape[0] == 1 else torch.softmax(output, dim=0)
    found = np.asarray(output[-1].numpy())
    weight = found * largest_component(found > 0.5)
    along = _along_lps(weight, geometry_of(tensor).affine)
    corners = coarse.geometry.corners
    box = Extent(low=corners.min(axis=0), high=corners.max(axis=0))
    return extent_of(along, box, smallest_shares=np.full(3, framing.smallest_share))


def _along_lps(array: NDArray[np.float32], affine: NDArray[np.float64]) -> NDArray[np.float32]:
    """An array on a grid along the patient axes, turned so that its axes run to left, posterior, superior."""
    order = np.abs(affine[:3, :3]).argmax(axis=1)
    turned = array.transpose(order)
    return np.asarray(np.flip(turned, tuple(a for a in range(3) if affine[a, order[a]] < 0)))
