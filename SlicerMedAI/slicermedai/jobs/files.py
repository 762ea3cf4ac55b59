"""Jobs as files: a spec in a versioned JSON envelope, written by the supervisor and read by the worker."""

from __future__ import annotations

import dataclasses
import json
import uuid
from pathlib import Path
from typing import Any, TypeVar

from slicermedai.domain.storage import write_text
from slicermedai.domain.suggest import did_you_mean
from slicermedai.errors import ProtocolError
from slicermedai.jobs.kinds import KINDS
from slicermedai.jobs.specs import Job

ENVELOPE = 1
J = TypeVar("J", bound=Job)


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
    kind = KINDS.get(str(body.get("kind")))
    if kind is None:
        raise ProtocolError("unknown kind of job", file=path, attribute="kind")
    spec = body.get("spec", {})
    if not isinstance(spec, dict):
        raise ProtocolError("must be an object with the fields of the job", file=path, attribute="spec")
    return str(body.get("job_id", "")), make_job(kind.spec, spec, file=path)


def make_job(spec: type[J], values: dict[str, Any], *, file: Path | None = None) -> J:
    """A job from plain values, each field checked; raises :class:`ProtocolError`."""
    fields = {f.name: f for f in dataclasses.fields(spec)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ProtocolError("unknown field", file=file, attribute=unknown[0], advice=did_you_mean(unknown[0], fields))
    missing = [name for name, each in fields.items() if _is_required(each) and name not in values]
    if missing:
        raise ProtocolError("a required field is missing", file=file, attribute=missing[0])
    return spec(**{name: _checked(fields[name], value, file) for name, value in values.items()})


def _is_required(spec: dataclasses.Field[Any]) -> bool:
    return spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING


def _checked(spec: dataclasses.Field[Any], value: Any, file: Path | None) -> Any:
    if spec.type == "tuple[str, ...]":
        value = tuple(value) if isinstance(value, (list, tuple)) else value
        wanted: type = tuple
    else:
        wanted = {"str": str, "bool": bool, "bool | None": bool, "int": int, "float": float}[str(spec.type)]
        value = float(value) if wanted is float and type(value) is int else value
    open_ = value is None and str(spec.type) == "bool | None"
    if type(value) is not wanted and not open_:
        raise ProtocolError(f"must be of type {wanted.__name__}", file=file, attribute=spec.name)
    choices = spec.metadata.get("choices")
    if choices and value not in choices:
        raise ProtocolError(
            f"must be one of {', '.join(choices)}",
            file=file,
            attribute=spec.name,
            advice=did_you_mean(str(value), choices),
        )
    return value
