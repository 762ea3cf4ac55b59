"""The trust record: all that is known of how far one model, with one preprocessing, can be trusted. One JSON file.

It holds no image and no patient: sketches, calibrators with intervals, conformal scores, what inputs looked like, for
whom it speaks and how it was made. It says for itself when it does not apply, and a changed file is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from slicermedai.confidence.conformal import VolumeModel
from slicermedai.confidence.light import GreenRule
from slicermedai.confidence.metrics import CalibrationMetrics
from slicermedai.confidence.ood import OodReference, VolumeRange
from slicermedai.confidence.plain import from_plain, to_plain
from slicermedai.confidence.saliency_checks import SaliencyQuality
from slicermedai.confidence.scaling import Method, Scaling
from slicermedai.confidence.scope import Applicability, Applies, Scope, Situation, scope_reasons
from slicermedai.confidence.sketch import MarginSketch, pack, unpack
from slicermedai.confidence.structure import DiceModel
from slicermedai.domain.finding import Interval
from slicermedai.domain.storage import write_text
from slicermedai.errors import TrustError, UnreadableFileError

SCHEMA = 3
"""3: volume intervals of those in whom a structure was found, nothing fitted to boxes, features with their layer."""
ROUGH = "its references are boxes or balls around it, and no outlines: nothing can be fitted to them"
NO_DICE = "candidates are boxes: they have a probability of being a lesion, and neither a Dice nor a light"
NO_REGION = "labels of the whole image have a probability, and neither a Dice nor a light"
SUFFIX = ".trust.json"
PRECISION = "float32"
"""What networks run in where a record is fitted."""
_KIND = "slicermedai trust record"
_DAMAGE = (OSError, ValueError, KeyError, TypeError, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitProvenance:
    """How a record was made: ISO date, software, patients (each once), images, and whether any were generated.

    ``keys`` are opaque keys of its patients under ``salt``, so that none of them can judge what they were fitted on.
    """

    date: str
    software: str
    patients: int
    images: int
    generated: bool
    seed: int = 0
    trained_on: str = ""
    salt: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledTrust:
    """A model of the Dice with how samples agree as a feature, and its rule of the green light.

    For runs that take samples by the same ``method`` and no others; these use what was fitted without samples.
    """

    method: str
    dice: DiceModel
    rule: GreenRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureTrust:
    """What the record knows of one structure; a part that could not be fitted is None, and ``reasons`` say why.

    ``sketch`` is the merged sketch of all patients as text, see :func:`sketch_text`; ``intervals`` are of slope,
    offset and the metrics after calibration. ``rough`` is True where references were boxes or balls around it: nothing
    is fitted to such, and the doubt is :data:`ROUGH`. ``lesions`` is True for what a detector looks for: its scaling is
    that of candidates' scores. ``of_image`` is True for labels of the whole image.
    """

    value: int
    name: str
    patients: int
    scaling: Scaling = field(default_factory=Scaling)
    intervals: dict[str, Interval] = field(default_factory=dict)
    before: CalibrationMetrics | None = None
    after: CalibrationMetrics | None = None
    sketch: str = ""
    volume: VolumeModel | None = None
    dice: DiceModel | None = None
    rule: GreenRule | None = None
    reasons: tuple[str, ...] = ()
    sampled: SampledTrust | None = None
    rough: bool = False
    lesions: bool = False
    of_image: bool = False

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why there are parts that could not be fitted."""
        without = [NO_DICE] * self.lesions + [NO_REGION] * self.of_image
        return (*([ROUGH] if self.rough else ()), *self.reasons, *without)

    @property
    def is_calibrated(self) -> bool:
        """True where scores can be turned into probabilities."""
        return self.scaling.method is not Method.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRecord:
    """A trust record; ``model`` is "name@version", hashes are SHA-256 in hexadecimal.

    ``volumes`` are those that the structures of its patients had, by their references: others are called implausible.
    ``saliency`` is what checks of its saliency maps gave, for each method that was checked. ``features_of`` is the
    layer and its channels that the network's features are of, where ``ood`` knows any.
    """

    model: str
    weights_sha256: str
    preprocessing_sha256: str
    provenance: FitProvenance
    scope: Scope = field(default_factory=Scope)
    structures: tuple[StructureTrust, ...] = ()
    ood: OodReference | None = None
    volumes: tuple[VolumeRange, ...] = ()
    saliency: tuple[SaliencyQuality, ...] = ()
    features_of: str = ""
    schema: int = SCHEMA

    @property
    def name(self) -> str:
        """What results cite: model and the first digits of the record's own hash."""
        return f"{self.model} trust record {digest(self)[:12]}"

    def of(self, value: int) -> StructureTrust | None:
        """What is known of a label value, None where nothing is."""
        return next((found for found in self.structures if found.value == value), None)

    def save(self, folder: Path) -> Path:
        """Write ``folder/<weights>-<preprocessing>.trust.json``, whole or not at all."""
        body = {"kind": _KIND, "sha256": digest(self), "record": to_plain(self)}
        path = Path(folder) / file_name(self.weights_sha256, self.preprocessing_sha256)
        return write_text(path, json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def load_record(path: Path) -> TrustRecord:
    """Read what :meth:`TrustRecord.save` wrote.

    Raises
    ------
    UnreadableFileError
        Missing, damaged, or written by a newer or an older version.
    TrustError
        The file was changed since it was written.
    """
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
        if body["kind"] != _KIND:
            raise TypeError(_KIND)
        _check_schema(body["record"]["schema"], path)
        record = from_plain(body["record"], TrustRecord)
    except UnreadableFileError:
        raise
    except _DAMAGE as error:
        raise UnreadableFileError(f"holds no trust record ({type(error).__name__})", file=path) from error
    if digest(record) != body.get("sha256"):
        raise TrustError(
            "the record was changed since it was written",
            file=path,
            attribute="sha256",
            advice="Calibrate the model again; a record is never edited.",
        )
    return record


def find_record(folder: Path, *, weights_sha256: str, preprocessing_sha256: str) -> TrustRecord | None:
    """The record for these hashes in ``folder``, None where there is none; errors as :func:`load_record`."""
    path = Path(folder) / file_name(weights_sha256, preprocessing_sha256)
    return load_record(path) if path.is_file() else None


def applicability(record: TrustRecord | None, situation: Situation) -> Applicability:
    """Whether ``record`` may speak for a run, and why not, by name.

    A record that was fitted on generated data never applies to real data.
    """
    if record is None:
        return _no(Applies.NO_RECORD, "there is no trust record for this model")
    if record.weights_sha256 != situation.weights_sha256:
        return _no(Applies.OTHER_MODEL, f"the trust record is for other weights of {record.model}")
    if record.preprocessing_sha256 != situation.preprocessing_sha256:
        return _no(Applies.OTHER_PREPROCESSING, f"the trust record is for {record.model} with another preprocessing")
    if situation.precision != PRECISION:
        reason = f"the trust record was made in {PRECISION}, and this run was in {situation.precision}: scores differ"
        return _no(Applies.OTHER_PRECISION, reason)
    if record.provenance.generated and not situation.generated:
        return _no(Applies.GENERATED, "the trust record was fitted on generated data, and this is a real image")
    outside, unknown = scope_reasons(record.scope, situation)
    if outside:
        return _no(Applies.OUT_OF_SCOPE, *outside)
    return Applicability(state=Applies.YES, reasons=unknown)


def preprocessing_sha256(config: Mapping[str, Any]) -> str:
    """SHA-256 of plain configuration values, whatever the order of their keys; TypeError for what is not plain."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def digest(record: TrustRecord) -> str:
    """SHA-256 of the record's content, the same before saving and after loading, and without what later versions added
    (checks of saliency, models with samples, lesions) the same as before there was any of it."""
    plain = to_plain(from_plain(to_plain(record), TrustRecord))
    plain["structures"] = [_without_empty(one, "sampled", "lesions", "of_image") for one in plain["structures"]]
    plain["saliency"] = [_without_empty(one, "additive", "of_image") for one in plain["saliency"]]
    return preprocessing_sha256(_without_empty(plain, "saliency"))


def file_name(weights_sha256: str, preprocessing: str) -> str:
    """The name of the file that holds the record for these hashes."""
    return f"{weights_sha256[:16]}-{preprocessing[:16]}{SUFFIX}"


def sketch_text(sketch: MarginSketch) -> str:
    """A sketch as text: base64 of zlib of (3, N) little-endian 64-bit integers, see :func:`~.sketch.pack`."""
    return base64.b64encode(zlib.compress(pack(sketch).astype("<i8").tobytes(), 9)).decode("ascii")


def sketch_of_text(text: str) -> MarginSketch:
    """The way back from :func:`sketch_text`; ValueError or zlib.error for other text."""
    return unpack(np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<i8").astype(np.int64).reshape(3, -1))


def _without_empty(plain: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if key not in names or value}


def _no(state: Applies, *reasons: str) -> Applicability:
    return Applicability(state=state, reasons=reasons)


def _check_schema(schema: Any, path: Path) -> None:
    if not isinstance(schema, int) or schema > SCHEMA:
        raise UnreadableFileError(
            "was written by a newer version", file=path, attribute="schema", advice="Update MedAI."
        )
    if schema < SCHEMA:
        raise UnreadableFileError(
            "was written by an older version, which counted other things",
            file=path,
            attribute="schema",
            advice="Calibrate the model again.",
        )
