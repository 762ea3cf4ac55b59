"""One sweep of one bundle over one image: frame, prepare, run the network, bring the labels back."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.observer import Progress
from slicermedai.domain.provenance import Step
from slicermedai.domain.volume import LabelMap, Volume
from slicermedai.errors import BundleError
from slicermedai.inference.fitness import extent_warnings, label_warnings
from slicermedai.inference.framing import Extent, Framing, content_extent, extent_of, framed
from slicermedai.inference.labels import Scores, cleaned, labels_on, mean_scores, probabilities_of
from slicermedai.inference.metatensor import geometry_of, to_metatensor
from slicermedai.inference.parts import (
    make_part,
    make_transforms,
    parser_of,
    read_postprocessing,
    transform_names,
)
from slicermedai.inference.regions import largest_component
from slicermedai.inference.task import Listeners, ScoreVolume


class NetworkLoader(Protocol):
    """How a network is loaded; see :func:`slicermedai.inference.network.load_network`."""

    def __call__(self, manifest: Manifest, *, part: str, weights: str, device: str) -> Any:
        """A callable network on ``device``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a sweep runs with."""

    manifest: Manifest
    device: str
    listeners: Listeners
    load: NetworkLoader


@dataclass(slots=True, eq=False)
class Sweep:
    """Runs once; afterwards ``steps``, ``warnings``, ``scores`` and ``kept`` say what was done and found."""

    setting: Setting
    steps: list[Step] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    scores: dict[int, float | None] = field(default_factory=dict)
    kept: ScoreVolume | None = None

    def run(self, volume: Volume) -> LabelMap:
        """Exclusive labels on the grid of ``volume``."""
        parser = parser_of(self.setting.manifest)
        image = self._framed(parser, volume)
        if image is None:
            self.scores = {value: None for value, _ in self._labels}
            return LabelMap(array=np.zeros(volume.geometry.shape, dtype=np.uint8), geometry=volume.geometry)
        found = self._scores(parser, image)
        return self._back(found, volume)

    @property
    def _file(self) -> str:
        return self.setting.manifest.ref.path

    @property
    def _labels(self) -> tuple[tuple[int, Any], ...]:
        return self.setting.manifest.ref.labels

    @contextlib.contextmanager
    def _step(self, name: str, detail: str = "") -> Iterator[None]:
        self.setting.listeners.progress(name, 0.0)
        start = time.perf_counter()
        yield
        self.steps.append(Step(name=name, detail=detail, seconds=time.perf_counter() - start))
        self.setting.listeners.progress(name, 1.0)

    # --- framing -----------------------------------------------------------------------------------------------

    def _framed(self, parser: Any, volume: Volume) -> Volume | None:
        """What the network is to see; the whole image where the bundle frames nothing, None where nothing is."""
        entry = self.setting.manifest.framing
        if entry is None:
            return volume
        framing = Framing.from_entry(entry, file=self._file)
        with self._step("frame", "box of the image's content along the patient axes"):
            content = content_extent(volume)
            coarse = framed(volume, content.grid(framing.coarse_shape))
        found = self._located(parser, framing, coarse, content)
        if found is None:
            self.warnings.append("the model's locator found nothing in this image")
            return None
        self.warnings += extent_warnings(found.size, framing.extent_mm)
        close = found.widened(framing.margin)
        with self._step("resample", _grid_words(close, framing.close_shape)):
            return framed(volume, close.grid(framing.close_shape))

    def _located(self, parser: Any, framing: Framing, coarse: Volume, box: Extent) -> Extent | None:
        with self._step("load locator"):
            network = self._network(framing.network, framing.weights)
        with self._step("locate", _grid_words(box, framing.coarse_shape)):
            tensor = make_transforms(parser, framing.preprocessing, file=self._file)(to_metatensor(coarse))
            with torch.inference_mode():
                output = network(tensor.as_tensor()[None].to(self.setting.device))[0]
            found = self._probabilities(output, "")[1]
            grid = geometry_of(tensor)
        weight = found * largest_component(found > 0.5)
        return extent_of(
            np.asarray(_along_lps(weight, grid.affine)), box, smallest_shares=np.full(3, framing.smallest_share)
        )

    # --- network -----------------------------------------------------------------------------------------------

    def _scores(self, parser: Any, image: Volume) -> Scores:
        manifest = self.setting.manifest
        wanted = read_postprocessing(manifest)
        with self._step("prepare", ", ".join(transform_names(manifest.config, "preprocessing"))):
            tensor = make_transforms(parser, "preprocessing", file=self._file)(to_metatensor(image))
        with self._step("load network"):
            network = self._network("network_def", manifest.ref.weights)
        inferer = make_part(parser, "inferer", file=self._file)
        watched = Windows(network, self.setting.listeners.progress, _window_count(inferer, tensor.shape[1:]))
        with self._step("segment", f"{type(inferer).__name__}, {'x'.join(map(str, tensor.shape[1:]))} voxels"):
            with torch.inference_mode():
                output = inferer(tensor.as_tensor()[None].to(self.setting.device), watched)[0]
            self._tell(output)
            array = self._probabilities(output, wanted.activation)
        return Scores(array=array, geometry=geometry_of(tensor))

    def _network(self, part: str, weights: str) -> Any:
        return self.setting.load(self.setting.manifest, part=part, weights=weights, device=self.setting.device)

    def _probabilities(self, output: torch.Tensor, activation: str) -> NDArray[np.float32]:
        return probabilities_of(output, self.setting.manifest.outputs, activation)

    def _tell(self, output: torch.Tensor) -> None:
        if self.setting.listeners.observer is not None:
            self.setting.listeners.observer.window(output, (0, 0, 0))

    # --- labels ------------------------------------------------------------------------------------------------

    def _back(self, found: Scores, volume: Volume) -> LabelMap:
        _check_labels(len(found.array), self.setting.manifest)
        wanted = read_postprocessing(self.setting.manifest)
        with self._step("clean up", ", ".join(kind for kind, _ in wanted.clean)):
            clean, labels = cleaned(found, wanted)
            self.scores = mean_scores(found, labels)
        with self._step("labels to source grid", "linear, in physical space"):
            array = labels_on(clean, labels, volume.geometry)
        if self.setting.listeners.keep_probabilities:
            self.kept = ScoreVolume(array=found.array.astype(np.float16), geometry=found.geometry)
        label_map = LabelMap(array=array, geometry=volume.geometry)
        self.warnings += label_warnings(self.setting.manifest, label_map)
        return label_map


@dataclass(slots=True, eq=False)
class Windows:
    """A network that tells how far it is, and so can be stopped, before each window."""

    network: Callable[[Any], Any]
    progress: Progress
    total: int
    done: int = 0

    def __call__(self, window: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """The network's output for a batch of windows."""
        self.progress("segment", min(self.done / self.total, 0.99))
        self.done += len(window)
        return self.network(window, *args, **kwargs)


def _window_count(inferer: Any, shape: Any) -> int:
    """How many windows a sliding-window inferer takes over ``shape``; 1 for any other."""
    roi, overlap = getattr(inferer, "roi_size", None), getattr(inferer, "overlap", 0.0)
    if roi is None:
        return 1
    sizes = [int(n) for n in shape]
    windows = [min(int(r), n) if int(r) > 0 else n for r, n in zip(_triple(roi), sizes, strict=True)]
    shares = _triple(overlap)
    steps = [max(1, int(w * (1 - share))) for w, share in zip(windows, shares, strict=True)]
    return math.prod(math.ceil((n - w) / s) + 1 for n, w, s in zip(sizes, windows, steps, strict=True))


def _triple(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value] * 3


def _check_labels(classes: int, manifest: Manifest) -> None:
    values = {value for value, _ in manifest.ref.labels}
    if values != set(range(1, classes)):
        raise BundleError(
            f"the network has {classes - 1} classes beside the background, and the coded labels are {sorted(values)}",
            file=manifest.ref.path,
            attribute="labels",
        )


def _along_lps(array: NDArray[np.float32], affine: NDArray[np.float64]) -> NDArray[np.float32]:
    """An array on a grid along the patient axes, turned so that its axes run to left, posterior, superior."""
    order = np.abs(affine[:3, :3]).argmax(axis=1)
    turned = array.transpose(order)
    return np.flip(turned, tuple(a for a in range(3) if affine[a, order[a]] < 0))


def _grid_words(box: Extent, shape: tuple[int, ...]) -> str:
    millimetres = " x ".join(f"{edge:.1f}" for edge in box.size)
    return f"{'x'.join(map(str, shape))} voxels over {millimetres} mm (left, posterior, superior)"
