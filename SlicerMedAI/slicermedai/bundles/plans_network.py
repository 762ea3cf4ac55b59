"""nnU-Net's networks from their plans, in torch alone: a U-Net of plain or residual convolutions.

The structure is that of the plans of nnU-Net v2 (Isensee et al., Nature Methods 18 (2021) 203, and arXiv:2404.09556 for
the residual encoder): the names of the parameters are the same, so that trained weights load strictly.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from slicermedai.errors import BundleError

_NORMS = ("InstanceNorm", "BatchNorm")
_NONLINEAR = ("LeakyReLU", "ReLU", "GELU", "ELU", "SiLU")


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What plans say of a network; one entry a resolution, the finest first, except where one number says all.

    ``kernels`` and ``strides`` have one size for each of the ``dimensions``; ``blocks`` counts convolutions, or
    residual blocks where ``residual``; ``decoder_convs`` counts those on the way up, the coarsest first. ``norm`` and
    ``nonlin`` are a name of torch's layers and its arguments.
    """

    dimensions: int
    residual: bool
    in_channels: int
    out_channels: int
    features: tuple[int, ...]
    kernels: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]
    blocks: tuple[int, ...]
    decoder_convs: tuple[int, ...]
    bias: bool = True
    norm: tuple[str, dict[str, Any]] = ("InstanceNorm", {"eps": 1e-5, "affine": True})
    nonlin: tuple[str, dict[str, Any]] = ("LeakyReLU", {})

    def __post_init__(self) -> None:
        stages = {len(part) for part in (self.features, self.kernels, self.strides, self.blocks)}
        if self.dimensions not in (2, 3) or stages != {len(self.decoder_convs) + 1}:
            raise BundleError("must say as much of every resolution", attribute="architecture")
        if self.norm[0] not in _NORMS or self.nonlin[0] not in _NONLINEAR:
            raise BundleError(f"{self.norm[0]} or {self.nonlin[0]} is not known here", attribute="architecture")

    def convolution(self, channels: tuple[int, int], kernel: Sequence[int], stride: Sequence[int]) -> nn.Module:
        """A convolution that keeps the size, apart from its stride."""
        kind = nn.Conv3d if self.dimensions == 3 else nn.Conv2d
        padding = [(size - 1) // 2 for size in kernel]
        return kind(*channels, tuple(kernel), tuple(stride), padding=tuple(padding), bias=self.bias)

    def pointwise(self, channels: tuple[int, int], *, bias: bool) -> nn.Module:
        """A convolution of single voxels."""
        kind = nn.Conv3d if self.dimensions == 3 else nn.Conv2d
        return kind(*channels, 1, bias=bias)

    def upward(self, channels: tuple[int, int], stride: Sequence[int]) -> nn.Module:
        """A transposed convolution that undoes a stride."""
        kind = nn.ConvTranspose3d if self.dimensions == 3 else nn.ConvTranspose2d
        return kind(*channels, tuple(stride), tuple(stride), bias=self.bias)

    def normalization(self, channels: int) -> nn.Module:
        """The norm that follows a convolution."""
        made: nn.Module = getattr(nn, f"{self.norm[0]}{self.dimensions}d")(channels, **self.norm[1])
        return made

    def nonlinearity(self) -> nn.Module:
        """What follows the norm."""
        made: nn.Module = getattr(nn, self.nonlin[0])(**self.nonlin[1])
        return made

    def average(self, stride: Sequence[int]) -> nn.Module:
        """The mean over each stride."""
        kind = nn.AvgPool3d if self.dimensions == 3 else nn.AvgPool2d
        return kind(tuple(stride), tuple(stride))


class PlansUNet(nn.Module):
    """The network of the plans: (batch, channels, *space) -> scores (batch, classes, *space), float logits.

    ``architecture`` has the fields of :class:`Architecture` as plain values. Raises :class:`BundleError` where one is
    missing, unknown or contradicts another.
    """

    def __init__(self, architecture: dict[str, Any]) -> None:
        super().__init__()
        plan = architecture_of(architecture)
        self.encoder = _ResidualEncoder(plan) if plan.residual else _PlainEncoder(plan)
        self.decoder = _Decoder(plan)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Scores of the finest resolution."""
        scores: torch.Tensor = self.decoder(self.encoder(image))
        return scores


class PlansEnsemble(nn.Module):
    """The mean of the scores of ``members`` networks of one ``architecture``, each also on mirrored windows.

    nnU-Net averages its folds and mirrored views in the same way: scores are summed linearly over windows, so that it
    is the same inside of each. ``mirror`` names spatial axes of the input; every combination of them is one view.
    """

    def __init__(self, architecture: dict[str, Any], members: int = 1, mirror: Sequence[int] = ()) -> None:
        super().__init__()
        self.members = nn.ModuleList(PlansUNet(architecture) for _ in range(members))
        axes = [axis + 2 for axis in mirror]
        self.views = [list(view) for n in range(len(axes) + 1) for view in itertools.combinations(axes, n)]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Mean scores of all members and views."""
        total = sum(self._seen(member, image, view) for member in self.members for view in self.views)
        return total / (len(self.members) * len(self.views))

    def _seen(self, member: nn.Module, image: torch.Tensor, view: list[int]) -> torch.Tensor:
        scores: torch.Tensor = member(torch.flip(image, view) if view else image)
        return torch.flip(scores, view) if view else scores


def architecture_of(values: dict[str, Any]) -> Architecture:
    """An :class:`Architecture` from plain values, as JSON has them; raises :class:`BundleError`."""
    try:
        return Architecture(**{name: _tuples(value) for name, value in values.items()})
    except TypeError as error:
        raise BundleError("a field is missing or unknown", attribute="architecture") from error


class _Unit(nn.Module):
    """Convolution, norm and, unless it ends a residual branch, nonlinearity."""

    def __init__(self, plan: Architecture, convolution: nn.Module, channels: int, *, linear: bool = False) -> None:
        super().__init__()
        self.conv = convolution
        self.norm = plan.normalization(channels)
        self.nonlin = nn.Identity() if linear else plan.nonlinearity()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.nonlin(self.norm(self.conv(values)))
        return result


class _Convolutions(nn.Module):
    """Several units; the first one takes the stride and the change of channels."""

    def __init__(self, plan: Architecture, channels: tuple[int, int], count: int, sizes: _Sizes) -> None:
        super().__init__()
        ones = (1,) * plan.dimensions
        first = plan.convolution(channels, sizes.kernel, sizes.stride)
        rest = [plan.convolution((channels[1], channels[1]), sizes.kernel, ones) for _ in range(count - 1)]
        self.convs = nn.Sequential(*(_Unit(plan, made, channels[1]) for made in (first, *rest)))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.convs(values)
        return result


@dataclass(frozen=True, slots=True)
class _Sizes:
    kernel: tuple[int, ...]
    stride: tuple[int, ...]


class _PlainEncoder(nn.Module):
    def __init__(self, plan: Architecture) -> None:
        super().__init__()
        channels = (plan.in_channels, *plan.features)
        stages = zip(channels, plan.features, plan.blocks, plan.kernels, plan.strides, strict=False)
        self.stages = nn.Sequential(
            *(nn.Sequential(_Convolutions(plan, (a, b), n, _Sizes(k, s))) for a, b, n, k, s in stages)
        )

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        return _outputs(self.stages, image)


class _ResidualEncoder(nn.Module):
    def __init__(self, plan: Architecture) -> None:
        super().__init__()
        ones, first = (1,) * plan.dimensions, plan.features[0]
        self.stem = _Convolutions(plan, (plan.in_channels, first), 1, _Sizes(plan.kernels[0], ones))
        stages = zip((first, *plan.features), plan.features, plan.blocks, plan.kernels, plan.strides, strict=False)
        self.stages = nn.Sequential(*(_ResidualStage(plan, (a, b), n, _Sizes(k, s)) for a, b, n, k, s in stages))

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        return _outputs(self.stages, self.stem(image))


class _ResidualStage(nn.Module):
    def __init__(self, plan: Architecture, channels: tuple[int, int], count: int, sizes: _Sizes) -> None:
        super().__init__()
        plain = _Sizes(sizes.kernel, (1,) * plan.dimensions)
        rest = [_ResidualBlock(plan, (channels[1], channels[1]), plain) for _ in range(count - 1)]
        self.blocks = nn.Sequential(_ResidualBlock(plan, channels, sizes), *rest)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.blocks(values)
        return result


class _ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut that averages over the stride (ResNet-D, arXiv:1812.01187)."""

    def __init__(self, plan: Architecture, channels: tuple[int, int], sizes: _Sizes) -> None:
        super().__init__()
        inner = (channels[1], channels[1])
        ones = (1,) * plan.dimensions
        self.conv1 = _Unit(plan, plan.convolution(channels, sizes.kernel, sizes.stride), channels[1])
        self.conv2 = _Unit(plan, plan.convolution(inner, sizes.kernel, ones), channels[1], linear=True)
        shortcut: list[nn.Module] = [plan.average(sizes.stride)] if max(sizes.stride) > 1 else []
        if channels[0] != channels[1]:
            shortcut.append(_Unit(plan, plan.pointwise(channels, bias=False), channels[1], linear=True))
        self.skip = nn.Sequential(*shortcut)
        self.nonlin2 = plan.nonlinearity()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.nonlin2(self.conv2(self.conv1(values)) + self.skip(values))
        return result


class _Decoder(nn.Module):
    """From the coarsest resolution up. All scored layers are kept for their names; the last one answers."""

    def __init__(self, plan: Architecture) -> None:
        super().__init__()
        ups, stages, scores = [], [], []
        for n, count in enumerate(plan.decoder_convs, start=1):
            below, beside = plan.features[-n], plan.features[-n - 1]
            ups.append(plan.upward((below, beside), plan.strides[-n]))
            sizes = _Sizes(plan.kernels[-n - 1], (1,) * plan.dimensions)
            stages.append(_Convolutions(plan, (2 * beside, beside), count, sizes))
            scores.append(plan.pointwise((beside, plan.out_channels), bias=True))
        self.transpconvs, self.stages, self.seg_layers = (
            nn.ModuleList(ups),
            nn.ModuleList(stages),
            nn.ModuleList(scores),
        )

    def forward(self, skips: list[torch.Tensor]) -> torch.Tensor:
        values = skips[-1]
        for n, (up, stage) in enumerate(zip(self.transpconvs, self.stages, strict=True)):
            values = stage(torch.cat((up(values), skips[-n - 2]), dim=1))
        scores: torch.Tensor = self.seg_layers[-1](values)
        return scores


def _outputs(stages: nn.Sequential, values: torch.Tensor) -> list[torch.Tensor]:
    kept = []
    for stage in stages:
        values = stage(values)
        kept.append(values)
    return kept


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
