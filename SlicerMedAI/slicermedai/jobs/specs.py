"""What a job is: one small frozen dataclass per command, in a versioned envelope.

The fields' metadata is the one source of the command line's options, of the GUI's defaults and of the reference:
``help`` (a sentence), and ``choices`` where the values are few.
"""

from __future__ import annotations

import dataclasses
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from slicermedai.domain.storage import write_text
from slicermedai.errors import ProtocolError

ENVELOPE = 1


def _option(text: str, **rest: Any) -> dict[str, Any]:
    return {"help": text, **rest}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob:
    """Read a study, de-identify it where asked, run a model, and leave a result folder."""

    kind: ClassVar[str] = "run"

    source: str = field(metadata=_option("DICOM folder or file, NIfTI or NRRD file, or a saved volume folder"))
    bundle: str = field(default="brain", metadata=_option("model, as name or name@version"))
    output: str = field(default="medai-result", metadata=_option("folder to make; it must not exist"))
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
class ExportJob:
    """Write a saved result in other formats."""

    kind: ClassVar[str] = "export"

    source: str = field(metadata=_option("result folder of an earlier run"))
    output: str = field(default="medai-export", metadata=_option("folder to make; it must not exist"))
    formats: tuple[str, ...] = field(default=("seg", "sr"), metadata=_option("output formats, comma-separated"))


Job = RunJob | ExportJob
JOBS: dict[str, type[RunJob] | type[ExportJob]] = {"run": RunJob, "export": ExportJob}


def new_job_id() -> str:
    """A name for one job: no identity in it."""
    return uuid.uuid4().hex


def write_job(job: Job, path: Path, *, job_id: str) -> Path:
    """Write ``job`` in its envelope as JSON."""
    body = {"medai_job": ENVELOPE, "job_id": job_id, "kind": job.kind, "spec": dataclasses.asdict(job)}
    return write_text(path, json.dumps(body, indent=1))


def read_job(path: Path) -> tuple[str, Job]:
    """(job id, job) from a file that :func:`write_job` made.

    Raises
    ------
    ProtocolError
        Not JSON, another envelope version, an unknown kind or field, a missing field, a value outside its choices.
    """
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProtocolError(f"cannot be read ({type(error).__name__})", file=path) from error
    if not isinstance(body, dict) or body.get("medai_job") != ENVELOPE:
        raise ProtocolError(f"is no job of version {ENVELOPE}", file=path, attribute="medai_job")
    kind = JOBS.get(str(body.get("kind")))
    if kind is None:
        raise ProtocolError("unknown kind of job", file=path, attribute="kind")
    spec = body.get("spec", {})
    if not isinstance(spec, dict):
        raise ProtocolError("must be an object with the fields of the job", file=path, attribute="spec")
    return str(body.get("job_id", "")), make_job(kind, spec, file=path)


def make_job(kind: type[RunJob] | type[ExportJob], values: dict[str, Any], *, file: Path | None = None) -> Job:
    """A job of ``kind`` from plain values, each field checked; raises :class:`ProtocolError`."""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ProtocolError("unknown field", file=file, attribute=unknown[0])
    missing = [name for name, spec in fields.items() if _is_required(spec) and name not in values]
    if missing:
        raise ProtocolError("a required field is missing", file=file, attribute=missing[0])
    return kind(**{name: _checked(fields[name], value, file) for name, value in values.items()})


def _is_required(spec: dataclasses.Field[Any]) -> bool:
    return spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING


def _checked(spec: dataclasses.Field[Any], value: Any, file: Path | None) -> Any:
    if spec.type == "tuple[str, ...]":
        value = tuple(value) if isinstance(value, (list, tuple)) else value
        wanted: type = tuple
    else:
        wanted = {"str": str, "bool": bool, "int": int}[str(spec.type)]
    if type(value) is not wanted:
        raise ProtocolError(f"must be of type {wanted.__name__}", file=file, attribute=spec.name)
    choices = spec.metadata.get("choices")
    if choices and value not in choices:
        raise ProtocolError(f"must be one of {', '.join(choices)}", file=file, attribute=spec.name)
    return value
