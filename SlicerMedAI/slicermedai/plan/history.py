"""Undo and redo: plans are values, so that each earlier one is still there as it was."""

from __future__ import annotations

from dataclasses import dataclass

from slicermedai.domain.plan import Plan
from slicermedai.errors import InputError

_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """The plans that were and, after an undo, those that can come back; itself a value. At most 100 are kept."""

    plans: tuple[Plan, ...]
    now: int = 0

    @staticmethod
    def of(plan: Plan) -> History:
        """Beginning with ``plan``."""
        return History(plans=(plan,))

    @property
    def plan(self) -> Plan:
        """The plan as it stands."""
        return self.plans[self.now]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier plan."""
        return self.now > 0

    @property
    def can_redo(self) -> bool:
        """Whether something was undone and nothing done since."""
        return self.now < len(self.plans) - 1

    def did(self, plan: Plan) -> History:
        """After an edit that made ``plan``; what was undone before cannot come back then."""
        if plan is self.plan:
            return self
        plans = (*self.plans[: self.now + 1], plan)[-_KEPT:]
        return History(plans=plans, now=len(plans) - 1)

    def undone(self) -> History:
        """One edit back; raises InputError where there is none."""
        if not self.can_undo:
            raise InputError("there is nothing to undo", attribute="history")
        return History(plans=self.plans, now=self.now - 1)

    def redone(self) -> History:
        """One edit forth again; raises InputError where nothing was undone."""
        if not self.can_redo:
            raise InputError("there is nothing to redo", attribute="history")
        return History(plans=self.plans, now=self.now + 1)
