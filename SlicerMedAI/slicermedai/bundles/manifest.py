"""What a MONAI bundle folder says about itself, as one frozen value.

A bundle (https://docs.monai.io, "MONAI bundle specification") has ``configs/metadata.json``,
``configs/inference.json`` or ``.yaml``, and ``models/``. What MedAI needs beyond that stands in ``medai.json``
beside ``configs``, or under the key ``medai`` of the metadata: coded labels, the hashes of the weights, licence,
intended use, and how the input of the network is framed. A label without a code is refused. From version 2 on the
entry also lists the hashes of all files of the bundle: another one beside them is refused too.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from slicermedai.bundles.body_parts import Regions, regions_of_labels, regions_of_term
from slicermedai.bundles.code import holds_torchscript, runs_code
from slicermedai.bundles.folds import Folds, folds_of
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import Code, Label
from slicermedai.domain.flat import PixelValues
from slicermedai.errors import BundleError, CodeError

INFERENCE_CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
FORMATS = (1, 2)
"""Versions of the entry, its key ``medai``: 2 lists all files."""
CONTRASTS = ("", "T1")
"""What a bundle may say of the contrast of its images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """A file of the bundle, relative to its folder, and its SHA-256 in hexadecimal."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A bundle's own word about itself; nothing of it has been verified or run.

    Parameters
    ----------
    ref:
        The part that the rest of the product knows; ``consent`` is still empty.
    config:
        The inference configuration as plain values.
    files:
        All pinned files, the weights first.
    outputs:
        "logits" or "probabilities": what the network's last layer gives; "logits" where the bundle does not say.
    outputs_stated:
        False where it does not say.
    framing:
        How the network's input is cut out of the patient, or None for the whole image.
    field_of_view:
        Plausible (smallest, largest) extent of an input along each patient axis, mm, or None.
    plausible_ml:
        (value, smallest, largest) volume in ml of those labels for which the bundle says it.
    contrast:
        "T1" where the network knows that MR contrast alone; "" accepts any.
    acquisition:
        (DICOM keyword, smallest, largest) of header values that the network's images have ("EchoTime", ms).
    listed:
        All files of the bundle but its ``medai.json``; None in entries of version 1.
    overlapping:
        True where a voxel may have several labels: output channel n, from 0, is label n + 1, and sigmoid decides.
    inputs:
        What each input channel shows, in order ("CT", "T1", "FLAIR").
    pixel_values:
        What the network takes of a projection or photograph: "display" or "modality"
        (:class:`~slicermedai.domain.flat.PixelValues`), "" where the bundle does not say it.
    body_parts:
        What it is made for, in terms of Body Part Examined (DICOM PS3.16 annex L); () where it does not say it.
    folds:
        Several networks that may answer together, or None.
    code_licence, weights_licence:
        Where the bundle says them apart.
    """

    ref: BundleRef
    config: dict[str, Any]
    files: tuple[PinnedFile, ...]
    outputs: str = "logits"
    outputs_stated: bool = False
    framing: dict[str, Any] | None = None
    field_of_view: tuple[float, float] | None = None
    plausible_ml: tuple[tuple[int, float, float], ...] = ()
    contrast: str = ""
    acquisition: tuple[tuple[str, float, float], ...] = ()
    listed: tuple[PinnedFile, ...] | None = None
    overlapping: bool = False
    inputs: tuple[str, ...] = ()
    pixel_values: str = ""
    body_parts: tuple[str, ...] = ()
    folds: Folds | None = None
    code_licence: str = ""
    weights_licence: str = ""

    @property
    def loads_torchscript(self) -> bool:
        """True where a part of the configuration is TorchScript: loading it runs what is in the file."""
        return holds_torchscript(self.config)

    @property
    def regions(self) -> Regions:
        """Where in the body it is made for: its ``body_parts``, or else where its labels lie; empty where unknown."""
        stated = [regions_of_term(part) for part in self.body_parts]
        return frozenset().union(*stated) if stated else regions_of_labels(label for _, label in self.ref.labels)

    def file(self, path: str) -> PinnedFile:
        """The pinned file of that relative path; raises :class:`BundleError` where nothing pins it."""
        for pinned in self.files:
            if pinned.path == path:
                return pinned
        raise BundleError(f"{path} has no SHA-256 in the bundle's medai entry", file=self.ref.path, attribute="weights")


def read_manifest(folder: Path) -> Manifest:
    """Read the bundle in ``folder``; no weights are opened.

    Raises
    ------
    BundleError
        A file or a key is missing or wrong; the message names both.
    CodeError
        A label has no code.
    """
    folder = Path(folder)
    metadata = _read_json(folder / "configs" / "metadata.json")
    entry, where = _medai_entry(folder, metadata)
    config = read_config(folder)
    files = _pinned_files(entry, where)
    ref = BundleRef(
        name=str(entry.get("name") or folder.name.partition("@")[0]),
        version=str(entry.get("version") or _need(metadata, "version", folder / "configs" / "metadata.json")),
        path=str(folder),
        task=str(entry.get("task", "segmentation")),
        modality=tuple(str(m) for m in entry.get("modality", ())),
        weights=files[0].path,
        weights_sha256=files[0].sha256,
        labels=_labels(entry, where),
        licence=_licence(entry),
        intended_use=str(entry.get("intended_use") or metadata.get("intended_use", "")),
        demonstration=bool(entry.get("demonstration", False)),
    )
    manifest = Manifest(
        ref=ref,
        config=config,
        files=files,
        outputs=_outputs(entry, where),
        outputs_stated="outputs" in entry,
        framing=entry.get("framing"),
        field_of_view=_limits(entry, "field_of_view_mm", where),
        plausible_ml=_plausible(entry, where),
        contrast=_contrast(entry, where),
        acquisition=_acquisition(entry, where),
        listed=_listed(entry, where),
        overlapping=bool(entry.get("overlapping", False)),
        inputs=tuple(str(name) for name in entry.get("inputs", ())),
        pixel_values=_pixel_values(entry, where),
        body_parts=_body_parts(entry, where),
        folds=folds_of(entry.get("folds"), file=where),
        code_licence=str(entry.get("code_licence", "")),
        weights_licence=str(entry.get("weights_licence", "")),
    )
    code = manifest.loads_torchscript or runs_code(config)
    return dataclasses.replace(manifest, ref=dataclasses.replace(ref, runs_code=code))


def read_bundle(folder: Path) -> BundleRef:
    """The :class:`BundleRef` of :func:`read_manifest`; same errors."""
    return read_manifest(folder).ref


def read_config(folder: Path) -> dict[str, Any]:
    """``configs/inference.json`` (or ``.yaml``) as plain values.

    Raises
    ------
    BundleError
        No such file, it cannot be parsed, or YAML without the package that reads it.
    """
    for name in INFERENCE_CONFIGS:
        path = Path(folder) / "configs" / name
        if path.is_file():
            return _read_json(path) if path.suffix == ".json" else read_yaml(path)
    raise BundleError(
        "has no inference configuration", file=folder, attribute="configs/inference.json", advice="Is it a bundle?"
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(
            f"cannot be read ({type(error).__name__})", file=path, advice="Is it a MONAI bundle, copied whole?"
        ) from error
    return _as_dict(body, path)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file of one object, as plain values; raises :class:`BundleError`, also where nothing reads YAML here."""
    try:
        yaml = importlib.import_module("yaml")
    except ImportError as error:
        raise BundleError(
            "is YAML, and PyYAML is not installed", file=path, advice="Install PyYAML, or convert it to JSON."
        ) from error
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BundleError(f"cannot be read ({type(error).__name__})", file=path) from error
    return _as_dict(body, path)


def _as_dict(body: Any, path: Path) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BundleError("must hold one object", file=path)
    return body


def _medai_entry(folder: Path, metadata: dict[str, Any]) -> tuple[dict[str, Any], Path]:
    own = folder / "medai.json"
    if own.is_file():
        return _read_json(own), own
    where = folder / "configs" / "metadata.json"
    if isinstance(metadata.get("medai"), dict):
        return metadata["medai"], where
    raise BundleError(
        "says nothing about coded labels and hashes",
        file=folder,
        attribute="medai.json",
        advice="Add medai.json, or the key medai to configs/metadata.json.",
    )


def _need(values: dict[str, Any], key: str, where: Path) -> Any:
    if values.get(key) in (None, "", [], {}):
        raise BundleError("is missing or empty", file=where, attribute=key)
    return values[key]


def _pinned_files(entry: dict[str, Any], where: Path) -> tuple[PinnedFile, ...]:
    named = [_need(entry, "weights", where), *entry.get("other_weights", ())]
    return tuple(_pinned_file(item, where) for item in named)


def _listed(entry: dict[str, Any], where: Path) -> tuple[PinnedFile, ...] | None:
    """The list of all files; raises :class:`BundleError` where this version must have one, or is not known."""
    if entry.get("medai", 1) not in FORMATS:
        raise BundleError(
            "is of a version that this program does not know", file=where, attribute="medai", advice="Update MedAI."
        )
    if entry.get("medai", 1) == 1:
        return None
    files = _need(entry, "files", where)
    if not isinstance(files, dict):
        raise BundleError("must map names of files to their SHA-256", file=where, attribute="files")
    return tuple(_pinned_file({"file": path, "sha256": digest}, where) for path, digest in files.items())


def _licence(entry: dict[str, Any]) -> str:
    """What a person is shown and what the provenance says: both licences where they differ."""
    code, weights = str(entry.get("code_licence", "")), str(entry.get("weights_licence", ""))
    if code and weights and code != weights:
        return f"weights: {weights}; code: {code}"
    return str(entry.get("licence", "")) or weights or code


def _pinned_file(item: Any, where: Path) -> PinnedFile:
    path = str(item.get("file", "")) if isinstance(item, dict) else ""
    digest = str(item.get("sha256", "")).lower() if isinstance(item, dict) else ""
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts:
        raise BundleError("needs the file of the weights, inside the bundle", file=where, attribute="weights.file")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise BundleError("needs the SHA-256 of the weights", file=where, attribute="weights.sha256")
    return PinnedFile(path=path, sha256=digest)


def _labels(entry: dict[str, Any], where: Path) -> tuple[tuple[int, Label], ...]:
    labels = _need(entry, "labels", where)
    try:
        return tuple((int(item["value"]), _label(item, where)) for item in labels)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError("each needs a value and codes", file=where, attribute="labels") from error


def _label(item: dict[str, Any], where: Path) -> Label:
    name = str(item.get("name", ""))
    parts = {key: _code(item.get(key), f"labels.{name}.{key}", where) for key in ("category", "type")}
    modifier = _code(item["modifier"], f"labels.{name}.modifier", where) if item.get("modifier") else None
    red, green, blue = item.get("color", (255, 255, 0))
    color, definition = (int(red), int(green), int(blue)), str(item.get("definition", ""))
    return Label(name=name, modifier=modifier, color=color, definition=definition, **parts)


def _code(item: Any, attribute: str, where: Path) -> Code:
    if not isinstance(item, dict) or not all(item.get(key) for key in ("value", "scheme", "meaning")):
        raise CodeError(
            "a label without a code is refused",
            file=where,
            attribute=attribute,
            advice="Give value, scheme and meaning, for instance from SNOMED CT.",
        )
    return Code(value=str(item["value"]), scheme=str(item["scheme"]), meaning=str(item["meaning"]))


def _outputs(entry: dict[str, Any], where: Path) -> str:
    outputs = str(entry.get("outputs", "logits"))
    if outputs not in ("logits", "probabilities"):
        raise BundleError("must be logits or probabilities", file=where, attribute="outputs")
    return outputs


def _pixel_values(entry: dict[str, Any], where: Path) -> str:
    stated = str(entry.get("pixel_values", ""))
    if stated not in ("", *PixelValues):
        raise BundleError(f"must be {' or '.join(PixelValues)}", file=where, attribute="pixel_values")
    return stated


def _body_parts(entry: dict[str, Any], where: Path) -> tuple[str, ...]:
    stated = entry.get("body_parts") or []
    if not isinstance(stated, list) or not all(isinstance(part, str) and regions_of_term(part) for part in stated):
        raise BundleError("must list parts of the body, as in CHEST", file=where, attribute="body_parts")
    return tuple(stated)


def _contrast(entry: dict[str, Any], where: Path) -> str:
    contrast = str(entry.get("contrast", ""))
    if contrast not in CONTRASTS:
        raise BundleError(f"must be one of {', '.join(filter(None, CONTRASTS))}", file=where, attribute="contrast")
    return contrast


def _acquisition(entry: dict[str, Any], where: Path) -> tuple[tuple[str, float, float], ...]:
    stated = entry.get("acquisition") or {}
    if not isinstance(stated, dict):
        raise BundleError("must name header values and their limits", file=where, attribute="acquisition")
    limits = [(str(keyword), _limits(stated, keyword, where)) for keyword in stated]
    return tuple((keyword, *pair) for keyword, pair in limits if pair is not None)


def _plausible(entry: dict[str, Any], where: Path) -> tuple[tuple[int, float, float], ...]:
    limits = [(int(item["value"]), _limits(item, "plausible_ml", where)) for item in entry["labels"]]
    return tuple((value, *pair) for value, pair in limits if pair is not None)


def _limits(entry: dict[str, Any], key: str, where: Path) -> tuple[float, float] | None:
    if entry.get(key) is None:
        return None
    try:
        low, high = (float(v) for v in entry[key])
    except (TypeError, ValueError) as error:
        raise BundleError("must be two numbers", file=where, attribute=key) from error
    return low, high
