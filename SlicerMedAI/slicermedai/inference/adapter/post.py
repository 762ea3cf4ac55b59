"""What the bundle's postprocessing asks for, and what of it this engine does in its own way."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from slicermedai.bundles.plans_windows import ScoresBack
from slicermedai.errors import BundleError
from slicermedai.inference.adapter.inputs import is_label
from slicermedai.inference.adapter.joining import Joining
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.cleaning import HOLES, LARGEST, Cleaning

LOGITS, PROBABILITIES = "logits", "probabilities"
OPTIONS = {
    "_disabled_",
    "keys",
    "softmax",
    "sigmoid",
    "other",
    "argmax",
    "to_onehot",
    "threshold",
    "rounding",
    "applied_labels",
    "is_onehot",
    "independent",
    "connectivity",
    "num_components",
    "nearest_interp",
}
"""Options of steps that decide what becomes of the scores: their values must be known."""
_CLEANING = {"KeepLargestConnectedComponent": LARGEST, "FillHoles": HOLES}
_CHOOSING = re.compile(r"^VistaPostTransform$")
"""Steps that give each voxel to the class with the largest score above zero."""
_OURS = re.compile(
    r"^(Invert|EnsureType|ToTensor|ToDevice|ToNumpy|CastToType|DeleteItems|SqueezeDim|Save\w*)(d|D|Dict)?$"
)
_SAVER = re.compile(r"Save|Writer|Saver")
_ASK = "Say what the network gives: outputs, logits or probabilities, in medai.json or with --outputs at the import."


@dataclass(frozen=True, slots=True, kw_only=True)
class Postprocessing:
    """What the configuration's ``postprocessing`` asks for, done by this engine at network resolution.

    Parameters
    ----------
    activation:
        "", "softmax" or "sigmoid".
    outputs:
        What the network gives, "logits" or "probabilities".
    assumed:
        True where nothing says what it gives, and the labels do not depend on it: the scores must be looked at.
    exclusive:
        False where every channel is a label of its own that may overlap the others.
    threshold:
        Probability from which on a channel of its own counts.
    nearest:
        Labels go back to the source by the nearest voxel, as the bundle has it, and not smoothly.
    clean:
        Clean-up steps in the configuration's order.
    left_out:
        What the engine replaces.
    joining:
        How a step of the bundle's own makes one map of masks that overlap; None where there is none.
    back:
        Logits go back to the source's grid, and labels come last, as nnU-Net does it; None for the engine's own way.
    """

    activation: str = ""
    outputs: str = LOGITS
    assumed: bool = False
    exclusive: bool = True
    threshold: float = 0.5
    nearest: bool = False
    clean: tuple[Cleaning, ...] = ()
    left_out: tuple[str, ...] = ()
    joining: Joining | None = None
    back: ScoresBack | None = None

    @property
    def bar(self) -> float:
        """What a channel of its own has to exceed: a probability, or a logit where logits go back to the source."""
        return math.log(self.threshold / (1 - self.threshold)) if self.back is not None else self.threshold

    @property
    def nothing(self) -> float:
        """The score of a voxel that surely has no label, in the units of :attr:`bar`."""
        return 0.0 if self.back is None else -math.inf

    def with_back(self, back: ScoresBack | None) -> Postprocessing:
        """The same with logits brought back, where the scores are such and nothing is to be cleaned up before."""
        fits = back is not None and self.outputs == LOGITS and not self.clean and 0 < self.threshold < 1
        return replace(self, back=back if fits else None)


def read_steps(
    steps: list[dict[str, Any]],
    *,
    file: str,
    ledger: Ledger,
    outputs: str = "",
    learn: Callable[[int], Joining] | None = None,
) -> Postprocessing:
    """From the transforms of ``postprocessing``, their options as plain values.

    ``outputs`` is what the bundle says that its network gives, "" where it does not say. ``learn`` finds out what a
    step of the bundle's own, the one at a number, makes of masks.

    Raises
    ------
    BundleError
        A step that the engine cannot do, or scores that mean what nobody says.
    """
    reading = _Reading(file=file, ledger=ledger)
    for number, step in enumerate(steps):
        if reading.of(step, "_disabled_") is True:
            continue
        if learn is not None and reading.joins(step):
            reading.join(learn(number))
        else:
            reading.take(step)
    return reading.whole(outputs)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What was read so far."""

    file: str
    ledger: Ledger
    activation: str = ""
    argmax: bool = False
    onehot: bool = False
    threshold: float | None = None
    nearest: bool = False
    clean: list[Cleaning] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    joining: Joining | None = None

    @property
    def decided(self) -> bool:
        """True where scores have become labels."""
        return self.argmax or self.threshold is not None

    def joins(self, step: dict[str, Any]) -> bool:
        """True for a step of the bundle's own code, behind a threshold, for the network's output."""
        keys = _keys(step)
        is_own = str(step.get("_target_", "")).startswith("scripts.") and not all(is_label(key) for key in keys)
        return is_own and bool(keys) and self.threshold is not None and not self.argmax and self.joining is None

    def join(self, joining: Joining) -> None:
        """Masks become one map by a step of the bundle's own."""
        self.joining = joining
        self.ledger.did("joined masks", f"{joining.step}, learnt by trying all combinations: {joining.in_words}")

    def take(self, step: dict[str, Any]) -> None:
        """Read one step; one that is for the reference alone says nothing of the network's output."""
        target = str(step.get("_target_", "")).rpartition(".")[2]
        plain, keys = re.sub(r"(d|D|Dict)$", "", target), _keys(step)
        if keys and all(is_label(key) for key in keys):
            self.ledger.did("evaluation keys", f"postprocessing: {target} is left out, it is for {', '.join(keys)}")
        elif plain == "Activations":
            self._activate(step)
        elif plain == "AsDiscrete":
            self._decide(step)
        elif _CHOOSING.match(plain):
            self.argmax = True
            self.ledger.did("classes", f"{target}: the class with the largest score above zero, as one map")
        elif plain in _CLEANING:
            self.clean.append(self._cleaning(step, target, _CLEANING[plain]))
        else:
            self.nearest = self.nearest or (plain == "Invert" and self.argmax and self._takes_nearest(step))
            self._leave_out(target)

    def whole(self, outputs: str) -> Postprocessing:
        """All steps together with what the bundle says that its network gives."""
        if self.activation and outputs == PROBABILITIES:
            raise self._refused(f"turns scores into probabilities ({self.activation}), and they are said to be such")
        if not self.activation and not self.argmax and not outputs:
            reason = "no step says" if self.threshold is None else f"a threshold of {self.threshold:g} does not say"
            raise self._refused(f"{reason} whether scores are logits or probabilities", advice=_ASK)
        exclusive = self.argmax or (self.activation != "sigmoid" and self.threshold is None)
        return Postprocessing(
            activation=self.activation,
            outputs=outputs or LOGITS,
            assumed=not self.activation and not outputs,
            exclusive=exclusive,
            threshold=0.5 if self.argmax else self._probability(outputs),
            nearest=self.nearest,
            clean=tuple(self.clean),
            left_out=tuple(self.left_out),
            joining=self.joining,
        )

    def _probability(self, outputs: str) -> float:
        """The threshold as a probability: MONAI holds it against the scores as they are at that step."""
        if self.threshold is None:
            return 0.5
        if self.activation == "softmax":
            raise self._refused("a threshold after softmax, without argmax, is not known to this engine")
        if self.activation or outputs == PROBABILITIES:
            return self.threshold
        found = 1 / (1 + math.exp(-self.threshold))
        self.ledger.did("threshold of logits", f"{self.threshold:g} is a probability of {found:.3f}")
        return found

    def _activate(self, step: dict[str, Any]) -> None:
        if self.decided or self.of(step, "other") is not None:
            raise self._refused("activates labels, or by a function of its own")
        kinds = [kind for kind in ("softmax", "sigmoid") if self.of(step, kind)]
        self.activation = kinds[0] if kinds else self.activation

    def _decide(self, step: dict[str, Any]) -> None:
        stated = self.of(step, "threshold")
        if isinstance(stated, (int, float)) and not isinstance(stated, bool):
            self.threshold = float(stated)
        elif self.of(step, "rounding") and self.threshold is None:
            self.threshold = 0.5
        self.argmax = self.argmax or bool(self.of(step, "argmax"))
        self.onehot = self.onehot or self.of(step, "to_onehot") is not None

    def _cleaning(self, step: dict[str, Any], target: str, kind: str) -> Cleaning:
        if not self.decided:
            raise self._refused(f"{target} stands before the step that makes labels of scores")
        if self.joining is not None:
            raise self._refused(f"{target} stands behind {self.joining.step}, which joins masks")
        stated, by_channel = _plain(step.get("applied_labels")), _plain(step.get("is_onehot"))
        if by_channel is not None and self.argmax and bool(by_channel) != self.onehot:
            raise self._refused(f"{target} has is_onehot {by_channel}, and the labels are not of that form")
        labels = stated if stated is None or isinstance(stated, list | tuple) else (stated,)
        connectivity = _plain(step.get("connectivity"))
        if kind == HOLES and connectivity is None:
            self.ledger.did("holes", "what is closed but at edges and corners is filled too")
        try:
            return Cleaning(
                kind=kind,
                labels=None if labels is None else tuple(int(label) for label in labels),
                by_channel=None if by_channel is None else bool(by_channel),
                together=kind == LARGEST and not _plain(step.get("independent", True)),
                count=max(1, int(_plain(step.get("num_components", 1)))),
                connectivity=min(3, int(connectivity or (1 if kind == HOLES else 3))),
            )
        except (TypeError, ValueError) as error:
            raise self._refused(f"the options of {target} cannot be read") from error

    def _takes_nearest(self, step: dict[str, Any]) -> bool:
        """True where the bundle brings back labels by the nearest voxel."""
        if self.of(step, "nearest_interp", True):
            return True
        self.ledger.did(
            "numbers of labels", "the bundle would interpolate between the numbers of labels; borders are instead"
        )
        return False

    def _leave_out(self, target: str) -> None:
        if target.startswith("Lambda"):
            self.ledger.did(
                "own functions", f"postprocessing: {target} is left out, each channel stays a label of its own"
            )
        elif not _OURS.match(target) and not _SAVER.search(target):
            raise self._refused(
                f"the step {target} is not known to this engine",
                advice="Known: Activationsd, AsDiscreted, KeepLargestConnectedComponentd, FillHolesd, Invertd and"
                " savers.",
            )
        self.left_out.append(target)

    def of(self, step: dict[str, Any], name: str, default: Any = None) -> Any:
        """The option of the network's output, where the step has one value for each of its keys."""
        value = step.get(name, default)
        if isinstance(value, list | tuple):
            own = next((n for n, key in enumerate(_keys(step)) if not is_label(key)), 0)
            value = value[own] if own < len(value) else None
        if isinstance(_plain(value), str) and name != "rounding":
            raise self._refused(f"the option {name} cannot be read")
        return _plain(value)

    def _refused(self, reason: str, *, advice: str = "Correct the bundle's postprocessing.") -> BundleError:
        return BundleError(reason, file=self.file, attribute="postprocessing", advice=advice)


def _keys(step: dict[str, Any]) -> list[str]:
    """What a step is for; [] for one of MONAI's array transforms, which has no keys."""
    keys = step.get("keys")
    if keys is None:
        return []
    return [str(key) for key in (keys if isinstance(keys, list | tuple) else [keys])]


def _plain(value: Any) -> Any:
    """ "true" and "false" as people write them in JSON; all else as it is."""
    words = {"true": True, "false": False, "none": None}
    return words.get(value.lower(), value) if isinstance(value, str) else value
