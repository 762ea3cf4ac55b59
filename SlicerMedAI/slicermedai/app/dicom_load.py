"""A result of ours from its DICOM objects into the scene, whole or not at all. No Qt in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """The nodes, and sentences on what the objects do not hold or what could not be shown."""

    shown: Any
    told: tuple[str, ...] = ()


def is_shown(key: str, scene: Any) -> bool:
    """True where ``scene`` holds the segmentation node of the result ``key``."""
    from slicermedai.scene import identity

    return bool(identity.marked_nodes(scene, key, identity.SEGMENTATION))


def load_result(files: Sequence[str], scene: Any, *, key: str) -> Loaded:
    """Read the objects ``files`` of one result and show them in ``scene`` beside their image, where that is loaded.

    Loaded again, the nodes that carry ``key`` are brought up to date. A result of maps alone is laid over its image
    at once. What is told is also written into the result's notice, which is saved with the scene.

    Raises
    ------
    InputError
        An object is damaged, or they are of several studies; the scene is as it was.
    IdentityError
        The scene holds the study for another patient; the scene is as it was.
    """
    from slicermedai.export.own import read_own
    from slicermedai.scene.beside import all_or_nothing, place_beside
    from slicermedai.scene.map_colors import overlay
    from slicermedai.scene.show import show

    read = read_own([Path(path) for path in files])
    result = replace(read.result, provenance=replace(read.result.provenance, job_id=key))
    placed = place_beside(result, scene)
    with all_or_nothing(scene):
        shown = show(placed.result, scene, volume_node=placed.image)
        told = tuple(filter(None, (*read.lost, placed.remark, shown.remark)))
        shown.notice_node.SetText("\n".join((shown.notice_node.GetText(), *told)))
        if shown.map_nodes and not result.findings:
            overlay(shown.map_nodes[0], placed.image)
    return Loaded(shown=shown, told=told)
