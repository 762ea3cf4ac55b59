"""Was this image made the way that the model's images were? Judged by what its header states, and only warned of.

Scanners of different makers fill these attributes differently, so that a doubt is a warning and never a refusal, and
an image that does not say how it was made is reported as not checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.volume import Volume

_LONG_ECHO = 30.0
"""ms. T1 weighting wants echoes far shorter than the T2 of tissue (80 to 100 ms); T2 and FLAIR use 70 and more."""
_LONG_GRADIENT_ECHO = 15.0
"""ms. Beyond it a gradient echo without inversion shows T2* (susceptibility) rather than T1."""
_LONG_REPETITION = 1200.0
"""ms. A spin echo needs a repetition shorter than the T1 of tissue (800 to 1400 ms) to show it."""
_LONG_INVERSION, _SHORT_INVERSION = 1800.0, 300.0
"""ms. Longer nulls fluid (FLAIR), shorter nulls fat (STIR); T1 weighting inverts for 400 to 1200 ms."""
_SOME_ECHO = 8.0
"""ms. An image of unknown sequence with a shorter echo may be an inverted gradient echo (MPRAGE)."""
_BRAIN_T1 = 1000.0
"""ms, of grey and white matter at 1.5 to 3 T, roughly."""
_SILENT = ("", "T1", "UNKNOWN", "MIXED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """``warnings`` for a person; ``unchecked``: what could not be judged, and why."""

    warnings: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def check_acquisition(manifest: Manifest, volume: Volume) -> Checked:
    """Hold how ``volume`` was made against what the bundle declares: its contrast, and limits for header values."""
    parts = [_check_contrast(manifest, volume), _check_limits(manifest, volume)]
    return Checked(
        warnings=tuple(line for part in parts for line in part.warnings),
        unchecked=tuple(line for part in parts for line in part.unchecked),
    )


def _check_contrast(manifest: Manifest, volume: Volume) -> Checked:
    rule = CONTRASTS.get(manifest.contrast)
    if rule is None:
        return Checked()
    made = Made.of(volume)
    doubt = rule(made)
    title = manifest.ref.title
    if doubt:
        said = (
            f"this image does not look {manifest.contrast}-weighted: {doubt}; {title} is made for that contrast alone"
        )
        return Checked(warnings=(said,))
    if made.is_known:
        return Checked()
    return Checked(unchecked=(f"{manifest.contrast} contrast: not checked, the image does not say how it was made.",))


def _check_limits(manifest: Manifest, volume: Volume) -> Checked:
    stated = dict(volume.acquisition)
    warnings, unchecked = [], []
    for keyword, low, high in manifest.acquisition:
        value = stated.get(keyword)
        if not isinstance(value, float):
            unchecked.append(f"{keyword}: not checked, the image does not state it.")
        elif not low <= value <= high:
            warnings.append(f"{keyword} is {value:g}, and {manifest.ref.title} is made for {low:g} to {high:g}")
    return Checked(warnings=tuple(warnings), unchecked=tuple(unchecked))


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How an MR image was made; times in ms, angle in degrees, None where the header does not say it."""

    repetition: float | None = None
    echo: float | None = None
    inversion: float | None = None
    flip: float | None = None
    sequence: frozenset[str] = frozenset()
    contrast: str = ""

    @classmethod
    def of(cls, volume: Volume) -> Made:
        """From what the volume carries."""
        numbers = {key: value for key, value in volume.acquisition if isinstance(value, float)}
        texts = {key: value.upper() for key, value in volume.acquisition if isinstance(value, str)}
        sequence = {part for key in _SEQUENCES for part in texts.get(key, "").split("\\") if part}
        if texts.get("InversionRecovery") == "YES":
            sequence.add("IR")
        return cls(
            repetition=numbers.get("RepetitionTime"),
            echo=numbers.get("EchoTime"),
            inversion=numbers.get("InversionTime"),
            flip=numbers.get("FlipAngle"),
            sequence=frozenset(sequence),
            contrast=texts.get("AcquisitionContrast", ""),
        )

    @property
    def is_known(self) -> bool:
        """True where enough is stated to judge by."""
        return self.contrast == "T1" or None not in (self.repetition, self.echo)

    @property
    def is_inverted(self) -> bool:
        """True for a prepared magnetization (PS3.3 C.8.3.1: IR, or the variant MP)."""
        return bool(self.inversion) or bool(self.sequence & {"IR", "MP"})

    @property
    def is_gradient(self) -> bool:
        """True for gradient echoes alone."""
        return bool(self.sequence & {"GR", "GRADIENT"}) and not self.is_spin

    @property
    def is_spin(self) -> bool:
        """True for spin echoes."""
        return bool(self.sequence & {"SE", "SPIN", "BOTH"})


_SEQUENCES = ("ScanningSequence", "SequenceVariant", "EchoPulseSequence")


def doubt_of_t1(made: Made) -> str:
    """Why an image is hardly T1-weighted, in words; "" where nothing speaks against it."""
    if made.contrast not in _SILENT:
        return f"its header names the contrast {made.contrast.replace('_', ' ')}"
    if made.contrast == "T1":
        return ""
    if made.echo is not None and made.echo > _LONG_ECHO:
        return f"an echo time of {made.echo:g} ms is that of T2, FLAIR or T2*"
    if "EP" in made.sequence and not made.is_inverted:
        return "an echo-planar sequence is that of diffusion or functional images"
    return _doubt_of_inversion(made) if made.is_inverted else _doubt_without_inversion(made)


def _doubt_of_inversion(made: Made) -> str:
    inversion = made.inversion or 0.0
    if inversion > _LONG_INVERSION:
        return f"an inversion time of {inversion:g} ms is that of FLAIR"
    if made.is_spin and 0 < inversion < _SHORT_INVERSION:
        return f"an inversion time of {inversion:g} ms is that of STIR"
    return ""


def _doubt_without_inversion(made: Made) -> str:
    echo, repetition = made.echo or 0.0, made.repetition or 0.0
    if made.is_gradient:
        return _doubt_of_gradient(made, echo, repetition)
    if repetition > _LONG_REPETITION and (made.is_spin or echo >= _SOME_ECHO):
        return f"a repetition time of {repetition:g} ms without inversion is that of proton density or T2"
    return ""


def _doubt_of_gradient(made: Made, echo: float, repetition: float) -> str:
    """Below half of the Ernst angle, arccos(exp(-TR / T1)), a spoiled gradient echo shows proton density."""
    if echo > _LONG_GRADIENT_ECHO:
        return f"a gradient echo of {echo:g} ms without inversion is that of T2*"
    if not 0 < repetition < _LONG_REPETITION or made.flip is None:
        return ""  # a longer repetition is that of an inverted train, whatever else the header leaves out
    ernst = math.degrees(math.acos(math.exp(-repetition / _BRAIN_T1)))
    if made.flip < ernst / 2:
        return f"a flip angle of {made.flip:g} degrees, repetition {repetition:g} ms, is that of proton density"
    return ""


CONTRASTS: dict[str, Callable[[Made], str]] = {"T1": doubt_of_t1}
"""What a bundle may declare as ``contrast``, and why an image is hardly of that kind."""
