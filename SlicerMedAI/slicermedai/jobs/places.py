"""Where a source and an output may lie to each other."""

from __future__ import annotations

import contextlib
import glob
import uuid
from datetime import datetime
from pathlib import Path

from slicermedai.errors import OutputError
from slicermedai.jobs.specs import DeidJob, Job, RunJob


def check_places(job: Job) -> None:
    """Refuse a run whose output would lie in its source folder, or be above it; links are followed.

    The next run of that folder would read this one's results as images of the patient.

    Raises
    ------
    OutputError
        The folders are the same, or one holds the other.
    """
    if not isinstance(job, (RunJob, DeidJob)):
        return
    source, output = Path(job.source).expanduser(), Path(job.output).expanduser()
    if source.is_dir() and holds(source, output):
        raise OutputError(
            "lies in the folder that is read, and the next run would read it as images",
            file=output,
            attribute="output",
            advice=f"Choose a folder outside {source}.",
        )
    if source.exists() and holds(output, source):
        raise OutputError(
            "holds the source, and a result is a folder of its own",
            file=output,
            attribute="output",
            advice="Choose another folder, which does not exist yet.",
        )


def holds(outer: Path, inner: Path) -> bool:
    """True where ``inner`` (which need not exist) is ``outer`` or lies in it, whatever names lead there."""
    found = inner.resolve()
    return any(_same(place, outer) for place in (found, *found.parents))


def _same(first: Path, second: Path) -> bool:
    with contextlib.suppress(OSError):
        return first.samefile(second)
    return False


def new_output(parent: Path) -> Path:
    """A folder in ``parent`` for one run, named by the time; not made yet."""
    return parent / f"MedAI-{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"


def unfinished(output: Path) -> list[Path]:
    """The folders that stopped or killed runs left beside ``output``, to be gone on with by the same job."""
    return sorted(output.absolute().parent.glob(f"{glob.escape(unfinished_prefix(output))}*"))


def unfinished_prefix(output: Path) -> str:
    """How the names of those folders begin."""
    return f".{output.name}.unfinished-"
