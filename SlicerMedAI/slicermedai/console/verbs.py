"""What people type: submit, run, show, load, and what belongs to them.

Work is done by a child process. :func:`submit` returns at once; inside Slicer a Qt timer then drives the job, elsewhere
the caller's own :meth:`JobHandle.poll` or :meth:`JobHandle.wait` does.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.console.handle import JobHandle
from slicermedai.console.launch import launch
from slicermedai.console.sources import (
    are_files,
    as_volume,
    inside_slicer,
    place,
    start_deid,
    start_run,
    volume_of_node,
)
from slicermedai.console.tell import tell, where_to_look
from slicermedai.domain.course import Course, Moment
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.reviewed import newest
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.jobs.defaults import with_settings
from slicermedai.jobs.files import make_job
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.specs import DeidJob, ExportJob, Job

if TYPE_CHECKING:
    from slicermedai.domain.bundle import BundleRef

_LOG = logging.getLogger("slicermedai")


def submit(
    source: Any,
    bundle: str = "brain",
    *,
    output: str | Path | None = None,
    on_done: Callable[[AnalysisResult], object] | None = None,
    **options: Any,
) -> JobHandle:
    """Start an analysis and return at once.

    Inside Slicer a timer drives the job, at Python's prompt the waiting for what is typed, elsewhere ``job.wait()`` or
    ``job.poll()``. A script that ends before its job waits for it and says so.

    Parameters
    ----------
    source:
        A DICOM folder or file, a list of DICOM files, a NIfTI or NRRD file (text or Path); a scalar volume node of a
        scene, or a sequence of them (then ``over_time``); a SimpleITK image; a numpy array with ``affine=``; a
        :class:`Volume`. What is in memory is first written to the job's temporary folder, which is gone when it ends.
    bundle:
        The model, as name or name@version.
    output:
        The folder to make; by default a new ``MedAI-<time>-<number>`` in the folder of results, or in Documents.
    on_done:
        Called with the result when the job is done, by whatever polls; what it raises is told and kept as
        ``job.callback_error``. :func:`show` shows the image too (a volume node as it is, anything else read again), and
        outside Slicer says where report and scene lie.
    options:
        Any field of :class:`slicermedai.RunJob`. For arrays ``affine``: a :class:`Geometry`, or a 4 x 4 together with
        ``convention``: "itk" (array[slice, row, column], matrix to LPS mm) or "nibabel" (array[i, j, k], to RAS mm).
        From memory ``study``: the :class:`Study` that all output names; SEG and SR need DICOM files. For a model of
        several images ``inputs``: its names for the others, each with a source, and ``shows``: its name for ``source``.

    Raises
    ------
    InputError
        A source of another kind, or an array without an affine.
    ProtocolError
        An option that does not exist or a value that it does not take.
    OutputError, WorkerCrashed
        The temporary folder or the worker cannot be used.
    """
    if not isinstance(source, (str, Path)) and not are_files(source) and not hasattr(source, "IsA"):
        source = as_volume(source, options.pop("affine", None), options.pop("convention", None))
    values = {"bundle": bundle, "output": str(place(output)), "report": not inside_slicer(), **options}
    handle = JobHandle(start_run(source, values), on_done=on_done)
    if on_done is show:
        handle.on_done = lambda result: _show_run(handle, source, options)
    handle.tick()
    return handle


def submit_job(job: Job, *, secrets: Mapping[str, str] | None = None) -> JobHandle:
    """Start a job of any kind and return at once; the command line does this.

    ``secrets`` (a passphrase) reach the worker as variables of its environment alone: no file and no log holds them.

    Raises
    ------
    FormatError, OutputError, WorkerCrashed
        It cannot be started.
    """
    return JobHandle(launch(job, secrets=secrets))


def deidentify(
    source: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    preset: str = "basic",
    passphrase: str = "",
    **options: Any,
) -> JobHandle:
    """Start writing de-identified copies of DICOM files, and return at once. ``job.folder`` is what a job leaves.

    >>> job = slicermedai.deidentify("STUDIES", "COPIES", preset="research")
    >>> folder = job.finish()                    # BLOCKS; inside Slicer use job.done and job.folder instead
    >>> print(folder / "report.html", folder / "dicom")

    Parameters
    ----------
    source:
        A DICOM folder, file or zip file, or a list of DICOM files.
    output:
        The folder to make; by default a new ``MedAI-<time>-<number>`` in the folder of results, or in Documents.
    preset:
        "basic", "research", "hipaa-safe-harbor", or the file of a site's own preset.
    passphrase:
        Opens a sealed key and the table of who is who. It reaches the worker in its environment and is kept nowhere.
    options:
        Any further field of :class:`slicermedai.DeidJob`.

    Raises
    ------
    ProtocolError, IdentityError
        An option or preset that does not exist, or options that contradict each other.
    OutputError, WorkerCrashed
        The output lies within the source, or the worker cannot be started.
    """
    from slicermedai.deid.request import choice_of
    from slicermedai.deid.sealed import PASSPHRASE_VARIABLE

    plain = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    values = with_settings(DeidJob, {"source": "", "output": str(place(output)), "preset": preset, **plain})
    choice_of(make_job(DeidJob, values))
    handle = JobHandle(start_deid(source, values, secrets={PASSPHRASE_VARIABLE: passphrase} if passphrase else {}))
    handle.tick()
    return handle


def run(source: Any, bundle: str = "brain", *, output: str | Path | None = None, **options: Any) -> AnalysisResult:
    """Analyse and BLOCK until it is done: inside Slicer the window stands still meanwhile. :func:`submit` does not.

    Parameters and errors are those of :func:`submit`, and whatever ends the job is raised too. An interrupt
    (Ctrl-C) stops the job.
    """
    handle = submit(source, bundle, output=output, **options)
    _LOG.info("run() blocks until the job is done; submit() returns at once")
    handle.finish()
    return handle.result()


def show(result: AnalysisResult | str | Path, scene: Any = None, volume: Any = None) -> Any:
    """Show a result, or a result folder, in a scene (by default Slicer's); returns the nodes.

    ``volume`` is the node of the image where it is loaded already, or a :class:`Volume` to load. Where no scene is
    given and this process has none (it is not Slicer), it says where the report and the scene file lie, and returns
    None.

    The folder of a run over time comes as one of Slicer's sequences, whose browser is returned: each item has the
    segmentation of its own frame, and a structure is one segment in all. Frames that failed (the report names them)
    are left out. Its :class:`AnalysisResult` is shown as what it is, the result of one frame.
    """
    place_in = scene if scene is not None else _slicers_scene()
    if place_in is None:
        tell(where_to_look(None if isinstance(result, AnalysisResult) else Path(result)))
        return None
    from slicermedai.scene.show import show as show_in

    shown = result if isinstance(result, AnalysisResult) else load(result)
    if shown.course is not None and not isinstance(result, AnalysisResult):
        return _show_course(Path(result), shown.course, place_in)
    if isinstance(volume, Volume):
        return show_in(shown, place_in, volume=volume)
    return show_in(shown, place_in, volume_node=volume)


def _show_course(folder: Path, course: Course, scene: Any) -> Any:
    """The segmentations of the frames of ``course`` that have a result, as a sequence in ``scene``; its browser."""
    from slicermedai.scene.sequences import course_to_sequence

    return course_to_sequence([load(folder / frame.folder) for frame in course.frames if not frame.failed], scene)


def _show_run(handle: JobHandle, source: Any, options: Mapping[str, Any]) -> Any:
    """Show what a run made together with its image; outside Slicer no image is read for that."""
    if _slicers_scene() is None:
        return show(handle.folder)
    if handle.result().course is not None:
        return show(handle.folder)
    chosen = {name: options[name] for name in ("series", "tilt") if name in options}
    return show(handle.result(), volume=image_of(source, handle.folder, **chosen))


def _slicers_scene() -> Any:
    return getattr(sys.modules.get("slicer"), "mrmlScene", None)


def image_of(source: Any, output: Path, *, series: str = "", tilt: str = "refuse") -> Any:
    """What :func:`show` takes as ``volume`` for a run of ``source`` into ``output``.

    ``series`` and ``tilt`` are the job's. A volume node is used as it is. Files are read again (this BLOCKS for a
    second or two). On the pseudonymous route it is the de-identified copies in ``output``, or the voxels without names
    and UIDs: never the identified originals. Of a series over time it is the frame that the result shows.
    """
    result = load(output)
    copies = output / "dicom" / "source"
    if copies.is_dir():
        return _image_at(result.moment, copies, series="", tilt=tilt)
    pseudonymous = result.study.identity is Identity.DEIDENTIFY
    if isinstance(source, (str, Path)) or are_files(source):
        source = _image_at(result.moment, source, series=series, tilt=tilt)
    return as_volume(source).voxels_alone() if pseudonymous else source


def _image_at(moment: Moment | None, source: Any, *, series: str, tilt: str) -> Volume:
    """The image of ``moment``; files that hold other frames than the run had are refused."""
    if moment is None:
        return open_image(source, series=series, tilt=tilt)
    from slicermedai.dicom.over_time import open_over_time
    from slicermedai.domain.observer import silent

    found = open_over_time(source, series=series, tilt=tilt)
    if len(found.moments) != moment.of:
        raise InputError(
            f"holds {len(found.moments)} frames, and the result is of one of {moment.of}", attribute="source"
        )
    return found.open(moment.number - 1, silent).volume


def load(folder: str | Path) -> AnalysisResult:
    """The result in ``folder``, which is a job's output or the ``result`` folder in it; no model is needed.

    Raises
    ------
    UnreadableFileError
        No result is there, or it is damaged.
    """
    return AnalysisResult.load(Path(folder).expanduser().absolute())


def export_result(
    result: AnalysisResult | str | Path,
    formats: Sequence[str] = ("seg", "sr"),
    output: str | Path | None = None,
    *,
    earlier: str | Path = "",
    matches: str | Path = "",
) -> Path:
    """Write a result in other formats and BLOCK until that is done; returns the folder that was made.

    ``result`` best is a folder: the source's headers, which DICOM output carries on, lie there and not in the object.
    Of a run's folder the result with the last decisions is written. ``earlier`` is the folder of an earlier result of
    the patient, whose tracking UIDs are taken over, and ``matches`` a table that says which finding is which.

    Raises
    ------
    MissingContextError
        DICOM was asked for and the source has no patient and study.
    IdentityError
        The earlier result is of another patient, or of the other identity route.
    FormatError, OutputError
        The format cannot express the result, or the folder cannot be written.
    """
    folder = JobFolder.create()
    with folder:
        source = _saved(result, folder)
        values = {"source": str(source), "output": str(place(output)), "formats": tuple(formats)}
        values |= {name: _absolute(path) for name, path in (("earlier", earlier), ("matches", matches))}
        return JobHandle(launch(make_job(ExportJob, values), folder=folder)).finish()


def open_image(source: str | Path | Sequence[str | Path], *, series: str = "", tilt: str = "refuse") -> Volume:
    """The image in a DICOM folder, list of files, NIfTI or NRRD file, through the geometry gate; BLOCKS while reading.

    Raises
    ------
    InputError
        As a run would: nothing there, damaged, or geometry that cannot be trusted.
    """
    from slicermedai.dicom.inputs import open_source

    return open_source(source, series=series, tilt=tilt).volume


def write_report(folder: str | Path, *, volume: Any = None) -> Path:
    """Make pictures, scene and report for the output ``folder`` of a run, once; returns the page. BLOCKS for seconds.

    ``volume`` is the analysed image: a :class:`Volume` or the volume node; without it there are no pictures.

    Raises
    ------
    InputError, GeometryError
        ``volume`` is another image than the one that was analysed.
    UnreadableFileError, OutputError
    """
    from slicermedai.report.build import build

    page = Path(folder) / "report.html"
    if not page.exists():
        result = load(folder)
        image = volume if volume is None or isinstance(volume, Volume) else _image_of_node(result, volume)
        build(result, Path(folder), volume=image)
    return page


def _image_of_node(result: AnalysisResult, node: Any) -> Volume | None:
    """The image of ``node``; None, and said, where it is another reader's image of the same series: readers differ."""
    from slicermedai.domain.same_image import has_same_voxels

    image = volume_of_node(node)
    own = image.series_uid in {series.series_uid for series in result.sources if series.series_uid}
    if own and has_same_voxels(result, image) is False:
        _LOG.warning("no pictures: the node's voxels are not those that were analysed (another reader, or edited)")
        return None
    return image


def fetch_model(name: str) -> BundleRef:
    """Bring the model ``name`` onto this computer; the one thing here that uses the network. BLOCKS.

    Raises
    ------
    UnknownBundleError, BundleError, HashMismatchError
    """
    from slicermedai.bundles.registry import fetch

    return fetch(name)


def list_models() -> list[BundleRef]:
    """The models that are installed, by name and version."""
    from slicermedai.bundles.registry import list_bundles

    return list_bundles()


def _absolute(path: str | Path) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""


def _saved(result: AnalysisResult | str | Path, folder: JobFolder) -> Path:
    if isinstance(result, AnalysisResult):
        return result.save(folder.path / "result")
    return newest(Path(result).expanduser().absolute())
