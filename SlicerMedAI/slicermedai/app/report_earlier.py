"""Which results that a person had before are of earlier studies of the patient. For the child of MedAI Report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from slicermedai.domain.codec import load_fields
from slicermedai.domain.result import RESULT
from slicermedai.domain.reviewed import newest
from slicermedai.domain.study import Study
from slicermedai.domain.tracking import is_earlier
from slicermedai.errors import MedAIError


def earlier_results(study: Study, folders: Sequence[Path]) -> list[dict[str, str]]:
    """Folder, date of the study (YYYYMMDD) and model of each earlier result among ``folders``, the newest first."""
    found = [one for folder in folders for one in _earlier(study, folder)]
    return sorted(found, key=lambda one: one["date"], reverse=True)


def _earlier(study: Study, folder: Path) -> Iterator[dict[str, str]]:
    try:
        other, made = load_fields(newest(folder), ("study", "provenance"), kind=RESULT)
    except MedAIError:
        return  # it is offered in the list of results, where opening it says what is wrong
    if is_earlier(study, other):
        model = f"{made.bundle}@{made.bundle_version}"
        yield {"folder": str(folder), "date": other.date, "model": model}
