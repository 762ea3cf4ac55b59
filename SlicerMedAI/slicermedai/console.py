"""The public API: start a job, watch it, and work with its result. Behind ``import slicermedai``.

Work is done by a child process. :func:`submit` returns at once; inside Slicer a Qt timer then drives the job, elsewhere
the caller's own :meth:`JobHandle.poll` or :meth:`JobHandle.wait` does.
"""

from __future__ import annotations

import logging
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.audit.ends import record_end
from slicermedai.domain.result import AnalysisResult, result_folder
from slicermedai.domain.study import Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError, JobError
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.protocol import Event, Progress
from slicermedai.jobs.specs import ExportJob, RunJob, make_job
from slicermedai.jobs.supervisor import Running, State, start

if TYPE_CHECKING:
    from slicermedai.domain.bundle import BundleRef

_LOG = logging.getLogger("slicermedai")
_TICK = 200
_PAUSE = 0.03


class JobHandle:
    """A job that was started. It changes only inside :meth:`poll`, which a timer calls inside Slicer.

    Attributes
    ----------
    progress, stage, seconds_left:
        The whole's fraction 0 to 1, what is being done, and an estimate in seconds (None while there is none).
    state, done:
        ``"running"``, ``"done"``, ``"failed"`` or ``"cancelled"``; ``done`` is True for all but the first.
    output:
        The folder that the job makes. It is patient data and stays until somebody removes it.
    job_id:
        Its name in the audit log.
    """

    def __init__(self, running: Running, *, on_done: Callable[[AnalysisResult], object] | None = None) -> None:
        self.progress = 0.0
        self.stage = ""
        self.seconds_left: float | None = None
        self.state = State.RUNNING
        self.done = False
        self.output = running.output
        self.job_id = running.job_id
        self._running, self._on_done = running, on_done
        self._result: AnalysisResult | None = None
        self._stop_ticking: Callable[[], None] | None = None

    def poll(self) -> None:
        """Take in what the worker said since the last call, without waiting; at the end calls ``on_done``.

        ``on_done`` gets the result of a job that is done; a failure is logged, and raised by :meth:`result`.
        """
        for event in self._running.poll():
            self._take(event)
        if not self.done and self._running.state is not State.RUNNING:
            self._end()

    def cancel(self) -> None:
        """Ask for an end and return at once; within two seconds all processes are gone and nothing is half-written."""
        self._running.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it has ended or ``timeout`` seconds are over; True where it has. Freezes a GUI meanwhile."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self.poll()
            if self.done or (deadline is not None and time.monotonic() >= deadline):
                return self.done
            time.sleep(_PAUSE)

    def result(self) -> AnalysisResult:
        """The result of a job that is done; never waits.

        Raises
        ------
        JobError
            It still runs.
        JobCancelled, WorkerCrashed, MedAIError
            What ended the job.
        """
        if not self.done:
            raise JobError("the job still runs", advice="Call wait() first, or give submit() an on_done.")
        error = self._running.error
        if error is not None:
            raise error
        if self._result is None:
            self._result = load(self._running.folder or self.output)
        return self._result

    def _take(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress, self.stage, self.seconds_left = event.fraction, event.stage, event.seconds_left

    def _tick(self) -> None:
        from slicermedai.scene.ticker import every

        self._stop_ticking = every(_TICK, self.poll)

    def _end(self) -> None:
        if self._stop_ticking is not None:
            self._stop_ticking()
        self.state, self.done, self.seconds_left = self._running.state, True, None
        if self.state is not State.DONE:
            _LOG.error("%s", self._running.error)
            record_end(self._running)
            return
        self.progress, self.seconds_left = 1.0, 0.0
        if self._on_done is not None:
            self._on_done(self.result())


def submit(
    source: Any,
    bundle: str = "brain",
    *,
    output: str | Path | None = None,
    on_done: Callable[[AnalysisResult], object] | None = None,
    **options: Any,
) -> JobHandle:
    """Start an analysis and return at once.

    Parameters
    ----------
    source:
        A DICOM folder or file, a list of DICOM files, a NIfTI or NRRD file (text or Path); a scalar volume node of a
        scene; a SimpleITK image; a numpy array [slice, row, column] with ``affine=``; a :class:`Volume`. What is in
        memory is first written to the job's temporary folder, which is gone when the job ends.
    bundle:
        The model, as name or name@version.
    output:
        The folder to make; by default a new ``MedAI-<time>-<number>`` in the user's Documents (or home) folder.
    on_done:
        Called with the result when the job is done, by whatever polls.
    options:
        Any field of :class:`slicermedai.RunJob`. For arrays ``affine``: 4 x 4, (column, row, slice, 1) to LPS mm, or a
        :class:`Geometry`. For sources from memory ``study``: the :class:`Study` that DICOM results are filed under.

    Raises
    ------
    InputError
        A source of another kind, or an array without an affine.
    ProtocolError
        An option that does not exist, or a value that it does not take.
    OutputError, WorkerCrashed
        The temporary folder or the worker cannot be used.
    """
    values = {"bundle": bundle, "output": str(_place(output)), "report": not _inside_slicer(), **options}
    affine, study = values.pop("affine", None), values.pop("study", None)
    if isinstance(source, (str, Path)):
        _refuse_context(affine, study)
        handle = JobHandle(start(_job(source, values)), on_done=on_done)
    else:
        volume = _volume(source, affine)
        handle = JobHandle(_start_from_memory(volume, study or Study(), values), on_done=on_done)
    handle._tick()
    return handle


def run(source: Any, bundle: str = "brain", *, output: str | Path | None = None, **options: Any) -> AnalysisResult:
    """Analyse and BLOCK until it is done: inside Slicer the window stands still meanwhile. :func:`submit` does not.

    Parameters and errors are those of :func:`submit`, and whatever ends the job is raised too. An interrupt
    (Ctrl-C) stops the job.
    """
    handle = submit(source, bundle, output=output, **options)
    _LOG.info("run() blocks until the job is done; submit() returns at once")
    try:
        handle.wait()
    except BaseException:
        handle._running.close()
        raise
    return handle.result()


def show(result: AnalysisResult | str | Path, scene: Any = None, volume: Any = None) -> Any:
    """Show a result, or a result folder, in a scene (by default Slicer's); returns the nodes.

    ``volume`` is the node of the image where it is loaded already, or a :class:`Volume` to load.
    """
    from slicermedai.scene.show import show as show_in

    if scene is None:
        import slicer

        scene = slicer.mrmlScene
    shown = result if isinstance(result, AnalysisResult) else load(result)
    if isinstance(volume, Volume):
        return show_in(shown, scene, volume=volume)
    return show_in(shown, scene, volume_node=volume)


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
) -> Path:
    """Write a result in other formats and BLOCK until that is done; returns the folder that was made.

    ``result`` best is a folder: the source's headers, which DICOM output carries on, lie there and not in the object.

    Raises
    ------
    MissingContextError
        DICOM was asked for and the source has no patient and study.
    FormatError, OutputError
        The format cannot express the result, or the folder cannot be written.
    """
    folder = JobFolder.create()
    with folder:
        source = _saved(result, folder)
        values = {"source": str(source), "output": str(_place(output)), "formats": tuple(formats)}
        with start(make_job(ExportJob, values), folder=folder) as running:
            running.wait()
    if running.error is not None:
        raise running.error
    return running.folder or running.output


def open_image(source: str | Path | Sequence[str | Path]) -> Volume:
    """The image in a DICOM folder, list of files, NIfTI or NRRD file, through the geometry gate; BLOCKS while reading.

    Raises
    ------
    InputError
        As a run would: nothing there, damaged, or geometry that cannot be trusted.
    """
    from slicermedai.dicom.inputs import open_source

    return open_source(source).volume


def write_report(folder: str | Path, *, volume: Any = None) -> Path:
    """Make pictures, scene and report for the output ``folder`` of a run, once; returns the page. BLOCKS for seconds.

    ``volume`` is the analysed image: a :class:`Volume` or the volume node; without it the pictures show findings alone.

    Raises
    ------
    UnreadableFileError, OutputError
    """
    from slicermedai.report.build import build

    page = Path(folder) / "report.html"
    if not page.exists():
        image = volume if volume is None or isinstance(volume, Volume) else _from_node(volume)
        build(load(folder), Path(folder), volume=image)
    return page


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


def _job(source: str | Path, values: dict[str, Any]) -> RunJob:
    clean = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    job = make_job(RunJob, {"source": str(Path(source).expanduser().absolute()), **clean})
    if not isinstance(job, RunJob):
        raise JobError("no run job")
    return job


def _inside_slicer() -> bool:
    """True in Slicer's own process, where the window's process draws the report's pictures, on demand."""
    return hasattr(sys.modules.get("slicer"), "app")


def _are_files(source: Any) -> bool:
    return isinstance(source, (list, tuple)) and bool(source) and all(isinstance(item, (str, Path)) for item in source)


def _start_from_files(paths: Sequence[str | Path], values: dict[str, Any]) -> Running:
    from slicermedai.dicom.file_list import save_file_list

    return _start_in_folder(values, lambda inputs: save_file_list(paths, inputs))


def _start_from_memory(volume: Volume, study: Study, values: dict[str, Any]) -> Running:
    from slicermedai.dicom.volumes import save_volume

    return _start_in_folder(values, lambda inputs: save_volume(volume, study, inputs))


def _start_in_folder(values: dict[str, Any], fill: Callable[[Path], object]) -> Running:
    """Start a job whose source is the job folder's own ``inputs``, gone when the job ends."""
    folder = JobFolder.create()
    try:
        job = _job(folder.inputs, values)
        fill(folder.inputs)
        return start(job, folder=folder)
    except BaseException:
        folder.remove()
        raise


def _volume(source: Any, affine: Any) -> Volume:
    if isinstance(source, Volume):
        return source
    if hasattr(source, "IsA"):
        return _from_node(source)
    if type(source).__module__.partition(".")[0] == "SimpleITK":
        from slicermedai.dicom.volumes import from_sitk

        volume: Volume = from_sitk(source)
        return volume
    if hasattr(source, "__array__"):
        return _from_array(source, affine)
    raise InputError(
        f"an object of type {type(source).__name__} is no image",
        attribute="source",
        advice="Give a folder, a file, a volume node, a SimpleITK image, a Volume, or an array with affine=.",
    )


def _from_node(node: Any) -> Volume:
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        raise InputError(f"a {node.GetClassName()} is no scalar volume node", attribute="source")
    from slicermedai.scene.volumes import volume_from_node

    return volume_from_node(node)


def _from_array(array: Any, affine: Any) -> Volume:
    if affine is None:
        raise InputError(
            "an array says nothing about where its voxels lie",
            attribute="affine",
            advice="Give affine=, 4 x 4 from (column, row, slice, 1) to LPS mm.",
        )
    from slicermedai.dicom.volumes import from_array

    volume: Volume = from_array(array, affine, name="array")
    return volume


def _refuse_context(affine: Any, study: Any) -> None:
    if affine is not None or study is not None:
        raise InputError(
            "a file says itself where its voxels lie and whose they are",
            attribute="affine" if affine is not None else "study",
            advice="Leave it out, or hand in the voxels.",
        )


def _saved(result: AnalysisResult | str | Path, folder: JobFolder) -> Path:
    if isinstance(result, AnalysisResult):
        return result.save(folder.path / "result")
    return result_folder(Path(result).expanduser().absolute())


def _place(output: str | Path | None) -> Path:
    if output is not None:
        return Path(output).expanduser().absolute()
    documents = Path.home() / "Documents"
    parent = documents if documents.is_dir() else Path.home()
    return parent / f"MedAI-{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
