"""Several images at once, in the widgets of MedAI: a ticked tree, a place for paths, and what will be run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slicermedai.app import run_words
from slicermedai.app.dicom_browser import Chosen
from slicermedai.app.dicom_database import Node
from slicermedai.app.growing_tree import GrowingTree
from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.images_at_hand import ImagesAtHand
from slicermedai.app.panel import ResultPanel
from slicermedai.app.run_picks import Picks
from slicermedai.scene.items import is_ticked, name_of

WIDGETS = ("pickTree", "pathsEdit")
"""What nobody uses while something is being installed."""


class PickPanel(ResultPanel):
    """Shows ``picks`` in ``ui``; ``images`` lists what there is to pick from, and is asked when it is looked at.

    A text box takes what a file manager drops into it without any help, and its addresses are read as paths.
    ``tree`` is to be polled while it is busy.
    """

    def __init__(self, ui: Any, run: GuidedRun, picks: Picks, *, images: ImagesAtHand) -> None:
        super().__init__(ui)
        self.run, self.picks, self._images = run, picks, images
        self.tree = GrowingTree(ui.pickTree)
        self._followed: tuple[object, ...] = ()
        self._awaited: tuple[str, ...] = ()
        self._branches: list[Node] = []
        self._begin(run, [("pickTable", run_words.pick_columns(run.translate))])
        picks.changed.connect(self.show)
        self.tree.changed.connect(self.onTree)
        ui.pickTree.connect("itemChanged(QTreeWidgetItem*,int)", self.onTicked)
        ui.pathsEdit.connect("textChanged()", self.onPaths)
        ui.queueButton.connect("clicked(bool)", lambda checked=False: picks.run())
        self.show()

    def show(self) -> None:
        """Show what is picked, and what follows from it."""
        ui, tr, planned = self.ui, self.run.translate, self.picks.planned
        self.tree.tick(self.picks.ticked)
        self._fill("pickTable", run_words.pick_rows(planned, tr))
        ui.pickTable.visible = bool(planned)
        ui.queueButton.text = run_words.pick_text(planned, tr)
        ui.queueButton.enabled = self.picks.can_run
        if not self.picks.places and ui.pathsEdit.plainText.strip():
            ui.pathsEdit.setPlainText("")

    def follow(self) -> None:
        """Show it again where another model was chosen, or the queue takes runs again, or takes none any more."""
        now = self.run.state.title, self.run.can_queue
        if now != self._followed:
            self._followed = now
            for name in WIDGETS:
                getattr(self.ui, name).enabled = self.run.editable
            self.show()

    def look(self) -> None:
        """List again what there is to pick from, where the section is open: the database is not read before."""
        if not self.ui.severalSection.collapsed:
            self.tree.show(self._read())

    def take(self, chosen: Chosen) -> tuple[str, ...]:
        """Pick what is chosen in a DICOM browser where that is several images, and open the section.

        Returns the series where it is one, or where they are the images of one run of a model that takes several: then
        nothing is picked.
        """
        series = self._images.below(chosen.smallest)
        if len(series) < 2 or (chosen.series and self.run.state.inputs):
            return series
        self._awaited = chosen.smallest
        self.ui.severalSection.collapsed = False
        self.look()
        return ()

    def _read(self) -> Iterator[Node]:
        """What there is to pick from, noted as it is read."""
        self._branches = []
        for one in self._images.branches():
            self._branches.append(one)
            yield one

    def onTree(self, tree: GrowingTree) -> None:
        """All of the database is shown: what waits for that is picked."""
        awaited, self._awaited = self._awaited, ()
        self.picks.offer(self._branches)
        if awaited:
            self.picks.pick(awaited)

    def onTicked(self, item: Any, column: int) -> None:
        """A tick box was clicked; while the tree grows it is only shown what is picked."""
        self.tree.touch(item)
        if self.tree.busy:
            self.show()
        else:
            self.picks.tick(name_of(item), on=is_ticked(item))

    def onPaths(self) -> None:
        """Paths were typed or dropped."""
        self.picks.write(self.ui.pathsEdit.plainText)
