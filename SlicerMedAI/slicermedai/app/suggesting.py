"""Which model suits an image: by its modality, and by the part of the body that it shows. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from slicermedai.bundles.body_parts import NONE, Regions, apart, listed, regions_of_labels, regions_of_term
from slicermedai.domain.bundle import BundleRef
from slicermedai.errors import MedAIError

FITS, BESIDE, UNKNOWN, ELSEWHERE, OTHER_MODALITY = 0.0, 1.0, 1.5, 10.0, 100.0
"""How far an image is from what a model was made for: the same, a neighbouring part, not known, another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shows:
    """What an image says of itself: the UID of its series, modality and body part as DICOM has them, "" where not."""

    series: str = ""
    modality: str = ""
    body_part: str = ""


def fits(bundle: BundleRef, modality: str) -> bool:
    """True where the model was made for the modality, for any, or where the modality is not known."""
    return not modality or not bundle.modality or modality in bundle.modality


def made_for(bundle: BundleRef) -> Regions:
    """Where in the body a model works: what its bundle says, or else where its labels lie; empty where unknown."""
    configs = Path(bundle.path) / "configs"
    return _stated(bundle.path, bundle.weights_sha256) if configs.is_dir() else _of_labels(bundle)


def distance(bundle: BundleRef, shows: Shows) -> float:
    """How far the image is from what the model was made for: :data:`FITS`, :data:`BESIDE`, ... :data:`OTHER_MODALITY`.

    Parts of the body that are neither the same nor neighbours count from :data:`ELSEWHERE` on, by steps between them.
    """
    if not fits(bundle, shows.modality):
        return OTHER_MODALITY
    shown = regions_of_term(shows.body_part)
    own = made_for(bundle) if shown else NONE
    if not own or not shown:
        return UNKNOWN
    steps = apart(shown, own)
    return float(steps) if steps < 2 else ELSEWHERE + steps


def better(chosen: BundleRef | None, choices: Sequence[BundleRef], shows: Shows) -> BundleRef | None:
    """The model that suits the image best, where the chosen one does not suit it; None where none is nearer.

    A model whose part of the body is not known, or is beside the image's, is not changed for another one.
    """
    if chosen is None:
        return None
    now = distance(chosen, shows)
    if now < ELSEWHERE:
        return None
    best = min(choices, key=lambda one: distance(one, shows), default=chosen)
    return best if distance(best, shows) < now else None


def parts_apart(bundle: BundleRef | None, shows: Shows) -> tuple[str, str]:
    """(what the model is made for, what the image shows), where these lie apart; ("", "") where they do not."""
    if bundle is None or not fits(bundle, shows.modality) or distance(bundle, shows) < ELSEWHERE:
        return "", ""
    return listed(made_for(bundle)), listed(regions_of_term(shows.body_part))


def _of_labels(bundle: BundleRef) -> Regions:
    return regions_of_labels(label for _, label in bundle.labels)


@lru_cache(maxsize=256)
def _stated(folder: str, weights_sha256: str) -> Regions:
    """The weights' hash is asked for, so that another version in the same folder is read anew."""
    from slicermedai.bundles.manifest import read_manifest

    try:
        return read_manifest(Path(folder)).regions
    except MedAIError:
        return NONE
