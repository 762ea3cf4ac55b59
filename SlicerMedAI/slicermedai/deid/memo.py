"""What was found out once, of values that the files of a patient repeat."""

from __future__ import annotations

from typing import TypeVar

_Key = TypeVar("_Key")
_Found = TypeVar("_Found")
_MOST = 8192
"""Values; with more of them it begins anew, so that memory stays small."""


class Memo(dict[_Key, _Found]):
    """Value -> what was found; it never holds more than some thousands."""

    def keep(self, key: _Key, found: _Found) -> _Found:
        """Remember ``found``, and hand it back."""
        if len(self) >= _MOST:
            self.clear()
        self[key] = found
        return found
