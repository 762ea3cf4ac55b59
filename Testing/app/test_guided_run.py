"""The guided run, without Qt, MRML or a worker: the job is handed in."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from slicermedai import AnalysisResult, Confidence, Finding, Geometry, Label, Measurement
from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.signal import Signal
from slicermedai.app.state import Phase, RunState, SourceKind
from slicermedai.app.words import describe, rows, summary, time_left
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import ANATOMY, BRAIN, MILLILITER, VOLUME
from slicermedai.domain.finding import ConfidenceState
from slicermedai.domain.provenance import Provenance
from slicermedai.domain.result import Status
from slicermedai.domain.study import Study
from slicermedai.errors import JobCancelled, NoImagesError

BRAIN_LABEL = Label(name="Brain", category=ANATOMY, type=BRAIN)


def a_bundle(name: str = "brain") -> BundleRef:
    return BundleRef(
        name=name, version="1", path="p", task="segmentation", modality=("MR",), weights="w", weights_sha256="ab" * 32,
        labels=((1, BRAIN_LABEL),), licence="MIT", intended_use="Brain masks in research.", consent="pinned hash",
    )  # fmt: skip


def a_result(status: Status = Status.COMPLETE) -> AnalysisResult:
    volume = Measurement(name=VOLUME, value=1957.04, unit=MILLILITER)
    confidence = Confidence(state=ConfidenceState.NOT_CALIBRATED, raw_score=0.98)
    brain = Finding(tracking_uid="2.25.1", label=BRAIN_LABEL, measurements=(volume,), confidence=confidence)
    return AnalysisResult(
        status=status,
        study=Study(),
        volume_geometry=Geometry.from_axes((2, 2, 2)),
        provenance=Provenance(bundle="brain", bundle_version="1", weights_sha256="ab"),
        findings=(brain,) if status is Status.COMPLETE else (),
        message="out of memory" if status is Status.FAILED else "",
    )


@dataclass
class PlannedJob:
    """A job whose progress and end are written down beforehand."""

    steps: list[tuple[str, float]]
    outcome: AnalysisResult | Exception
    progress: float = 0.0
    stage: str = ""
    seconds_left: float | None = 5.0
    done: bool = False
    cancelled: bool = False
    output: Path = Path("out")

    def poll(self) -> None:
        if self.cancelled or not self.steps:
            self.done = True
            return
        self.stage, self.progress = self.steps.pop(0)

    def cancel(self) -> None:
        self.cancelled = True

    def result(self) -> AnalysisResult:
        if self.cancelled:
            raise JobCancelled("stopped")
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def loading(self) -> Generator[None, None, AnalysisResult]:
        yield
        return self.result()


@dataclass
class Office:
    """Takes jobs and remembers how they were asked for."""

    job: PlannedJob
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def submit(self, source: object, bundle: str, **options: object) -> PlannedJob:
        self.asked.append((source, bundle, options))
        return self.job


def a_run(job: PlannedJob) -> tuple[GuidedRun, Office, list[RunState]]:
    office, seen = Office(job), list[RunState]()
    run = GuidedRun(submit=office.submit, bundles=lambda: [a_bundle(), a_bundle("spleen")])
    run.changed.connect(seen.append)
    run.refresh_bundles()
    run.choose_source("head", "Head T1")
    return run, office, seen


def without_place(options: object) -> dict[str, object]:
    """A job's options, but for the folder that is made for each run."""
    assert isinstance(options, dict)
    return {name: value for name, value in options.items() if name != "output"}


def test_a_run_goes_from_choice_to_result() -> None:
    run, office, seen = a_run(PlannedJob([("read", 0.1), ("segment", 0.7)], a_result()))
    finished: list[object] = []
    run.finished.connect(finished.append)
    assert run.can_run
    run.choose_identity("deidentify")
    run.start()
    assert not run.can_run
    for _ in range(3):
        run.poll()
    ((*what, options),) = office.asked
    assert what == ["head", "brain@1"]
    assert without_place(options) == {"identity": "deidentify", "device": "auto", "project_key": ""}
    assert [s.stage for s in seen if s.phase is Phase.RUNNING] == ["start", "read", "segment"]
    assert run.state.phase is Phase.DONE
    assert (run.state.stage, time_left(run.state.seconds_left)) == ("done", "")
    assert [order.result for order in finished] == [run.state.result]  # type: ignore[attr-defined]
    assert run.state.message == "Head T1: Brain: 1957.0 ml. Confidence: not calibrated."


def test_what_is_asked_of_a_run_reaches_the_job_and_nothing_else_does() -> None:
    run, office, _ = a_run(PlannedJob([], a_result()))
    run.choose_options(device="cuda:0", samples="flips", stability=2, preset="research", parent="results")
    run.start()
    ((_, _, options),) = office.asked
    assert isinstance(options, dict)
    made = options["output"]
    assert made.parent == Path("results").absolute()
    assert made.name.startswith("MedAI-")
    assert without_place(options) == {"identity": "keep", "device": "cuda:0", "uncertainty": "flips", "stability": 2}


def test_the_preset_counts_where_the_image_is_deidentified() -> None:
    run, office, _ = a_run(PlannedJob([], a_result()))
    run.choose_identity("deidentify")
    run.choose_options(preset="research")
    run.start()
    ((_, _, options),) = office.asked
    assert without_place(options) == {
        "identity": "deidentify",
        "device": "auto",
        "project_key": "",
        "preset": "research",
    }


def test_a_model_that_was_made_for_the_image_is_suggested() -> None:
    bundles = [a_bundle(), replace(a_bundle("lung"), modality=("CT",)), replace(a_bundle("any"), modality=())]
    run = GuidedRun(submit=Office(PlannedJob([], a_result())).submit, bundles=lambda: bundles)
    run.refresh_bundles()
    run.choose_source("head", "Head T1", modality="MR")
    assert run.state.title == "brain@1"
    run.choose_source("chest", "Chest", modality="CT")
    assert run.state.title == "lung@1"
    run.choose_bundle("brain@1")
    assert "made for MR, and the image is CT" in run.state.message
    run.choose_source("chest", "Chest", modality="CT")
    assert run.state.title == "brain@1", "what a person chose afterwards stays"
    run.choose_source("who knows", "Unknown")
    assert (run.state.title, run.state.message) == ("brain@1", "Ready.")


def test_without_a_fitting_model_it_says_so_and_changes_nothing() -> None:
    run = GuidedRun(submit=Office(PlannedJob([], a_result())).submit, bundles=lambda: [a_bundle()])
    run.refresh_bundles()
    run.choose_source("chest", "Chest", modality="CT")
    assert run.state.title == "brain@1"
    assert "the run will be refused" in run.state.message


def test_without_a_source_or_a_model_nothing_can_run() -> None:
    run, _, _ = a_run(PlannedJob([], a_result()))
    run.choose_source(None, "")
    assert not run.can_run
    assert run.state.message == "Choose an image."
    run.choose_source("head", "Head")
    run.choose_bundle("no such model")
    assert not run.can_run


def test_without_any_model_it_says_what_to_do() -> None:
    run = GuidedRun(submit=Office(PlannedJob([], a_result())).submit, bundles=list)
    run.refresh_bundles()
    assert "Install one" in run.state.message


def test_the_chosen_model_is_kept_when_the_list_is_read_again() -> None:
    run, _, _ = a_run(PlannedJob([], a_result()))
    run.choose_bundle("spleen@1")
    run.refresh_bundles()
    assert run.state.bundle is not None
    assert run.state.bundle.title == "spleen@1"


def test_cancelling_ends_without_a_result() -> None:
    run, _, seen = a_run(PlannedJob([("read", 0.1)] * 5, a_result()))
    run.start()
    run.poll()
    run.cancel()
    assert run.state.phase is Phase.STOPPING
    run.poll()
    assert run.state.phase is Phase.CANCELLED
    assert run.state.result is None
    assert run.can_run
    assert seen[-1].message == "Stopped. Nothing was written."


def test_an_error_in_the_job_is_told_in_its_own_words() -> None:
    run, _, _ = a_run(PlannedJob([], NoImagesError("no images", file="/data/x", advice="Choose another folder.")))
    run.start()
    run.poll()
    assert run.state.phase is Phase.FAILED
    assert run.state.message == "/data/x: no images. Choose another folder."


def test_an_error_on_starting_is_told_too() -> None:
    def refuse(*_: object, **__: object) -> PlannedJob:
        raise NoImagesError("empty", file="f")

    run = GuidedRun(submit=refuse, bundles=lambda: [a_bundle()])
    run.refresh_bundles()
    run.choose_source("head", "Head")
    run.start()
    assert run.state.phase is Phase.FAILED
    assert not run.busy


def test_a_result_belongs_to_what_was_analysed_whatever_is_chosen_by_now() -> None:
    run, _, _ = a_run(PlannedJob([("read", 0.1)], a_result()))
    run.start()
    run.choose_source("somebody else", "Other head")
    run.poll()
    run.poll()
    assert run.state.phase is Phase.DONE
    assert run.analysed == "head"


def test_a_source_of_one_kind_is_not_released_with_another() -> None:
    run, _, _ = a_run(PlannedJob([], a_result()))
    run.choose_source("/data", "data", kind=SourceKind.FOLDER)
    run.release(SourceKind.SERIES)
    assert run.source == "/data"
    run.release(SourceKind.FOLDER)
    assert run.source is None
    assert run.state.source_kind is None
    assert run.state.source_name == ""


def test_a_series_is_kept_while_it_is_at_hand_and_let_go_of_when_not() -> None:
    run, _, _ = a_run(PlannedJob([], a_result()))
    run.choose_source(["a.dcm"], "T1", kind=SourceKind.SERIES, series="1.2")
    run.refresh_series([("1.1", "T2"), ("1.2", "T1")])
    assert run.source == ["a.dcm"]
    run.refresh_series([("1.1", "T2")])
    assert run.source is None
    assert run.state.series == ""


def test_looking_again_does_not_take_the_finished_result_away() -> None:
    run, _, _ = a_run(PlannedJob([], a_result()))
    run.start()
    run.poll()
    told = run.state
    assert told.phase is Phase.DONE
    run.refresh_bundles()
    run.refresh_series([])
    run.choose_source("head", "Head T1")
    assert run.state == told


def test_while_a_job_runs_or_stops_the_next_one_can_be_chosen_and_none_be_started() -> None:
    run, _, _ = a_run(PlannedJob([("read", 0.1)] * 3, a_result()))
    assert (run.can_run, run.can_add) == (True, False)
    run.start()
    assert (run.can_run, run.can_add, run.editable) == (False, True, True)
    run.cancel()
    assert (run.can_run, run.can_add) == (False, True)
    run.poll()
    assert (run.can_run, run.can_add) == (True, False)


def test_waiting_ends_with_the_job() -> None:
    run, _, _ = a_run(PlannedJob([("read", 0.1)], a_result()))
    run.start()
    assert run.wait(60, breathe=lambda: None)
    assert run.state.phase is Phase.DONE


def test_waiting_too_long_cancels_the_job() -> None:
    run, office, _ = a_run(PlannedJob([("read", 0.1)] * 1000, a_result()))
    run.start()
    assert not run.wait(0.05, breathe=lambda: None)
    assert office.job.cancelled
    assert run.state.phase is Phase.CANCELLED


def test_a_second_start_while_running_does_nothing() -> None:
    run, office, _ = a_run(PlannedJob([("read", 0.1)] * 3, a_result()))
    run.start()
    run.start()
    assert len(office.asked) == 1


@pytest.mark.parametrize(
    ("status", "text"),
    [(Status.FAILED, "The model failed: out of memory"), (Status.NO_FINDING, "No finding.")],
)
def test_no_finding_and_failed_are_said_as_such(status: Status, text: str) -> None:
    assert summary(a_result(status)) == text


def test_a_warning_of_the_model_is_never_left_out() -> None:
    for status in (Status.COMPLETE, Status.NO_FINDING):
        result = a_result(status)
        warned = replace(result, provenance=replace(result.provenance, warnings=("the field of view is small",)))
        assert "Warning: the field of view is small." in summary(warned)


def test_why_no_dicom_was_written_is_told_and_other_refusals_are_not() -> None:
    refusals = ("No NIfTI: its axes are not at right angles.", "No DICOM SEG and SR: there is no DICOM source.")
    for status in Status:
        result = a_result(status)
        refused = replace(result, provenance=replace(result.provenance, refusals=refusals))
        assert summary(refused).splitlines()[1:] == [refusals[1]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.5, "almost done"), (4, "about 4 s left"), (42, "about 40 s left"), (130, "about 2 min left")],
)
def test_time_left_is_said_without_false_precision(seconds: float | None, text: str) -> None:
    assert time_left(seconds) == text


def test_a_model_is_described_with_licence_and_what_it_was_made_for() -> None:
    text = describe(a_bundle())
    assert "Licence: MIT." in text
    assert "Made for: MR of the head." in text
    silent = replace(a_bundle(), modality=(), labels=())
    assert "It does not say what images it was made for." in describe(silent)
    assert "Made for: CT." in describe(replace(silent, modality=("CT",)))
    assert "pinned hash" in text


def test_rows_carry_value_unit_and_state() -> None:
    assert rows(a_result()) == [("Brain", "Volume", "1957.0", "ml", "not calibrated")]
    assert rows(None) == []


def test_a_signal_tells_each_target_once_and_survives_disconnecting() -> None:
    signal, told = Signal(), list[int]()

    def once(value: int) -> None:
        told.append(value)
        signal.disconnect(once)

    signal.connect(once)
    signal.connect(once)
    signal.emit(1)
    signal.emit(2)
    assert told == [1]
