"""What a person looks at in a result under review, and what they decide. No Qt and no MRML in here."""

from __future__ import annotations

from typing import Any

from slicermedai.app import review_words as words
from slicermedai.app.result_showing import ResultShowing
from slicermedai.app.review_state import Around, Laid, ReviewState, Row, Stage, rows_of
from slicermedai.app.words import Translate
from slicermedai.domain.counting import voxels
from slicermedai.domain.edits import edit_distance, on_grid
from slicermedai.domain.finding import Mask, PackedMask
from slicermedai.domain.result import RATINGS, Decision, Review
from slicermedai.errors import MedAIError


class Reviewing(ResultShowing):
    """The half of the presenter that looks and decides; see :class:`~.review_run.ReviewRun`."""

    state: ReviewState
    _scene: Stage
    _around: Around

    def __init__(self, stage: Stage, *, around: Around, translate: Translate) -> None:
        super().__init__(recall=around.recall, remember=around.remember, translate=translate)
        self.state = ReviewState(message=translate("Choose a result."))
        self._scene, self._around = stage, around
        self._places: dict[str, list[float] | None] = {}
        self._rows: tuple[Row, ...] = ()
        self._rows_of: tuple[object, object] = None, None

    @property
    def editable(self) -> bool:
        """True where something else may be chosen."""
        return not self.busy

    # --- looking -----------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> tuple[Row, ...]:
        """The worklist: the same object as long as result and decisions are the same, so that nobody shows it anew."""
        now = self.state.result, self.state.pending
        if any(one is not other for one, other in zip(now, self._rows_of, strict=True)):
            self._rows, self._rows_of = rows_of(self.state), now
        return self._rows

    @property
    def row(self) -> Row | None:
        """The finding that is looked at."""
        return next((one for one in self.rows if one.uid == self.state.chosen), None)

    def choose(self, uid: str) -> None:
        """Look at the finding ``uid``: all views go there, and its inner and outer regions are outlined."""
        row = next((one for one in self.rows if one.uid == uid), None)
        if row is None:
            return
        place, told = self._places.get(uid), ""
        if place is None:
            told = self.translate("{name} has no place in the image.").format(name=row.finding.label.name)
        elif not self._scene.is_there:
            told = self.translate("The scene does not show the result any more: show it again.")
        else:
            self._scene.jump(place)
        self._set(chosen=uid, has_regions=self._scene.outline(uid if row.spread else ""), message=told)

    def step(self, ways: int) -> None:
        """Go ``ways`` findings on in the worklist, or back; it goes round."""
        uids = [one.uid for one in self.rows]
        if uids:
            here = uids.index(self.state.chosen) if self.state.chosen in uids else -1 if ways > 0 else 0
            self.choose(uids[(here + ways) % len(uids)])

    def lay(self, number: int, share: float) -> None:
        """Lay a map of the result over the image, from ``share`` (0 to 1) of its range on; a negative number, none."""
        threshold = self._scene.lay_map(number, share=share)
        self._set(laid=Laid(number=number if threshold is not None else -1, share=share, threshold=threshold))

    # --- deciding ----------------------------------------------------------------------------------------------------

    @property
    def can_decide(self) -> bool:
        """True where a finding is looked at and somebody has given a name."""
        return self.row is not None and not self.busy and bool(self.state.asked.person)

    @property
    def can_rate(self) -> bool:
        """True where the finding was decided about."""
        return self.can_decide and self.row is not None and self.row.review is not None

    def accept(self, comment: str = "") -> None:
        """The finding that is looked at is right, as it is now: who accepts an edited one accepts the edit."""
        row = self._decidable()
        if row is not None:
            self._decide(row, Decision.ACCEPTED, comment)

    def reject(self, reason: str) -> None:
        """The finding that is looked at is wrong, and ``reason`` says why; it is left out of everything written."""
        row = self._decidable()
        if row is not None and reason.strip():
            self._decide(row, Decision.REJECTED, reason)
        elif row is not None:
            self._set(message=self.translate("Say why it is wrong first: choose a reason, or type one."))

    def rate(self, rating: int, comment: str = "") -> None:
        """How good the model's answer is, from 1 (unusable) to 5 (excellent); it goes with the decision."""
        row = self._decidable()
        if row is None or rating not in RATINGS:
            return
        last = row.review
        if last is None:
            self._set(
                message=self.translate("Decide first: accept, edit or reject. The rating goes with the decision.")
            )
            return
        same = {"region": last.region, "edit": last.edit, "measurements": last.measurements, "rating": rating}
        self._push(self._review(row.uid, last.decision, comment or last.reason, **same))

    def undo(self) -> None:
        """Take back the last decision that is in no file yet; the scene shows what was there before."""
        if self.state.pending and not self.busy:
            *kept, last = self.state.pending
            self._set(pending=tuple(kept), undone=(*self.state.undone, last), saved=None)
            self._applied(words.undone_text(self._name(last.tracking_uid), self.translate))

    def redo(self) -> None:
        """Make the decision again that was taken back last."""
        if self.state.undone and not self.busy:
            *left, last = self.state.undone
            self._set(pending=(*self.state.pending, last), undone=tuple(left), saved=None)
            self._applied(words.decided_text(self._name(last.tracking_uid), last, self.translate))

    # --- editing -----------------------------------------------------------------------------------------------------

    @property
    def can_edit(self) -> bool:
        """True where the finding that is looked at has voxels in the scene."""
        row = self.row
        is_left_out = row is not None and row.review is not None and row.review.decision is Decision.REJECTED
        return row is not None and row.has_voxels and not is_left_out and self._scene.is_there and not self.busy

    @property
    def to_take(self) -> str:
        """The finding whose voxels :meth:`finish_editing` reads: the one that is edited, or looked at and drawn in."""
        if self.state.editing:
            return self.state.editing
        return self.state.chosen if self.state.chosen in self._scene.changed else ""

    @property
    def is_drawn(self) -> bool:
        """True where :meth:`finish_editing` would read something."""
        return bool(self.to_take) and self._scene.is_there

    def edit(self) -> None:
        """Hand the finding that is looked at to Slicer's Segment Editor."""
        if not self.can_edit:
            return
        try:
            self._scene.edit(self.state.chosen)
        except MedAIError as error:
            self._set(message=str(error))
            return
        self._set(editing=self.state.chosen, message=words.editing_text(self._name(self.state.chosen), self.translate))
        self._around.open_editor()

    def finish_editing(self, comment: str = "") -> None:
        """Read the voxels that the person left, and decide EDITED where any is not what it was."""
        uid = self.to_take
        row = next((one for one in self.rows if one.uid == uid), None)
        if row is None or self.busy:
            return
        if not self.state.asked.person:
            self._set(message=self.translate("Type your name first: an edit is a named person's."))
            return
        try:
            self._take_drawn(row, comment)
        except MedAIError as error:
            self._set(message=str(error))

    def _take_drawn(self, row: Row, comment: str) -> None:
        found, before = self._drawn(row)
        tr, name = self.translate, row.finding.label.name
        if not voxels(found):
            self._set(message=tr("{name} has no voxel left: undo that, or reject the finding.").format(name=name))
        elif edit_distance(before, found).dice == 1:
            self._scene.take(row.uid, before)
            self._set(editing="", message=tr("No voxel of {name} was changed: nothing is decided.").format(name=name))
        else:
            network: Any = self._network(row.uid)
            self._scene.take(row.uid, found)
            self._set(editing="")
            self._decide(row, Decision.EDITED, comment, region=found, edit=edit_distance(network, found))

    def _drawn(self, row: Row) -> tuple[PackedMask, Any]:
        """What the segment shows, on the grid of the analysed image, and what it should show."""
        before: Any = row.finding.region
        return on_grid(self._scene.drawn(row.uid), before.geometry), before

    def _unread(self) -> list[str]:
        """Names of findings whose segments were changed by hand, and not read."""
        rows = [one for one in self.rows if one.uid in self._scene.changed and one.has_voxels]
        kept = [one for one in rows if one.review is None or one.review.decision is not Decision.REJECTED]
        return [one.finding.label.name for one in kept if self._differs(one)]

    def _differs(self, row: Row) -> bool:
        try:
            found, before = self._drawn(row)
        except MedAIError:
            return True
        return edit_distance(before, found).dice != 1

    # --- inside ------------------------------------------------------------------------------------------------------

    def _decidable(self) -> Row | None:
        if self.row is not None and not self.state.asked.person:
            self._set(message=self.translate("Type your name first: a decision is a named person's."))
        return self.row if self.can_decide else None

    def _decide(self, row: Row, decision: Decision, reason: str, **more: Any) -> None:
        rating = row.review.rating if row.review is not None else None
        self._push(self._review(row.uid, decision, reason, rating=rating, **more))

    def _push(self, made: Review) -> None:
        self._set(pending=(*self.state.pending, made), undone=(), saved=None)
        self._applied(words.decided_text(self._name(made.tracking_uid), made, self.translate))

    def _applied(self, told: str) -> None:
        """Show in the scene what is decided now, and say ``told``."""
        effective = self.state.effective
        try:
            if effective is not None and self._scene.is_there:
                self._scene.apply(effective)
        except MedAIError as error:
            told = f"{told} {error}"
        row = self.row
        spread = row.uid if row is not None and row.spread is not None else ""
        self._set(message=told, has_regions=self._scene.outline(spread))

    def _name(self, uid: str) -> str:
        return next((one.finding.label.name for one in self.rows if one.uid == uid), "")

    def _network(self, uid: str) -> Mask | PackedMask | None:
        """The voxels that the network left of a finding."""
        result = self.state.result
        regions = {one.tracking_uid: one.region for one in result.findings} if result else {}
        found = regions.get(uid)
        return found if isinstance(found, (Mask, PackedMask)) else None

    def _unsaved(self) -> str:
        return self.translate("Your decisions are saved nowhere yet: save, or undo them, before you go on.")
