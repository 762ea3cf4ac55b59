"""What a run will need before it starts: memory and arithmetic, and whether they are there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from slicermedai.errors import InputError
from slicermedai.inference import free_memory
from slicermedai.inference.shadow import Cost
from slicermedai.inference.windows import Triple, WindowPlan, carried_values

_BASE = 0.35e9
"""Bytes that torch takes for itself in a first run, beyond what is counted here."""
_UNKNOWN_VALUES = 40
"""Values per voxel and window that are assumed for a network that cannot be asked (TorchScript)."""
HALF_FROM = 0.5e9
"""Bytes of overlaps from which on they are kept as float16."""
PRECISE_UP_TO = 0.3e9
LEADS_UP_TO = 0.8e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Bytes at the peak of a run, by what takes them; ``operations`` of all windows together, 0 where not known."""

    image: float
    windows: float
    overlaps: float
    kept: float
    operations: float = 0.0

    @property
    def total(self) -> float:
        """Bytes at the peak."""
        return _BASE + self.image + self.windows + self.overlaps + self.kept

    @property
    def in_words(self) -> str:
        """For people, in GB of 10**9 bytes."""
        parts = (("image", self.image), ("windows", self.windows), ("overlaps", self.overlaps), ("kept", self.kept))
        return f"{self.total / 1e9:.1f} GB ({', '.join(f'{name} {size / 1e9:.1f}' for name, size in parts)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What stays in memory beside the windows: shapes of network grid and source, and how leads are kept."""

    shape: Triple
    source: Triple
    inputs: int = 1
    classes: int = 2
    exclusive: bool = True
    leads: bool = False
    precise: bool = True
    kept: int = 0


def need_of(plan: WindowPlan, layout: Layout, cost: Cost | None) -> Need:
    """What a sweep with ``plan`` takes at its peak."""
    voxels, source = _count(layout.shape), _count(layout.source)
    window = _count(plan.roi)
    values = cost.values if cost else window * (_UNKNOWN_VALUES + 2 * layout.classes)
    carried = carried_values(plan, layout.shape) * (2 * layout.classes + 4 if plan.half else 4 * layout.classes)
    channels = layout.classes if not layout.exclusive else 0
    leads = (layout.classes - 1) * (4 if layout.precise else 2) if layout.leads else 0
    return Need(
        image=4 * voxels * layout.inputs * (2 if plan.padded(layout.shape) != layout.shape else 1),
        windows=4 * plan.batch * values + 4 * window * layout.classes,
        overlaps=carried,
        kept=voxels * (3 + leads + 2 * channels + 2 * layout.kept) + 2 * source,
        operations=(cost.operations if cost else 0) * plan.count(layout.shape),
    )


def keeps_leads(layout: Layout) -> tuple[bool, bool]:
    """Whether the leads of all labels fit into memory at network resolution, and whether in float32."""
    values = _count(layout.shape) * max(1, layout.classes - 1)
    return 2 * values <= LEADS_UP_TO, 4 * values <= PRECISE_UP_TO


def laid(plan: WindowPlan, layout: Layout, cost: Cost | None, *, nearest: bool) -> tuple[WindowPlan, Layout, Need]:
    """How windows and labels are kept, and what that takes: leads of labels where they fit into memory, overlaps as
    float16 where they are many. ``nearest``: labels come back to the image by the nearest voxel, without leads.
    """
    fits, precise = keeps_leads(layout)
    layout = replace(layout, leads=layout.exclusive and not nearest and fits, precise=precise)
    half = layout.exclusive and need_of(plan, layout, None).overlaps > HALF_FROM
    plan = replace(plan, half=half)
    return plan, layout, need_of(plan, layout, cost)


def check(need: Need, *, free: float | None = None) -> None:
    """Raise :class:`InputError` with the numbers where the memory is not there; nothing was computed yet."""
    there = free_memory.available() if free is None else free
    if need.total > there:
        raise InputError(
            f"the run needs {need.in_words}, and {there / 1e9:.1f} GB of memory are free",
            attribute="memory",
            advice="Close other programs, crop the image to the region of interest, or use a machine with more memory.",
        )


def _count(shape: Triple) -> int:
    return shape[0] * shape[1] * shape[2]
