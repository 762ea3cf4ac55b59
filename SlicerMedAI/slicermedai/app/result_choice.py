"""Which result is looked at, and by whom: what the modules that look at results share. No Qt and no MRML in here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from slicermedai.app.presenter import Presenter
from slicermedai.app.report_places import Found, find_results, remembered, to_remember
from slicermedai.app.words import Translate
from slicermedai.domain.result import Decision, Review, result_folder
from slicermedai.errors import MedAIError, NewerResultError

LOOK = "look"
"""The activity that leaves everything editable."""
PERSON, RESULTS = "MedAI/Reviewer", "MedAI/Results"
"""Settings: the name of who reviews, and the folders that were opened, one a line."""


class ResultChoice(Presenter):
    """A presenter whose state has ``asked`` (with ``folder`` and ``person``), ``activity`` and ``pending`` reviews.

    Parameters
    ----------
    recall, remember:
        Read and write a setting of the person's, as text.
    """

    def __init__(
        self, *, recall: Callable[[str], str], remember: Callable[[str, str], object], translate: Translate
    ) -> None:
        super().__init__(translate=translate)
        self._recall, self._remember = recall, remember
        self.results: tuple[Found, ...] = ()
        """The last results, for the list to choose from."""
        self._keys: frozenset[str] = frozenset()
        self._newer: Path | None = None

    def refresh(self, keys: Collection[str] = ()) -> None:
        """Look again which results there are; ``keys`` are those that the scene shows."""
        self._keys = frozenset(keys)
        self._list()
        if not self.state.asked.person:
            self._ask(person=self._recall(PERSON))
        self.changed.emit(self.state)

    def choose_folder(self, folder: str) -> None:
        """A run's folder, or a result folder; "" chooses none. Decisions that are in no file yet are not thrown away.

        Of a run the result with the last decisions is taken. Who chooses what is chosen already opens it again where
        saving was refused for decisions of others; what was decided here stays.
        """
        folder = str(Path(folder).expanduser().absolute()) if folder else ""
        if self._newer is not None and folder == self.state.asked.folder and not self.busy:
            self.look()
            return
        if not self.editable or folder == self.state.asked.folder:
            return
        if self.state.pending:
            self._set(message=self._unsaved())
            self.changed.emit(self.state)  # the folder is shown as it was
            return
        self._ask(folder=folder)
        self._newer = None
        self._let_go()
        self._set(message=self.translate("Choose a result."))
        if folder:
            self.look()

    def choose_person(self, name: str) -> None:
        """Who decides, as people write names: "Jane van Roe"."""
        self._ask(person=" ".join(name.split()))

    @property
    def editable(self) -> bool:
        """True where things may be chosen and decided: also while a result is only looked at."""
        return not self.busy or self.state.activity == LOOK

    @abstractmethod
    def look(self) -> None:
        """Look at the chosen result, or look at it again."""

    @abstractmethod
    def _let_go(self) -> None:
        """Forget what was shown: something else is chosen."""

    @abstractmethod
    def _unsaved(self) -> str:
        """What a person must do before they choose something else, for decisions are in no file yet."""

    def _review(self, uid: str, decision: Decision, reason: str, **more: Any) -> Review:
        """A decision of the person's, made now; their name is kept in the settings."""
        person = self.state.asked.person
        self._remember(PERSON, person)
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        said = " ".join(reason.split())[:500]
        return Review(tracking_uid=uid, person=person, decision=decision, reason=said, time=when, **more)

    def _note_newer(self, error: MedAIError) -> None:
        """Where saving was refused for decisions of others: they are what is opened next."""
        if isinstance(error, NewerResultError) and error.file:
            self._newer = Path(error.file)

    def _opened(self, folder: Path) -> None:
        """The result in ``folder`` is shown."""
        if self._newer is not None:
            self._newer = None
            self._follow(folder)

    def _remember_folder(self) -> None:
        folder = Path(self.state.asked.folder)
        self._remember(RESULTS, to_remember(folder, remembered(self._recall(RESULTS))))
        self._list()

    def _follow(self, folder: Path) -> None:
        """Decisions were saved in ``folder``: where a result folder was chosen, and not a run, it is now this one."""
        named = Path(self.state.asked.folder)
        if result_folder(named) == named:
            self._ask(folder=str(folder))

    def _list(self) -> None:
        self.results = tuple(find_results(remembered(self._recall(RESULTS)), keys=self._keys))

    def _ask(self, **values: Any) -> None:
        self._set(asked=replace(self.state.asked, **values))
