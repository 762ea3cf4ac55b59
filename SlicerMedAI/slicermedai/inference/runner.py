"""A network on its device, in its precision: takes windows from the CPU, and does not die where memory runs out."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from slicermedai.errors import BundleError, InputError
from slicermedai.inference.not_a_number import checked, has_nan
from slicermedai.inference.shadow import scores_of

GOLDEN = 0.999
"""Agreement of labels, bfloat16 with float32, from which on a bundle may run in bfloat16."""
_SUM = 1e-2
_NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "unable to allocate",
    "not enough memory",
    "out of memory",
    "memory ran out",
    "bad_alloc",
    "can't start new thread",
    "failed to map segment",
)


@dataclass(slots=True, eq=False)
class Runner:
    """Calls ``network`` with (windows, channels, a, b, c) float32.

    Parameters
    ----------
    network:
        On ``device`` already.
    across:
        The axis of length 1 that a network of two dimensions does not have, or None.
    precision:
        "float32" or "bfloat16" (autocast: what is unsafe in it stays in float32).
    warn:
        Told in words where something had to be changed on the way.
    """

    network: Any
    device: str
    across: int | None = None
    precision: str = "float32"
    warn: Callable[[str], None] = field(default=lambda text: None)

    def __post_init__(self) -> None:
        if isinstance(self.network, torch.nn.Module) and not isinstance(self.network, torch.jit.ScriptModule):
            form = torch.channels_last_3d if self.across is None else torch.channels_last
            with contextlib.suppress(RuntimeError):  # parameters of another rank keep their form
                self.network.to(memory_format=form)

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        """Scores (windows, classes, a, b, c).

        Raises
        ------
        InputError
            Not even one window fits into memory.
        BundleError
            The network fails on the window, or answers with what is no number.
        """
        return checked(self._scores(windows))

    def _scores(self, windows: torch.Tensor) -> torch.Tensor:
        try:
            return self._forward(windows)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise BundleError(
                    f"the network failed on {tuple(windows.shape)} ({type(error).__name__}: {error})",
                    attribute="network_def",
                ) from error
        return self._in_less_memory(windows)

    def _in_less_memory(self, windows: torch.Tensor) -> torch.Tensor:
        """One window at a time, then on the CPU, then not at all; each change is told."""
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        if len(windows) > 1:
            self.warn(f"memory ran out on {self.device} with {len(windows)} windows at once; they went one by one")
            return torch.cat([self._scores(window[None]).cpu() for window in windows])
        if self.device != "cpu":
            self.warn(f"memory ran out on {self.device}: the run went on on the CPU, which is slower")
            self.network.to("cpu")
            self.device = "cpu"
            return self._scores(windows)
        raise InputError(
            f"memory ran out in a window of {'x'.join(map(str, windows.shape[2:]))} voxels",
            attribute="memory",
            advice="Close other programs, or use a machine with more memory.",
        )

    def _forward(self, windows: torch.Tensor) -> torch.Tensor:
        given = windows.to(self.device)
        if self.across is not None:
            given = given.squeeze(self.across + 2)
        else:
            given = given.contiguous(memory_format=torch.channels_last_3d)
        low = self.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast(self.device.partition(":")[0], torch.bfloat16, enabled=low):
            scores = scores_of(self.network(given))
        return scores if self.across is None else scores.unsqueeze(self.across + 2)

    def golden(self, window: torch.Tensor) -> float | None:
        """Agreement of bfloat16 with float32 on one (channels, a, b, c) window: the mean Dice of all labels in it; None
        where it holds none, which shows nothing, and 0 where bfloat16 gives what is no number."""
        before = self.precision
        try:
            self.precision = "float32"
            exact = _labels(self(window[None]))
            self.precision = "bfloat16"
            low = self._scores(window[None])
            return 0.0 if has_nan(low) else agreement(exact, _labels(low))
        finally:
            self.precision = before


def refuse_probabilities(scores: torch.Tensor) -> None:
    """Raise :class:`BundleError` where (windows, classes, ...) scores of a silent bundle are a softmax's, or like one.

    Logits are between 0 and 1 and sum up to 1 in no window; so scores that do are no logits.
    """
    given = scores.detach().float()
    if given.shape[1] > 1 and bool((given >= 0).all()) and bool(((given.sum(dim=1) - 1).abs() < _SUM).all()):
        raise BundleError(
            "the network gives probabilities, and the model does not say so",
            attribute="outputs",
            advice="Say outputs: probabilities in its medai.json, or --outputs at the import.",
        )


def is_out_of_memory(error: BaseException) -> bool:
    """True for Python's, torch's, the system's and the graphics driver's ways to say that memory ran out.

    Those who met with it first may have been wrapped: MONAI's transforms and the parts of a bundle do that.
    """
    met: BaseException | None = error
    while met is not None:
        if isinstance(met, (MemoryError, torch.OutOfMemoryError)) or getattr(met, "errno", None) == errno.ENOMEM:
            return True
        if any(words in str(met).lower() for words in _NO_MEMORY):
            return True
        met = met.__cause__ or met.__context__
    return False


def golden_window(image: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """The window in the middle of what is there most: around the centre of the image's absolute differences."""
    change = image[0].abs()
    change = change - change.min()
    start = []
    for axis, n in enumerate(shape):
        profile = change.sum(dim=[a for a in range(3) if a != axis], dtype=torch.float64).numpy()
        places = np.arange(profile.size)
        middle = float((profile * places).sum() / profile.sum()) if profile.sum() > 0 else profile.size / 2
        start.append(int(np.clip(round(middle - n / 2), 0, max(0, profile.size - n))))
    cut = image[(slice(None), *(slice(a, a + n) for a, n in zip(start, shape, strict=True)))]
    missing = [n - have for n, have in zip(shape, cut.shape[1:], strict=True)]
    pads = [part for n in reversed(missing) for part in (0, max(0, n))]
    return torch.nn.functional.pad(cut, pads) if any(pads) else cut


def agreement(first: torch.Tensor, second: torch.Tensor) -> float | None:
    """Mean Dice over the labels that either has; None where both are background alone."""
    values = [int(v) for v in torch.unique(torch.cat([first.reshape(-1), second.reshape(-1)])) if v > 0]
    if not values:
        return None
    overlaps = [
        float(2 * ((first == v) & (second == v)).sum() / ((first == v).sum() + (second == v).sum())) for v in values
    ]
    return float(np.mean(overlaps))


def shown_by(found: float | None) -> str:
    """What :meth:`Runner.golden` found, in words."""
    return "no label in one window" if found is None else f"a Dice of {found:.5f} in one window"


def has_bfloat16(device: str) -> bool:
    """True where the device computes in bfloat16 by itself, so that it is faster there."""
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _labels(scores: torch.Tensor) -> torch.Tensor:
    """(a, b, c) labels; of one channel whether it is above zero."""
    return (scores[0, 0] > 0).long().cpu() if scores.shape[1] == 1 else scores[0].argmax(dim=0).cpu()
