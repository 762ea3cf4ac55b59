"""What is done to an element: decided once for a kind of element in a kind of place, and remembered by value."""

from __future__ import annotations

from collections.abc import Callable

Edit = Callable[[bytes], bytes | None]
"""New value (the very same object where nothing changes), or None to remove the element."""


class Op:
    """An operation on one element: :data:`KEEP`, :data:`REMOVE`, a new value, or an edit of the old one.

    Parameters
    ----------
    action:
        What is counted: an action code of PS3.15 Table E.1-1a; "" for KEEP.
    value:
        The new value (for a sequence: the bytes of its items); None where it depends on the old one.
    edit:
        The new value from the old one. Sequences are entered.
    """

    __slots__ = ("action", "edit", "value")

    def __init__(self, action: str = "", *, value: bytes | None = None, edit: Edit | None = None) -> None:
        self.action, self.value, self.edit = action, value, edit

    @property
    def keeps(self) -> bool:
        """True where the element stays as it is, or is entered."""
        return not self.action

    @property
    def removes(self) -> bool:
        """True where the element goes, whatever its value."""
        return bool(self.action) and self.value is None and self.edit is None


KEEP = Op()
REMOVE = Op("X")
EMPTY = Op("Z", value=b"")
