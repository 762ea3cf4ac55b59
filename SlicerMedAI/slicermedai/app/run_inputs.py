"""Which image is which of a model that takes several: suggested by what images call themselves, changed by a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slicermedai.app.state import InputRow
from slicermedai.domain.bundle import BundleRef
from slicermedai.errors import MedAIError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """An image that is at hand: a volume of the scene, a series of the database, or what was chosen.

    ``key`` tells it from others, ``text`` is for people, ``words`` is what it calls itself and ``modality`` what it is,
    "" where that is not known, as ``body_part``. ``group`` is the study that it belongs to, "" where it names none.
    ``open`` gives what a job takes as a source; it is called when a job is made. ``patient`` gives the patient's ID, ""
    where that is not known; it is called when the image is taken. ``node`` is the volume, None for what is none.
    """

    key: str
    text: str
    words: str
    open: Callable[[], Any]
    modality: str = ""
    body_part: str = ""
    group: str = ""
    patient: Callable[[], str] = str
    node: Any = None


def wanted_by(bundle: BundleRef | None) -> tuple[str, ...]:
    """What the model calls its images; () where it takes one, or cannot be read (a run will say why)."""
    if bundle is None or not (Path(bundle.path) / "configs").is_dir():
        return ()
    from slicermedai.bundles.manifest import read_manifest
    from slicermedai.inference.adapter.inputs import names_wanted

    try:
        names = names_wanted(read_manifest(Path(bundle.path)))
    except MedAIError:
        return ()
    return names if len(names) > 1 else ()


def suggested(
    names: Sequence[str],
    chosen: Candidate | None,
    at_hand: Sequence[Candidate],
    *,
    modalities: Sequence[str] = (),
    preferred: Sequence[str] = (),
) -> tuple[InputRow, ...]:
    """A row for each name: ``chosen`` where its words say so, else as the first; others where one alone fits.

    What fits is of a modality of the model, of the same study and kind (volume or series) as ``chosen``, and has the
    name as a word of its own; where the study of ``chosen`` is not known, nothing fits. Of several the one counts whose
    key is the only one in ``preferred``.
    """
    rows = {name: InputRow(name=name) for name in names}
    if chosen is None or not names:
        return tuple(rows.values())
    own = [name for name in names if _fits(name, chosen, modalities)]
    place = own[0] if len(own) == 1 else names[0]
    rows[place] = _row(place, chosen)
    others = [one for one in at_hand if _belongs(one, chosen)]
    for name in (one for one in names if one != place):
        fitting = [one for one in others if _fits(name, one, modalities)]
        fitting = fitting if len(fitting) == 1 else [one for one in fitting if one.key in preferred]
        if len(fitting) == 1:
            rows[name] = _row(name, fitting[0])
    return tuple(rows.values())


def with_choice(rows: Sequence[InputRow], name: str, one: Candidate | None) -> tuple[InputRow, ...]:
    """``rows`` with another image, or none, for ``name``."""
    return tuple((_row(name, one) if one else InputRow(name=name)) if row.name == name else row for row in rows)


def still_there(rows: Sequence[InputRow], keys: Sequence[str]) -> tuple[InputRow, ...]:
    """``rows`` without images that are gone."""
    return tuple(row if row.key in keys else replace(row, key="", text="", patient="") for row in rows)


def missing(rows: Sequence[InputRow]) -> tuple[str, ...]:
    """Names without an image that can be taken: without any, and those of :func:`strangers`."""
    strange = strangers(rows)
    return tuple(row.name for row in rows if not row.key or row.name in strange)


def strangers(rows: Sequence[InputRow]) -> tuple[str, ...]:
    """Names that have an image of another patient than the first image of which a patient is known."""
    own = next((row.patient for row in rows if row.patient), "")
    return tuple(row.name for row in rows if row.patient and row.patient != own)


def doubled(rows: Sequence[InputRow]) -> tuple[str, ...]:
    """Names that have an image together with another name."""
    keys = [row.key for row in rows if row.key]
    return tuple(row.name for row in rows if keys.count(row.key) > 1)


def _row(name: str, one: Candidate) -> InputRow:
    return InputRow(name=name, key=one.key, text=one.text, patient=one.patient())


def _belongs(one: Candidate, chosen: Candidate) -> bool:
    """Two without a study may be of two patients."""
    is_same_kind = (one.node is None) == (chosen.node is None)
    return one.key != chosen.key and is_same_kind and bool(chosen.group) and one.group == chosen.group


def _fits(name: str, one: Candidate, modalities: Sequence[str]) -> bool:
    from slicermedai.inference.adapter.inputs import shows

    known = not one.modality or not modalities or one.modality in modalities
    return known and shows(name, one.words)
