"""The presenter of the module MedAI Mark: mark, be answered, take back, keep. No Qt and no MRML in here."""

from __future__ import annotations

import time
from pathlib import Path

from slicermedai.app import mark_words as words
from slicermedai.app.mark_answers import MarkAnswers
from slicermedai.app.mark_state import Around, Stage, in_order
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate, untranslated
from slicermedai.domain.prompts import Place, Prompt


class MarkRun(MarkAnswers):
    """Marks on one volume for one model: placed in the scene or by numbers, taken back, and answered as they rest.

    Parameters
    ----------
    stage:
        Where marks are placed and answers shown.
    around:
        What is needed of the application.
    """

    def __init__(self, stage: Stage, *, around: Around, translate: Translate = untranslated) -> None:
        super().__init__(stage, around=around, translate=translate)
        self._undone: list[tuple[Prompt, ...]] = []
        self._redo: list[tuple[Prompt, ...]] = []
        stage.when_changed(self._scene_changed)

    # --- marks -------------------------------------------------------------------------------------------------------

    def place(self, kind: str) -> None:
        """Let clicks mark something of the chosen structure; with the same kind again, end that."""
        if kind == self.state.placing:
            self._stage.stop()
        elif self.can_mark:
            self._act(lambda: self._stage.begin(kind, self.state.structure))

    def add_point(self, position: Place, *, inside: bool) -> None:
        """Mark a place, LPS mm, as a click there would."""
        if self.can_mark:
            self._act(lambda: self._stage.add_point(self.state.structure, position, inside=inside))

    def add_box(self, middle: Place, edge: float) -> None:
        """Mark a cube of ``edge`` mm around ``middle``, LPS mm."""
        if self.can_mark and edge > 0:
            self._act(lambda: self._stage.add_box(self.state.structure, middle, edge))

    def remove(self, number: int) -> None:
        """Take one mark away, by its place in the table from 0."""
        if self.can_mark and 0 <= number < len(self.state.marks):
            self._hold((*self.state.marks[:number], *self.state.marks[number + 1 :]))

    def clear(self) -> None:
        """Take all marks away; undo brings them back."""
        if self.can_mark and self.state.marks:
            self._hold(())

    @property
    def can_undo(self) -> bool:
        """True where a change of the marks can be taken back."""
        return self.can_mark and bool(self._undone)

    @property
    def can_redo(self) -> bool:
        """True where one that was taken back can be made again."""
        return self.can_mark and bool(self._redo)

    def undo(self) -> None:
        """Take the last change of the marks back, in the scene too, and ask again where any is left."""
        if self.can_undo:
            self._redo.append(self.state.marks)
            self._put(self._undone.pop())

    def redo(self) -> None:
        """Make it again."""
        if self.can_redo:
            self._undone.append(self.state.marks)
            self._put(self._redo.pop())

    def _hold(self, marks: tuple[Prompt, ...]) -> None:
        """As a new change: undo goes back before it."""
        self._undone.append(self.state.marks)
        self._redo.clear()
        self._put(marks)

    def _put(self, marks: tuple[Prompt, ...]) -> None:
        self._stage.place(marks)
        self._take(in_order(marks, self._stage.marks))

    def _scene_changed(self) -> None:
        """A person placed, moved or removed marks, or ended placing."""
        if self._stage.placing != self.state.placing:
            self._set(placing=self._stage.placing)
            self._explain_placing()
        marks = in_order(self.state.marks, self._stage.marks)
        if marks == self.state.marks:
            return
        if not self._is_moving(marks):
            self._undone.append(self.state.marks)
        self._redo.clear()
        self._take(marks)

    def _is_moving(self, marks: tuple[Prompt, ...]) -> bool:
        """True where these are marks in the middle of a move: none came or went, and they did not rest yet.

        Marks that rest while a result is kept are asked about later, and are a change all the same.
        """
        if self._due is None or len(marks) != len(self.state.marks):
            return False
        return not self._is_keeping or time.monotonic() < self._due

    def _explain_placing(self) -> None:
        if self.state.placing:
            self._set(message=words.placing_text(self.state.placing, self.state.structure, self.translate))
        elif self.state.phase is Phase.IDLE:
            self._explain()

    # --- the end -----------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Another module is shown: clicks there mark nothing."""
        self._stage.stop()

    def pass_on(self) -> Path | None:
        """The folder of what was kept, for the next module, which shows it; marks and answer leave the scene."""
        folder = self.state.saved
        if folder is not None and not self.busy:
            self._begin_anew()
            self._explain()
        return folder

    def scene_closed(self) -> None:
        """The scene is emptied: nothing of this patient goes on, or stands in the panel, beside the next one."""
        self._stage.leave()
        self._let_go()
        self._set(image="", has_files=False)
        self._explain()

    def close(self) -> None:
        """End the process with the model, and take marks and answer out of the scene."""
        self._stage.forget()
        self._stage.when_changed(lambda: None)
        self._let_go()

    def _begin_anew(self) -> None:
        image = self._stage.image_node
        self._stage.forget()
        self._stage.image_node = image
        self._let_go()

    def _let_go(self) -> None:
        self._undone, self._redo = [], []
        self._end_session()
