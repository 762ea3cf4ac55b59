"""What a plan takes, leaves and touches, as regions with colours and as surfaces: what views show of it.

The colours are those of Okabe and Ito, which people with any colour vision tell apart. No number is measured here.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slicermedai.domain.codes import ANATOMY, Code, Label
from slicermedai.domain.finding import Finding, Mask, PackedMask
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.plan import Plan, Role
from slicermedai.plan.margins import MarginZone, zone_of
from slicermedai.plan.mesh import region_surface
from slicermedai.plan.numbers import title
from slicermedai.plan.resection import resect

Mesh = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]
"""Vertices (N, 3) LPS mm, faces (M, 3), normals (N, 3)."""

ORGAN, STRUCTURE, ADDED = "organ", "structure", "added"
"""The kinds of what was found, and of what was brought from another phase or drawn."""
REMNANT, RESECTION, MARGIN, TOUCH, BEYOND = "remnant", "resection", "margin", "touch", "beyond"
"""The kinds of shapes: each tracking UID begins with one."""
INNER, OUTER = "inner", "outer"
"""The kinds of contours."""
COLORS = {
    REMNANT: (0, 158, 115),
    RESECTION: (213, 94, 0),
    MARGIN: (240, 228, 66),
    TOUCH: (204, 121, 167),
    BEYOND: (86, 180, 233),
    INNER: (255, 255, 255),
    OUTER: (0, 114, 178),
}
_SPATIAL = Code(value="309825002", scheme="SCT", meaning="Spatial and Relational Concept")
_MOST = 400_000
"""Voxels of a region's box of which a surface is made in a moment; larger ones are taken at fewer places."""
_MOST_IN_VIEW = 2_000_000
"""The same where nobody waits for it."""


def shapes_of(plan: Plan) -> tuple[Finding, ...]:
    """Structures, what stays, what goes, margins and what they meet, then contours; empty ones are left out.

    Raises as :func:`slicermedai.plan.numbers.table_of` does.
    """
    return tuple(one for one in _shapes(plan) if isinstance(one.region, PackedMask) and all(_size(one.region)))


def cropped(shapes: Sequence[Finding]) -> Iterator[Finding]:
    """The same regions on the part of the grid that holds all of them: a window shows that in a moment."""
    regions = [one.region for one in shapes if isinstance(one.region, PackedMask)]
    if not regions:
        return
    start = np.min([one.start for one in regions], axis=0)
    stop = np.max([one.stop for one in regions], axis=0)
    grid = regions[0].geometry.cropped(_whole(start), _whole(stop))
    for shape, region in zip(shapes, regions, strict=True):
        low, high = _whole(np.subtract(region.start, start)), _whole(np.subtract(region.stop, start))
        yield replace(shape, region=PackedMask(bits=region.bits, start=low, stop=high, geometry=grid))


def _whole(values: NDArray[np.int_]) -> tuple[int, int, int]:
    return int(values[0]), int(values[1]), int(values[2])


def meshes_of(shapes: Sequence[Finding], progress: Progress = silent) -> dict[str, Mesh]:
    """Surfaces of all shapes but contours, LPS mm, by their tracking UID."""
    held: dict[str, Mesh] = {}
    for number, one in enumerate(shapes):
        progress("shapes", 0.2 + 0.8 * number / len(shapes))
        if one.tracking_uid.partition(":")[0] not in (INNER, OUTER) and isinstance(one.region, PackedMask):
            held[one.tracking_uid] = _mesh(one.region)
    return held


def write_meshes(shapes: Sequence[Finding], path: Path, progress: Progress = silent) -> None:
    """:func:`meshes_of` in a file."""
    write_each(meshes_of(shapes, progress).items(), path)


def write_surfaces(findings: Sequence[Finding], path: Path, progress: Progress = silent) -> None:
    """The surfaces of all findings that have voxels in a file, LPS mm, as :func:`write_meshes` has them.

    They are smoothed, and of every second or third voxel where the region is large: views show them, and nothing is
    measured on them.
    """
    write_each(_coarse(findings, progress), path)


def coarse_mesh(region: PackedMask) -> Mesh:
    """The surface of a region that is not empty, as :func:`write_surfaces` has it."""
    return _mesh_of(region, most=_MOST_IN_VIEW)


def write_each(found: Iterable[tuple[str, Mesh]], path: Path) -> None:
    """Surfaces in a file as ``numpy.load`` reads it, each written before the next one is made."""
    with zipfile.ZipFile(path, "w") as archive:
        for uid, mesh in found:
            for name, array in _named(*mesh):
                with archive.open(f"{uid}.{name}.npy", "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, array, allow_pickle=False)


def _coarse(findings: Sequence[Finding], progress: Progress) -> Iterator[tuple[str, Mesh]]:
    for number, one in enumerate(findings):
        progress("meshes", number / len(findings))
        region = _packed(one)
        if region is not None and all(_size(region)):
            yield one.tracking_uid, coarse_mesh(region)


def _packed(finding: Finding) -> PackedMask | None:
    region = finding.region
    if isinstance(region, Mask):
        return PackedMask.from_array(region.to_array(), region.geometry)
    return region if isinstance(region, PackedMask) else None


def _named(
    vertices: NDArray[np.float32], faces: NDArray[np.int64], normals: NDArray[np.float32]
) -> Iterator[tuple[str, NDArray[np.generic]]]:
    yield "vertices", vertices
    yield "faces", faces
    yield "normals", normals


def _shapes(plan: Plan) -> Iterator[Finding]:
    found = resect(plan)
    yield from _structures(plan, is_cut=found is not None)
    if found is not None:
        yield _shape(REMNANT, plan.organ, f"{plan.organ}: remnant", found.remnant_region)
        yield _shape(RESECTION, plan.organ, f"{plan.organ}: resection", found.resected_region)
    for zone in (zone_of(plan, margin) for margin in plan.margins):
        yield from _zone(plan, zone)
    for one in plan.contours:
        yield _shape(INNER, one.structure, f"{one.structure}: inner {one.level:.0%}", one.inner)
        yield _shape(OUTER, one.structure, f"{one.structure}: outer {one.level:.0%}", one.outer)


def _structures(plan: Plan, *, is_cut: bool) -> Iterator[Finding]:
    """What 3D views show of the structures: the organ where nothing is cut, for else remnant and resection show it."""
    for one in plan.structures:
        if isinstance(one.region, PackedMask) and not (is_cut and one.role is Role.ORGAN):
            kind = ORGAN if one.role is Role.ORGAN else STRUCTURE if one.tracking_uid else ADDED
            label = replace(one.label, name=one.name)
            yield Finding(tracking_uid=f"{kind}:{one.name}", label=label, region=one.region)


def _zone(plan: Plan, zone: MarginZone) -> Iterator[Finding]:
    name = title(zone.margin)
    yield _shape(MARGIN, name, f"{name}: margin", zone.region)
    for one in zone.vessels:
        yield _shape(TOUCH, f"{name} {one.name}", f"{name}: in {one.name}", one.region)
    if zone.beyond_organ is not None:
        yield _shape(BEYOND, name, f"{name}: beyond {plan.organ}", zone.beyond_organ.region)


def _shape(kind: str, of: str, name: str, region: PackedMask) -> Finding:
    category = ANATOMY if kind in (REMNANT, RESECTION, TOUCH) else _SPATIAL
    code = Code(value=f"PLAN-{kind.upper()}", scheme="99MEDAI", meaning=f"Planned {kind}")
    label = Label(name=name, category=category, type=code, color=COLORS[kind])
    return Finding(tracking_uid=f"{kind}:{of}", label=label, region=region)


def _size(region: PackedMask) -> Sequence[int]:
    return [b - a for a, b in zip(region.start, region.stop, strict=True)]


@lru_cache(maxsize=24)
def _mesh(region: PackedMask) -> Mesh:
    return _mesh_of(region, most=_MOST)


def _mesh_of(region: PackedMask, *, most: int) -> Mesh:
    made = region_surface(_fewer(region, most), name="shape")
    vertices, faces = made.vertices.astype(np.float32), made.faces
    return vertices, faces, _normals(vertices, faces)


def _fewer(region: PackedMask, most: int = _MOST) -> PackedMask:
    """Every second or third voxel of a region whose box is large; the region itself where that leaves none."""
    step = int(np.ceil((float(np.prod(_size(region))) / most) ** (1 / 3)))
    if step <= 1:
        return region
    grid = region.geometry
    array = region.to_array()[::step, ::step, ::step]
    affine = np.array(grid.affine)
    affine[:3, :3] *= step
    return PackedMask.from_array(array, Geometry(shape=array.shape, affine=affine)) if array.any() else region


def _normals(vertices: NDArray[np.float32], faces: NDArray[np.int64]) -> NDArray[np.float32]:
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    flat = np.cross(b - a, c - a)
    size = len(vertices)
    summed = np.stack(
        [np.bincount(faces.ravel(), np.repeat(flat[:, axis], 3), minlength=size) for axis in range(3)], axis=1
    )
    length = np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-9)
    return np.asarray(summed / length, dtype=np.float32)
