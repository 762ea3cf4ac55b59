"""Marks from the console: a process that keeps the model, results that change with each mark, and what ends it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slicermedai
from slicermedai import AnalysisResult, Volume
from slicermedai.bundles.consent import agree
from slicermedai.bundles.store import Title
from slicermedai.console.prompting import PromptSession
from slicermedai.domain.prompts import PointPrompt
from slicermedai.errors import ConsentError, InputError, JobCancelled, JobError, ProtocolError, WorkerCrashed
from Testing.fixtures.grids import covering
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.leaks import leaks
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series
from Testing.inference.conftest import body_on, points_of
from Testing.inference.prompt_bundle import write_prompt_bundle
from Testing.scene.samples import small_head

GRID = covering(spacing=(3.0, 3.0, 3.0), extent=(100.0, 126.0, 116.0))
PLACE, FAR = (11.0, -18.0, 9.0), (-27.0, 33.0, -31.0)


@pytest.fixture
def image() -> Volume:
    return body_on(GRID)[0]


@pytest.fixture
def model(tmp_path: Path, places: Path) -> str:
    """A bundle that somebody agreed to."""
    folder = write_prompt_bundle(tmp_path / "marked@0.1", "at_places")
    agree(Title(name="marked", version="0.1"), "the test", folder)
    return str(folder)


@pytest.fixture
def session(model: str, image: Volume) -> Iterator[PromptSession]:
    with slicermedai.prompt(image, model, device="cpu") as made:
        yield made


def middle(result: AnalysisResult) -> np.ndarray:
    """The centre of mass of the one finding, LPS mm."""
    (finding,) = result.findings
    assert finding.region is not None
    return points_of(result.volume_geometry)[finding.region.to_array()].mean(axis=0)


def alive(pid: int) -> bool:
    """True while a process of that number runs."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_what_on_result_raises_is_told_and_takes_nothing_with_it(
    session: PromptSession, caplog: pytest.LogCaptureFixture
) -> None:
    error = ValueError("Doe^Jane")

    def fail(result: AnalysisResult) -> None:
        raise error

    session.on_result = fail
    session.add_point(PLACE, label="Body")
    assert session.result is session.latest
    assert session.callback_error is error, "what is shown is of older marks"
    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert "the result is there; on_result failed: ValueError at " in record.message
    assert "Doe" not in record.message
    session.on_result = lambda result: None
    session.add_point((PLACE[0] + 3, PLACE[1], PLACE[2]), label="Body")
    assert session.result.findings and session.callback_error is None


def test_three_lines_give_a_result_and_a_further_mark_changes_it(
    session: PromptSession, model: str, tmp_path: Path
) -> None:
    heard: list[AnalysisResult] = []
    session.on_result = heard.append
    session.add_point(PLACE, label="Body")
    first = session.result
    assert np.abs(middle(first) - PLACE).max() < 1.5
    assert first.provenance.prompts == (PointPrompt(label="Body", position=PLACE),)
    assert any("Body: inside at 11.0 -18.0 9.0" in step.detail for step in first.provenance.steps)
    for weights in Path(model).rglob("*.pt"):
        weights.unlink()  # the model is loaded already
    session.add_point((PLACE[0] + 9, PLACE[1], PLACE[2]), label="Body", inside=False)
    second = session.result
    assert middle(second)[0] < middle(first)[0] - 1
    assert second.findings[0].tracking_uid == first.findings[0].tracking_uid, "updated in place"
    session.undo()
    third = session.result
    assert np.array_equal(third.findings[0].region.to_array(), first.findings[0].region.to_array())
    assert heard == [first, second, third] and session.latest is third
    session.add_point((900.0, 0.0, 0.0), label="Body")
    with pytest.raises(InputError, match="lies outside of the image"):
        _ = session.result
    session.clear()
    with pytest.raises(JobError, match="nothing was marked"):
        _ = session.result
    assert heard[3:] == [heard[-1]] and heard[-1].status == "no finding"
    assert heard[-1].findings == () and heard[-1].provenance.prompts == (), "nothing stays of marks that are gone"
    assert heard[-1].provenance.job_id == first.provenance.job_id, "so that it is shown in the same nodes"
    session.add_box((4.0, -26.0, 2.0), (18.0, -10.0, 16.0), label="Body")
    assert np.abs(middle(session.result) - (11.0, -18.0, 9.0)).max() < 1.5
    pid = session._child.pid
    assert pid is not None and session._child.starts == 1
    session.close()
    assert not alive(pid)
    assert not list((tmp_path / "temp").rglob("result.json")), "results do not stay in temporary folders"


def test_a_point_list_of_a_scene_is_followed_and_its_segmentation_changes_in_place(
    session: PromptSession, image: Volume
) -> None:
    slicer = pytest.importorskip("slicer", reason="absent: slicer-core")
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Body")
    shown = []
    session.on_result = lambda result: shown.append(slicermedai.show(result, scene, volume=image))
    session.follow(node)
    assert not session.is_waiting and session.marks == ()
    node.AddControlPoint(-PLACE[0], -PLACE[1], PLACE[2])
    assert np.abs(middle(session.result) - PLACE).max() < 1.5
    node.AddControlPoint(-FAR[0], -FAR[1], FAR[2])
    assert middle(session.result)[0] < PLACE[0] - 5
    assert [one.segmentation_node.GetID() for one in shown] == [shown[0].segmentation_node.GetID()] * 2
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    session.close()
    node.RemoveAllControlPoints()
    assert not session.is_waiting


def test_what_ends_an_answer_is_told_and_the_next_mark_is_answered(session: PromptSession) -> None:
    session.add_point(PLACE, label="Body")
    session.poll()
    began = time.monotonic()
    session.cancel()
    with pytest.raises(JobCancelled):
        _ = session.result
    assert time.monotonic() - began < 2.0
    session.add_point(FAR, label="Body")
    assert session.result.findings
    starts, pid = session._child.starts, session._child.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    session.add_point(FAR, label="Body", inside=False)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerCrashed, match="SIGKILL"):
        _ = session.result
    session.clear()
    session.add_point(PLACE, label="Body")
    assert np.abs(middle(session.result) - PLACE).max() < 1.5
    assert session._child.starts == starts + 1


class Line:
    """The line to the process, with what the test lets it say."""

    pid = 1

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.closed = False

    def send(self, request: dict[str, Any]) -> None:
        """Nobody listens."""

    def events(self) -> Iterator[dict[str, Any]]:
        said, self.said = self.said, []
        return iter(said)

    def ended(self) -> None:
        """It runs on."""

    def close(self) -> None:
        """Nothing is to be ended."""
        self.closed = True


@pytest.mark.parametrize("how", ["clear", "undo", "cancel"])
def test_an_answer_on_its_way_when_its_mark_was_given_up_is_not_taken(image: Volume, tmp_path: Path, how: str) -> None:
    with slicermedai.prompt(image, str(tmp_path / "model")) as session:
        heard: list[AnalysisResult] = []
        errors: list[Exception] = []
        session.on_result, session.on_error = heard.append, errors.append
        session._child = line = Line()  # type: ignore[assignment]  # the edge to another process
        session.add_point(PLACE, label="Body")
        line.said.append({"id": 1, "answer": {"folder": str(small_head().result.save(tmp_path / "answer"))}})
        getattr(session, how)()
        session.poll()
        assert heard == [] and session.latest is None and not session.is_waiting
        assert [type(one) for one in errors] == ([JobCancelled] if how == "cancel" else [])


def test_saving_runs_the_whole_job_and_gives_the_same(session: PromptSession, tmp_path: Path) -> None:
    session.add_point(PLACE, label="Body")
    session.add_point(FAR, label="Body")
    shown = session.result
    job = session.save(tmp_path / "out", report=False)
    assert job.wait(120)
    saved = job.result()
    assert np.array_equal(saved.findings[0].region.to_array(), shown.findings[0].region.to_array())
    assert saved.provenance.prompts == shown.provenance.prompts
    assert saved.findings[0].measurements == shown.findings[0].measurements


def test_on_the_pseudonymous_route_nothing_names_the_patient(model: str, image: Volume, tmp_path: Path) -> None:
    who = Identity()
    write_series(image, tmp_path / "series", spec=SeriesSpec(slope=1e-4, identity=who))
    with slicermedai.prompt(tmp_path / "series", model, device="cpu", identity="deidentify") as session:
        session.add_point(PLACE, label="Body")
        result = session.result
        assert np.abs(middle(result) - PLACE).max() < 1.5
        kept = [path for path in (tmp_path / "temp").rglob("*") if path.is_file()]
        assert any(path.suffix == ".dcm" for path in kept), "the copies that are analysed"
        assert not leaks(kept, identity_tokens(who))
    assert result.study.identity == "deidentify" and not leaks(
        result.save(tmp_path / "kept").iterdir(), identity_tokens(who)
    )
    assert not [path for path in (tmp_path / "temp").rglob("*.dcm") if path.is_file()]


def test_consent_is_asked_for_as_for_any_run(tmp_path: Path, image: Volume, places: Path) -> None:
    folder = write_prompt_bundle(tmp_path / "marked@0.1", "at_places")
    with slicermedai.prompt(image, str(folder), device="cpu") as session:
        session.add_point(PLACE, label="Body")
        with pytest.raises(ConsentError):
            _ = session.result


def test_options_that_do_not_exist_are_refused_at_once(image: Volume) -> None:
    with pytest.raises(ProtocolError, match="unknown field"):
        slicermedai.prompt(image, "model", devise="cpu")
    with pytest.raises(InputError, match="added one by one"):
        slicermedai.prompt(image, "model", prompts=("A=1 2 3",))
    with pytest.raises(InputError, match="no image"):
        slicermedai.prompt({}, "model")


def test_marks_are_replaced_at_once_and_a_session_that_rests_keeps_them(image: Volume, tmp_path: Path) -> None:
    with slicermedai.prompt(image, str(tmp_path / "model")) as session:
        session._child = line = Line()  # type: ignore[assignment]  # the edge to another process
        session.add_point(PLACE, label="Body")
        session.replace(
            PointPrompt(label="Body", position=FAR), PointPrompt(label="Body", position=PLACE, inside=False)
        )
        assert [one.text for one in session.marks] == ["Body=-27.0 33.0 -31.0", "Body!=11.0 -18.0 9.0"]
        session.rest()
        assert line.closed and not session.is_waiting and len(session.marks) == 2
        session.replace(*session.marks[:1])
        assert session.is_waiting, "the next mark is asked about"
        session.replace()
        assert session.marks == ()
