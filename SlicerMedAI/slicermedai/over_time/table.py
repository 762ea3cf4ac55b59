"""The course as a table: one line for each frame and structure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slicermedai.domain.cells import csv_text
from slicermedai.domain.course import Course
from slicermedai.domain.storage import write_text

FILE_NAME = "over_time.csv"
COLUMNS = (
    *("frame", "seconds", "time_from", "structure", "code", "tracking_uid", "volume_ml", "extreme", "status"),
    "message",
)


def write_table(course: Course, folder: Path) -> Path:
    """Write ``folder/over_time.csv``: frames in order, structures in theirs; a frame that failed has a line too.

    Raises
    ------
    OutputError, DiskFullError
    """
    return write_text(Path(folder) / FILE_NAME, csv_text(COLUMNS, _rows(course)))


def _rows(course: Course) -> Iterator[dict[str, Any]]:
    for index, frame in enumerate(course.frames):
        moment = frame.moment
        about = {"frame": moment.number, "seconds": moment.seconds, "time_from": moment.clock}
        if frame.failed:
            yield {**about, "status": "failed", "message": frame.failed}
            continue
        if not course.curves:
            yield {**about, "status": "no finding"}
        for curve in course.curves:
            volume = curve.volumes[index]
            found = not math.isnan(volume)
            yield {
                **about,
                "structure": curve.label.name,
                "code": f"{curve.label.type.scheme} {curve.label.type.value}",
                "tracking_uid": curve.tracking_uid,
                "volume_ml": volume if found else None,
                "extreme": {curve.largest: "largest", curve.smallest: "smallest"}.get(index, "") if found else "",
                "status": "found" if found else "not found",
            }
