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

    __slots__ = ("action", "edit", "keeps", "removes", "value")

    def __init__(self, action: str = "", *, value: bytes | None = None, edit: Edit | None = None) -> None:
        self.action, self.value, self.edit = action, value, edit
        self.keeps = not action
        """True where the element stays as it is, or is entered."""
        self.removes = bool(action) and value is None and edit is None
        """True where the element goes, whatever its value."""


KEEP = Op()
REMOVE = Op("X")
EMPTY = Op("Z", value=b"")
