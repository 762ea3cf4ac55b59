"""What a job is: one small frozen dataclass per kind. :mod:`slicermedai.jobs.kinds` says how a new kind is added.

The fields' metadata is the one source of the command line's options, of the GUI's defaults and of the reference:
``help`` (a sentence), and ``choices`` where the values are few.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar


def _option(text: str, **rest: Any) -> dict[str, Any]:
    return {"help": text, **rest}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all kinds of job have: a name of the kind, and one folder that is made."""

    kind: ClassVar[str] = ""

    output: str = field(default="medai-result", metadata=_option("folder to make; it must not exist"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob(Job):
    """Read a study, de-identify it where asked, run a model, and leave a result folder."""

    kind: ClassVar[str] = "run"

    source: str = field(metadata=_option("DICOM folder or file, NIfTI or NRRD file, or a saved volume folder"))
    bundle: str = field(default="brain", metadata=_option("model, as name or name@version"))
    series: str = field(default="", metadata=_option("series (UID, or UID#stack), where the source holds several"))
    identity: str = field(
        default="keep",
        metadata=_option(
            "keep: results carry the patient; deidentify: all output is pseudonymous",
            choices=("keep", "deidentify"),
        ),
    )
    device: str = field(default="auto", metadata=_option("auto, cpu, cuda, cuda:N or mps; never changed silently"))
    formats: tuple[str, ...] = field(
        default=(), metadata=_option("output formats, comma-separated; default: seg,sr, or nifti,csv without patient")
    )
    tilt: str = field(
        default="refuse",
        metadata=_option("what the gate does with a tilted gantry", choices=("refuse", "resample")),
    )
    project_key: str = field(
        default="",
        metadata=_option("file with the project key of the pseudonyms; without it a key for this job alone"),
    )
    report: bool = field(default=True, metadata=_option("leave a report, pictures and a Slicer scene"))
    remark: str = field(
        default="", metadata=_option("what every reader must know of this input; stands first in the report")
    )
    seed: int = field(default=0, metadata=_option("seed of everything random"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob(Job):
    """Write a saved result in other formats."""

    kind: ClassVar[str] = "export"

    source: str = field(metadata=_option("result folder of an earlier run"))
    output: str = field(default="medai-export", metadata=_option("folder to make; it must not exist"))
    formats: tuple[str, ...] = field(default=("seg", "sr"), metadata=_option("output formats, comma-separated"))
