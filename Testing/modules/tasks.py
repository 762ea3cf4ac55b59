"""What each module is for, as far as a test needs it: made ready, started, and done by keys alone.

``TASKS`` has an entry for every panel, so that what all modules must do alike is tried on a new one too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt

from slicermedai.app.state import BUSY, Phase
from slicermedai.bundles.consent import agree
from slicermedai.bundles.store import Title
from slicermedai.domain.result import AnalysisResult, Decision
from slicermedai.jobs import tree
from slicermedai.pacs.peers import Peer, save_peers
from Testing.app import runs
from Testing.app.plans import a_liver_run
from Testing.app.reviews import a_head, a_run
from Testing.batch.studies import write
from Testing.bundles.sources import a_source
from Testing.deid.samples import a_series
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.Harness import Harness
from Testing.inference.conftest import body_on
from Testing.inference.prompt_bundle import write_prompt_bundle
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.modules.keyboard import Keyboard
from Testing.recorded.left import leave
from Testing.recorded.player import Player

LONG = 120_000
SPACE, DOWN, HOME = Qt.Key.Key_Space, Qt.Key.Key_Down, Qt.Key.Key_Home


def children() -> set[tree.Member]:
    """The processes that this one has started, with all that they started."""
    own = os.getpid()
    return {one for one in tree.members(own) if one[0] != own}


def lives(member: tree.Member) -> bool:
    """Whether a process is there, and not only waited for by nobody."""
    try:
        fields = Path(f"/proc/{member[0]}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" and int(fields[19]) == member[1]


class Task:
    """A module's main task. ``folder`` is the test's own, and so are the person's Documents and MedAI's home."""

    button = "run"
    """What starts it: the name of its button."""
    is_warm = False
    """Whether its child may stay when it is cancelled, with what it was given, until the panel goes."""

    def __init__(self, harness: Harness, folder: Path) -> None:
        self.harness, self.folder = harness, folder
        self.opened: list[str] = []
        """What a person would see in a browser."""

    def make(self) -> None:
        """What is there before the module is opened."""
        raise NotImplementedError

    def prepare(self, module: Any) -> None:
        """All that a person does before the button."""
        raise NotImplementedError

    def by_keys(self, module: Any, keyboard: Keyboard) -> None:
        """The whole task by keys alone."""
        raise NotImplementedError

    def play(self, player: Player) -> None:
        """Have children played that are not what the keys are tried on; by default questions before a run alone."""

    @property
    def documents(self) -> Path:
        """The person's."""
        return Path.home() / "Documents"

    def open(self, module: Any) -> None:
        """Have no browser opened."""
        module.widget.open = lambda path: self.opened.append(Path(path).name)

    def settle(self, module: Any) -> None:
        """Until nothing goes on any more."""
        assert self.harness.wait_until(lambda: not self.busy(module), LONG)

    def busy(self, module: Any) -> bool:
        """Whether anything goes on."""
        return any(one.busy for one in module.widget.presenters())

    def phase(self, module: Any) -> Phase:
        """Where it stands: of the presenter that is at work, or was last."""
        phases = [
            one.state.phase for one in module.widget.presenters() if hasattr(getattr(one, "state", None), "phase")
        ]
        return next((one for one in phases if one in BUSY), phases[0])


class Analyse(Task):
    """MedAI: a volume of the scene is segmented."""

    def make(self) -> None:
        import slicer

        from slicermedai.scene.volumes import volume_to_node

        write_tiny_bundle(self.folder / "home" / "models" / "tiny@0.1")
        self.head, truth = head_phantom(covering("SPL", spacing=(8.0, 8.0, 8.0)))
        self.brain = truth["brain"]
        volume_to_node(self.head, slicer.mrmlScene)

    def play(self, player: Player) -> None:
        """What the model finds is looked at by other tests."""
        player.play("tiny", leaves=leave(self.folder / "left", self.head, self.brain), when={"bundle": "tiny@0.1"})

    def prepare(self, module: Any) -> None:
        import slicer

        module.widget.ui.volumeSelector.setCurrentNode(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"))
        self.settle(module)

    def by_keys(self, module: Any, keyboard: Keyboard) -> None:
        presenter, ui = module.widget.logic.presenter, module.widget.ui
        keyboard.press("volumeSelector", DOWN)
        assert ui.volumeSelector.currentNode() is not None
        assert ui.runButton.enabled, ui.messageLabel.text
        keyboard.press("runButton", SPACE)
        self.settle(module)
        assert presenter.state.phase is Phase.DONE, presenter.state.message
        keyboard.press("findingsTable", HOME, DOWN)
        assert ui.findingsTable.currentRow() == 1
        keyboard.press("folderButton", SPACE)
        assert self.opened == [presenter.state.folder.name]


class Cohort(Task):
    """MedAI Batch: a folder with one study is run."""

    def make(self) -> None:
        write_tiny_bundle(self.folder / "home" / "models" / "tiny@0.1")
        write(self.folder / "in", 3, patient="ZZ-1", study="wanted")

    def prepare(self, module: Any) -> None:
        module.widget.ui.folderSelector.setCurrentPath(str(self.folder / "in"))
        module.widget.ui.outputSelector.setCurrentPath(str(self.folder / "out"))

    def by_keys(self, module: Any, keyboard: Keyboard) -> None:
        ui, presenter = module.widget.ui, module.widget.logic.presenter
        keyboard.type("folderSelector", str(self.folder / "in"))
        keyboard.type("outputSelector", str(self.folder / "out"))
        keyboard.press("previewButton", SPACE)
        self.settle(module)
        assert ui.previewLabel.text.startswith("1 study: 1 waiting"), ui.messageLabel.text
        keyboard.press("runButton", SPACE)
        self.settle(module)
        assert presenter.state.counts == {"done": 1}, ui.messageLabel.text
        keyboard.press("casesTable", HOME, DOWN)
        keyboard.press("sheetButton", SPACE)
        self.settle(module)
        assert self.opened == ["sheet.html"]


class Deidentify(Task):
    """MedAI De-identify: copies of a folder."""

    def make(self) -> None:
        for name in ("a", "b"):
            a_series(self.folder / "in" / name)

    def prepare(self, module: Any) -> None:
        module.widget.ui.folderSelector.setCurrentPath(str(self.folder / "in"))
        module.widget.ui.outputSelector.setCurrentPath(str(self.folder / "out"))

    def by_keys(self, module: Any, keyboard: Keyboard) -> None:
        ui, presenter = module.widget.ui, module.widget.logic.presenter
        keyboard.type("folderSelector", str(self.folder / "in"))
        keyboard.press("presetSelector", HOME, DOWN)
        keyboard.press("presetSelector", HOME)
        keyboard.type("outputSelector", str(self.folder / "out"))
        keyboard.press("previewButton", SPACE)
        self.settle(module)
        assert ui.changeTable.rowCount > 10, ui.messageLabel.text
        keyboard.press("runButton", SPACE)
        self.settle(module)
        assert presenter.state.phase is Phase.DONE, ui.messageLabel.text
        assert presenter.state.result.written == 4
        keyboard.press("reportButton", SPACE)
        assert self.opened == ["report.html"]


class Models(Task):
    """MedAI Models: a model is taken in, another version too, looked for, and removed."""

    button = "takeIn"

    def make(self) -> None:
        for version in ("1.0", "2.0"):
            a_source(self.folder / version, version=version)

    def prepare(self, module: Any) -> None:
        self.settle(module)
        module.widget.ui.folderSelector.setCurrentPath(str(self.folder / "1.0" / "phantom"))

    def by_keys(self, module: Any, keyboard: Keyboard) -> None:
        models, ui = module.widget.logic.models, module.widget.ui
        self.settle(module)
        for version in ("1.0", "2.0"):
            keyboard.type("folderSelector", str(self.folder / version / "phantom"))
            keyboard.press("takeInButton", SPACE)
            self.settle(module)
            assert ui.messageLabel.text == f"phantom@{version} is installed."
        keyboard.press("modelsTable", Qt.Key.Key_Up, Qt.Key.Key_Up)
        assert models.state.chosen == "phantom@1.0"
        keyboard.press("pinButton", SPACE)
        self.settle(module)
        assert {one.title: one.in_use for one in models.state.models} == {"phantom@1.0": True, "phantom@2.0": False}
        keyboard.type("searchEdit", "2.0")
        keyboard.press("modelsTable", DOWN)
        assert models.state.chosen == "phantom@2.0"
        self.harness.dialogs.answer("ok")
        keyboard.press("removeButton", SPACE)
        self.settle(module)
        assert "phantom@2.0" in self.harness.dialogs.shown[-1].text
        assert [one.title for one in models.state.models] == ["phantom@1.0"]


class Review(Task):
    """MedAI Review: findings are accepted, rated and rejected, and that is saved."""

    button = "save"

    def make(self) -> None:
        a_run(self.documents / "MedAI-one", a_head())

    def prepare(self, module: Any) -> None:
        ui = module.widget.ui
        ui.folderSelector.setCurrentPath(str(self.documents / "MedAI-one"))
        self.settle(module)
        ui.personEdit.setText("Jane van Roe")
        if ui.acceptButton.enabled:
            ui.acceptButton.click()

    def by_keys(self, module: Any, keyboard: Keyboard) -> None:
        ui, review = module.widget.ui, module.widget.logic.review
        keyboard.press("resultSelector", DOWN)
        self.settle(module)
        keyboard.type("personEdit", "Jane van Roe")
        assert review.state.pending == (), "typing a name is no command"
        keyboard.press("findingsTable", Qt.Key.Key_A, Qt.Key.Key_4, Qt.Key.Key_N, Qt.Key.Key_R)
        assert "Say why" in ui.messageLabel.text
        keyboard.type("reasonSelector", "wrong side")
        keyboard.press("findingsTable", Qt.Key.Key_R, Qt.Key.Key_N, Qt.Key.Key_A, Qt.Key.Key_U, Qt.Key.Key_S)
        self.settle(module)
        saved = AnalysisResult.load(self.documents / "MedAI-one" / "reviewed-1").reviews
        assert [one.decision for one in saved] == [Decision.ACCEPTED, Decision.ACCEPTED, Decision.REJECTED]


class Plan(Task):
    """MedAI Plan: a margin and a cut are planned, saved and printed."""

    button = "page"

    def make(self) -> None:
        a_liver_run(self.documents / "MedAI-one")

    def prepare(self, module: Any) -> None:
        module.widget.ui.folderSelector.setCurrentPath(str(self.documents / "MedAI-one"))
        self.settle(module)

    def by_keys(self, module: Any, keyboard: Keyboard) -> None:
        plan = module.widget.logic.plan
        keyboard.press("resultSelector", DOWN)
        self.settle(module)
        assert plan.state.plan is not None
        for name, count in (("margin", 1), ("plane", 2), ("undo", 1), ("redo", 2)):
            keyboard.press(f"{name}Button", SPACE)
            self.settle(module)
            assert len(plan.steps) == count, name
        keyboard.type("personEdit", "Sue Usher")
        assert len(plan.steps) == 2, "typing a name is no command"
        keyboard.press("numbersTable", Qt.Key.Key_S)
        self.settle(module)
        keyboard.press("pageButton", SPACE)
        self.settle(module)
        assert (self.documents / "MedAI-one" / "planned-1").is_dir()
        assert "Sue Usher" in (self.documents / "MedAI-one" / "plan.html").read_text(encoding="utf-8")


class Report(Task):
    """MedAI Report: a finding is rejected, the result is written, and sent to a folder."""

    button = "write"

    def make(self) -> None:
        (self.folder / "ward").mkdir()
        save_peers([Peer(name="ward", kind="folder", path=str(self.folder / "ward"))])
        runs.a_run(self.documents / "MedAI-one")

    def prepare(self, module: Any) -> None:
        self.settle(module)
        module.widget.ui.folderSelector.setCurrentPath(str(self.documents / "MedAI-one"))
        module.widget.ui.outputSelector.setCurrentPath(str(self.folder / "out"))
        self.settle(module)

    def by_keys(self, module: Any, keyboard: Keyboard) -> None:
        ui, report = module.widget.ui, module.widget.logic.report
        self.settle(module)
        keyboard.press("resultSelector", DOWN)
        self.settle(module)
        keyboard.type("personEdit", "Jane van Roe")
        keyboard.press("findingsTable", HOME, DOWN)
        keyboard.type("reasonEdit", "an artefact")
        keyboard.press("rejectButton", SPACE)
        self.settle(module)
        assert [one.reason for one in report.state.pending] == ["an artefact"]
        keyboard.press("profileSelector", DOWN)
        assert report.profile == "viewer"
        keyboard.type("outputSelector", str(self.folder / "out"))
        for name in ("write", "send"):
            keyboard.press(f"{name}Button", SPACE)
            self.settle(module)
        assert "3 arrived" in ui.outboxLabel.text, ui.messageLabel.text
        keyboard.press("arrivedCheckBox", SPACE)
        assert ui.outboxTable.rowCount == 0


class Mark(Task):
    """MedAI Mark: a place inside of a structure is answered, taken back, marked again, and kept."""

    button, is_warm = "insideHere", True

    def make(self) -> None:
        import slicer

        from slicermedai.scene.volumes import volume_to_node

        folder = write_prompt_bundle(self.folder / "home" / "models" / "marked@0.1", "at_places")
        agree(Title(name="marked", version="0.1"), "the test", folder)
        volume_to_node(body_on(covering(spacing=(6.0, 6.0, 6.0), extent=(100.0, 126.0, 116.0)))[0], slicer.mrmlScene)

    def prepare(self, module: Any) -> None:
        import slicer

        module.widget.ui.volumeSelector.setCurrentNode(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"))
        module.widget.ui.numbersSection.collapsed = False
        self.settle(module)

    def by_keys(self, module: Any, keyboard: Keyboard) -> None:
        ui, presenter = module.widget.ui, module.widget.logic.presenter
        keyboard.press("volumeSelector", DOWN)
        for name, count in (("insideHere", 1), ("undo", 0), ("redo", 1)):
            keyboard.press(f"{name}Button", SPACE)
            self.settle(module)
            assert len(presenter.state.marks) == count, (name, ui.messageLabel.text)
        assert ui.findingsTable.rowCount > 0, ui.messageLabel.text
        keyboard.press("keepButton", SPACE)
        self.settle(module)
        assert AnalysisResult.load(presenter.state.saved / "result").findings


TASKS: dict[str, type[Task]] = {
    "MedAI": Analyse,
    "MedAIBatch": Cohort,
    "MedAIDeidentify": Deidentify,
    "MedAIMark": Mark,
    "MedAIModels": Models,
    "MedAIPlan": Plan,
    "MedAIReport": Report,
    "MedAIReview": Review,
}
