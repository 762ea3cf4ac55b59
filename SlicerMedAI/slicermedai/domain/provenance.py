"""How a result came about, so that it can be repeated and judged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was done to the data, in words and numbers, without patient data."""

    name: str
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Model, software, machine and steps. ``weights_sha256`` is of the weights file that ran.

    ``started`` and ``finished`` are ISO 8601 UTC. ``versions`` pairs package names with versions.
    ``demonstration`` is True for weights that were trained for demonstration alone, which every output must say.
    ``refusals`` says what was not done, or not assessed, and why.
    """

    bundle: str
    bundle_version: str
    weights_sha256: str
    licence: str = ""
    intended_use: str = ""
    demonstration: bool = False
    versions: tuple[tuple[str, str], ...] = ()
    device: str = "cpu"
    precision: str = "float32"
    seed: int = 0
    threads: int = 0
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    started: str = ""
    finished: str = ""
    job_id: str = ""
