"""The rule that is chosen, in the widgets that edit it: plain words in, a rule out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicermedai.app.batch_choice import Choosing
from slicermedai.app.batch_rules import CONTAINED, PATTERNS, WORDS, ends_of, pattern_of, plain_of, range_of, words_of
from slicermedai.app.batch_words import choices

TEXTS = {
    **{"nameEdit": "name", "modalityEdit": "modality", "kernelEdit": "kernel", "descriptionEdit": "description"},
    **{"bodyPartEdit": "body_part", "phaseEdit": "phase", "withoutEdit": "without_words"},
    **{"ruleInputEdit": "input", "ruleModelEdit": "bundle"},
}
"""Widget for a text -> the setting of the rule that it is."""
RANGES = {
    "thickness_mm": ("thicknessFromSpin", "thicknessToSpin"),
    "slices": ("slicesFromSpin", "slicesToSpin"),
}
"""Setting -> widgets for its two ends."""
CHOICES = {"originSelector": "origin", "contrastSelector": "contrast", "tieSelector": "tie"}
"""Widget to choose from -> the setting."""
OF_ALL = {"samePatientSelector": "same_patient", "framesSelector": "frames_of_reference"}
"""Widget to choose from -> the setting of all rules together."""


class RuleForm:
    """Shows the rule that is chosen in ``presenter``, and hands on what a person changes."""

    def __init__(self, ui: Any, presenter: Choosing) -> None:
        self.ui, self.presenter = ui, presenter
        for widget, name in (CHOICES | OF_ALL).items():
            for value, text in choices(name, presenter.translate):
                getattr(ui, widget).addItem(text, value)

    def connect(self) -> None:
        """Hand on each change as it is made; a text when typing has ended."""
        for widget, name in TEXTS.items():
            getattr(self.ui, widget).connect("editingFinished()", self._slot(self._put_text, widget, name))
        for name, (first, last) in RANGES.items():
            signal = "valueChanged(double)" if name == "thickness_mm" else "valueChanged(int)"
            for widget in (first, last):
                getattr(self.ui, widget).connect(signal, self._slot(self._put_range, name, first, last))
        for widget, name in (CHOICES | OF_ALL).items():
            getattr(self.ui, widget).connect("activated(int)", self._slot(self._put_choice, widget, name))

    def commit(self) -> None:
        """Take in what was typed and is still being edited."""
        for widget, name in TEXTS.items():
            self._put_text(widget, name)

    def show(self) -> None:
        """Show the rule; what says the same already is left as it was typed."""
        rule, rules = self.presenter.rule, self.presenter.state.rules
        for widget, name in TEXTS.items():
            if _typed(name, getattr(self.ui, widget).text) != getattr(rule, name):
                getattr(self.ui, widget).setText(_plain(name, getattr(rule, name)))
        for name, widgets in RANGES.items():
            for widget, value in zip(widgets, ends_of(getattr(rule, name)), strict=True):
                self._show_number(getattr(self.ui, widget), value, is_whole=name == "slices")
        for widget, name in CHOICES.items():
            box = getattr(self.ui, widget)
            box.setCurrentIndex(box.findData(getattr(rule, name)))
        for widget, name in OF_ALL.items():
            box = getattr(self.ui, widget)
            box.setCurrentIndex(box.findData(getattr(rules, name)))

    def _slot(self, put: Callable[..., None], *what: str) -> Callable[..., None]:
        return lambda *told: put(*what)

    def _put_text(self, widget: str, name: str) -> None:
        value = _typed(name, getattr(self.ui, widget).text)
        if value != getattr(self.presenter.rule, name):
            self.presenter.change_rule(**{name: value})

    def _put_range(self, name: str, first: str, last: str) -> None:
        ends = (float(getattr(self.ui, first).value), float(getattr(self.ui, last).value))
        self.presenter.change_rule(**{name: range_of(*ends)})

    def _put_choice(self, widget: str, name: str) -> None:
        box = getattr(self.ui, widget)
        change = self.presenter.change_rule if name in CHOICES.values() else self.presenter.change_rules
        change(**{name: box.itemData(box.currentIndex)})

    def _show_number(self, spin: Any, value: float, *, is_whole: bool) -> None:
        if spin.value != value:
            blocked = spin.blockSignals(True)
            spin.setValue(int(value) if is_whole else value)
            spin.blockSignals(blocked)


def _typed(name: str, text: str) -> Any:
    """The setting's value for what stands in its widget."""
    if name in PATTERNS:
        return pattern_of(text, contains=name in CONTAINED)
    return words_of(text) if name in WORDS else text.strip()


def _plain(name: str, value: Any) -> str:
    if name in PATTERNS:
        return plain_of(value, contains=name in CONTAINED)
    return ", ".join(value) if name in WORDS else str(value)
