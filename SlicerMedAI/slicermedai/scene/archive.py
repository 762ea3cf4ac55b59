"""Scenes as .mrb files, which Slicer opens as they are: the scene and all its data in one zip."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from slicermedai.domain.scratch import ScratchFolder, sweep_scratch
from slicermedai.domain.storage import atomic_file
from slicermedai.errors import OutputError, UnreadableFileError
from slicermedai.scene.markups import know_markup_files
from slicermedai.scene.segments import know_surfaces
from slicermedai.scene.volumes import ijk_to_ras

_KIND = "scene"
"""What the names of the temporary folders of unpacked scenes begin with."""


def save_scene(scene: Any, path: Path) -> Path:
    """Write ``scene`` with all its data to ``path`` (``*.mrb``), whole or not at all.

    Raises
    ------
    OutputError, DiskFullError
        The folder cannot be written, or a node could not be saved; an older file stays.
    """
    path = Path(path).absolute()
    for node in _sheared_volumes(scene):
        _store_as_plain_nrrd(node)
    with atomic_file(path) as partial, _workshop(partial) as folder, _scratch(scene), _same_directory():
        made = folder / path.name
        if not scene.WriteToMRB(str(made)) or not made.is_file():
            raise OutputError(
                "the scene could not be saved", file=path, advice="Slicer's error log names the node that failed."
            )
        made.replace(partial)
    return path


def load_scene(path: Path, scene: Any) -> Any:
    """Add what ``path`` (``*.mrb``) holds to ``scene``, and return it.

    Raises
    ------
    UnreadableFileError
        There is no such file, it is damaged, or a node in it could not be read.
    """
    path = Path(path).absolute()
    if not path.is_file():
        raise UnreadableFileError("there is no such file", file=path)
    know_surfaces()
    know_markup_files(scene)
    with _scratch(scene), _same_directory():
        read = scene.ReadFromMRB(str(path), False)
    if not read:
        raise UnreadableFileError("is no Slicer scene that can be read", file=path, advice="Was it copied whole?")
    return scene


def _sheared_volumes(scene: Any) -> list[Any]:
    """Scalar volumes whose axes are not at right angles (a tilted gantry)."""
    nodes = scene.GetNodesByClass("vtkMRMLScalarVolumeNode")
    found = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
    return [node for node in found if not _is_orthogonal(node)]


def _is_orthogonal(node: Any) -> bool:
    axes = ijk_to_ras(node)[:3, :3]
    axes = axes / np.linalg.norm(axes, axis=0)
    return bool(np.allclose(axes.T @ axes, np.eye(3), atol=1e-4))


def _store_as_plain_nrrd(node: Any) -> None:
    """ITK's writer, which volumes are saved with by default, ends the process on a sheared grid; this one does not."""
    if node.GetImageData() is None or (node.GetStorageNode() and node.GetStorageNode().IsA("vtkMRMLNRRDStorageNode")):
        return
    storage = node.GetScene().AddNewNodeByClass("vtkMRMLNRRDStorageNode")
    storage.SetDefaultWriteFileExtension("nrrd")
    storage.SetUseCompression(1)
    node.SetAndObserveStorageNodeID(storage.GetID())


@contextmanager
def _workshop(partial: Path) -> Iterator[Path]:
    """A folder beside ``partial`` whose name the sweep of dead processes' leavings knows, as it knows ``partial``."""
    folder = partial.with_name(partial.name[:-8] + uuid.uuid4().hex[:8])
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _same_directory() -> Iterator[None]:
    """Slicer's zip code changes the process's working directory and can leave it in a folder that is gone."""
    before = os.getcwd()  # noqa: PTH109  # restored as it was, whatever it was
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _scratch(scene: Any) -> Iterator[None]:
    """A cache folder to unpack in, for a scene outside the application, which has none.

    It holds the patient's image: it is gone afterwards, and what a killed process left is gone at the next call.
    """
    if scene.GetDataIOManager() is not None or scene.GetCacheManager() is not None:
        yield
        return
    sweep_scratch(_KIND)
    with ScratchFolder.create(_KIND) as folder:
        cache = slicer.vtkCacheManager()
        cache.SetRemoteCacheDirectory(str(folder.path))
        manager = slicer.vtkDataIOManager()
        manager.SetCacheManager(cache)
        scene.SetDataIOManager(manager)
        try:
            yield
        finally:
            scene.SetDataIOManager(None)
