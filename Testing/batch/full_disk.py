"""A program: a cohort on a file system that is full, with room for a few pages more each time.

``python -m Testing.batch.full_disk DISK COHORT PREPARED`` prints a JSON line for each room that was tried: what stopped
the run, and where the cases stand after the next run, when there was space again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from slicermedai.batch.cohort import Cohort
from Testing.batch.jobs_at_once import work_of

PAGE = 4096
MOST = 400


def main(disk: Path, made: Path, prepared: Path) -> None:
    """Try until a run needs no more room than there is."""
    for pages in (*range(12), *range(12, MOST, 12)):
        shutil.copytree(made, disk / "cohort")
        filler = fill(disk, leave=pages * PAGE)
        first = work_of(Cohort(disk / "cohort"), prepared)
        filler.unlink()
        second = work_of(Cohort(disk / "cohort"), prepared)
        found = Cohort(disk / "cohort")
        told = {
            "pages": pages,
            "first": f"{type(first).__name__} {first}" if first else "",
            "second": str(second or ""),
            "counts": found.counts(),
            "left": sorted({path.name for name in found.names() for path in found.place(name).iterdir()}),
        }
        sys.stdout.write(f"{json.dumps(told)}\n")
        shutil.rmtree(disk / "cohort")
        if first is None:
            return


def fill(disk: Path, *, leave: int) -> Path:
    """A file that leaves so many bytes of the file system."""
    about = os.statvfs(disk)
    filler = disk / "filler"
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, about.f_bavail * about.f_frsize - leave)
    return filler


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
