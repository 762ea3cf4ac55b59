"""What is chosen of a result, what a person decides about it, and what would be written. No Qt in here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from slicermedai.app.presenter import Presenter
from slicermedai.app.report_places import Found, find_results, remembered, to_remember
from slicermedai.app.report_state import OWN, FormatShown, ReportState, ResultShown
from slicermedai.app.report_words import format_text
from slicermedai.app.words import Translate
from slicermedai.domain.decisions import WHOLE
from slicermedai.domain.result import Decision, Review
from slicermedai.export.formats import FORMATS
from slicermedai.export.profiles import PROFILES

LOOK = "look"
"""The activity that leaves everything editable."""
PERSON, RESULTS = "MedAI/Reviewer", "MedAI/Results"
"""Settings: the name of who reviews, and the folders that were opened, one a line."""
_WITHOUT_PATIENT = frozenset({"nifti", "csv"})


class Choosing(Presenter):
    """The half of the presenter that holds what is chosen and decided; see :class:`~.report_run.ReportRun`."""

    def __init__(
        self, *, recall: Callable[[str], str], remember: Callable[[str, str], object], translate: Translate
    ) -> None:
        super().__init__(translate=translate)
        self._recall, self._remember = recall, remember
        self.state: ReportState = ReportState(message=translate("Choose a result."))
        self.results: tuple[Found, ...] = ()
        """The last results, for the list to choose from."""
        self._keys: frozenset[str] = frozenset()

    # --- choosing ----------------------------------------------------------------------------------------------------

    def refresh(self, keys: Collection[str] = ()) -> None:
        """Look again which results there are; ``keys`` are those that the scene shows."""
        self._keys = frozenset(keys)
        self._list()
        if not self.state.asked.person:
            self._ask(person=self._recall(PERSON))
        self.changed.emit(self.state)

    def choose_folder(self, folder: str) -> None:
        """A run's folder, or a result folder; "" chooses none. Decisions that are in no file yet are not thrown away.

        Of a run the result with the last decisions is taken.
        """
        folder = str(Path(folder).expanduser().absolute()) if folder else ""
        if not self.editable or folder == self.state.asked.folder:
            return
        if self.state.pending:
            told = self.translate("Your decisions are saved nowhere yet: write, or undo them, before you go on.")
            self._set(message=told)
            self.changed.emit(self.state)  # the folder is shown as it was
            return
        self._ask(folder=folder)
        self._set(shown=None, written=None, message=self.translate("Choose a result."))
        if folder:
            self.look()

    def choose_person(self, name: str) -> None:
        """Who decides, as people write names: "Jane van Roe"."""
        self._ask(person=" ".join(name.split()))

    def choose_profile(self, name: str) -> None:
        """The formats of a profile; any other name leaves what is ticked."""
        if name in PROFILES:
            self.choose_formats(frozenset(PROFILES[name]))

    def choose_formats(self, names: frozenset[str]) -> None:
        """Exactly these; what they cite is written too."""
        self._ask(formats=names)
        self.explain()

    def choose_output(self, folder: str) -> None:
        """The folder to make; "" for a new one in the person's Documents."""
        self._ask(output=folder)

    # --- deciding ----------------------------------------------------------------------------------------------------

    def decide(self, uid: str, decision: Decision, reason: str = "") -> None:
        """Accept or reject the finding ``uid``, or the result as a whole (:data:`WHOLE`); in no file until writing.

        What was written before does not say so, and is not offered for sending any more.
        """
        shown, person = self.state.shown, self.state.asked.person
        if shown is None or not self.can_decide:
            self._set(message=self.translate("Type your name first: a decision is a named person's."))
            return
        self._remember(PERSON, person)
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        made = Review(
            tracking_uid=uid, person=person, decision=decision, reason=" ".join(reason.split())[:500], time=when
        )
        self._set(pending=(*self.state.pending, made), shown=_with(shown, made), written=None)
        self.look()

    def undo(self) -> None:
        """Take back the last decision that is in no file yet."""
        if self.state.pending and self.editable:
            self._set(pending=self.state.pending[:-1])
            self.look()

    @abstractmethod
    def look(self) -> None:
        """Look at the result again, as it is with the decisions so far."""

    # --- what follows from it ----------------------------------------------------------------------------------------

    @property
    def editable(self) -> bool:
        """True where things may be chosen and decided: also while a result is only looked at."""
        return not self.busy or self.state.activity == LOOK

    @property
    def can_decide(self) -> bool:
        """True where a result is shown and somebody has given a name."""
        return self.state.shown is not None and self.editable and bool(self.state.asked.person)

    @property
    def profile(self) -> str:
        """The profile that has exactly the chosen formats, or :data:`OWN`."""
        return next((name for name, formats in PROFILES.items() if set(formats) == self.state.asked.formats), OWN)

    @property
    def formats(self) -> list[tuple[str, str, str]]:
        """All formats: name, what it is in a few words, and a sentence."""
        return [(name, *format_text(name, self.translate)) for name in FORMATS]

    @property
    def plan(self) -> tuple[FormatShown, ...]:
        """What would come of each chosen format, and of those that they cite, in the order of writing."""
        chosen = self.state.asked.formats
        wanted = chosen | {cited for name in chosen if name in FORMATS for cited in FORMATS[name].cites}
        shown = self.state.shown
        return tuple(one for one in shown.formats if one.name in wanted) if shown else ()

    @property
    def to_write(self) -> tuple[str, ...]:
        """The names of the formats that would be written."""
        return tuple(one.name for one in self.plan if one.is_written)

    @property
    def can_write(self) -> bool:
        """True where nothing stands in the way."""
        return not self.busy and not self.obstacle()

    def obstacle(self) -> str:
        """What stands in the way of writing, for people; "" where nothing does."""
        tr = self.translate
        if self.state.shown is None:
            return tr("Choose a result.")
        if not self.plan:
            return tr("Choose what to write.")
        return "" if self.to_write else tr("Nothing of this can be written: the table says why, and how to mend it.")

    def explain(self) -> None:
        """Say what a person should do next."""
        if self.busy:
            return
        left_out = [one for one in self.plan if one.reason]
        told = self.translate("Ready to write. Read in the table what is not written, and why.")
        ready = told if left_out else self.translate("Ready to write.")
        self._set(message=self.obstacle() or ready)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _take(self, shown: ResultShown) -> None:
        """A result was looked at: at first sight what can be filed is chosen, and the folder is remembered."""
        first = self.state.shown is None
        if first:
            folder = Path(self.state.asked.folder)
            self._remember(RESULTS, to_remember(folder, remembered(self._recall(RESULTS))))
            self._list()
        self._set(shown=shown)
        if first and not self.to_write:
            written = {one.name for one in shown.formats if one.is_written}
            archive = frozenset(PROFILES["archive"])
            self._ask(formats=archive if written & archive else frozenset(written & _WITHOUT_PATIENT))

    def _list(self) -> None:
        self.results = tuple(find_results(remembered(self._recall(RESULTS)), keys=self._keys))

    def _ask(self, **values: Any) -> None:
        self._set(asked=replace(self.state.asked, **values))


def _with(shown: ResultShown, made: Review) -> ResultShown:
    """The result with the decision in its place, until it is looked at again."""
    if made.tracking_uid == WHOLE:
        return replace(shown, whole=made.decision)
    said = {"decision": made.decision, "person": made.person, "reason": made.reason}
    findings = tuple(replace(one, **said) if one.uid == made.tracking_uid else one for one in shown.findings)  # type: ignore[arg-type]  # each value is of its field's type
    return replace(shown, findings=findings)
