"""Whether the chosen model is calibrated for the chosen image: asked of a child, which reads the record in use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.app.presenter import Presenter
from slicermedai.app.run_words import trust_text
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate, untranslated
from slicermedai.domain.bundle import BundleRef
from slicermedai.errors import MedAIError
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.home import home
from slicermedai.jobs.inquiry import Inquiry

CHILD = "slicermedai.app.trust_answer"
_RECORDS = "trust"
"""The folder of the records in use; :mod:`slicermedai.confidence.models`, which has it too, loads what is heavy."""
PAUSE = 0.4
"""Seconds that a choice must stay before a child is asked."""


def question_of(bundle: BundleRef | None, source: Any, modality: str) -> dict[str, Any] | None:
    """What :meth:`TrustLook.consider` takes: the model, and where the image says of which scanner it is.

    Another one where a record came into use or was exchanged since. None where there is no model, or none that has a
    trust record.
    """
    if bundle is None or not (Path(bundle.path) / "configs").is_dir():
        return None
    first = source[0] if isinstance(source, list | tuple) and source else source
    file = str(first) if isinstance(first, str | Path) else ""
    return {
        "folder": bundle.path,
        "weights": bundle.weights_sha256,
        "image": source is not None,
        "modality": modality,
        "file": file,
        "records": _records(bundle.weights_sha256),
    }


def _records(weights_sha256: str) -> list[tuple[str, int, int]]:
    """Which records are there for these weights, and since when: a record that is exchanged is another file."""
    found = []
    for path in sorted((home() / _RECORDS).glob(f"{weights_sha256[:16]}*")):
        try:
            about = path.stat()
        except OSError:  # gone meanwhile
            continue
        found.append((path.name, about.st_mtime_ns, about.st_ino))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustState:
    """``message`` says how far the scores of the chosen model can be believed, "" where none is chosen."""

    phase: Phase = Phase.IDLE
    message: str = ""
    stage: str = ""
    progress: float = 0.0
    seconds_left: float | None = None


def start(request: Mapping[str, Any]) -> Inquiry:
    """Ask a child of its own about one model and image."""
    return Inquiry(CHILD, dict(request), JobFolder.create("trust"))


class TrustLook(Presenter):
    """Asks about one choice at a time; what is not wanted any more is stopped. ``ask`` starts a child."""

    def __init__(
        self, *, ask: Callable[[Mapping[str, Any]], Inquiry] = start, translate: Translate = untranslated
    ) -> None:
        super().__init__(translate=translate)
        self._ask = ask
        self._wanted: Mapping[str, Any] | None = None
        self._asked: Mapping[str, Any] | None = None
        self._since = 0.0
        self.state: TrustState = TrustState()

    def consider(self, wanted: Mapping[str, Any] | None) -> None:
        """What is chosen now, as :func:`question_of` has it."""
        if wanted == self._wanted:
            return
        self._wanted, self._since = wanted, time.monotonic()
        if self._working is not None:
            self._working.cancel()
        if wanted is None:
            self._set(phase=self._resting, message="")
        else:
            self._set(phase=Phase.RUNNING, message=self.translate("Confidence: looking for its trust record ..."))

    def poll(self) -> None:
        """Ask once the choice has stayed; take in what the child said."""
        if self._working is not None:
            super().poll()
        elif self.busy and time.monotonic() - self._since >= PAUSE:
            self._begin()

    def cancel(self) -> None:
        """Ask nothing more."""
        self.consider(None)

    @property
    def _resting(self) -> Phase:
        """A child that nobody waits for must still be driven to its end."""
        return Phase.IDLE if self._working is None else Phase.STOPPING

    def _begin(self) -> None:
        if self._wanted is None:
            self._set(phase=Phase.IDLE)
            return
        self._asked = self._wanted
        try:
            self._working = self._ask(self._wanted)
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))

    def _end(self, working: Inquiry) -> None:
        if self._wanted is None:
            self._set(phase=Phase.IDLE)
        elif self._wanted is not self._asked:
            return  # another one waits, and poll asks it
        elif working.error is not None:
            self._set(phase=Phase.FAILED, message=str(working.error))
        else:
            self._set(phase=Phase.IDLE, message=trust_text(working.answer, self.translate))

    def _look_again(self) -> None:
        """Nothing is installed here."""
