"""The presenter of the module MedAI Models: look, search, take in, agree, try, pin, go back, remove. No Qt in here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from slicermedai.app import models_words as words
from slicermedai.app.models_state import Incoming, ModelShown, ModelsState, PictureShown, Verdict
from slicermedai.app.needing import Needing
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate, missing_text, untranslated
from slicermedai.errors import JobCancelled, MedAIError
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.inquiry import Inquiry

CHILD = "slicermedai.app.models_answer"
_LISTS = ("modality", "labels", "record")
_ANYWHERE = ("title", "task", "modality", "labels", "licence", "intended_use", "calibration")


def start(what: str, **more: Any) -> Inquiry:
    """Ask a child of its own; the answer brings the catalogue as it is afterwards."""
    return Inquiry(CHILD, {"what": what, **more}, JobFolder.create("models"))


class ModelsRun(Needing):
    """One thing at a time; every change is made by a child, and shown once it is on the disk.

    ``ask`` starts a child (:func:`start`), ``missing`` names packages that are needed and not installed, ``translate``
    gives an English text in the language of the person.
    """

    def __init__(
        self,
        *,
        ask: Callable[..., Inquiry] = start,
        missing: Callable[[], Sequence[str]] = tuple,
        translate: Translate = untranslated,
    ) -> None:
        super().__init__(missing=missing, translate=translate)
        self._ask = ask
        self._drawn: JobFolder | None = None
        self.state: ModelsState = ModelsState(message=translate("Looking which models are here ..."))

    # --- looking -----------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> tuple[ModelShown, ...]:
        """The models that the search leaves: all of its words stand somewhere in what is told of a model."""
        wanted = self.state.search.lower().split()
        return tuple(one for one in self.state.models if all(word in _text_of(one) for word in wanted))

    @property
    def model(self) -> ModelShown | None:
        """The one that is looked at."""
        return next((one for one in self.rows if one.title == self.state.chosen), None)

    def refresh(self) -> None:
        """Look again which models are here, and what is installed."""
        self._look_for_packages()
        self._do("list")

    def search(self, text: str) -> None:
        """Show those with these words alone."""
        self._set(search=text)

    def choose(self, title: str) -> None:
        """Look at one."""
        self._set(chosen=title)

    def prepare(self, **values: str) -> None:
        """Say something about the model that comes in; see :class:`Incoming`."""
        self._set(
            incoming=dataclasses.replace(self.state.incoming, **{key: text.strip() for key, text in values.items()})
        )

    def say(self, word: str) -> None:
        """Who agrees that the chosen model runs its code, and why."""
        self._set(word=word)

    # --- what may be done --------------------------------------------------------------------------------------------

    @property
    def can_take_in(self) -> bool:
        """True where there is one source, and nothing goes on."""
        return not self.busy and bool(self.state.incoming.source) != bool(self.state.incoming.zoo)

    @property
    def can_fetch(self) -> bool:
        """True where a known model is not here yet."""
        return not self.busy and bool(self.fetchable)

    @property
    def fetchable(self) -> tuple[str, ...]:
        """Known models that are not here."""
        here = {one.title for one in self.state.models}
        return tuple(title for title in self.state.known if title not in here)

    @property
    def can_change(self) -> bool:
        """True where a model of this installation is chosen, and nothing goes on."""
        return not self.busy and self.model is not None and self.model.own

    @property
    def can_try(self) -> bool:
        """True where the chosen model may be run."""
        return not self.busy and self.model is not None and not self.model.waits_for_consent

    @property
    def can_picture(self) -> bool:
        """True where the chosen model has a trust record that can be read."""
        return not self.busy and self.model is not None and len(self.model.record) > 1

    @property
    def pictures(self) -> tuple[PictureShown, ...]:
        """Those of the chosen model's trust record, where they were made."""
        return self.state.pictures if self.model is not None and self.state.pictured == self.model.title else ()

    @property
    def can_agree(self) -> bool:
        """True where the chosen model waits for consent, and somebody is named who gives it."""
        waits = self.can_change and self.model is not None and self.model.waits_for_consent
        return waits and bool(self.state.word.strip())

    @property
    def can_roll_back(self) -> bool:
        """True where another version of the chosen model is here."""
        model = self.model
        return self.can_change and model is not None and sum(one.name == model.name for one in self.state.models) > 1

    # --- doing -------------------------------------------------------------------------------------------------------

    def take_in(self) -> None:
        """Install what was chosen. A name in the Model Zoo asks the network; nothing else does."""
        if self.can_take_in:
            self._do("import", incoming=dataclasses.asdict(self.state.incoming))

    def fetch(self, title: str) -> None:
        """Install a known model; this asks the network."""
        if self.can_fetch and title in self.fetchable:
            self._do("fetch", title=title)

    def verify(self) -> None:
        """Hash all files of all models, and look whether the record of changes is as it was written."""
        if not self.busy and self.state.models:
            self._do("verify")

    def check(self) -> None:
        """Run the chosen model on the sample that it brings, else on a generated image of its modality."""
        self._change("check", may=self.can_try)

    def picture(self) -> None:
        """Draw what the trust record of the chosen model knows; a child does, and nothing asks the network."""
        if not self.can_picture:
            return
        self.let_go()
        try:
            self._drawn = JobFolder.create("pictures")
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))
            return
        self._do("draw", title=self.state.chosen, folder=str(self._drawn.path))

    def let_go(self) -> None:
        """The pictures are not looked at any more: their files go."""
        if self._drawn is not None:
            self._drawn.remove()
            self._drawn = None
        self._set(pictures=(), pictured="")

    def pin(self) -> None:
        """Let the name alone stand for the chosen version."""
        self._change("pin", may=self.can_change)

    def roll_back(self) -> None:
        """Let the name stand for the version before."""
        self._change("roll back", may=self.can_roll_back)

    def remove(self) -> None:
        """Take the chosen version away; the person was asked before."""
        self._change("remove", may=self.can_change)

    def agree(self) -> None:
        """Keep the person's word that the chosen model may run its code, as its files are now."""
        self._change("agree", may=self.can_agree, word=self.state.word.strip())

    # --- inside ------------------------------------------------------------------------------------------------------

    def _change(self, what: str, *, may: bool, **more: Any) -> None:
        if may:
            self._do(what, title=self.state.chosen, **more)

    def _do(self, what: str, **asked: Any) -> None:
        if self.busy:
            return
        try:
            self._working = self._ask(what, **asked)
        except MedAIError as error:
            self._set(phase=Phase.FAILED, message=str(error))
            return
        self._set(phase=Phase.RUNNING, doing=what, stage=what, progress=0.0, seconds_left=None, message="")

    def _end(self, working: Inquiry) -> None:
        ended = {"stage": "", "seconds_left": None, "progress": 0.0}
        if isinstance(working.error, JobCancelled):
            self._set(phase=Phase.CANCELLED, message=self.translate("Stopped. Nothing was changed."), **ended)
        elif working.error is not None:
            self._set(phase=Phase.FAILED, message=str(working.error), **ended)
        else:
            self._take(working.answer)
            self._set(phase=Phase.IDLE if self.state.doing == "list" else Phase.DONE, **ended)

    def _take(self, answer: dict[str, Any]) -> None:
        new_ones = {title: tuple(verdict) for title, verdict in answer["verdicts"].items()}
        verdicts: dict[str, Verdict] = {one.title: one.verdict for one in self.state.models} | new_ones
        found = tuple(_shown(plain, verdicts.get(plain["title"], ())) for plain in answer["models"])
        new = next((title for title in new_ones if self.state.doing in ("import", "fetch", "roll back")), "")
        titles = [one.title for one in found]
        chosen = new or self.state.chosen
        self._set(
            models=found,
            known=tuple(answer["known"]),
            changes=tuple(answer["changes"]),
            chosen=chosen if chosen in titles else (titles[0] if titles else ""),
            word="" if self.state.doing == "agree" else self.state.word,
            incoming=Incoming() if self.state.doing == "import" else self.state.incoming,
        )
        if self.state.doing == "draw":
            drawn = tuple(PictureShown(**one) for one in answer["pictures"])
            self._set(pictures=drawn, pictured=self.state.chosen)
        lacking = missing_text(self.packages, self.translate) if self.state.doing == "list" else ""
        self._set(message=" ".join(filter(None, [words.outcome(self.state, new_ones, self.translate), lacking])))

    def _look_again(self) -> None:
        self._look_for_packages()


def _shown(plain: dict[str, Any], verdict: Verdict) -> ModelShown:
    return ModelShown(**{**plain, **{name: tuple(plain[name]) for name in _LISTS}}, verdict=verdict)


def _text_of(model: ModelShown) -> str:
    values = (getattr(model, name) for name in _ANYWHERE)
    return " ".join(value if isinstance(value, str) else " ".join(value) for value in values).lower()
