"""What is chosen of a result, what a person decides about it, and what would be written. No Qt in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from slicermedai.app.report_state import OWN, FormatShown, ReportState, ResultShown
from slicermedai.app.report_words import format_text
from slicermedai.app.result_choice import ResultChoice
from slicermedai.app.words import Translate
from slicermedai.domain.decisions import WHOLE
from slicermedai.domain.result import Decision, Review
from slicermedai.export.formats import FORMATS
from slicermedai.export.profiles import PROFILES

_WITHOUT_PATIENT = frozenset({"nifti", "csv"})


class Choosing(ResultChoice):
    """The half of the presenter that holds what is chosen and decided; see :class:`~.report_run.ReportRun`."""

    def __init__(
        self, *, recall: Callable[[str], str], remember: Callable[[str, str], object], translate: Translate
    ) -> None:
        super().__init__(recall=recall, remember=remember, translate=translate)
        self.state: ReportState = ReportState(message=translate("Choose a result."))

    # --- choosing ----------------------------------------------------------------------------------------------------

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

    def choose_earlier(self, folder: str) -> None:
        """The earlier result of the patient whose tracking UIDs findings take over; "" for none."""
        shown = self.state.shown
        known = {str(one.folder) for one in shown.earlier} if shown else set()
        self._ask(earlier=folder) if folder in known else self._ask(earlier="", matches="")

    def choose_matches(self, table: str) -> None:
        """The table of which finding is which of the earlier result; "" for none, as where no such result is chosen."""
        self._ask(matches=table if self.state.asked.earlier else "")

    # --- deciding ----------------------------------------------------------------------------------------------------

    def decide(self, uid: str, decision: Decision, reason: str = "") -> None:
        """Accept or reject the finding ``uid``, or the result as a whole (:data:`WHOLE`); in no file until writing.

        What was written before does not say so, and is not offered for sending any more.
        """
        shown = self.state.shown
        if shown is None or not self.can_decide:
            self._set(message=self.translate("Type your name first: a decision is a named person's."))
            return
        made = self._review(uid, decision, reason)
        self._set(pending=(*self.state.pending, made), shown=_with(shown, made), written=None)
        self.look()

    def undo(self) -> None:
        """Take back the last decision that is in no file yet."""
        if self.state.pending and self.editable:
            self._set(pending=self.state.pending[:-1])
            self.look()

    # --- what follows from it ----------------------------------------------------------------------------------------

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
        shown = self.state.shown
        if shown is None:
            return ()
        wanted = chosen | {cited for one in shown.formats if one.name in chosen for cited in one.cites}
        return tuple(one for one in shown.formats if one.name in wanted)

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
            self._remember_folder()
        self._opened(shown.folder)
        self._set(shown=shown)
        if first and not self.to_write:
            written = {one.name for one in shown.formats if one.is_written}
            archive = frozenset(PROFILES["archive"])
            self._ask(formats=archive if written & archive else frozenset(written & _WITHOUT_PATIENT))

    def _let_go(self) -> None:
        self._set(shown=None, written=None)
        self._ask(earlier="", matches="")

    def _unsaved(self) -> str:
        return self.translate("Your decisions are saved nowhere yet: write, or undo them, before you go on.")


def _with(shown: ResultShown, made: Review) -> ResultShown:
    """The result with the decision in its place, until it is looked at again."""
    if made.tracking_uid == WHOLE:
        return replace(shown, whole=made.decision)
    findings = tuple(
        replace(one, decision=made.decision, person=made.person, reason=made.reason)
        if one.uid == made.tracking_uid
        else one
        for one in shown.findings
    )
    return replace(shown, findings=findings)
