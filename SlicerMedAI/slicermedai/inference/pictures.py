"""What a model gets of a projection or photograph: as it is shown, or its values. That is stated, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.codes import Code
from slicermedai.domain.flat import Flat, PixelValues
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError, UnsupportedImageError
from slicermedai.inference.adapter.report import Ledger

_TOLD = {
    PixelValues.DISPLAY: "as they are shown, 0 (black) to 255 (white)",
    PixelValues.MODALITY: "of the modality, before VOI LUT and window",
}


def as_wanted(manifest: Manifest, inputs: Mapping[str, Volume], *, asked: str, ledger: Ledger) -> dict[str, Volume]:
    """``inputs`` with the values that the model takes; only projections and photographs change.

    ``asked`` is a person's word ("" for none), for a model that does not say it. What was taken is noted in ``ledger``.

    Raises
    ------
    InputError
        Neither the model nor a person says which values it takes, or they say different things.
    UnsupportedImageError
        Raw values of a detector, for a model that takes pictures as they are shown.
    """
    return {name: _one(manifest, volume, asked, ledger) for name, volume in inputs.items()}


def side_of(inputs: Mapping[str, Volume]) -> Code | None:
    """The side of the body part that all pictures show, or None."""
    sides = {volume.flat.side if volume.flat else None for volume in inputs.values()}
    return sides.pop() if len(sides) == 1 else None


def is_colour(inputs: Mapping[str, Volume]) -> bool:
    """True where one of the images is a colour picture."""
    return any(volume.flat is not None and volume.flat.colours is not None for volume in inputs.values())


def _one(manifest: Manifest, volume: Volume, asked: str, ledger: Ledger) -> Volume:
    flat = volume.flat
    if flat is None:
        return volume
    if flat.colours is not None:
        ledger.did("pixel values", "; ".join(flat.steps))
        return volume
    wanted = _wanted(manifest, asked)
    _check_shown(flat, wanted, volume.name)
    steps = flat.steps if wanted is PixelValues.DISPLAY else [s for s in flat.steps if not s.startswith(_SHOWING)]
    ledger.did("pixel values", f"{_TOLD[wanted]}: {'; '.join(steps)}")
    return replace(volume, array=flat.display) if wanted is PixelValues.DISPLAY else volume


_SHOWING = ("window", "VOI", "no VOI")


def _wanted(manifest: Manifest, asked: str) -> PixelValues:
    stated = manifest.pixel_values
    if stated and asked and stated != asked:
        raise InputError(
            f"{manifest.ref.title} takes pixel values {stated!r}, and {asked!r} was asked for",
            attribute="pixel_values",
            advice="Leave it to the model.",
        )
    if not (stated or asked):
        raise InputError(
            f"{manifest.ref.title} does not say whether it takes pictures as they are shown or their values, and its "
            "answers depend on it",
            attribute="pixel_values",
            advice="Look it up with the model, and say display or modality: in the job, or once in its medai.json.",
        )
    return PixelValues(stated or asked)


def _check_shown(flat: Flat, wanted: PixelValues, name: str) -> None:
    if flat.shown and wanted is PixelValues.DISPLAY:
        raise UnsupportedImageError(
            f"the model takes pictures as they are shown; {flat.shown}",
            file=name or None,
            attribute="PresentationIntentType",
            advice="Choose the picture of the same view that is FOR PRESENTATION.",
        )
