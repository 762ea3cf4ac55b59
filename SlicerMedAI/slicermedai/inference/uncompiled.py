"""Shapes asked of torch's device "meta" without torch's compiler, whose import takes a second of CPU and some 80 MB.

Nothing is compiled, but torch's own rules for shapes import its compiler. The rules here are for what networks of
images are made of; whatever they do not know in just this form goes to torch, as does what does not fit, for its words.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_ATEN = torch.ops.aten
_CHECK = "_check_with"


class _Unknown(Exception):
    """A rule does not hold for what it was given."""


class PlainMode(TorchDispatchMode):
    """A mode whose calls torch does not shield from its compiler, which it would import for that."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


@contextmanager
def uncompiled() -> Iterator[None]:
    """Within, tensors without values find their shapes by the rules of this file where there is one.

    A check of torch's own that holds is passed at once, without asking the compiler whether it is of a symbol.
    """
    own = getattr(torch, _CHECK, None)

    def check(error: Any, holds: Any, message: Any) -> None:
        if holds is not True and own is not None:
            own(error, holds, message)

    with _Rules():
        if own is None:  # a torch that checks in another way
            yield
            return
        setattr(torch, _CHECK, check)
        try:
            yield
        finally:
            setattr(torch, _CHECK, own)


class _Rules(PlainMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rule = RULES.get(func)
        if rule is not None and not kwargs and _is_known(args[0]):
            try:
                return rule(*args)
            except (_Unknown, TypeError, ValueError, LookupError, ArithmeticError):  # torch's own rule tells
                pass
        return func(*args, **(kwargs or {}))


def be_deterministic(*, on: bool, warn_only: bool) -> None:
    """As torch's ``use_deterministic_algorithms``, which would import the compiler to tell it too, where that is not
    loaded: a network that is compiled later on compiles by its own settings.
    """
    if "torch._inductor" in sys.modules:
        torch.use_deterministic_algorithms(on, warn_only=warn_only)
    else:
        torch._C._set_deterministic_algorithms(on, warn_only=warn_only)


@contextmanager
def as_on_cpu() -> Iterator[None]:
    """Within, tensors without values take the ways of the CPU: asked for determinism, torch sends all others around."""
    on, warn_only = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    be_deterministic(on=False, warn_only=False)
    try:
        yield
    finally:
        be_deterministic(on=on, warn_only=warn_only)


def _is_known(given: Any) -> bool:
    tensors = given if isinstance(given, (list, tuple)) else [given]
    return all(isinstance(one, torch.Tensor) and one.device.type == "meta" for one in tensors)


def _require(holds: object) -> None:
    if not holds:
        raise _Unknown


def _shaped(like: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    return like.new_empty([int(n) for n in shape])


def _like(given: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """As torch's elementwise operations answer: dense, its axes in memory in the same order."""
    steps, step = [0] * given.dim(), 1
    for axis in sorted(range(given.dim()), key=lambda a: (given.stride(a), -a)):
        steps[axis], step = step, step * max(1, given.shape[axis])
    return torch.empty_strided(given.shape, steps, dtype=dtype or given.dtype, device=given.device)


# --- rules: the arguments are those of torch's operators, by their places -------------------------------------------


def _same(given: torch.Tensor, *rest: Any) -> torch.Tensor:
    _require(given.is_floating_point() and not any(isinstance(one, torch.Tensor) for one in rest))
    return _like(given)


def _in_place(given: torch.Tensor, *rest: Any) -> torch.Tensor:
    _require(given.is_floating_point() and not any(isinstance(one, torch.Tensor) for one in rest))
    return given


def _both(first: torch.Tensor, second: Any) -> torch.Tensor:
    if isinstance(second, (int, float)) and not isinstance(second, bool):
        return _same(first)
    _require(isinstance(second, torch.Tensor) and first.dtype == second.dtype and second.device == first.device)
    axes = max(first.dim(), second.dim())
    _require(first.is_floating_point())
    sizes = [[1] * (axes - one.dim()) + list(one.shape) for one in (first, second)]
    shape = [max(a, b) for a, b in zip(*sizes, strict=True)]
    _require(all(n in (1, m) for size in sizes for n, m in zip(size, shape, strict=True)))
    full = next((one for one in (first, second) if list(one.shape) == shape), None)
    return _shaped(first, shape) if full is None else _like(full)


def _both_in_place(first: torch.Tensor, second: Any) -> torch.Tensor:
    _require(isinstance(second, torch.Tensor) and first.shape == second.shape and first.dtype == second.dtype)
    return first


def _convolution(given: torch.Tensor, weight: torch.Tensor, bias: Any, *manner: Any) -> torch.Tensor:
    stride, padding, dilation, transposed, output_padding, groups = manner
    axes = given.dim() - 2
    _require(weight.dim() == given.dim() and weight.dtype == given.dtype and axes > 0)
    _require(all(len(one) == axes for one in (stride, padding, dilation)))
    _require(given.shape[1] == (weight.shape[0] if transposed else weight.shape[1] * groups))
    sides = zip(given.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    if transposed:
        _require(len(output_padding) == axes)
        sizes = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in sides]
        sizes = [n + more for n, more in zip(sizes, output_padding, strict=True)]
    else:
        sizes = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides]
    _require(min(sizes) > 0)
    return _shaped(given, (given.shape[0], weight.shape[1] * groups if transposed else weight.shape[0], *sizes))


def _batch_norm(given: torch.Tensor, weight: Any, bias: Any, mean: Any, *rest: Any) -> Any:
    _require(given.dim() > 1 and (weight is None or weight.shape[0] == given.shape[1]))
    _require(rest[1] or isinstance(mean, torch.Tensor))
    channels = given.shape[1:2]
    return _like(given), _shaped(given, channels), _shaped(given, channels)


def _group_norm(given: torch.Tensor, weight: Any, bias: Any, *rest: Any) -> Any:
    count, c, size, groups, _ = rest
    _require(given.numel() == count * c * size and c % groups == 0)
    return _like(given), _shaped(given, (count, groups)), _shaped(given, (count, groups))


def _layer_norm(given: torch.Tensor, shape: list[int], *rest: Any) -> Any:
    _require(list(given.shape[-len(shape) :]) == list(shape))
    kept = (*given.shape[: -len(shape)], *[1] * len(shape))
    return _like(given), _shaped(given, kept), _shaped(given, kept)


def _cat(tensors: list[torch.Tensor], dim: int = 0) -> torch.Tensor:
    first = tensors[0]
    axis = dim % first.dim()
    rest = [[n for a, n in enumerate(one.shape) if a != axis] for one in tensors]
    _require(all(one == rest[0] for one in rest) and all(one.dtype == first.dtype for one in tensors))
    _require(all(one.numel() > 0 for one in tensors))
    return _shaped(first, [sum(one.shape[a] for one in tensors) if a == axis else n for a, n in enumerate(first.shape)])


def _product(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    _require(first.dim() == second.dim() and first.shape[:-2] == second.shape[:-2] and first.dtype == second.dtype)
    _require(first.shape[-1] == second.shape[-2])
    return _shaped(first, (*first.shape[:-1], second.shape[-1]))


def _added_product(given: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    _require(given.dtype == first.dtype and given.dim() == 1 and given.shape[0] == second.shape[-1])
    return _product(first, second)


def _filled_up(given: Sequence[Any], usual: Sequence[Any]) -> list[Any]:
    return [*given, *usual[len(given) :]]


def _pooled(given: torch.Tensor, kernel: list[int], stride: Any = (), *rest: Any) -> torch.Tensor:
    padding, dilation, ceiling = _filled_up(rest, (0, 1, False))
    axes = given.dim() - 2
    kernels, strides, pads, steps = (
        [one] * axes if isinstance(one, int) else list(one) * (axes if len(one) == 1 else 1)
        for one in (kernel, stride or kernel, padding, dilation)
    )
    _require(not ceiling and axes == len(kernels) == len(strides) == len(pads) == len(steps))
    _require(all(2 * p <= k for p, k in zip(pads, kernels, strict=True)))
    sides = zip(given.shape[2:], kernels, strides, pads, steps, strict=True)
    sizes = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides]
    _require(min(sizes) > 0)
    return _shaped(given, (*given.shape[:2], *sizes))


def _largest(given: torch.Tensor, *rest: Any) -> Any:
    made = _pooled(given, *rest)
    return made, _like(made, dtype=torch.int64)


def _averaged(given: torch.Tensor, kernel: list[int], stride: Any = (), padding: Any = 0, *rest: Any) -> Any:
    _require(not rest or not rest[0])
    return _pooled(given, kernel, stride, padding)


def _resized(given: torch.Tensor, size: list[int], *rest: Any) -> torch.Tensor:
    _require(len(size) == given.dim() - 2 and min(size) > 0)
    return _shaped(given, (*given.shape[:2], *size))


def _padded(given: torch.Tensor, pads: list[int]) -> torch.Tensor:
    axes = len(pads) // 2
    sizes = list(given.shape)
    for number in range(axes):
        sizes[-1 - number] += pads[2 * number] + pads[2 * number + 1]
    _require(min(pads) >= 0 and given.dim() == axes + 2 and math.prod(sizes) > 0)
    return _shaped(given, sizes)


def _mean(given: torch.Tensor, dims: Any, *keep: Any) -> torch.Tensor:
    _require(given.is_floating_point() and bool(dims))
    gone = {dim % given.dim() for dim in dims}
    return _shaped(given, [1 if a in gone else n for a, n in enumerate(given.shape) if any(keep) or a not in gone])


def _compared(given: torch.Tensor, value: Any) -> torch.Tensor:
    _require(not isinstance(value, torch.Tensor))
    return _like(given, dtype=torch.bool)


def _chosen(given: torch.Tensor, places: list[Any]) -> torch.Tensor:
    _require(len(places) == 1 and places[0] is not None and places[0].dtype == torch.int64)
    return _shaped(given, (*places[0].shape, *given.shape[1:]))


def _masked(given: torch.Tensor, mask: torch.Tensor, value: Any) -> torch.Tensor:
    _require(given.shape == mask.shape and mask.dtype == torch.bool)
    return _like(given)


RULES: dict[Any, Callable[..., Any]] = {
    **{
        getattr(_ATEN, name).default: _same
        for name in (
            "relu",
            "leaky_relu",
            "elu",
            "gelu",
            "sigmoid",
            "silu",
            "tanh",
            "hardswish",
            "softplus",
            "_softmax",
        )
    },
    **{
        getattr(_ATEN, name).default: _in_place
        for name in ("relu_", "leaky_relu_", "elu_", "sigmoid_", "silu_", "tanh_", "hardswish_")
    },
    _ATEN.add.Tensor: _both,
    _ATEN.sub.Tensor: _both,
    _ATEN.mul.Tensor: _both,
    _ATEN.div.Tensor: _both,
    _ATEN.add_.Tensor: _both_in_place,
    _ATEN.mul_.Tensor: _both_in_place,
    _ATEN.convolution.default: _convolution,
    _ATEN.native_batch_norm.default: _batch_norm,
    _ATEN.native_group_norm.default: _group_norm,
    _ATEN.native_layer_norm.default: _layer_norm,
    _ATEN._prelu_kernel.default: lambda given, weight: _same(given),
    _ATEN.cat.default: _cat,
    _ATEN.mm.default: _product,
    _ATEN.bmm.default: _product,
    _ATEN.addmm.default: _added_product,
    _ATEN.max_pool2d_with_indices.default: _largest,
    _ATEN.max_pool3d_with_indices.default: _largest,
    _ATEN.avg_pool2d.default: _averaged,
    _ATEN.avg_pool3d.default: _averaged,
    _ATEN.upsample_bilinear2d.default: _resized,
    _ATEN.upsample_nearest2d.default: _resized,
    _ATEN.upsample_trilinear3d.default: _resized,
    _ATEN.upsample_nearest3d.default: _resized,
    _ATEN.replication_pad2d.default: _padded,
    _ATEN.replication_pad3d.default: _padded,
    _ATEN.mean.dim: _mean,
    _ATEN.eq.Scalar: _compared,
    _ATEN.ne.Scalar: _compared,
    _ATEN.index.Tensor: _chosen,
    _ATEN.masked_fill.Scalar: _masked,
    _ATEN.roll.default: _same,
}
"""What is known without torch's own rules; their answers are compared with torch's by tests."""
