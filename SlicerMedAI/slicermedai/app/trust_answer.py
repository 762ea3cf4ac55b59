"""The child that looks for a model's trust record, and whether it speaks for an image; it loads no torch.

It is asked by :mod:`slicermedai.app.trust_look`, and holds the record against what a run would hold it against.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicermedai.app.answering import answer_one
from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.domain.observer import Progress
from slicermedai.errors import MedAIError

_FIRST_FILES = 20
"""How many files of a folder are looked at for a header."""
_SAID = ("Manufacturer", "InstitutionName", "ProtocolName", "PatientAge", "Modality")


def main() -> int:
    """Answer one request."""
    return answer_one(_answer)


def _answer(asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from slicermedai.confidence.models import record_of

    progress("trust record", 0.0)
    manifest = read_manifest(Path(asked["folder"]))
    try:
        record = record_of(manifest)
    except MedAIError as error:
        return {"unreadable": str(error)}
    if record is None:
        return {}
    made, scope = record.provenance, record.scope
    return {
        "name": record.name,
        "date": made.date,
        "patients": made.patients,
        "generated": made.generated,
        "calibrated": [one.name for one in record.structures if one.is_calibrated],
        "scope": [*scope.modalities, *scope.manufacturers, *scope.sites, *scope.protocols],
        **(_stands(manifest, record, asked) if asked["image"] else {}),
    }


def _stands(manifest: Manifest, record: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Whether the record speaks for the image, and why not, or what nobody can tell."""
    from slicermedai.confidence.models import preprocessing_of
    from slicermedai.confidence.record import applicability
    from slicermedai.confidence.run import origin_of
    from slicermedai.confidence.scope import Situation

    header = _header(Path(asked["file"])) if asked["file"] else {}
    origin = origin_of([header] if header else [])
    found = applicability(
        record,
        Situation(
            weights_sha256=manifest.ref.weights_sha256,
            preprocessing_sha256=preprocessing_of(manifest),
            modality=asked["modality"] or str(header.get("Modality", "")),
            manufacturer=origin.manufacturer,
            site=origin.site,
            protocol=origin.protocol,
        ),
    )
    return {"applies": found.applies, "reasons": list(found.reasons)}


def _header(path: Path) -> dict[str, str]:
    """What the first DICOM file says of where it comes from; {} where there is none."""
    from slicermedai.dicom.files import Header, read_dataset, read_header

    files = sorted(one for one in path.rglob("*") if one.is_file())[:_FIRST_FILES] if path.is_dir() else [path]
    image = next((file for file in files if file.is_file() and isinstance(read_header(file), Header)), None)
    if image is None:
        return {}
    found = read_dataset(image, pixels=False)
    return {name: str(found.get(name) or "") for name in _SAID}


if __name__ == "__main__":
    raise SystemExit(main())
