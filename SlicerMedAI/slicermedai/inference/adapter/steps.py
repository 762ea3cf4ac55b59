"""The bundle's preprocessing on images in memory.

What reads files is left out. Where axes are turned and spacings changed first, that is done at once and by this
library, for all images onto one grid in physical space; every other step is MONAI's own.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.utils import compute_shape_offset, zoom_affine

from slicermedai.bundles.marks import DRAWING
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError
from slicermedai.inference.adapter.guidance import Guidance, answers_without_clicks
from slicermedai.inference.adapter.inputs import LOADER, PROMPT, is_label
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.marks import Mark
from slicermedai.inference.memory import Memory, Nothing
from slicermedai.inference.metatensor import FLIP, geometry_of, metatensor_on
from slicermedai.inference.resample import resample

IMAGE = "image"
_FEEDING = re.compile(r"^(EnsureChannelFirst|AddChannel|AsChannelFirst)(d|D|Dict)?$")
_TYPING = re.compile(r"^(EnsureType|ToTensor|ToDevice|CastToType|ToNumpy)(d|D|Dict)?$")
FAILURES = (RuntimeError, ValueError, TypeError, KeyError, AttributeError, ImportError, IndexError, SyntaxError)
_LPS = "LPS"
PER_KEY = {
    "additional_info",
    "align_corners",
    "anti_aliasing",
    "anti_aliasing_sigma",
    "argmax",
    "data_shape",
    "data_type",
    "data_value",
    "device",
    "dst_keys",
    "dtype",
    "factor_key",
    "field_mode",
    "func",
    "grid_mode",
    "inv_func",
    "meta_info",
    "meta_key_postfix",
    "meta_keys",
    "mode",
    "nearest_interp",
    "orig_keys",
    "orig_meta_keys",
    "other",
    "overwrite",
    "padding_mode",
    "post_func",
    "refer_keys",
    "rounding",
    "scale_extent",
    "sigmoid",
    "softmax",
    "threshold",
    "to_onehot",
    "to_tensor",
    "value_range",
}
"""Options of MONAI's dictionary transforms that have one value for each key; other lists are sizes and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How the network's grid follows from the image's: ``axcodes`` ("" as it was acquired), then ``spacing`` (mm)."""

    axcodes: str = ""
    spacing: tuple[float, ...] = ()
    nearest: bool = False
    limits: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())

    def grid(self, source: Geometry) -> Geometry:
        """The network's grid, indexed as MONAI does: (column, row, slice) before turning."""
        turned = oriented(source.permuted((2, 1, 0)), self.axcodes) if self.axcodes else source.permuted((2, 1, 0))
        return spaced(turned, self.spacing, limits=self.limits) if self.spacing else turned


@dataclass(slots=True, kw_only=True)
class Steps:
    """The preprocessing of a bundle: ``names`` of the images it reads, the ``turn``, and the steps that follow.

    ``guidance`` is the step that draws ``marks`` into channels of their own, where somebody marked anything; a network
    that ``needs_marks`` answers nothing without.
    """

    names: tuple[str, ...]
    turn: Turn
    rest: list[tuple[str, Callable[[Any], Any]]]
    done: tuple[str, ...]
    zeros: int = 0
    repeat: int = 1
    joined: bool = False
    flat: bool = False
    colour: bool = False
    guidance: Guidance | None = None
    marks: tuple[Mark, ...] = ()
    needs_marks: bool = False
    attribute: str = "preprocessing"
    file: str = ""

    def apply(self, volumes: Mapping[str, Volume], *, memory: Memory | None = None) -> Any:
        """(channels, a, b, c) float32 MetaTensor on the network's grid, or (channels, a, b) of ``flat`` images.

        What does not depend on the marks is kept in ``memory``.
        """
        cut = len(self.rest) if self.guidance is None else self.guidance.at
        before = (memory or Nothing()).once(
            f"image of {self.attribute}", lambda: self._passed(self._placed(volumes), self.rest[:cut])
        )
        if self.guidance is None:
            return self._completed(before)
        image = IMAGE if IMAGE in before else self.names[0]
        drawn = self.guidance.drawn(self.rest[cut][1], before, image, self.marks)
        return self._completed(self._passed(drawn, self.rest[cut + 1 :]))

    def _placed(self, volumes: Mapping[str, Volume]) -> dict[str, Any]:
        """The images on the network's grid, before any step."""
        grid = self.turn.grid(volumes[self.names[0]].geometry)
        data: dict[str, Any] = {}
        for name in self.names:
            planes = _colours(volumes[name]) if self.colour else [volumes[name]]
            onto = [_onto(plane, grid, self.turn, first=name == self.names[0]) for plane in planes]
            data[name] = onto[0] if len(onto) == 1 else metatensor_on(torch.cat([v.as_tensor() for v in onto]), grid)
        if self.joined:
            first = data[self.names[0]]
            data = {
                IMAGE: metatensor_on(torch.cat([data[name].as_tensor() for name in self.names]), geometry_of(first))
            }
        if self.flat:
            data = {name: MetaTensor(v.as_tensor()[..., 0], affine=v.affine) for name, v in data.items()}
        return data

    def _passed(self, data: dict[str, Any], steps: Sequence[tuple[str, Callable[[Any], Any]]]) -> dict[str, Any]:
        for _, step in steps:
            data = self._applied(step, data)
        return data

    def _applied(self, step: Callable[[Any], Any], data: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(step(data))
        except FAILURES as error:
            raise BundleError(
                f"failed on this image ({type(error).__name__}: {error})", file=self.file, attribute=self.attribute
            ) from error

    def _completed(self, data: dict[str, Any]) -> Any:
        image = data.get(IMAGE, data.get(self.names[0]))
        if not isinstance(image, MetaTensor):
            raise BundleError("leaves no image with a place in space", file=self.file, attribute=self.attribute)
        values = image.as_tensor().float()
        if self.repeat > 1 and values.shape[0] == 1:
            values = values.expand(self.repeat, *values.shape[1:])
        if self.zeros:
            values = torch.cat([values, values.new_zeros((self.zeros, *values.shape[1:]))])
        return MetaTensor(values, affine=image.affine) if self.flat else metatensor_on(values, geometry_of(image))


@dataclass(slots=True)
class Reader:
    """Reads ``preprocessing`` (or ``part``) of a configuration into :class:`Steps`.

    Afterwards ``drawing`` is the step that draws what is ``marked``, if any; ``label_names`` are the bundle's.
    """

    parser: Any
    ledger: Ledger
    file: str
    part: str = "preprocessing"
    dimensions: int = 3
    by_slices: bool = False
    marked: bool = False
    drawing: dict[str, Any] | None = None
    needs_marks: bool = False
    label_names: dict[str, int] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def read(self, make: Callable[[str], Any]) -> Steps:
        """``make`` makes the component at a place of the configuration.

        Raises
        ------
        BundleError
            There is no list of transforms, or one of them cannot be made.
        """
        steps = self._steps()
        for number, step in enumerate(steps):
            self._take(number, dict(step))
        turn, rest = self._turn()
        return Steps(
            names=tuple(self.loaded) or (IMAGE,),
            turn=turn,
            rest=[(_target(step), self._made(step, make)) for step in rest],
            done=tuple(_target(step) for step in self.kept),
            needs_marks=self.needs_marks,
            attribute=self.part,
            file=self.file,
        )

    def _steps(self) -> list[dict[str, Any]]:
        entry = self.parser.config.get(self.part)
        steps = entry.get("transforms") if isinstance(entry, dict) else entry
        if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
            reason = "is missing" if entry is None else "must hold a list of transforms"
            raise BundleError(reason, file=self.file, attribute=self.part)
        return steps

    def _take(self, number: int, step: dict[str, Any]) -> None:
        target, keys = _target(step), self._keys(number)
        if self._value(number, "_disabled_") is True:
            if not _is(step, "Spacing"):
                return
            self.ledger.did("prepared data", f"{target} is switched on: images come as they were acquired")
        step.pop("_disabled_", None)
        if "keys" in step:
            step = self._without_labels(step, keys)
        if self.by_slices and len(_pair(step.get("spatial_size"))) == 2:
            self.ledger.did("slices", f"{target}: the axis across the slices stays as it is")
            step = _with_slices(step)
        if LOADER.match(target):
            self.loaded += [key for key in step.get("keys", [IMAGE]) if key not in self.loaded]
            self.ledger.did("images from memory", f"{target} is left out: the engine hands in what was read already")
        elif PROMPT.search(target):
            self._take_prompts(number, step, target)
        elif _TYPING.match(target) or _FEEDING.match(target) or not step.get("keys", True):
            return
        else:
            self.kept.append({**step, "_place_": number})

    def _take_prompts(self, number: int, step: dict[str, Any], target: str) -> None:
        names = self._value(number, "label_names")
        if isinstance(names, dict):
            self.label_names = {str(name): int(value) for name, value in names.items()}
        if DRAWING.match(target):
            self.drawing = {**step, "_place_": number}
            self.needs_marks = not answers_without_clicks(target)
        if self.marked and DRAWING.match(target):
            self.kept.append({**step, "_place_": number})
            self.ledger.did("prompts", f"{target} draws what was marked, on the grid that the image has at that step")
        elif self.marked:
            self.ledger.did("prompts", f"{target} is left out: places are taken from millimetres to that grid at once")
        else:
            self.ledger.did("prompts", f"{target} is left out: the network runs without points")
            self.ledger.warn("the model expects points set by a person, and ran without any")

    def _without_labels(self, step: dict[str, Any], keys: list[str]) -> dict[str, Any]:
        wanted = [n for n, key in enumerate(keys) if not is_label(key)]
        if len(wanted) < len(keys):
            self.ledger.did("evaluation keys", f"{_target(step)}: {', '.join(set(keys) - {keys[n] for n in wanted})}")
        made: dict[str, Any] = {
            name: [value[n] for n in wanted] if name in PER_KEY and _has_one_each(value, keys) else value
            for name, value in step.items()
        }
        return {**made, "keys": [keys[n] for n in wanted]}

    def _keys(self, number: int) -> list[str]:
        keys = self._value(number, "keys")
        return [str(key) for key in (keys if isinstance(keys, (list, tuple)) else [keys])]

    def _value(self, number: int, name: str) -> Any:
        entry = self.parser.config[self.part]
        prefix = f"{self.part}#transforms" if isinstance(entry, dict) else self.part
        if name not in self._steps()[number]:
            return None
        try:
            return self.parser.get_parsed_content(f"{prefix}#{number}#{name}", instantiate=True)
        except FAILURES as error:
            raise BundleError(
                f"cannot be read ({type(error).__name__}: {error})", file=self.file, attribute=f"{prefix}#{number}"
            ) from error

    def _turn(self) -> tuple[Turn, list[dict[str, Any]]]:
        """Orientation and spacing where they come first, and what is left."""
        rest, codes, spacing = list(self.kept), "", {}
        if rest and _is(rest[0], "Orientation") and not rest[0].get("as_closest_canonical"):
            codes = str(self._value(rest.pop(0)["_place_"], "axcodes"))
            if len(codes) != 3 or {"RLAPIS".find(c) // 2 for c in codes} != {0, 1, 2}:
                raise BundleError("axcodes cannot be made into a grid", file=self.file, attribute=self.part)
        elif self.dimensions == 3 and not any(_is(step, "Orientation") for step in rest):
            codes = _LPS
            self.ledger.did(
                "axes", "no orientation is stated: axes run to left, posterior, superior, as in axial slices"
            )
        if rest and _is(rest[0], "Spacing") and self._is_plain(rest[0]):
            spacing = rest.pop(0)
        place = spacing.get("_place_", 0)
        return Turn(
            axcodes=codes,
            spacing=_numbers(self._value(place, "pixdim")) if spacing else (),
            nearest="nearest" in str(spacing.get("mode", "")),
            limits=(_numbers(spacing.get("min_pixdim")), _numbers(spacing.get("max_pixdim"))),
        ), rest

    def _is_plain(self, step: dict[str, Any]) -> bool:
        """A spacing that :func:`spaced` does: MONAI's defaults, trilinear or nearest."""
        mode = str(step.get("mode", "bilinear"))
        special = any(step.get(name) for name in ("diagonal", "scale_extent", "recompute_affine", "align_corners"))
        return not special and ("bilinear" in mode or "nearest" in mode) and self._keys_known(step)

    def _keys_known(self, step: dict[str, Any]) -> bool:
        return set(step.get("keys", ())) >= set(self.loaded)

    def _made(self, step: dict[str, Any], make: Callable[[str], Any]) -> Any:
        number = step["_place_"]
        entry = self.parser.config[self.part]
        prefix = f"{self.part}#transforms" if isinstance(entry, dict) else self.part
        plain = copy.deepcopy({key: value for key, value in step.items() if key != "_place_"})
        self._steps()[number].clear()
        self._steps()[number].update(plain)
        self.parser.parse(reset=True)
        return make(f"{prefix}#{number}")


# --- grids -------------------------------------------------------------------------------------------------------


def oriented(geometry: Geometry, axcodes: str) -> Geometry:
    """``geometry`` with its axes permuted and flipped so that they run to ``axcodes``, each to its closest letter."""
    codes, opposite = geometry.axis_codes, dict(zip("RLAPIS", "LRPASI", strict=True))
    order = [next(n for n, code in enumerate(codes) if code in (wanted, opposite[wanted])) for wanted in axcodes]
    turned = geometry.permuted((order[0], order[1], order[2]))
    return turned.flipped(tuple(n for n in range(3) if turned.axis_codes[n] != axcodes[n]))


def spaced(
    geometry: Geometry, pixdim: Sequence[float], *, limits: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
) -> Geometry:
    """The grid that MONAI's ``Spacing`` makes of ``geometry``: the first voxel's centre and the axes stay."""
    own = geometry.spacing
    steps = np.array([float(p) for p in (*pixdim, *[pixdim[-1]] * (3 - len(pixdim)))])
    low, high = (np.array([*part, *[np.nan] * (3 - len(part))]) for part in limits)
    low, high = np.fmin(low, steps), np.fmax(high, steps)
    keep = (steps <= 0) | ((low - 1e-3 <= own) & (own <= high + 1e-3) & (low < high))
    affine = FLIP @ geometry.affine
    target = zoom_affine(affine, np.where(keep, own, steps), diagonal=False)
    shape, offset = compute_shape_offset(geometry.shape, affine, target, False)
    target[:3, -1] = offset[:3]
    return Geometry(shape=(int(shape[0]), int(shape[1]), int(shape[2])), affine=FLIP @ target)


def _colours(volume: Volume) -> list[Volume]:
    """Red, green and blue of a colour picture, each as a grey one; a grey picture three times."""
    colours = None if volume.flat is None else volume.flat.colours
    return [volume] * 3 if colours is None else [dataclasses.replace(volume, array=plane) for plane in colours]


def _onto(volume: Volume, grid: Geometry, turn: Turn, *, first: bool) -> Any:
    fill = None if first else float(volume.array.min())
    values = resample(volume.array, volume.geometry, grid, fill=fill, nearest=turn.nearest)
    return metatensor_on(torch.from_numpy(values)[None], grid)


def _has_one_each(value: Any, keys: Sequence[str]) -> bool:
    return isinstance(value, list) and len(value) == len(keys) > 1


def _pair(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _with_slices(step: dict[str, Any]) -> dict[str, Any]:
    """A step for flat images as one for a stack of them: -1 keeps MONAI's hands off the third axis."""
    mode = step.get("mode")
    modes = ["trilinear" if one == "bilinear" else one for one in (_pair(mode) or [mode])]
    made = {**step, "spatial_size": [*_pair(step["spatial_size"]), -1]}
    return {**made, "mode": modes if isinstance(mode, list) else modes[0]} if mode else made


def _numbers(value: Any) -> tuple[float, ...]:
    if value is None:
        return ()
    return tuple(float(v) for v in (value if isinstance(value, (list, tuple)) else [value]))


def _target(step: dict[str, Any]) -> str:
    return str(step.get("_target_", "")).rpartition(".")[2]


def _is(step: dict[str, Any], name: str) -> bool:
    return re.fullmatch(rf"{name}(d|D|Dict)?", _target(step)) is not None
