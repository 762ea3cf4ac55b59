"""Marks become answers, without Qt: in the scene and by numbers, taken back, overtaken, kept; what fails is told."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from slicermedai.app import mark_answers, mark_words
from slicermedai.app.mark_run import MarkRun
from slicermedai.app.mark_state import Around, in_order, structure_name
from slicermedai.app.state import Phase
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import ANATOMY, BRAIN, Code, Label
from slicermedai.domain.prompts import BOX, INSIDE, OUTSIDE, BoxPrompt, PointPrompt, Prompt
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.domain.study import Identity, Study
from slicermedai.errors import ConsentError, InputError, JobCancelled, WorkerCrashed
from slicermedai.scene.hierarchy import SeriesItem, file_under_study
from slicermedai.scene.marking import MarkScene
from slicermedai.scene.volumes import volume_to_node
from Testing.scene.samples import small_head

slicer = pytest.importorskip("slicer", reason="absent: slicer-core")
HERE, THERE = (1.0, 2.0, 3.0), (4.0, -5.0, 6.0)
LEFT = Code(value="7771000", scheme="SCT", meaning="Left")
LABELS = (
    Label(name="Brain", category=ANATOMY, type=BRAIN),
    Label(name="Capsule", category=ANATOMY, type=BRAIN, modifier=LEFT),
)


def a_model(name: str = "marked", labels: tuple[Label, ...] = LABELS, **more: Any) -> BundleRef:
    known = tuple((value, label) for value, label in enumerate(labels, 1))
    plain = {"task": "segmentation", "modality": ("MR",), "weights": "w", "weights_sha256": "ab" * 32}
    return BundleRef(name=name, version="1", path="p", labels=known, **{**plain, **more})


class Session:
    """In place of the process that keeps a model: it is told what it answers."""

    def __init__(self, image: Any, bundle: str, options: dict[str, Any]) -> None:
        self.image, self.bundle, self.options = image, bundle, options
        self.asked: list[tuple[Prompt, ...]] = []
        self.latest: AnalysisResult | None = None
        self.error: Exception | None = None
        self.callback_error: Exception | None = None
        self.progress, self.stage, self.is_waiting = 0.0, "", False
        self.on_result: Callable[[AnalysisResult], object] | None = None
        self.on_error: Callable[[Any], object] = lambda error: None
        self.ends = list[str]()
        self.saved: list[dict[str, Any]] = []
        self.job: Any = None
        self.fails: Exception | None = None

    def replace(self, *marks: Prompt) -> None:
        if self.fails is not None:
            raise self.fails
        self.asked.append(marks)
        self.error, self.is_waiting, self.stage = None, bool(marks), "segment"
        if not marks and self.latest is not None:
            self._tell(dataclasses.replace(self.latest, findings=(), status=Status.NO_FINDING))

    def answer(self) -> None:
        """The model has answered to the marks of now."""
        made = small_head().result
        self.latest = dataclasses.replace(
            made, provenance=dataclasses.replace(made.provenance, prompts=self.asked[-1], job_id="session")
        )
        self.is_waiting = False
        self._tell(self.latest)

    def fail(self, error: Exception) -> None:
        self.error, self.is_waiting = error, False

    def _tell(self, result: AnalysisResult) -> None:
        assert self.on_result is not None
        try:
            self.on_result(result)
            self.callback_error = None
        except Exception as error:  # noqa: BLE001  # as the real one
            self.callback_error = error

    def poll(self) -> None: ...

    def cancel(self) -> None:
        self.ends.append("cancel")

    def rest(self) -> None:
        self.ends.append("rest")

    def close(self) -> None:
        self.ends.append("close")

    def save(self, output: Path, **options: Any) -> Any:
        self.saved.append({"output": output, **options})
        self.job = Job(output)
        return self.job


class Job:
    """In place of a job's handle."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.error = folder, None
        self.stage, self.progress, self.seconds_left, self.done = "save", 0.5, None, False

    def poll(self) -> None: ...

    def cancel(self) -> None:
        self.error, self.done = JobCancelled("stopped"), True

    def result(self) -> Any:
        if self.error is not None:
            raise self.error


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """Scenes go while nothing observes them any more: collected in a ring with their observers they would crash."""
    yield
    while Desk.made:
        desk = Desk.made.pop()
        desk.run.close()
        desk.scene.Clear(0)
        vars(desk.stage).clear()


class Desk:
    """A presenter with a real scene, an image in it, and sessions that do what they are told."""

    made: ClassVar[list[Desk]] = []

    def __init__(self, *models: BundleRef, named: bool = False) -> None:
        self.made.append(self)
        self.scene = slicer.vtkMRMLScene()
        self.image = volume_to_node(small_head().volume, self.scene)
        if named:
            file_under_study(self.image, self.scene, Study(study_uid="1.2"), series=SeriesItem(uid="1.2.3"))
        self.stage = MarkScene(self.scene)
        self.sessions: list[Session] = []
        self.models, self.packages, self.settings = (
            list(models or [a_model()]),
            list[str](),
            {"device": "", "parent": ""},
        )
        around = Around(
            begin=self._begin,
            models=lambda: self.models,
            missing=lambda: self.packages,
            device=lambda: self.settings["device"],
            parent=lambda: self.settings["parent"],
        )
        self.run = MarkRun(self.stage, around=around)
        self.run.refresh()

    def _begin(self, image: Any, bundle: str, **options: Any) -> Session:
        self.sessions.append(Session(image, bundle, options))
        return self.sessions[-1]

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    def choose(self) -> Desk:
        self.run.choose_image(self.image, "head")
        return self

    def asked(self) -> Session:
        """Poll as a timer does, until the marks were asked about."""
        time.sleep(mark_answers.PAUSE)
        self.run.poll()
        return self.session

    def answered(self) -> None:
        self.asked().answer()
        self.run.poll()

    def marked(self, *places: tuple[float, float, float]) -> Desk:
        for place in places or (HERE,):
            self.run.add_point(place, inside=True)
            self.answered()
        return self

    def nodes(self, kind: str) -> list[Any]:
        return [self.scene.GetNthNodeByClass(n, f"vtkMRML{kind}Node") for n in range(self.count(kind))]

    def count(self, kind: str) -> int:
        return int(self.scene.GetNumberOfNodesByClass(f"vtkMRML{kind}Node"))

    @property
    def active(self) -> Any:
        selection = self.scene.GetSingletonNode("Singleton", "vtkMRMLSelectionNode")
        return self.scene.GetNodeByID(selection.GetActivePlaceNodeID())


def inside(place: tuple[float, float, float], label: str = "Brain") -> PointPrompt:
    return PointPrompt(label=label, position=place)


# --- choosing --------------------------------------------------------------------------------------------------------


def test_it_says_what_is_missing_and_what_to_do_next() -> None:
    desk = Desk()
    assert desk.run.state.message == "Choose a volume."
    assert not desk.run.can_mark
    desk.choose()
    assert desk.run.state.message.startswith("Choose a structure and press Add points in")
    assert desk.run.can_mark and desk.run.state.title == "marked@1"
    desk.models.clear()
    desk.run.refresh()
    assert "No model that goes by marks is installed. Open MedAI Models" in desk.run.state.message
    assert not desk.run.can_mark
    desk.packages.append("torch>=2.8")
    desk.run.refresh()
    assert desk.run.state.message == "Not installed: torch>=2.8. Install what is missing first."


def test_a_model_for_other_images_is_named() -> None:
    desk = Desk()
    desk.run.choose_image(desk.image, "chest", modality="CT")
    assert desk.run.state.message.startswith("marked@1 was made for MR, and the image is CT")


def test_structures_are_those_of_the_model_with_their_side() -> None:
    desk = Desk(a_model("one"), a_model("two", LABELS[1:])).choose()
    assert desk.run.state.structures == ("Brain", "Capsule, left") == tuple(map(structure_name, LABELS))
    assert desk.run.state.structure == "Brain"
    desk.run.choose_structure("Capsule, left")
    desk.run.choose_structure("Liver")
    assert desk.run.state.structure == "Capsule, left"
    desk.run.choose_bundle("two@1")
    assert desk.run.state.structure == "Capsule, left"
    desk.run.choose_bundle("one@1")
    desk.run.choose_bundle("absent@1")
    assert desk.run.state.bundle is None and not desk.run.can_mark


def test_what_is_marked_fixes_image_model_route_and_device_until_all_is_removed() -> None:
    desk = Desk(a_model("one"), a_model("two")).choose()
    desk.settings["device"] = "cuda:1"
    desk.run.refresh()
    desk.marked()
    assert desk.session.options["device"] == "cuda:1" and desk.session.options["identity"] == "keep"
    desk.settings["device"] = "cpu"
    desk.run.refresh()
    desk.run.choose_bundle("two@1")
    desk.run.choose_identity("deidentify")
    assert (desk.run.state.title, desk.run.state.identity, desk.run.state.device) == ("one@1", "keep", "cuda:1")
    desk.run.clear()
    desk.asked()
    desk.run.poll()
    desk.run.choose_identity("deidentify")
    desk.run.refresh()
    assert desk.session.ends == ["close"] and (desk.run.state.identity, desk.run.state.device) == ("deidentify", "cpu")
    desk.marked()
    assert desk.session.options["identity"] == "deidentify" and "project_key" in desk.session.options


def test_another_image_takes_marks_and_answer_of_the_one_before_with_it() -> None:
    desk = Desk().choose().marked()
    desk.run.choose_image(desk.image, "head")
    assert desk.count("Segmentation") == 1, "the same is no other"
    desk.run.choose_image(volume_to_node(small_head().volume, desk.scene), "another")
    assert (desk.count("Segmentation"), desk.count("MarkupsFiducial"), desk.count("Table")) == (0, 0, 0)
    assert (desk.run.state.marks, desk.run.state.result) == ((), None) and desk.session.ends == ["close"]
    desk.run.choose_image(None, "")
    assert desk.run.state.message == "Choose a volume."


# --- marking ---------------------------------------------------------------------------------------------------------


def test_an_answer_that_came_before_the_newest_mark_rested_is_not_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk().choose()
    desk.run.add_point(HERE, inside=True)
    session = desk.asked()
    monkeypatch.setattr(mark_answers, "PAUSE", 3600.0)
    desk.run.add_point(THERE, inside=True)
    session.answer()
    desk.run.poll()
    assert not desk.run.state.is_answered and not desk.run.can_keep
    desk.run.cancel()
    assert not desk.run.can_keep and desk.run.can_ask, "the answer that is shown is that of one mark"


@pytest.mark.parametrize("what", ["voxels", "place"])
def test_a_volume_that_changed_since_it_was_marked_is_neither_asked_about_nor_kept(what: str) -> None:
    desk = Desk().choose().marked()
    assert desk.run.can_keep
    if what == "voxels":
        desk.image.GetImageData().GetPointData().GetScalars().Modified()
    else:
        desk.image.SetOrigin(50.0, 0.0, 0.0)
    desk.run.keep()
    assert "moved or changed since it was first marked" in desk.run.state.message and not desk.session.saved
    desk.run.add_point(THERE, inside=True)
    asked = len(desk.session.asked)
    desk.asked()
    assert len(desk.session.asked) == asked and desk.run.state.phase is Phase.FAILED
    desk.run.clear()
    desk.asked()
    assert desk.session.ends == ["close"] and desk.count("Segmentation") == 0
    desk.run.add_point(HERE, inside=True)
    assert desk.asked() is desk.sessions[1] and desk.session.asked == [(inside(HERE),)]


def test_a_named_series_that_was_moved_shows_no_pseudonymous_answer_beside_the_anatomy() -> None:
    desk = Desk(named=True).choose()
    desk.run.choose_identity("deidentify")
    desk.image.SetOrigin(50.0, 0.0, 0.0)
    desk.run.add_point(HERE, inside=True)
    session = desk.asked()
    made = small_head().result
    session.latest = dataclasses.replace(made, study=dataclasses.replace(made.study, identity=Identity.DEIDENTIFY))
    session.is_waiting = False
    session._tell(session.latest)
    desk.run.poll()
    assert "lies elsewhere than the series that was analysed" in desk.run.state.message
    assert not desk.run.can_keep and desk.count("Segmentation") == 0


def test_clicks_in_the_views_are_marks_of_the_chosen_structure() -> None:
    desk = Desk().choose()
    desk.run.place(INSIDE)
    assert desk.run.state.placing == INSIDE
    assert desk.run.state.message.startswith("Click in Brain in any view")
    desk.active.AddControlPoint(-1.0, -2.0, 3.0)
    assert desk.run.state.marks == (inside(HERE),) and desk.run.busy
    desk.answered()
    desk.run.choose_structure("Capsule, left")
    assert desk.run.state.placing == INSIDE, "it goes on with the other structure"
    desk.active.AddControlPoint(-4.0, 5.0, 6.0)
    desk.run.place(OUTSIDE)
    desk.active.AddControlPoint(0.0, 0.0, 0.0)
    desk.run.place(OUTSIDE)
    assert desk.run.state.placing == ""
    desk.answered()
    assert desk.session.asked[-1] == (
        inside(HERE), inside(THERE, "Capsule, left"),
        PointPrompt(label="Capsule, left", position=(0.0, 0.0, 0.0), inside=False),
    )  # fmt: skip
    rows = mark_words.mark_rows(desk.run.state.marks)
    assert rows[1:] == [("inside", "Capsule, left", "4.0 -5.0 6.0"), ("outside", "Capsule, left", "0.0 0.0 0.0")]
    assert desk.count("Segmentation") == 1


def test_a_box_counts_once_it_stands_and_one_that_was_not_drawn_leaves_nothing() -> None:
    desk = Desk().choose()
    desk.run.place(BOX)
    desk.active.AddControlPoint(-1.0, -2.0, 3.0)
    desk.active.AddControlPoint(9.0, 8.0, 13.0)
    assert desk.run.state.marks == () and not desk.run.busy, "the second corner still follows the mouse"
    desk.scene.GetSingletonNode("Singleton", "vtkMRMLInteractionNode").SwitchToViewTransformMode()
    (box,) = desk.run.state.marks
    assert isinstance(box, BoxPrompt) and desk.run.state.placing == ""
    assert (box.low, box.high) == ((-9.0, -8.0, 3.0), (1.0, 2.0, 13.0))
    desk.run.place(BOX)
    desk.run.place(BOX)
    assert desk.count("MarkupsROI") == 1
    desk.run.add_box((0.0, 0.0, 0.0), 10.0)
    desk.run.add_box((0.0, 0.0, 0.0), 0.0)
    assert desk.run.state.marks[1:] == (BoxPrompt(label="Brain", low=(-5.0, -5.0, -5.0), high=(5.0, 5.0, 5.0)),)


def test_marks_that_are_moved_or_deleted_in_the_views_are_asked_about_once_they_rest() -> None:
    desk = Desk().choose().marked(HERE, THERE)
    (points,) = desk.nodes("MarkupsFiducial")
    for shift in range(5):
        points.SetNthControlPointPosition(0, float(shift), 0.0, 0.0)
    asked = len(desk.session.asked)
    desk.answered()
    assert len(desk.session.asked) == asked + 1
    assert desk.session.asked[-1] == (inside(THERE), inside((-4.0, 0.0, 0.0)))
    desk.run.undo()
    assert set(desk.run.state.marks) == {inside(HERE), inside(THERE)}, "a hand that moves a mark is one change"
    desk.scene.RemoveNode(points)
    assert desk.run.state.marks == ()
    desk.run.undo()
    assert len(desk.run.state.marks) == 2, "also what was deleted comes back"


def test_the_last_change_is_taken_back_and_made_again_in_the_scene_too() -> None:
    desk = Desk().choose().marked(HERE, THERE)
    desk.run.remove(0)
    desk.answered()
    assert desk.session.asked[-1] == (inside(THERE),)
    desk.run.remove(7)
    desk.run.undo()
    desk.run.undo()
    desk.answered()
    assert desk.session.asked[-1] == (inside(HERE),)
    assert desk.nodes("MarkupsFiducial")[0].GetNumberOfControlPoints() == 1
    desk.run.redo()
    desk.answered()
    assert len(desk.session.asked[-1]) == 2 and desk.run.can_redo
    desk.run.add_point((0.0, 0.0, 0.0), inside=False)
    assert not desk.run.can_redo, "something else was done since"
    desk.run.clear()
    desk.asked()
    desk.run.poll()
    assert desk.session.asked[-1] == () and desk.run.state.phase is Phase.IDLE
    assert (desk.run.state.result, desk.run.can_keep) == (None, False)
    (segmentation,) = desk.nodes("Segmentation")
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 0
    desk.run.undo()
    assert len(desk.run.state.marks) == 3


def test_a_mark_that_is_taken_back_before_it_was_asked_about_asks_nothing() -> None:
    desk = Desk().choose()
    desk.run.add_point(HERE, inside=True)
    desk.run.undo()
    time.sleep(mark_answers.PAUSE)
    desk.run.poll()
    assert desk.sessions == [] and desk.run.state.phase is Phase.IDLE


def test_order_is_that_of_marking() -> None:
    first, second, third = inside(HERE), inside(THERE), inside((0.0, 0.0, 0.0))
    assert in_order((second, first), (first, third, second)) == (second, first, third)
    assert in_order((first, first), (first,)) == (first,)


# --- answers ---------------------------------------------------------------------------------------------------------


def test_an_answer_says_that_its_score_is_not_calibrated_and_of_which_marks_it_is() -> None:
    desk = Desk().choose().marked()
    state = desk.run.state
    assert state.phase is Phase.DONE and state.message == "Answered, by 1 mark."
    told = mark_words.answer_text(state).splitlines()
    assert told[-1] == "Score: not assessed, not calibrated. Semi-automatic: it goes by your marks."
    desk.run.add_point(THERE, inside=True)
    desk.asked()
    assert mark_words.answer_text(desk.run.state).startswith("Of earlier marks: the last ones have no answer yet.")
    desk.session.answer()
    desk.run.poll()
    assert desk.run.state.message == "Answered, by 2 marks."


def test_what_goes_on_is_told_with_the_seconds_since(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk().choose()
    desk.run.add_point(HERE, inside=True)
    desk.asked().stage = "segment"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 7.5)
    desk.run.poll()
    assert mark_words.busy_text(desk.run.state) == "Segmenting – 7 s"
    desk.session.answer()
    desk.run.poll()
    assert mark_words.busy_text(desk.run.state) == ""


@pytest.mark.parametrize(
    "error",
    [
        InputError("lies outside of the image", attribute="prompts"),
        ConsentError("runs code, and nobody agreed"),
        WorkerCrashed("the worker died: SIGKILL"),
    ],
)
def test_what_stops_an_answer_is_told_and_the_next_mark_is_answered(error: Exception) -> None:
    desk = Desk().choose()
    desk.run.add_point(HERE, inside=True)
    desk.asked().fail(error)
    desk.run.poll()
    assert desk.run.state.phase is Phase.FAILED and desk.run.state.message == str(error)
    assert not desk.run.can_keep and desk.run.can_undo
    desk.marked(THERE)
    assert desk.run.state.phase is Phase.DONE and len(desk.sessions) == 1


def test_a_process_that_cannot_be_started_is_told() -> None:
    desk = Desk().choose().marked()
    desk.session.fails = WorkerCrashed("cannot be started")
    desk.run.add_point(THERE, inside=True)
    desk.asked()
    assert desk.run.state.phase is Phase.FAILED and "cannot be started" in desk.run.state.message
    assert not desk.run.busy


def test_an_answer_that_cannot_be_shown_is_told_and_not_kept() -> None:
    desk = Desk().choose()
    desk.run.add_point(HERE, inside=True)
    desk.image.SetOrigin(900.0, 0.0, 0.0)
    desk.answered()
    assert "The answer could not be shown: " in desk.run.state.message
    assert "it lies elsewhere" in desk.run.state.message
    assert desk.run.state.phase is Phase.FAILED and not desk.run.can_keep


def test_cancelling_keeps_the_marks_ends_the_process_and_the_next_mark_starts_it_again() -> None:
    desk = Desk().choose()
    desk.run.add_point(HERE, inside=True)
    desk.run.cancel()
    assert desk.run.state.phase is Phase.CANCELLED and desk.sessions == [], "it was not asked yet"
    assert desk.run.can_ask
    desk.run.add_point(THERE, inside=True)
    desk.asked()
    desk.run.cancel()
    assert desk.run.state.phase is Phase.STOPPING and not desk.run.can_cancel
    desk.session.fail(JobCancelled("the answer was cancelled"))
    desk.run.poll()
    assert desk.session.ends == ["cancel", "rest"]
    assert desk.run.state.phase is Phase.CANCELLED and len(desk.run.state.marks) == 2
    desk.run.ask_again()
    desk.answered()
    assert desk.run.state.phase is Phase.DONE and len(desk.sessions) == 1 and not desk.run.can_ask


def test_a_pseudonymous_answer_is_not_filed_under_the_named_series() -> None:
    desk = Desk(named=True).choose()
    desk.run.add_point(HERE, inside=True)
    session, made = desk.asked(), small_head().result
    marked = dataclasses.replace(made.provenance, prompts=(inside(HERE),))
    hidden = dataclasses.replace(made, provenance=marked, study=Study(identity=Identity.DEIDENTIFY), sources=())
    session.is_waiting = False
    session._tell(hidden)
    desk.run.poll()
    assert desk.run.state.phase is Phase.DONE, desk.run.state.message
    (segmentation,) = desk.nodes("Segmentation")
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert segmentation.GetNodeReference(role) is None


# --- keeping ---------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_a_run_with_the_marks_and_another_mark_is_not_in_it(tmp_path: Path) -> None:
    desk = Desk().choose()
    desk.settings |= {"device": "cpu", "parent": str(tmp_path)}
    desk.run.refresh()
    desk.marked()
    desk.run.place(INSIDE)
    desk.run.keep()
    assert desk.run.state.placing == "" and not desk.run.can_mark
    desk.run.poll()
    assert mark_words.busy_text(desk.run.state).startswith("Saving")
    (asked,) = desk.session.saved
    assert asked["output"].parent == tmp_path and (asked["device"], asked["identity"]) == ("cpu", "keep")
    desk.session.job.done = True
    desk.run.poll()
    assert desk.run.state.saved == asked["output"] and not desk.run.can_keep
    assert desk.run.state.message.startswith(f"Kept in {asked['output'].name}")
    desk.marked(THERE)
    assert desk.run.state.saved is None and desk.run.can_keep
    desk.run.keep()
    (points,) = desk.nodes("MarkupsFiducial")
    points.SetNthControlPointPosition(0, 9.0, 9.0, 9.0)
    assert desk.run.state.phase is Phase.RUNNING and len(desk.session.asked) == 2, "that waits until it is kept"
    desk.session.job.done = True
    desk.run.poll()
    assert desk.run.state.saved is None, "it is of other marks than these"
    desk.answered()
    assert desk.run.state.phase is Phase.DONE and desk.run.can_keep


def test_each_move_of_a_mark_while_a_result_is_kept_is_a_change_of_its_own() -> None:
    desk = Desk().choose().marked()
    desk.run.keep()
    (points,) = desk.nodes("MarkupsFiducial")
    for place in (3.0, 6.0):
        for step in (0.0, 1.0):
            points.SetNthControlPointPosition(0, -place, 0.0, step)
        time.sleep(mark_answers.PAUSE)
        desk.run.poll()
    desk.session.job.done = True
    desk.run.poll()
    desk.answered()
    desk.run.undo()
    assert desk.run.state.marks == (inside((3.0, 0.0, 1.0)),)
    desk.run.undo()
    assert desk.run.state.marks == (inside(HERE),)


def test_keeping_is_cancelled_or_fails_and_the_answer_stays() -> None:
    desk = Desk().choose().marked()
    desk.run.keep()
    desk.run.cancel()
    desk.run.poll()
    assert desk.run.state.message == "Stopped. Nothing was written." and desk.run.can_keep
    desk.run.keep()
    desk.session.job.error, desk.session.job.done = InputError("is full", file="disk"), True
    desk.run.poll()
    assert desk.run.state.phase is Phase.FAILED and "is full" in desk.run.state.message and desk.run.can_keep


def test_the_next_module_gets_what_was_kept_and_marks_and_answer_leave_the_scene() -> None:
    desk = Desk().choose().marked()
    assert desk.run.pass_on() is None and desk.count("Segmentation") == 1, "nothing was kept"
    desk.run.keep()
    desk.session.job.done = True
    desk.run.poll()
    folder = desk.run.state.saved
    assert desk.run.pass_on() == folder
    assert (desk.count("Segmentation"), desk.count("MarkupsFiducial")) == (0, 0)
    assert desk.run.state.marks == () and desk.run.image is desk.image


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("busy", [False, True], ids=["answered", "being answered"])
def test_a_scene_that_closes_ends_the_session_and_leaves_nothing_in_the_panel(*, busy: bool) -> None:
    desk = Desk().choose().marked()
    desk.run.place(INSIDE)
    if busy:
        desk.run.add_point(THERE, inside=True)
        desk.asked()
    desk.run.scene_closed()
    desk.scene.Clear(0)
    assert desk.session.ends[-1] == "close" and not desk.run.busy
    assert desk.run.state == dataclasses.replace(
        desk.run.state, marks=(), result=None, image="", placing="", phase=Phase.IDLE, message="Choose a volume."
    )
    assert desk.run.image is None and not desk.run.can_undo


def test_a_scene_that_closes_while_a_result_is_kept_stops_that() -> None:
    desk = Desk().choose().marked()
    desk.run.keep()
    job = desk.session.job
    desk.run.scene_closed()
    assert job.error is not None and desk.run.busy, "until its processes are gone"
    desk.run.poll()
    assert not desk.run.busy
    desk.choose().marked().run.keep()
    job = desk.session.job
    job.cancel = lambda: None
    desk.run.scene_closed()
    job.done = True
    desk.run.poll()
    assert desk.run.state.saved is None and desk.run.state.phase is Phase.IDLE, "its image is gone"


def test_closing_it_leaves_nothing_in_the_scene_and_hears_no_more() -> None:
    desk = Desk().choose().marked(HERE, THERE)
    desk.run.add_box(HERE, 10.0)
    desk.run.place(OUTSIDE)
    known = {desk.image.GetID()}
    desk.run.close()
    kinds = ("MarkupsFiducial", "MarkupsROI", "Segmentation", "Table", "Text", "MarkupsDisplay", "SegmentationDisplay")
    assert [kind for kind in kinds if desk.count(kind)] == []
    assert known == {node.GetID() for node in desk.nodes("ScalarVolume")}
    interaction = desk.scene.GetSingletonNode("Singleton", "vtkMRMLInteractionNode")
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform
    assert desk.session.ends == ["close"]
