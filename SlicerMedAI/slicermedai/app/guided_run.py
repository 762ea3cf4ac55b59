"""The presenter of the module MedAI: choose, install, run, watch, show. No Qt and no MRML in here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from slicermedai.app.installing import InstallStep
from slicermedai.app.presenter import Ask, Presenter
from slicermedai.app.run_options import as_job_options, fits
from slicermedai.app.signal import Signal
from slicermedai.app.state import Handle, Phase, RunState, SourceKind
from slicermedai.app.words import Translate, fit_text, ready_text, summary, untranslated
from slicermedai.domain.bundle import BundleRef
from slicermedai.errors import JobCancelled, MedAIError

MODEL = "brain"
"""What is fetched where there is no model."""


class GuidedRun(Presenter):
    """One run at a time, from a chosen source to a shown result.

    Parameters
    ----------
    submit:
        Starts a job and returns at once: ``submit(source, bundle, **options) -> Handle``.
    bundles:
        The models at hand.
    missing:
        The packages that are needed and not installed, as requirements (PEP 508).
    translate:
        Gives an English text in the language of the person.
    """

    def __init__(
        self,
        *,
        submit: Callable[..., Handle],
        bundles: Callable[[], list[BundleRef]],
        missing: Callable[[], Sequence[str]] = tuple,
        translate: Translate = untranslated,
    ) -> None:
        super().__init__(translate=translate)
        self.finished = Signal()
        """Emitted with the :class:`AnalysisResult` when a run has succeeded."""
        self.listed = Signal()
        """Emitted without a value when :attr:`choices` or :attr:`series` were read again."""
        self._submit = submit
        self._list = bundles
        self._find_missing = missing
        self._packages: tuple[str, ...] = ()
        self.source: Any = None
        self.analysed: Any = None
        """The source of the job that runs or ran last: what its result belongs to, whatever is chosen by now."""
        self.choices: tuple[BundleRef, ...] = ()
        self.series: tuple[tuple[str, str], ...] = ()
        """(UID, text) of the DICOM series at hand."""
        self.state: RunState = RunState(message=translate("Choose an image and a model."))

    # --- choosing ----------------------------------------------------------------------------------------------------

    def refresh_bundles(self) -> None:
        """Look again which models and packages are there; keeps the chosen model where it still is, else the first."""
        before = self.choices, self.state.bundle, self._packages
        self.choices, self._packages = tuple(self._list()), tuple(self._find_missing())
        kept = self.state.title in self.titles
        self._set(bundle=self.state.bundle if kept else (self.choices[0] if self.choices else None))
        self.listed.emit()
        if self.state.phase is Phase.IDLE or before != (self.choices, self.state.bundle, self._packages):
            self._explain()

    def refresh_series(self, found: Sequence[tuple[str, str]]) -> None:
        """Take in the (UID, text) at hand; a chosen series that is not among them any more is let go of."""
        self.series = tuple(found)
        if self.state.series not in (uid for uid, _ in self.series):
            self.release(SourceKind.SERIES)
        self.listed.emit()

    def choose_bundle(self, title: str) -> None:
        """By ``name@version``; an unknown title chooses none."""
        self._set(bundle=next((ref for ref in self.choices if ref.title == title), None))
        self._explain()

    def choose_source(
        self, source: Any, name: str, *, kind: SourceKind = SourceKind.VOLUME, series: str = "", modality: str = ""
    ) -> None:
        """``source`` is anything that ``submit`` takes; None chooses nothing. Choosing the same again changes nothing.

        ``series`` is the UID of a DICOM series, and ``modality`` its modality: where the chosen model was not made for
        it, the first one that was is suggested instead.
        """
        same = source is self.source or (isinstance(source, str) and source == self.source)
        self.source = source
        nothing = source is None
        self._set(
            source_name="" if nothing else name,
            source_kind=None if nothing else kind,
            series="" if nothing else series,
            modality="" if nothing else modality,
        )
        if not same:
            self._suggest()
        if self.state.phase is Phase.IDLE or not same:
            self._explain()

    def release(self, kind: SourceKind) -> None:
        """Choose nothing where the source is of this kind; one of another kind stays."""
        if self.state.source_kind is kind:
            self.choose_source(None, "")

    def choose_options(self, **values: Any) -> None:
        """Ask something of the run; see :class:`RunOptions`."""
        self._set(options=dataclasses.replace(self.state.options, **values))

    def choose_identity(self, identity: str) -> None:
        """ "keep" or "deidentify"."""
        self._set(identity=identity)

    @property
    def titles(self) -> list[str]:
        """``name@version`` of the models at hand."""
        return [ref.title for ref in self.choices]

    @property
    def can_run(self) -> bool:
        """True where a source and a model are chosen and nothing runs."""
        return self.source is not None and self.state.bundle is not None and self.editable

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of what must be installed before a run: packages, and a model where there is none."""
        return self._packages if self.choices else (*self._packages, self.translate("the brain model"))

    @property
    def editable(self) -> bool:
        """True where source, model and route may be changed: nothing runs and nothing is being installed."""
        return not self.busy

    # --- installing --------------------------------------------------------------------------------------------------

    def ask_and_install(self, ask: Ask) -> None:
        """Look what is missing and how it can be brought, ``ask`` the person, and where they agree bring it.

        Returns at once. Whatever fails becomes the message.
        """
        self._ask_and_install(self._packages, model="" if self.choices else MODEL, ask=ask)

    def install(self, steps: Sequence[InstallStep]) -> None:
        """Start to do ``steps`` and return at once; the person was asked before. Whatever fails becomes the message."""
        if self.editable and steps:
            self._install(steps)

    def _look_again(self) -> None:
        self.refresh_bundles()

    # --- running -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the job; whatever keeps it from starting becomes the message."""
        if not self.can_run or self.state.bundle is None:
            return
        try:
            options = as_job_options(self.state.options, self.state.identity)
            self._working = self._submit(self.source, self.state.bundle.title, **options)
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))
            return
        self.analysed = self.source
        self._set(
            phase=Phase.RUNNING, stage="start", progress=0.0, seconds_left=None, result=None, folder=None, message=""
        )

    def _end(self, working: Handle) -> None:
        try:
            result = working.result()
        except JobCancelled:
            self._set(
                phase=Phase.CANCELLED,
                message=self.translate("Stopped. Nothing was written."),
                stage="",
                seconds_left=None,
            )
            return
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error), seconds_left=None)
            return
        self._set(
            phase=Phase.DONE,
            stage="done",
            progress=1.0,
            seconds_left=None,
            result=result,
            folder=working.output,
            message=summary(result, self.translate),
        )
        self.finished.emit(result)

    def _explain(self) -> None:
        if not self.editable:
            return
        has_model, has_source = bool(self.choices), self.source is not None
        text = ready_text(missing=self.missing, has_model=has_model, has_source=has_source, tr=self.translate)
        unfit = fit_text(self.state.bundle, self.state.modality, self.translate) if has_source else ""
        self._set(message=" ".join(filter(None, [unfit, text])), phase=Phase.IDLE)

    def _suggest(self) -> None:
        """A model that was made for such images, where the chosen one was not; it is shown before anything runs."""
        chosen = self.state.bundle
        if chosen is None or fits(chosen, self.state.modality):
            return
        fitting = [ref for ref in self.choices if fits(ref, self.state.modality)]
        if fitting:
            self._set(bundle=fitting[0])
            self.listed.emit()
