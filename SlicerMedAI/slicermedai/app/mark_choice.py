"""What a person chooses in the module MedAI Mark: volume, model, structure, route. No Qt and no MRML in here."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from slicermedai.app.mark_state import Around, MarkState, Stage
from slicermedai.app.mark_words import nothing_text, ready_text
from slicermedai.app.presenter import Ask, Presenter
from slicermedai.app.signal import Signal
from slicermedai.app.state import Phase
from slicermedai.app.suggesting import Shows
from slicermedai.app.words import Translate, fit_text
from slicermedai.domain.bundle import BundleRef


class MarkChoice(Presenter):
    """Chooses; what is made of it is :class:`slicermedai.app.mark_run.MarkRun`'s.

    Parameters
    ----------
    stage:
        Where marks are placed and answers shown.
    around:
        What is needed of the application.
    """

    def __init__(self, stage: Stage, *, around: Around, translate: Translate) -> None:
        super().__init__(translate=translate)
        self.listed = Signal()
        """Emitted without a value when :attr:`models` was read again."""
        self._stage, self._around = stage, around
        self.models: tuple[BundleRef, ...] = ()
        self.missing: tuple[str, ...] = ()
        """Packages that must be installed first."""
        self._modality = ""
        self.state: MarkState = MarkState(message=translate("Choose a volume."))

    def refresh(self) -> None:
        """Look again which models and packages are there, and on which device they run; what is chosen stays.

        A session that has begun goes on as it began.
        """
        before = self.models, self.missing, self.state.bundle
        self.models, self.missing = tuple(self._around.models()), tuple(self._around.missing())
        if self.may_choose:
            kept = self.state.title in [ref.title for ref in self.models]
            self._take_bundle(self.state.bundle if kept else next(iter(self.models), None))
            self._set(device=self._around.device() or "auto")
        self.listed.emit()
        if self.state.phase is Phase.IDLE or before != (self.models, self.missing, self.state.bundle):
            self._explain()

    @property
    def image(self) -> Any | None:
        """The volume that is marked, None for none."""
        return self._stage.image_node

    @property
    def may_choose(self) -> bool:
        """True where volume, model and route may be changed: nothing is marked, and nothing goes on."""
        return not self.busy and not self.state.marks

    @property
    def can_mark(self) -> bool:
        """True where something may be marked: all is chosen, and nothing is being kept or installed."""
        chosen = bool(self.state.image) and self.state.bundle is not None and not self.missing
        return chosen and self.state.phase is not Phase.INSTALLING and not self._is_keeping

    @property
    def _is_keeping(self) -> bool:
        return False

    def choose_image(self, node: Any, name: str, *, modality: str = "", has_files: bool = False) -> None:
        """Mark this volume; None for none. What was marked on another one goes."""
        if node is self._stage.image_node and name == self.state.image:
            return
        self._begin_anew()
        self._stage.image_node = node
        self._modality = modality if node is not None else ""
        self._set(image=name if node is not None else "", has_files=has_files and node is not None)
        self._explain()

    def choose_bundle(self, title: str) -> None:
        """By ``name@version``; an unknown title chooses none."""
        if self.may_choose:
            self._take_bundle(next((ref for ref in self.models if ref.title == title), None))
            self._explain()

    def choose_structure(self, name: str) -> None:
        """What is marked from now on, by the model's name of it."""
        if name == self.state.structure or name not in self.state.structures:
            return
        kind = self.state.placing
        self._stage.stop()
        self._set(structure=name)
        if kind:
            self.place(kind)

    def choose_identity(self, identity: str) -> None:
        """ "keep" or "deidentify"."""
        if self.may_choose and identity != self.state.identity:
            self._begin_anew()
            self._set(identity=identity)

    def ask_and_install(self, ask: Ask) -> None:
        """Look what is missing and how it can be brought, ``ask`` the person, and where they agree bring it."""
        self._ask_and_install(self.missing, ask=ask)

    @abstractmethod
    def place(self, kind: str) -> None:
        """Let clicks mark something; with the same kind again, end that."""

    @abstractmethod
    def _begin_anew(self) -> None:
        """Let go of marks and answer: another image or route was chosen."""

    def _look_again(self) -> None:
        self.refresh()

    def _explain(self) -> None:
        if self.busy:
            return
        if self.missing or not self.models:
            text = nothing_text(self.missing, self.translate)
        else:
            text = ready_text(self.state, self.translate)
        unfit = fit_text(self.state.bundle, Shows(modality=self._modality), self.translate)
        self._set(message=" ".join(filter(None, [unfit, text])), phase=Phase.IDLE)

    def _take_bundle(self, bundle: BundleRef | None) -> None:
        if bundle != self.state.bundle:
            self._begin_anew()
            self._set(bundle=bundle)
            known = self.state.structures
            self._set(structure=self.state.structure if self.state.structure in known else next(iter(known), ""))
