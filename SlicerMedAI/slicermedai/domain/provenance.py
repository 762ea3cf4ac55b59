"""How a result came about, so that it can be repeated and judged."""

from __future__ import annotations

from dataclasses import dataclass

from slicermedai.domain.prompts import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was done to the data, in words and numbers, without patient data."""

    name: str
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDigest:
    """Which input was read: SHA-256 in hexadecimal digits, as :mod:`slicermedai.domain.digests` makes it.

    ``files`` counts the files it stands for; 0 says that it is of voxels and their place, as of an image from
    memory. On the pseudonymous route the files are the de-identified copies, never the originals. ``image`` is of the
    voxels alone, whatever the order of their axes, so that any later image can be compared with the one that was
    analysed; "" in results of versions that did not note it.
    """

    sha256: str
    files: int = 0
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """One file of weights that a run used: relative to its bundle, and its SHA-256 in hexadecimal digits."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordUsed:
    """The trust record that judged a run: whose it is ("name@version"), and its SHA-256 in hexadecimal digits."""

    model: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Model, software, machine and steps. ``weights_sha256`` is of the weights file that ran.

    ``weights`` names that file and all others that ran with it (a locator), () in results of versions that did not.

    ``started`` and ``finished`` are ISO 8601 UTC. ``versions`` pairs package names with versions.
    ``demonstration`` is True for weights that were trained for demonstration alone, which every output must say.
    ``warnings`` must be read before the numbers: a result with any is never shown as clean. ``refusals`` says what was
    not done, or not assessed, and why. ``remark`` is the word of whoever started the run to every reader.
    ``trust_record`` is what calibrated its numbers, None where no record applied.
    ``input`` is what was read, None in results of versions that did not note it.
    ``prompts`` is what a person marked for the model to go by: it is then semi-automatic.
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
    input: InputDigest | None = None
    remark: str = ""
    weights: tuple[WeightsFile, ...] = ()
    trust_record: RecordUsed | None = None
    prompts: tuple[Prompt, ...] = ()
