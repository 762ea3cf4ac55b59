"""What is chosen of series rules for a cohort: written, ordered, opened and saved. No Qt and no MRML in here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slicermedai.app.batch_state import BatchState
from slicermedai.app.needing import Needing
from slicermedai.app.words import Translate
from slicermedai.batch.rules import Rule, SeriesRules, load_rules, parse_rules
from slicermedai.batch.rules_text import rules_text
from slicermedai.domain.storage import write_text
from slicermedai.errors import MedAIError


class ChoosingRules(Needing):
    """The part of the presenter that holds the rules; see :class:`slicermedai.app.batch_choice.Choosing`."""

    state: BatchState

    def __init__(self, *, missing: Callable[[], Sequence[str]], translate: Translate) -> None:
        super().__init__(missing=missing, translate=translate)
        self.state = BatchState()
        self._suggested = self.state.rules
        self._earlier: list[tuple[SeriesRules, int]] = []

    @property
    @abstractmethod
    def editable(self) -> bool:
        """True where things may be chosen."""

    @abstractmethod
    def _changed(self, **values: Any) -> None:
        """Another choice was made."""

    @property
    def rule(self) -> Rule:
        """The rule that is shown to be edited."""
        return self.state.rules.rules[self.state.rule]

    def choose_rule(self, number: int) -> None:
        """Show one to be edited."""
        if 0 <= number < len(self.state.rules.rules):
            self._set(rule=number)

    def change_rule(self, **values: Any) -> None:
        """Fields of :class:`Rule`. What is no rule, or its name twice, becomes the message, and nothing is changed."""
        self._put([*self._before, replace(self.rule, **values), *self._after], self.state.rule)

    def add_rule(self) -> None:
        """One more, as the one that is shown, after it."""
        names = {rule.name for rule in self.state.rules.rules}
        name = next(name for number in range(1, len(names) + 2) if (name := f"rule-{number}") not in names)
        self._put([*self._before, self.rule, replace(self.rule, name=name), *self._after], self.state.rule + 1)

    def remove_rule(self) -> None:
        """Without the one that is shown; one rule always stays."""
        rest = [*self._before, *self._after]
        if rest:
            self._put(rest, min(self.state.rule, len(rest) - 1))

    def move_rule(self, step: int) -> None:
        """The rule that is shown is preferred more (-1) or less (+1)."""
        to = self.state.rule + step
        if 0 <= to < len(self.state.rules.rules):
            rest = [*self._before, *self._after]
            self._put([*rest[:to], self.rule, *rest[to:]], to)

    def change_rules(self, **values: Any) -> None:
        """``same_patient`` and ``frames_of_reference``."""
        self._take_rules(replace(self.state.rules, **values), self.state.rule)

    def open_rules(self, path: Path) -> None:
        """Rules from a file; what is wrong with it becomes the message."""
        try:
            self._take_rules(load_rules(path), 0)
        except MedAIError as error:
            self._set(message=str(error))

    def save_rules(self, path: Path) -> None:
        """Write them as a file that the command line reads too."""
        try:
            write_text(path, rules_text(self.state.rules))
            self._set(message=self.translate("Rules saved."))
        except MedAIError as error:
            self._set(message=str(error))

    @property
    def can_undo_rules(self) -> bool:
        """True where a change of the rules can be taken back."""
        return self.editable and bool(self._earlier)

    def undo_rules(self) -> None:
        """Take the last change of the rules back: an edit, a rule that came or went, a file that was opened."""
        if self.can_undo_rules:
            rules, chosen = self._earlier.pop()
            self._changed(rules=rules, rule=chosen)

    @property
    def _before(self) -> tuple[Rule, ...]:
        return self.state.rules.rules[: self.state.rule]

    @property
    def _after(self) -> tuple[Rule, ...]:
        return self.state.rules.rules[self.state.rule + 1 :]

    @property
    def _is_untouched(self) -> bool:
        return self.state.rules == self._suggested

    def _put(self, rules: Sequence[Rule], chosen: int) -> None:
        self._take_rules(replace(self.state.rules, rules=tuple(rules)), chosen)

    def _take_rules(self, rules: SeriesRules, chosen: int) -> None:
        """Only what can be read again."""
        try:
            parse_rules(rules_text(rules))
        except MedAIError as error:
            self._set(message=str(error))
            self.changed.emit(self.state)  # what was typed is shown as it was
            return
        if rules != self.state.rules:
            self._earlier.append((self.state.rules, self.state.rule))
            self._changed(rules=rules, rule=chosen)
        else:
            self._set(rule=chosen)
