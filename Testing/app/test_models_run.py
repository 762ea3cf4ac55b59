"""The presenter of MedAI Models: the pictures of a trust record, and what a try brings; without Qt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicermedai.app.models_run import ModelsRun
from slicermedai.app.models_state import RUNS
from slicermedai.app.models_words import detail, stage_text
from slicermedai.app.state import Phase
from slicermedai.errors import UnreadableFileError
from Testing.app.test_estimates import Child

RECORD = ("phantom@1.0 trust record", "made of 24 patients")


def a_model(title: str, record: tuple[str, ...] = RECORD) -> dict[str, Any]:
    name, _, version = title.partition("@")
    return {
        "title": title, "name": name, "version": version, "task": "segmentation", "modality": ["CT"], "folder": "f",
        "size": 1, "in_use": True, "own": True, "licence": "", "intended_use": "", "runs_code": False, "consent": "",
        "demonstration": False, "weights_sha256": "ab", "calibration": "calibrated", "labels": [],
        "record": list(record),
    }  # fmt: skip


class Office:
    """Starts children whose answers are written down; a picture is written where it was asked for."""

    def __init__(self, *models: dict[str, Any]) -> None:
        self.models, self.asked = list(models), list[dict[str, Any]]()
        self.verdicts: dict[str, list[str]] = {}
        self.error: Any = None

    def __call__(self, what: str, **more: Any) -> Any:
        self.asked.append({"what": what, **more})
        drawn = []
        if what == "draw":
            file = Path(more["folder"]) / "a.png"
            file.write_bytes(b"png")
            drawn = [{"title": "Brain: how far volumes err", "file": str(file), "caption": "24 patients"}]
        answer = {"models": self.models, "known": [], "changes": [], "verdicts": self.verdicts, "pictures": drawn}
        return Child(answer, self.error)


def a_run(*models: dict[str, Any]) -> tuple[ModelsRun, Office]:
    office = Office(*models)
    run = ModelsRun(ask=office)
    run.refresh()
    run.poll()
    return run, office


def test_only_a_model_with_a_record_that_can_be_read_is_pictured() -> None:
    run, office = a_run(a_model("a@1", ()), a_model("b@1", ("its trust record is damaged",)), a_model("c@1"))
    for title, can in (("a@1", False), ("b@1", False), ("c@1", True)):
        run.choose(title)
        assert run.can_picture is can
    run.choose("a@1")
    run.picture()
    assert [one["what"] for one in office.asked] == ["list"]


def test_pictures_stand_beside_their_model_alone_and_their_files_go_when_they_are_let_go_of() -> None:
    run, _ = a_run(a_model("a@1"), a_model("a@2"))
    run.choose("a@1")
    run.picture()
    assert run.busy
    assert not run.can_picture
    run.poll()
    (first,) = run.pictures
    assert (first.title, first.caption) == ("Brain: how far volumes err", "24 patients")
    assert Path(first.file).is_file()
    assert run.state.message == "The trust record of a@1 is drawn."
    run.choose("a@2")
    assert run.pictures == ()
    run.picture()
    run.poll()
    assert not Path(first.file).exists(), "earlier ones go when others are drawn"
    (second,) = run.pictures
    run.let_go()
    assert run.pictures == ()
    assert not Path(second.file).exists()


def test_a_record_that_cannot_be_drawn_is_told_and_leaves_no_picture() -> None:
    run, office = a_run(a_model("a@1"))
    run.choose("a@1")
    office.error = UnreadableFileError("holds no trust record", file="record")
    run.picture()
    run.poll()
    assert run.state.phase is Phase.FAILED
    assert "holds no trust record" in run.state.message
    assert run.pictures == ()
    run.let_go()


def test_a_try_brings_its_report_line_by_line() -> None:
    run, office = a_run(a_model("a@1"))
    run.choose("a@1")
    office.verdicts = {"a@1": [RUNS, "2", "0.3", "", "outputs: logits", "segment: 40x56x60 voxels"]}
    run.check()
    run.poll()
    told = detail(run.model)
    assert "Last look: runs here: 2 regions in a generated image, 0.3 s on the CPU" in told
    assert "Report of the try:\n  outputs: logits\n  segment: 40x56x60 voxels" in told
    office.verdicts = {"a@1": [RUNS, "2", "0.3", "sample/a.nii.gz", "outputs: logits"]}
    run.check()
    run.poll()
    assert "runs here: 2 regions in its own sample, sample/a.nii.gz, 0.3 s on the CPU" in detail(run.model)
    assert stage_text("segment") == "Segmenting", "what the engine does is said in the words of all modules"
