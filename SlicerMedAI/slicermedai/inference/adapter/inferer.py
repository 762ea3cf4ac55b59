"""The bundle's inferer as windows that this engine can stream."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from slicermedai.bundles.filled import FILLED
from slicermedai.bundles.plans_windows import PlansWindowInferer
from slicermedai.errors import BundleError
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.shadow import Shadow
from slicermedai.inference.windows import Triple, WindowPlan

DIVISORS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferer:
    """``name`` of the configuration's inferer; ``roi`` as it stands there (0: the image's size), () for one look.

    ``across`` is the axis across the slices of a network of two dimensions, None for one of three. ``even`` windows are
    those of nnU-Net's plans. An image that is smaller than a window is ``filled`` up to it (as it is for even ones),
    where the network was trained so.
    """

    name: str
    roi: tuple[int, ...] = ()
    overlap: tuple[float, ...] = (0.0,)
    mode: str = "constant"
    sigma_scale: tuple[float, ...] = (0.125,)
    padding_mode: str = "constant"
    cval: float = 0.0
    batch: int = 1
    across: int | None = None
    even: bool = False
    filled: bool = False

    @property
    def own_window(self) -> Triple | None:
        """The window that the configuration names; None where the size of the image is part of it."""
        window = self._roi((0, 0, 0)) if self.roi else (0, 0, 0)
        return window if min(window) > 0 else None

    def plan(self, shape: Triple, *, shadow: Shadow, divisor: int, ledger: Ledger) -> WindowPlan:
        """Windows for an image of that size, whose edges the network can halve as often as it has to."""
        roi = self._roi(shape)
        if self.even or self.filled or (self.roi and not shadow.knows):
            if self.filled and any(n < r for n, r in zip(shape, roi, strict=True)):
                ledger.did("small image", f"{_by(shape)} is filled up to a window of {_by(roi)}, as in training")
            return self._laid(roi)  # what smaller windows it answers cannot be known: a small image is filled up
        wanted = tuple(min(n, r) if n < r else r for n, r in zip(shape, roi, strict=True)) if self.roi else shape
        fitted = self._fitted(wanted, roi, shadow, divisor)
        if self.roi and fitted != roi:
            ledger.did(
                "small image", f"windows of {_by(roi)} are clamped to {_by(fitted)} for an image of {_by(shape)}"
            )
        if not self.roi and fitted != shape:
            ledger.did("divisible size", f"the image of {_by(shape)} is filled up to {_by(fitted)}")
        return self._laid(fitted)

    def _laid(self, roi: Triple) -> WindowPlan:
        return WindowPlan(
            roi=roi,
            overlap=_three(self.overlap, self.across, 0.0),
            mode=self.mode,
            sigma_scale=_three(self.sigma_scale, self.across, 0.125),
            padding_mode=self.padding_mode,
            cval=self.cval,
            batch=self.batch,
            even=self.even,
        )

    def _roi(self, shape: Triple) -> Triple:
        if not self.roi:
            return shape if self.across is None else _without(shape, self.across)
        given = list(self.roi)
        if self.across is not None and len(given) == 2:
            given.insert(self.across, 1)
        if len(given) != 3:
            raise BundleError(f"windows of {len(given)} axes do not fit a volume", attribute="inferer.roi_size")
        a, b, c = (n if r <= 0 else r for n, r in zip(shape, given, strict=True))
        return a, b, c

    def _fitted(self, wanted: tuple[int, ...], roi: Triple, shadow: Shadow, divisor: int) -> Triple:
        """The smallest size from ``wanted`` on that the network answers in full; ``roi`` where none is found."""
        for step in (n for n in DIVISORS if n >= divisor):
            a, b, c = (
                n if n in (1, r) and self.roi else -(-n // step) * step for n, r in zip(wanted, roi, strict=True)
            )
            sized = (a, b, c) if self.across is None else _without((a, b, c), self.across)
            if shadow.fits(sized):
                return sized
        return roi


def read_inferer(made: Any, *, dimensions: int, ledger: Ledger) -> Inferer:
    """From MONAI's object ``made`` of the configuration; None means one look at the whole image.

    Raises
    ------
    BundleError
        An inferer that this engine does not know.
    """
    name = type(made).__name__ if made is not None else "SimpleInferer"
    across = None if dimensions == 3 else int(getattr(made, "spatial_dim", 2))
    if across is not None and not name.startswith("SliceInferer"):
        ledger.did("slices", "a network of two dimensions goes over the volume slice by slice, as it was acquired")
    if isinstance(made, PlansWindowInferer):
        return _by_plans(made, across)
    if name == "SimpleInferer":
        return Inferer(name=name, across=across)
    if _takes_places(made):
        return _of_places(made, ledger)
    if not name.startswith(("SlidingWindowInferer", "SliceInferer")):
        raise BundleError(
            f"the inferer {name} is not known to this engine",
            attribute="inferer",
            advice="Known: SimpleInferer, SlidingWindowInferer, SliceInferer.",
        )
    return Inferer(
        name=name,
        roi=_whole_numbers(getattr(made, "orig_roi_size", made.roi_size), dimensions),
        overlap=_floats(made.overlap),
        mode=str(getattr(made.mode, "value", made.mode)).lower(),
        sigma_scale=_floats(made.sigma_scale),
        padding_mode=str(getattr(made.padding_mode, "value", made.padding_mode)).lower(),
        cval=float(made.cval),
        batch=int(made.sw_batch_size),
        across=across,
        filled=isinstance(made, FILLED),
    )


def _takes_places(made: Any) -> bool:
    """True for an inferer of a bundle's own that hands places on to the network."""
    known = {"point_coords", "point_labels"} <= set(inspect.signature(made.__call__).parameters)
    return known and hasattr(made, "roi_size")


def _of_places(made: Any, ledger: Ledger) -> Inferer:
    name = type(made).__name__
    ledger.did("prompts", f"{name}: windows around what is marked are this engine's, and else those of a sweep")
    return Inferer(
        name=name,
        roi=_whole_numbers(made.roi_size, 3),
        overlap=_floats(getattr(made, "overlap", 0.25)),
        mode=str(getattr(made, "mode", "gaussian")).lower(),
        batch=int(getattr(made, "sw_batch_size", 1)),
    )


def _by_plans(made: PlansWindowInferer, across: int | None) -> Inferer:
    return Inferer(
        name=type(made).__name__,
        roi=made.roi_size,
        overlap=(1 - made.step,),
        mode="impulse",
        across=across,
        even=True,
    )


def _whole_numbers(value: Any, dimensions: int) -> tuple[int, ...]:
    given = tuple(value) if isinstance(value, (list, tuple)) else (value,) * dimensions
    return tuple(int(n) if n else 0 for n in given)


def _floats(value: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in value) if isinstance(value, (list, tuple)) else (float(value),)


def _three(values: tuple[float, ...], across: int | None, filler: float) -> tuple[float, float, float]:
    """MONAI gives a pair of values to the first axes of a slice inferer's volume; here each goes to its own axis."""
    given = list(values) * (3 if len(values) == 1 else 1)
    if len(given) == 2 and across is not None:
        given.insert(across, filler)
    a, b, c = given
    return a, b, c


def _without(shape: Triple, across: int) -> Triple:
    a, b, c = (1 if axis == across else n for axis, n in enumerate(shape))
    return a, b, c


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
