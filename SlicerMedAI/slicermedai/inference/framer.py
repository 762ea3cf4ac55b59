"""What the network is to see of an image, where its bundle has a coarse look find the structure first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.volume import Volume
from slicermedai.inference.adapter.adapt import Adapted
from slicermedai.inference.adapter.inputs import need_one
from slicermedai.inference.back import Timed
from slicermedai.inference.fitness import extent_warnings
from slicermedai.inference.framing import Extent, Framing, content_extent, framed
from slicermedai.inference.locate import located


@dataclass(frozen=True, slots=True, kw_only=True)
class Framer:
    """Frames images; ``load`` makes the network of a part of the configuration with a file of weights, on ``device``.

    ``timed`` times a step, and ``warnings`` collects what a person must know.
    """

    manifest: Manifest
    device: str
    load: Callable[[str, str], Any]
    timed: Timed
    warnings: list[str]

    def images(self, adapted: Adapted, volumes: dict[str, Volume]) -> dict[str, Volume] | None:
        """What the network is to see; the images as they are where the bundle frames nothing, None where nothing is."""
        entry = self.manifest.framing
        if entry is None:
            return volumes
        framing = Framing.from_entry(entry, file=self.manifest.ref.path)
        volume = need_one(volumes, title=adapted.file)
        with self.timed("frame", "box of the image's content along the patient axes"):
            content = content_extent(volume)
            coarse = framed(volume, content.grid(framing.coarse_shape))
        found = self._located(adapted, framing, coarse, content)
        if found is None:
            self.warnings.append("the model's locator found nothing in this image")
            return None
        self.warnings.extend(extent_warnings(found.size, framing.extent_mm))
        close = found.widened(framing.margin)
        with self.timed("resample", _grid_words(close, framing.close_shape)):
            return {next(iter(volumes)): framed(volume, close.grid(framing.close_shape))}

    def _located(self, adapted: Adapted, framing: Framing, coarse: Volume, box: Extent) -> Extent | None:
        steps = adapted.steps(framing.preprocessing)
        with self.timed("load locator", ""):
            network = self.load(framing.network, framing.weights)
        with self.timed("locate", _grid_words(box, framing.coarse_shape)):
            return located(
                lambda volume: steps.apply({steps.names[0]: volume}),
                lambda window: network(window.to(self.device)),
                coarse=coarse,
                framing=framing,
                logits=adapted.manifest.outputs == "logits",
            )


def _grid_words(box: Extent, shape: tuple[int, ...]) -> str:
    millimetres = " x ".join(f"{edge:.1f}" for edge in box.size)
    return f"{'x'.join(map(str, shape))} voxels over {millimetres} mm (left, posterior, superior)"
