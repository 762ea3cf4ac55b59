"""The job of one case of a cohort, and its start."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from slicermedai.batch.claims import Claim
from slicermedai.batch.cohort import Case, Cohort
from slicermedai.dicom.file_list import save_file_list
from slicermedai.dicom.inputs import IMAGE_SUFFIXES
from slicermedai.jobs import supervisor
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.specs import RunJob


def started(case: Case, cohort: Cohort, claim: Claim, start: Callable[..., supervisor.Running]) -> supervisor.Running:
    """The job of ``case``, running, and named in its claim; one that cannot be named is ended at once, for nobody would
    look after it. Raises what ``start`` does, and OSError.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(JobFolder.create())
        running = start(job_of(case, cohort, claim.attempt, folder), folder=folder)
        stack.pop_all()
    try:
        claim.name_child(running.pid)
    except BaseException:
        running.close()
        raise
    return running


def job_of(case: Case, cohort: Cohort, output: Path, folder: JobFolder) -> RunJob:
    """The job of one case, whose files are named in the job's own folder."""
    settings = cohort.settings
    main, *further = (_source(image.files, folder.inputs / str(number)) for number, image in enumerate(case.images))
    names = [image.name for image in case.images]
    series = [image.series for image in case.images]
    others = zip(names[1:], further, series[1:], strict=True)
    return RunJob(
        source=main,
        series=series[0],
        shows=names[0],
        inputs=tuple(f"{name}={path}{f'::{address}' if address else ''}" for name, path, address in others),
        other_frames=case.other_frames,
        bundle=case.bundle,
        output=str(output),
        thumbnail=True,
        **settings.of_jobs(),
    )


def _source(files: tuple[Path, ...], folder: Path) -> str:
    if len(files) == 1 and files[0].name.lower().endswith(IMAGE_SUFFIXES):
        return str(files[0])
    return str(save_file_list(files, folder))
