"""A presenter whose work needs packages, and the offer to bring what is missing of them, with a model where none is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slicermedai.app.presenter import Ask, Presenter
from slicermedai.app.words import Translate


class Needing(Presenter):
    """Looks what is missing when it is asked to, and installs it once a person has agreed.

    Parameters
    ----------
    missing:
        The packages that are needed and not installed, as requirements (PEP 508).
    translate:
        Gives an English text in the language of the person.
    """

    def __init__(self, *, missing: Callable[[], Sequence[str]], translate: Translate) -> None:
        super().__init__(translate=translate)
        self._find_missing = missing
        self.packages: tuple[str, ...] = ()
        """The packages that are missing, as requirements."""

    @property
    def fetches(self) -> str:
        """The name of the model that is to come with them, "" for none."""
        return ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of all that is missing, for people."""
        return (*self.packages, self.translate("the brain model")) if self.fetches else self.packages

    def ask_and_install(self, ask: Ask) -> None:
        """Look how it can be brought, ``ask`` the person, and where they agree bring it; returns at once."""
        self._ask_and_install(self.packages, model=self.fetches, ask=ask)

    def _look_for_packages(self) -> None:
        self.packages = tuple(self._find_missing())
