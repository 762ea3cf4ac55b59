"""What the module MedAI Models shows, as values. No Qt and no MRML in here."""

from __future__ import annotations

from dataclasses import dataclass, field

from slicermedai.app.state import Phase

Verdict = tuple[str, ...]
"""What a look at a model found: one of these words, and what belongs to it; () where there was none."""
AS_THEY_CAME, CHANGED, RUNS, REFUSED = "as-they-came", "changed", "runs", "refused"
"""Its files have their hashes; they have not (why); it ran (regions, seconds, the bundle's own image that
it ran on or "" for a generated one, its report's lines); it did not (why, that image)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShown:
    """One installed version; see :class:`slicermedai.console.models.ModelFacts`, whose fields these are.

    ``verdict`` is what the last look at its files or the last try found, () where there was none since it was listed.
    """

    title: str
    name: str
    version: str
    task: str
    modality: tuple[str, ...]
    folder: str
    size: int
    in_use: bool
    own: bool
    licence: str
    intended_use: str
    runs_code: bool
    consent: str
    demonstration: bool
    weights_sha256: str
    calibration: str
    labels: tuple[str, ...]
    record: tuple[str, ...]
    verdict: Verdict = ()

    @property
    def waits_for_consent(self) -> bool:
        """True where it runs code of its own and nobody agreed to that yet."""
        return self.runs_code and not self.consent


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureShown:
    """A picture of a trust record: what it shows, its file, and what must be read with it."""

    title: str
    file: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A model on its way in: where it is, and what a person says where it is silent. "" leaves it to the source.

    ``source`` is a folder, a zip, or a file of weights with a ``card``; ``zoo`` a name in MONAI's Model Zoo, which asks
    the network. ``labels`` is the filled-in table of labels that was asked for.
    """

    source: str = ""
    zoo: str = ""
    task: str = ""
    modality: str = ""
    outputs: str = ""
    labels: str = ""
    card: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsState:
    """Everything that is shown. ``chosen`` is the ``name@version`` that is looked at, ``doing`` what goes on.

    ``pictures`` are of the trust record of the model ``pictured``.
    """

    phase: Phase = Phase.IDLE
    doing: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    models: tuple[ModelShown, ...] = ()
    known: tuple[str, ...] = ()
    changes: tuple[str, ...] = field(default=(), repr=False)
    search: str = ""
    chosen: str = ""
    incoming: Incoming = Incoming()
    pictures: tuple[PictureShown, ...] = ()
    pictured: str = ""
    word: str = ""
