"""People who said no: their studies are not fetched, whatever a list asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from slicermedai.errors import InputError
from slicermedai.pacs.store import Record

OptedOut = Callable[[Record], bool]
"""Whether a study, by what a query or a header says of it, must not be fetched."""

NAMED_BY = ("PatientID", "AccessionNumber", "StudyInstanceUID")


class OptOutList:
    """A list of patient IDs, accession numbers and study UIDs; case and spaces around them do not matter."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._entries = frozenset(filter(None, (_plain(entry) for entry in entries)))

    @classmethod
    def load(cls, path: Path) -> OptOutList:
        """From a text file, one identifier a line; lines that begin with # are remarks.

        Raises
        ------
        InputError
            It cannot be read, or names nobody: an empty list is more likely a mistake.
        """
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot be read ({type(error).__name__})", file=path) from error
        made = cls(line for line in lines if not line.lstrip().startswith("#"))
        if not made._entries:
            raise InputError("names nobody", file=path, advice="Leave the option out where nobody opted out.")
        return made

    def __call__(self, record: Record) -> bool:
        """True where the study belongs to somebody on the list."""
        return any(_plain(record.get(name, "")) in self._entries for name in NAMED_BY)


def _plain(text: str) -> str:
    return text.strip().strip('"').strip().casefold()
