"""What the module De-identify asks a child: a preview, whose values come through a pipe; and to make a sealed key."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicermedai.app.deid_state import Change, PreviewShown
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.inquiry import Inquiry
from slicermedai.jobs.specs import DeidJob

CHILD = "slicermedai.app.deid_look"


def start_preview(job: DeidJob, files: Sequence[Path] | None, passphrase: str) -> Inquiry:
    """Start to look what ``job`` would do to its source, or to ``files``; its answer is for :func:`shown_from`.

    The list of files lies in the temporary folder of the child; values of attributes are nowhere but in memory.
    """
    folder = JobFolder.create("preview")
    if files is not None:
        from slicermedai.dicom.file_list import save_file_list

        job = dataclasses.replace(job, source=str(save_file_list(files, folder.inputs)))
    return Inquiry(CHILD, {"job": dataclasses.asdict(job), "passphrase": passphrase}, folder)


def start_key(path: Path, passphrase: str) -> Inquiry:
    """Start to make a sealed project key in ``path``; its answer is the fingerprint."""
    return Inquiry(CHILD, {"key": str(path), "passphrase": passphrase}, JobFolder.create("key"))


def shown_from(plain: dict[str, Any]) -> PreviewShown:
    """What the child wrote, as a value again."""
    return PreviewShown(
        files=plain["files"],
        patients=plain["patients"],
        elements=plain["elements"],
        refused=tuple((name, reason) for name, reason in plain["refused"]),
        examples=tuple(tuple(Change(**row) for row in rows) for rows in plain["examples"]),
        is_cut=plain["is_cut"],
    )
