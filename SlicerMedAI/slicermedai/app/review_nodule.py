"""What a person says of a lung nodule that they look at: its type, change and size. No Qt and no MRML in here."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from slicermedai.app import nodule_words as words
from slicermedai.app.review_choice import Reviewing
from slicermedai.domain import lung_rads
from slicermedai.domain.nodule import Nodule, NoduleChange, NoduleType
from slicermedai.domain.result import Decision
from slicermedai.errors import InputError


class NoduleReviewing(Reviewing):
    """The part of the presenter that takes a nodule's type; see :class:`~.review_run.ReviewRun`."""

    @property
    def is_nodule(self) -> bool:
        """True where the finding that is looked at is labelled as a nodule."""
        return self.row is not None and lung_rads.is_nodule(self.row.finding)

    @property
    def nodule_refusal(self) -> str:
        """Why no type can be entered of the nodule that is looked at; "" where it can."""
        row, result = self.row, self.state.effective
        if row is None or result is None:
            return ""
        return lung_rads.refusal(result, row.finding)

    @property
    def can_enter_nodule(self) -> bool:
        """True where the nodule was decided about, and not rejected."""
        row = self.row
        kept = row is not None and row.review is not None and row.review.decision is not Decision.REJECTED
        return kept and self.can_decide and not self.nodule_refusal

    @property
    def entered_nodule(self) -> Nodule | None:
        """What was entered of the nodule that is looked at, by whomever."""
        row = self.row
        return row.advice.nodule if row is not None and row.advice is not None else None

    def enter_nodule(self, kind: str, change: str, *, diameter: float = 0, solid_part: float = 0) -> None:
        """The type ("solid", "part-solid", "non-solid") and change ("baseline", "new", "growing") of the nodule.

        ``diameter`` is its mean diameter in mm where the person measured it, 0 where the result's own is meant;
        ``solid_part`` that of the solid component of a part-solid one. A ``kind`` of "" takes back what was entered.
        """
        row = self._decidable()
        if row is None or not self.is_nodule:
            return
        if not self.can_enter_nodule:
            self._set(message=words.cannot_text(self.nodule_refusal, self.translate))
            return
        try:
            made = self._nodule(kind, change, diameter, solid_part)
        except InputError as error:
            self._set(message=words.refused_text(error.message, self.translate))
            return
        last = row.review
        if last is None or (made.kind is None and row.advice is None):
            return
        self._push(replace(last, nodule=made))  # the decision stays theirs who made it
        told = words.entered_text(self.row.advice if self.row else None, self.translate)
        self._set(message=f"{self.state.message} {told}")

    def _nodule(self, kind: str, change: str, diameter: float, solid_part: float) -> Nodule:
        person, time = self.state.asked.person, datetime.now().astimezone().isoformat(timespec="seconds")
        if not kind:
            return Nodule(kind=None, change=None, person=person, time=time)
        if not change:
            raise InputError("baseline, new, growing or stable was not entered", attribute="change")
        if kind == NoduleType.PART_SOLID and not solid_part:
            raise InputError("a part-solid nodule needs the size of its solid component", attribute="solid_part")
        return Nodule(
            kind=NoduleType(kind),
            change=NoduleChange(change),
            diameter=diameter or None,
            solid_part=(solid_part or None) if kind == NoduleType.PART_SOLID else None,
            person=person,
            time=time,
        )
