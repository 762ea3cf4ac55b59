"""The presenter of the module MedAI Review: open, look, decide, edit, save. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from slicermedai.app import review_words as words
from slicermedai.app.aside import Aside
from slicermedai.app.result_choice import LOOK
from slicermedai.app.result_showing import COMPARE, IMAGE, PREPARE
from slicermedai.app.review_ask import Errand, start_keeping, start_opening, start_reading
from slicermedai.app.review_nodule import NoduleReviewing
from slicermedai.app.review_state import Around, Laid, Stage
from slicermedai.app.review_table import write_table
from slicermedai.app.state import Phase
from slicermedai.app.surfacing import surfaces
from slicermedai.app.words import Translate, untranslated
from slicermedai.domain.decisions import decided
from slicermedai.domain.result import Decision
from slicermedai.domain.study import Identity
from slicermedai.errors import MedAIError

KEEP = "keep"
"""What can be going on beside opening."""


class ReviewRun(NoduleReviewing):
    """One thing at a time: opening a result (and its image, where the scene has it not), saving decisions.

    ``stage`` is where the result is seen, ``around`` what is needed of the application, and ``translate`` gives an
    English text in the language of the person.
    """

    def __init__(self, stage: Stage, *, around: Around | None = None, translate: Translate = untranslated) -> None:
        super().__init__(stage, around=around or Around(), translate=translate)
        self.aside = Aside(translate=translate)
        """Surfaces for 3D views, which are made beside everything else; to be polled as this is."""
        self._awaited: Sequence[str] = ()

    # --- opening -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Start to open the chosen result, or to show it again; decisions that are in no file yet are kept."""
        if not self.busy and self.state.asked.folder:
            self._try(lambda: start_opening(self._newer or self._source), LOOK)

    def scene_closed(self) -> None:
        """The scene was emptied; what was decided stays, and :meth:`look` shows it again.

        What was about to come into it does not come into the empty one.
        """
        self.aside.forget()
        told = self.translate("The scene was closed; your decisions are still here. Show the result again to go on.")
        is_stopped = self._stop_opening(told)
        self._scene.forget()
        more = {"message": told} if is_stopped or (self.state.result is not None and not self.busy) else {}
        self._set(in_scene=False, has_image=False, has_regions=False, editing="", laid=Laid(), **more)

    def refresh(self, keys: Collection[str] = ()) -> None:
        """Look again which results there are; where nothing is chosen, one that the scene shows is opened."""
        super().refresh(keys)
        if not self.state.asked.folder and self.results and self.results[0].is_in_scene:
            self.choose_folder(str(self.results[0].folder))

    def close(self) -> None:
        """Stop what is going on, and let go of the scene."""
        self.cancel()
        self.aside.forget()
        self._scene.forget()

    # --- saving ------------------------------------------------------------------------------------------------------

    @property
    def can_save(self) -> bool:
        """True where a decision is in no file yet."""
        return not self.busy and bool(self.state.pending)

    def save(self) -> None:
        """Start to save the decisions as a new result beside the old one; drawn voxels that nobody took stop it."""
        if not self.can_save:
            return
        unread = self._unread()
        if unread:
            self._set(message=words.unread_text(unread, self.translate))
            return
        self._try(lambda: start_keeping(self._source, self.state.pending, self._files_to_measure()), KEEP)

    def write_table(self) -> None:
        """Write the table of all decisions beside the result, as CSV; a file of that name is replaced."""
        folder, result = self.state.folder, self.state.result
        if folder is None or result is None or self.busy:
            return
        try:
            path = write_table(folder.parent, self.rows, is_named=result.study.identity is Identity.KEEP)
        except MedAIError as error:
            self._set(message=str(error))
        else:
            self._set(message=self.translate("Written: {name}").format(name=path.name))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _files_to_measure(self) -> Sequence[str]:
        """The image's files, where something was edited."""
        result = self.state.result
        if result is None or all(one.decision is not Decision.EDITED for one in self.state.pending):
            return ()
        return self._files(result)

    def _let_go(self) -> None:
        self.aside.forget()
        self._scene.lay_map(-1, share=0)
        self._scene.forget()
        self._places = {}
        gone = {"folder": None, "result": None, "saved": None, "remark": "", "chosen": "", "editing": ""}
        self._set(**gone, undone=(), in_scene=False, has_image=False, has_regions=False, laid=Laid())

    def _take(self, working: Any) -> None:
        if self.state.activity == KEEP:
            self._take_kept(Path(working.answer))
        elif self.state.activity == IMAGE:
            self._take_image(working)
        elif self.state.activity == COMPARE:
            self._take_compared(working)
        elif self.state.activity == PREPARE:
            self._take_prepared(working)
        else:
            self._take_opened(working)

    def _fail(self, error: MedAIError) -> None:
        self._note_newer(error)
        super()._fail(error)

    def _take_opened(self, working: Errand) -> None:
        result = working.opened()
        decided(result)
        self._places = working.answer["places"]
        self._opened(Path(working.answer["folder"]))
        self._set(result=result, folder=Path(working.answer["folder"]))
        self._remember_folder()
        self._find_image(result)

    def _start_reading(self, files: Sequence[str]) -> Errand:
        return start_reading(self._source, files)

    def _shown(self, remark: str) -> None:
        result = self.state.result
        if result is None:
            return
        self._set(remark=remark, message=words.opened_text(result, self.translate))
        rows = self.rows
        if rows:
            told = self.state.message
            self.choose(self.state.chosen or rows[0].uid)
            self._set(message=" ".join(filter(None, [told, self.state.message])))
        self._surface()

    def _applied(self, told: str) -> None:
        super()._applied(told)
        self._surface()

    def _surface(self) -> None:
        """Let surfaces be made of segments that have none; what is being made of others is stopped."""
        effective, folder, awaited = self.state.effective, self.state.folder, self._scene.awaited()
        if effective is None or folder is None or awaited is None or not awaited.names:
            return
        if self.aside.busy and awaited.names == self._awaited:
            return
        self._awaited = awaited.names
        self.aside.forget()
        chain = surfaces(awaited, decided(effective), folder, self.state.pending)
        self.aside.add(self.translate("Surfaces for 3D views"), chain)

    def _take_kept(self, folder: Path) -> None:
        """The decisions are in a result of their own: it is what is looked at from now on."""
        effective = self.state.effective
        self._follow(folder)
        self._set(result=effective, folder=folder, pending=(), undone=(), saved=folder)
        if effective is not None:
            self._scene.keep(effective)
        told = self.translate("Saved in {folder}. Next: write and pass it on, with MedAI Report.")
        self._set(phase=Phase.DONE, stage="done", progress=1.0, message=told.format(folder=folder.name))

    def _look_again(self) -> None:
        """Nothing is installed here."""
