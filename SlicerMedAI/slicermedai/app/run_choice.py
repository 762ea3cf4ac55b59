"""What a person chooses in the module MedAI: image or images, model, route, options. No Qt and no MRML in here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from slicermedai.app.presenter import Presenter
from slicermedai.app.run_inputs import Candidate, doubled, missing, still_there, suggested, wanted_by, with_choice
from slicermedai.app.run_options import SampleWays, as_job_options
from slicermedai.app.run_words import inputs_text, not_over_time_text, one_image_text
from slicermedai.app.signal import Signal
from slicermedai.app.state import Phase, RunState, SourceKind
from slicermedai.app.suggesting import Shows, better
from slicermedai.app.words import Translate, fit_text, ready_text
from slicermedai.console.estimates import request_of
from slicermedai.domain.bundle import BundleRef

_CHOSEN = "chosen"
"""The key of an image that was chosen and is at hand by nothing else: a folder."""


class RunChoice(Presenter):
    """Chooses; what is made of it is :class:`slicermedai.app.guided_run.GuidedRun`'s.

    Parameters
    ----------
    bundles:
        The models at hand.
    images:
        The images at hand, for models that take several.
    missing:
        The packages that are needed and not installed, as requirements (PEP 508).
    translate:
        Gives an English text in the language of the person.
    """

    def __init__(
        self,
        *,
        bundles: Callable[[], list[BundleRef]],
        images: Callable[[], Sequence[Candidate]],
        missing: Callable[[], Sequence[str]],
        translate: Translate,
    ) -> None:
        super().__init__(translate=translate)
        self.listed = Signal()
        """Emitted without a value when :attr:`choices` or :attr:`series` were read again."""
        self._list = bundles
        self._images = images
        self._find_missing = missing
        self._packages: tuple[str, ...] = ()
        self._at_hand: tuple[Candidate, ...] = ()
        self._preferred: tuple[str, ...] = ()
        self.ways = SampleWays()
        """How the models that were looked at can be asked for further answers."""
        self.source: Any = None
        self.choices: tuple[BundleRef, ...] = ()
        self.series: tuple[tuple[str, str], ...] = ()
        """(UID, text) of the DICOM series at hand."""
        self.state: RunState = RunState(message=translate("Choose an image and a model."))

    def refresh_bundles(self) -> None:
        """Look again which models and packages are there; keeps the chosen model where it still is, else the first."""
        before = self.choices, self.state.bundle, self._packages
        self.choices, self._packages = tuple(self._list()), tuple(self._find_missing())
        kept = self.state.title in self.titles
        self._take_bundle(self.state.bundle if kept else (self.choices[0] if self.choices else None))
        self.listed.emit()
        if self.state.phase is Phase.IDLE or before != (self.choices, self.state.bundle, self._packages):
            self._explain()

    def refresh_series(self, found: Sequence[tuple[str, str]]) -> None:
        """Take in the (UID, text) at hand; a chosen series that is not among them any more is let go of."""
        self.series = tuple(found)
        if self.state.series not in (uid for uid, _ in self.series):
            self.release(SourceKind.SERIES)
        if self.state.inputs:
            self._at_hand = self._all_images()
            self._set(inputs=still_there(self.state.inputs, [one.key for one in self._at_hand]))
        self.listed.emit()

    def choose_bundle(self, title: str) -> None:
        """By ``name@version``; an unknown title chooses none."""
        self._take_bundle(next((ref for ref in self.choices if ref.title == title), None))
        self._explain()

    def choose_input(self, name: str, key: str) -> None:
        """The image that the model calls ``name``; "" for none."""
        taken = next((one for one in self._at_hand if one.key == key), None)
        self._set(inputs=with_choice(self.state.inputs, name, taken))
        self._explain()

    @property
    def image_choices(self) -> list[tuple[str, str]]:
        """(key, text) of the images that an input may be."""
        return [(one.key, one.text) for one in self._at_hand]

    def choose_source(self, source: Any, name: str, *, kind: SourceKind = SourceKind.VOLUME, **said: str) -> None:
        """``source`` is anything that ``submit`` takes; None chooses nothing. Choosing the same again changes nothing.

        ``said`` are fields of :class:`~slicermedai.app.suggesting.Shows`: where the chosen model was made for another
        modality, or for another part of the body, the one that suits the image best is suggested instead.
        """
        shows = Shows() if source is None else Shows(**said)
        same = source is self.source or (isinstance(source, str) and source == self.source)
        if not same and self.state.options.over_time:
            self._set(options=dataclasses.replace(self.state.options, over_time=False))
        self.source = source
        nothing = source is None
        self._set(
            source_name="" if nothing else name,
            source_kind=None if nothing else kind,
            series=shows.series,
            modality=shows.modality,
            body_part=shows.body_part,
        )
        if not same:
            self._suggest()
            self._match()
        if self.state.phase is Phase.IDLE or not same:
            self._explain()

    def release(self, kind: SourceKind) -> None:
        """Choose nothing where the source is of this kind; one of another kind stays."""
        if self.state.source_kind is kind:
            self.choose_source(None, "")

    def choose_options(self, **values: Any) -> None:
        """Ask something of the run; see :class:`RunOptions`."""
        self._set(options=dataclasses.replace(self.state.options, **values))
        if {"samples", "stability", "over_time"} & set(values) and self.state.phase is Phase.IDLE:
            self._explain()

    def learn_ways(self, title: str, ways: Sequence[tuple[str, str]]) -> None:
        """How a model can be asked for further answers; a choice that it does not have is refused by name."""
        if self.ways.learn(title, ways):
            if self.state.phase is Phase.IDLE:
                self._explain()
            self.changed.emit(self.state)

    def choose_identity(self, identity: str) -> None:
        """ "keep" or "deidentify"."""
        self._set(identity=identity)

    def prefer(self, series: Sequence[str]) -> None:
        """Where several of the series of a study fit one of a model's images, take the one among these."""
        self._preferred = tuple(series)
        self._match()
        self._explain()

    def say(self, text: str) -> None:
        """Tell the person something."""
        self._set(message=text)

    @property
    def titles(self) -> list[str]:
        """``name@version`` of the models at hand."""
        return [ref.title for ref in self.choices]

    @property
    def is_complete(self) -> bool:
        """True where a source, a model and what it can be asked are chosen, and each image that it takes, once."""
        rows = self.state.inputs
        chosen = self.source is not None and self.state.bundle is not None and not self.refusal
        return chosen and not missing(rows) and not doubled(rows)

    @property
    def refusal(self) -> str:
        """Why the chosen model cannot be asked for samples in the chosen way, or for every frame; "" where it can."""
        asked, bundle = self.state.options, self.state.bundle
        if asked.over_time and bundle is not None and (bundle.task != "segmentation" or self.state.inputs):
            return one_image_text(bundle.title, self.translate)
        if asked.over_time and (why := not_over_time_text(asked.samples, asked.stability, self.translate)):
            return why
        return self.ways.refusal(self.state.title, self.state.options.samples)

    @property
    def can_run(self) -> bool:
        """True where all is chosen and nothing runs."""
        return self.is_complete and not self.busy

    @property
    def can_add(self) -> bool:
        """True where all is chosen, while a run is going."""
        return self.is_complete and self.busy and self.editable

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of what must be installed before a run: packages, and a model where there is none."""
        return self._packages if self.choices else (*self._packages, self.translate("the brain model"))

    @property
    def editable(self) -> bool:
        """True where source, model and route may be changed: nothing is being installed, or looked up for that."""
        begun = self._installation is not None or self._looking is not None
        return self.state.phase is not Phase.INSTALLING and not begun

    @property
    def asked(self) -> tuple[Any, str, dict[str, Any]]:
        """(source, model, options) of the job that would be made now; see :attr:`is_complete`."""
        options = as_job_options(self.state.options, self.state.identity)
        if not self.state.inputs:
            return self.source, self.state.title, options
        found = {one.key: one for one in self._at_hand}
        first, *others = self.state.inputs
        further = {row.name: found[row.key].open() for row in others}
        return found[first.key].open(), self.state.title, {**options, "shows": first.name, "inputs": further}

    @property
    def question(self) -> tuple[object, Callable[[], dict[str, Any]] | None]:
        """What :meth:`slicermedai.app.estimates.Estimates.consider` takes: what is chosen, and how to ask about it."""
        state, ready = self.state, self.is_complete and self.editable and not self.missing
        chosen = (self.source, state.title, state.options, state.identity, state.inputs, ready)
        return chosen, self._request if ready else None

    def _request(self) -> dict[str, Any]:
        source, title, options = self.asked
        return request_of(source, title, options)

    def _explain(self) -> None:
        if self.busy:
            return
        has_model, has_source = bool(self.choices), self.source is not None
        text = ready_text(missing=self.missing, has_model=has_model, has_source=has_source, tr=self.translate)
        unfit = fit_text(self.state.bundle, self._shows, self.translate) if has_source else ""
        lacking = inputs_text(self.state.inputs, self.translate) if has_source and not self.missing else ""
        told = [unfit, self.refusal or lacking or text]
        self._set(message=" ".join(filter(None, told)), phase=Phase.IDLE)

    def _take_bundle(self, bundle: BundleRef | None) -> None:
        if bundle != self.state.bundle:
            self._set(bundle=bundle)
            self._match()

    def _match(self) -> None:
        """Suggest which image is which, for a model that takes several; it is shown before anything runs."""
        bundle = self.state.bundle
        names = wanted_by(bundle)
        self._at_hand = self._all_images() if names else ()
        modalities, chosen = bundle.modality if bundle else (), self._chosen(self._at_hand)
        rows = suggested(names, chosen, self._at_hand, modalities=modalities, preferred=self._preferred)
        self._set(inputs=rows)

    def _all_images(self) -> tuple[Candidate, ...]:
        """What is at hand, and what was chosen where it is none of that."""
        found = tuple(self._images())
        if self.source is None or self._chosen(found) is not None:
            return found
        source, name = self.source, self.state.source_name
        own = Candidate(key=_CHOSEN, text=name, words=name, open=lambda: source, modality=self.state.modality)
        return (own, *found)

    def _chosen(self, found: Sequence[Candidate]) -> Candidate | None:
        series, source = self.state.series, self.source
        if source is None:
            return None
        same = (one for one in found if (one.key == series if series else one.node is source))
        return next(same, next((one for one in found if one.key == _CHOSEN), None))

    def _suggest(self) -> None:
        """A model that was made for such images, where the chosen one was not; it is shown before anything runs."""
        found = better(self.state.bundle, self.choices, self._shows)
        if found is not None:
            self._take_bundle(found)
            self.listed.emit()

    @property
    def _shows(self) -> Shows:
        return Shows(series=self.state.series, modality=self.state.modality, body_part=self.state.body_part)
