"""Whatever a person hands in, as a started job: paths go as they are, memory goes through the job's own folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from slicermedai.console.launch import launch
from slicermedai.domain import settings
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.study import Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.jobs.defaults import with_settings
from slicermedai.jobs.files import make_job
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.places import new_output
from slicermedai.jobs.specs import DeidJob, RunJob
from slicermedai.jobs.supervisor import Running

CONVENTIONS = ("itk", "nibabel")
"""How an array and its 4 x 4 belong together: ``itk`` is array[k, j, i] and (i, j, k, 1) to LPS mm (SimpleITK's way);
``nibabel`` is array[i, j, k] and (i, j, k, 1) to RAS mm."""


def start_run(source: Any, values: dict[str, Any]) -> Running:
    """Start a run of ``source`` with the job's ``values``, ``affine`` and ``study`` among them.

    ``inputs`` may be a mapping of names to further sources, each of any kind but an array.

    Raises
    ------
    InputError, ProtocolError, OutputError, WorkerCrashed
    """
    affine, study, convention = (values.pop(name, None) for name in ("affine", "study", "convention"))
    if isinstance(values.get("inputs"), Mapping):
        return _start_several(source, values, context=(affine, study, convention))
    if isinstance(source, (str, Path)) or are_files(source):
        _refuse_context(affine=affine, convention=convention, study=study)
    if isinstance(source, (str, Path)):
        return launch(_job(source, values))
    if hasattr(source, "IsA"):
        from slicermedai.scene.sequences import is_sequence

        if is_sequence(source):
            return _start_frames(source, values)
    if are_files(source):
        from slicermedai.dicom.file_list import save_file_list

        return _start_in_folder(values, lambda inputs: save_file_list(source, inputs))
    from slicermedai.dicom.volumes import save_volume

    volume = as_volume(source, affine, convention)
    return _start_in_folder(values, lambda inputs: save_volume(volume, study or Study(), inputs))


def start_deid(source: Any, values: dict[str, Any], *, secrets: Mapping[str, str]) -> Running:
    """Start a de-identification of a folder, a file or a list of files, with the job's other ``values``.

    Raises
    ------
    ProtocolError, OutputError, WorkerCrashed
    """
    if not are_files(source):
        job = make_job(DeidJob, {**values, "source": str(Path(source).expanduser().absolute())})
        return launch(job, secrets=secrets)
    from slicermedai.dicom.file_list import save_file_list

    folder = JobFolder.create()
    try:
        job = make_job(DeidJob, {**values, "source": str(save_file_list(source, folder.inputs))})
        return launch(job, folder=folder, secrets=secrets)
    except BaseException:
        folder.remove()
        raise


def are_files(source: Any) -> bool:
    """True for a list of paths: a series in Slicer's DICOM database, whose files may lie anywhere."""
    return isinstance(source, (list, tuple)) and bool(source) and all(isinstance(item, (str, Path)) for item in source)


def as_volume(source: Any, affine: Any = None, convention: str | None = None) -> Volume:
    """A volume from a volume node, a SimpleITK image, a :class:`Volume`, or an array with its affine.

    Raises
    ------
    InputError
        Anything else, an array without an affine, a matrix without its ``convention``, or either of them for a source
        that says itself where its voxels lie.
    """
    if _is_array(source):
        return _from_array(source, affine, convention)
    if affine is not None or convention is not None:
        raise InputError(
            "the image says itself where its voxels lie",
            attribute="affine" if affine is not None else "convention",
            advice="Leave it out, or hand in the array alone.",
        )
    if isinstance(source, Volume):
        return source
    if hasattr(source, "IsA"):
        return volume_of_node(source)
    if type(source).__module__.partition(".")[0] == "SimpleITK":
        from slicermedai.dicom.volumes import from_sitk

        volume: Volume = from_sitk(source)
        return volume
    raise InputError(
        f"an object of type {type(source).__name__} is no image",
        attribute="source",
        advice="Give a folder, a file, a volume node, a SimpleITK image, a Volume, or an array with affine=.",
    )


def _is_array(source: Any) -> bool:
    return hasattr(source, "__array__") and not isinstance(source, Volume)


def volume_of_node(node: Any) -> Volume:
    """The image of a scalar volume node, in LPS; raises :class:`InputError` for another node."""
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        raise InputError(f"a {node.GetClassName()} is no scalar volume node", attribute="source")
    from slicermedai.scene.volumes import volume_from_node

    return volume_from_node(node)


def _from_array(array: Any, affine: Any, convention: str | None) -> Volume:
    if affine is None:
        raise InputError(
            "an array says nothing about where its voxels lie",
            attribute="affine",
            advice="Give affine= and convention='itk' or 'nibabel', or a Geometry.",
        )
    from slicermedai.dicom.volumes import from_array

    if isinstance(affine, Geometry):
        return Volume(array=array, geometry=affine, name="array")
    if convention not in CONVENTIONS:
        raise InputError(
            "a matrix does not say which way its axes run, and a guess would turn the patient",
            attribute="convention",
            advice="Give convention='itk' (array[slice, row, column], LPS) or 'nibabel' (array[i, j, k], RAS).",
        )
    if convention == "nibabel":
        array, affine = np.transpose(array), np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine, dtype=np.float64)
    volume: Volume = from_array(array, affine, name="array")
    return volume


def _refuse_context(**given: Any) -> None:
    named = next((name for name, value in given.items() if value is not None), None)
    if named is not None:
        raise InputError(
            "a file says itself where its voxels lie and whose they are",
            attribute=named,
            advice="Leave it out, or hand in the voxels.",
        )


def _job(source: str | Path, values: dict[str, Any]) -> RunJob:
    clean = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    return make_job(RunJob, with_settings(RunJob, {"source": str(Path(source).expanduser().absolute()), **clean}))


def _start_in_folder(values: dict[str, Any], fill: Callable[[Path], object]) -> Running:
    """Start a job whose source is the job folder's own ``inputs``, gone when the job ends."""
    folder = JobFolder.create()
    try:
        job = _job(folder.inputs, values)
        fill(folder.inputs)
        return launch(job, folder=folder)
    except BaseException:
        folder.remove()
        raise


def _start_frames(node: Any, values: dict[str, Any]) -> Running:
    """Start a job over time of the volumes of a sequence."""
    from slicermedai.dicom.volumes import save_frames
    from slicermedai.scene.sequences import frames_of

    frames = frames_of(node)
    return _start_in_folder(
        {**values, "over_time": True},
        lambda inputs: save_frames(frames.volumes, frames.seconds, inputs, clock=frames.clock),
    )


def _start_several(source: Any, values: dict[str, Any], *, context: tuple[Any, Any, Any]) -> Running:
    """Start a job of several images; what is in memory, and lists of files, go through the job's own folder."""
    affine, study, convention = context
    folder = JobFolder.create()
    try:
        main = as_volume(source, affine, convention) if _is_array(source) else source
        named = [
            f"{name}={_laid(one, folder.inputs / str(number), study)}"
            for number, (name, one) in enumerate(values["inputs"].items(), 1)
        ]
        job = _job(_laid(main, folder.inputs / "0", study), {**values, "inputs": tuple(named)})
        return launch(job, folder=folder)
    except BaseException:
        folder.remove()
        raise


def _laid(source: Any, folder: Path, study: Study | None) -> Path:
    """The path that stands for an image in a job: its own, or ``folder``, where it is written."""
    if isinstance(source, (str, Path)):
        return Path(source).expanduser().absolute()
    if are_files(source):
        from slicermedai.dicom.file_list import save_file_list

        return save_file_list(source, folder)
    from slicermedai.dicom.volumes import save_volume

    return save_volume(as_volume(source), study or Study(), folder)


def inside_slicer() -> bool:
    """True in Slicer's own process, where the window's process draws the report's pictures, on demand."""
    return hasattr(sys.modules.get("slicer"), "app")


def place(output: str | Path | None) -> Path:
    """Where the output goes: absolute, or a new folder where the setting ``results`` says, by default in Documents."""
    if output is not None:
        return Path(output).expanduser().absolute()
    return new_output(Path(settings.present("results")).absolute())
