"""The presenter of the module MedAI Plan: open, plan, follow, save, print. No Qt and no MRML in here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

from slicermedai.app.plan_back import PAGE, SAVE, SERIES, SURFACE_FOLDER, SURFACES, Answered
from slicermedai.app.plan_state import Around, Stage
from slicermedai.app.result_showing import OPEN
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate, untranslated
from slicermedai.domain.scratch import ScratchFolder
from slicermedai.domain.study import Identity
from slicermedai.errors import MedAIError


class PlanRun(Answered):
    """One thing at a time: opening, working out numbers, then what is shown of them, and writing.

    ``stage`` is where the plan is seen and changed by hand, ``around`` what is needed of the application, and
    ``translate`` gives an English text in the language of the person.
    """

    def __init__(self, stage: Stage, *, around: Around | None = None, translate: Translate = untranslated) -> None:
        super().__init__(stage, around=around or Around(), translate=translate)

    # --- opening -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Start to open the chosen result with its last plan; with a plan at hand, show that in the scene again."""
        if self.busy or not self.state.asked.folder:
            return
        if self.state.plan is not None and self.state.result is not None:
            self._find_image(self.state.result)
        else:
            self._open(anew=False)

    def start_anew(self) -> None:
        """Begin with a new plan of the last result, as the codes suggest; what is saved nowhere is given up."""
        if not self.busy and self.state.asked.folder:
            self._let_go()
            self._open(anew=True)

    def scene_closed(self) -> None:
        """The scene was emptied; the plan stays, and :meth:`look` shows it again.

        What was about to come into it does not come into the empty one.
        """
        told = self.translate("The scene was closed; the plan is still here. Show it again to go on.")
        is_stopped = self._stop_opening(told)
        self._scene.leave()
        self.following.cancel()
        more = {"message": told} if is_stopped or (self.state.plan is not None and not self.busy) else {}
        self._set(in_scene=False, has_image=False, editing="", stale=(), **more)

    def refresh(self, keys: Collection[str] = ()) -> None:
        """Look again which results there are, and take over what was drawn meanwhile."""
        super().refresh(keys)
        if not self.state.asked.folder and self.results and self.results[0].is_in_scene:
            self.choose_folder(str(self.results[0].folder))
        elif self.state.stale:
            self.follow()

    def close(self) -> None:
        """Stop what is going on, end the child, and let go of the scene."""
        self.following.cancel()
        self._scene.when_changed(lambda: None)
        if self._working is not None:
            self._working.clean()
            self._working = None
            self._set(phase=Phase.IDLE, stage="")
        self.child.close()
        self._remove_pictures()
        self._scene.forget()

    # --- a second phase ----------------------------------------------------------------------------------------------

    def choose_phase(self, folder: str) -> None:
        """The output of a run of the other phase, as it was typed; "" for none."""
        self._ask(phase=folder)

    @property
    def can_join(self) -> bool:
        """True where another phase was chosen, and is there."""
        return self.can_edit and bool(self.state.asked.phase) and self._phase.is_dir()

    def join_phase(self) -> None:
        """Start to register the other phase, measure what is left, and bring its vessels over where that may be."""
        if self.can_join:
            self._try(lambda: self.child.ask(SERIES, phase=str(self._phase)), SERIES)

    @property
    def _phase(self) -> Path:
        return Path(self.state.asked.phase).expanduser().absolute()

    # --- writing -----------------------------------------------------------------------------------------------------

    @property
    def can_write(self) -> bool:
        """True where the numbers of a plan are known and nothing in the scene is ahead of them."""
        return not self.busy and self.state.numbers is not None and not self.state.stale

    def save(self) -> None:
        """Start to save the plan beside its result; the old one stays."""
        if self.can_write:
            self._try(lambda: self.child.ask(SAVE, plan=self.state.plan, folder=str(self.state.folder)), SAVE)

    def write_surfaces(self, kind: str, space: str) -> None:
        """Start to write all structures as "stl", "obj" or "3mf", in "LPS" or "RAS"."""
        if self.can_write:
            more = {"target": str(self._output / SURFACE_FOLDER), "kind": kind, "space": space}
            self._try(lambda: self.child.ask(SURFACES, plan=self.state.plan, **more), SURFACES)

    def print_page(self) -> None:
        """Start to write the page, with pictures of the open views, or drawn ones where no view is open."""
        result = self.state.result
        if not self.can_write or result is None:
            return
        named = result.study.identity is Identity.KEEP
        self._remove_pictures()
        try:
            self._pictures = ScratchFolder.create("pictures")
            captured = self._around.capture(self._pictures.path, not named)
        except MedAIError:
            captured = []
        person = self.state.asked.person if named else ""
        more: dict[str, Any] = {"folder": str(self._output), "run": str(self._output), "person": person}
        more |= {
            "day": date.today().strftime("%Y%m%d"),
            "pictures": captured,
            "files": [str(one) for one in self._files(result)],
        }
        self._try(lambda: self.child.ask(PAGE, plan=self.state.plan, **more), PAGE)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _open(self, *, anew: bool) -> None:
        folder = str(Path(self.state.asked.folder).expanduser().absolute())
        self._try(lambda: self.child.ask(OPEN, folder=folder, anew=anew), OPEN)

    def _let_go(self) -> None:
        self._scene.forget()
        self.following.cancel()
        self._trial, self._drawings = None, {}
        gone: dict[str, Any] = {"folder": None, "result": None, "history": None, "numbers": None, "kept": None}
        self._set(**gone, roles=(), stale=(), chosen="", editing="", remark="", in_scene=False, has_image=False)
        self._set(saved=None, page=None, has_contours=False)
        self._ask(phase="")  # it may be of the patient before

    def _look_again(self) -> None:
        """Nothing is installed here."""
