"""Several images at once: what is picked whole is expanded into what suits the model, listed, changed, and queued."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slicermedai.app.dicom_browser import Chosen, chosen_in
from slicermedai.app.dicom_database import Node
from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.run_inputs import Candidate
from slicermedai.app.run_picks import Picks
from slicermedai.app.run_words import pick_rows, pick_text
from slicermedai.bundles.manifest import read_bundle
from slicermedai.domain.bundle import BundleRef
from Testing.app.test_guided_run import a_bundle
from Testing.app.test_run_inputs import NAMES
from Testing.app.test_run_queue import Desk, states, until_idle
from Testing.inference.zoo import write_zoo_bundle

SERIES = {
    "1.1.1": ("Localizer", "MR", "HEAD", "1.1"),
    "1.1.2": ("T1 axial", "MR", "HEAD", "1.1"),
    "1.1.3": ("Knee", "MR", "KNEE", "1.1"),
    "1.2.1": ("Chest", "CT", "CHEST", "1.2"),
    "2.1.1": ("T1 sagittal", "MR", "", "2.1"),
}
"""UID -> what it calls itself, modality, body part, study."""
TREE = (
    Node(uid="p1", text="One", below=(
        Node(uid="1.1", text="Head", below=tuple(Node(uid=uid, text=uid) for uid in ("1.1.1", "1.1.2", "1.1.3"))),
        Node(uid="1.2", text="Chest", below=(Node(uid="1.2.1", text="1.2.1"),)),
    )),
    Node(uid="p2", text="Two", below=(Node(uid="2.1", text="Head", below=(Node(uid="2.1.1", text="2.1.1"),)),)),
)  # fmt: skip


def an_image(uid: str) -> Candidate | None:
    if uid not in SERIES:
        return None
    words, modality, part, study = SERIES[uid]
    return Candidate(
        key=uid, text=f"Invented – {words}", words=words, open=lambda: [f"{uid}.dcm"], modality=modality,
        body_part=part, group=study,
    )  # fmt: skip


def a_desk(count: int = 9) -> tuple[GuidedRun, Desk]:
    desk = Desk([object()] * count)
    run = GuidedRun(submit=desk.submit, bundles=lambda: [a_bundle(), replace(a_bundle("lung"), modality=("CT",))])
    run.refresh_bundles()
    return run, desk


@pytest.fixture
def picks() -> Picks:
    run, _ = a_desk()
    made = Picks(run, find=an_image)
    made.offer(TREE)
    return made


def test_a_patient_picked_whole_is_what_the_model_was_made_for(picks: Picks) -> None:
    picks.tick("p1", on=True)
    assert picks.ticked == ("1.1.2",), "no overview, no knee, no CT"
    picks.tick("1.2.1", on=True)
    assert picks.ticked == ("1.1.2", "1.2.1"), "what a person ticks by itself is taken"
    assert [one.text for one in picks.planned] == ["Invented – T1 axial", "Invented – Chest"]
    assert picks.planned[0].note == ""
    assert "made for MR, and the image is CT" in picks.planned[1].note
    picks.tick("1.1", on=False)
    assert picks.ticked == ("1.2.1",)


def test_of_a_study_that_holds_nothing_for_the_model_nothing_is_picked_and_that_is_told(picks: Picks) -> None:
    picks.tick("1.2", on=True)
    assert picks.ticked == ()
    assert picks._run.state.message.startswith("None of these series is one that brain@1 was made for")


def test_another_model_is_asked_about_what_is_picked_from_then_on(picks: Picks) -> None:
    picks.tick("p2", on=True)
    picks._run.choose_bundle("lung@1")
    picks.tick("p1", on=True)
    assert picks.ticked == ("2.1.1",), "the chest lies beside nothing that a model of the head knows"
    assert "image is MR" in picks.planned[0].note


def test_what_is_chosen_in_a_browser_is_picked_and_a_whole_study_is_expanded(picks: Picks) -> None:
    picks.pick(["1.1.1", "1.1.3"])
    assert picks.ticked == ("1.1.1", "1.1.3"), "single series are taken at their word"
    picks.pick(["1.1.1", "1.1.2", "1.1.3"])
    assert picks.ticked == ("1.1.2",), "all series of a study are the study"
    picks.pick(["p1", "p2", "unknown"])
    assert picks.ticked == ("1.1.2", "2.1.1")


def test_what_is_gone_is_let_go_of(picks: Picks) -> None:
    picks.pick(["1.1.2", "2.1.1"])
    picks.offer(TREE[:1])
    assert picks.ticked == ("1.1.2",)
    picks.clear()
    assert (picks.ticked, picks.planned, picks.can_run) == ((), [], False)


def test_all_of_them_are_queued_with_the_model_and_options_that_are_chosen(picks: Picks) -> None:
    run, desk = a_desk()
    picks._run = run
    run.choose_options(samples="flips")
    picks.pick(["1.1.2", "2.1.1"])
    assert picks.can_run
    assert pick_text(picks.planned) == "Run all 2 of these"
    picks.run()
    assert states(run) == ["running", "waiting"]
    assert picks.ticked == ()
    until_idle(run)
    assert states(run) == ["done", "done"]
    assert [row.image for row in run.state.queue] == ["Invented – T1 axial", "Invented – T1 sagittal"]
    assert [(source, title) for source, title, _ in desk.asked] == [
        (["1.1.2.dcm"], "brain@1"),
        (["2.1.1.dcm"], "brain@1"),
    ]
    assert {options["uncertainty"] for _, _, options in desk.asked} == {"flips"}
    assert len({options["output"] for _, _, options in desk.asked}) == 2


def test_while_a_run_goes_on_more_are_added_and_a_new_list_begins_after_it(picks: Picks) -> None:
    run, _ = a_desk()
    picks._run = run
    for uid in ("1.1.2", "2.1.1"):
        picks.pick([uid])
        picks.run()
    assert states(run) == ["running", "waiting"]
    until_idle(run)
    picks.pick(["1.1.2"])
    picks.run()
    assert states(run) == ["running"]


def test_without_a_model_nothing_is_run(picks: Picks) -> None:
    run = GuidedRun(submit=Desk([]).submit, bundles=list)
    run.refresh_bundles()
    picks._run = run
    picks.pick(["1.1.2"])
    picks.run()
    assert (picks.planned, picks.can_run, run.state.queue) == ([], False, ())


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("/data/a\n  /data/b  \n\n/data/a", ("/data/a", "/data/b")),
        ("file:///data/one%20two\nfile:///data/b", ("/data/one two", "/data/b")),
        ("file:///data/afile:///data/b", ("/data/a", "/data/b")),
        ("/data/profile:1/a\nfile:///data/profile:2", ("/data/profile:1/a", "/data/profile:2")),
        ("", ()),
    ],
)
def test_dropped_addresses_and_typed_paths_are_read(picks: Picks, text: str, places: tuple[str, ...]) -> None:
    picks.write(text)
    assert picks.places == places


def test_a_path_that_is_not_there_is_told_and_not_run(picks: Picks, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    picks.write(f"{tmp_path / 'study'}\n{tmp_path / 'gone'}")
    assert pick_rows(picks.planned) == [("study", ""), ("gone", "Not run: It is not there.")]
    run, desk = a_desk()
    picks._run = run
    picks.run()
    assert [source for source, _, _ in desk.asked] == [str(tmp_path / "study")]
    assert len(picks.places) == 2, "what could not be run stays in sight"


# --- models of several images ----------------------------------------------------------------------------------------


@pytest.fixture
def four(tmp_path: Path) -> BundleRef:
    """A model of four contrasts, made for MR."""
    write_zoo_bundle(tmp_path / "four@0.1", "of_several_channels")
    return read_bundle(tmp_path / "four@0.1")


def test_a_model_of_several_images_makes_one_run_of_each_study(four: BundleRef) -> None:
    found = {
        f"{study}.{n}": Candidate(
            key=f"{study}.{n}", text=f"{study} {name}", words=name, open=lambda n=n, study=study: [f"{study}.{n}.dcm"],
            modality="MR", group=study, patient=lambda study=study: study,
        )
        for study, names in (("8", NAMES), ("9", NAMES[:3])) for n, name in enumerate(names)
    }  # fmt: skip
    desk = Desk([object()])
    run = GuidedRun(submit=desk.submit, bundles=lambda: [four])
    run.refresh_bundles()
    picks = Picks(run, find=found.get)
    picks.offer([Node(uid=s, text=s, below=tuple(Node(uid=u, text=u) for u in found if u[0] == s)) for s in "89"])
    picks.tick("8", on=True)
    picks.tick("9", on=True)
    first, second = picks.planned
    assert first.text == "T1c: 8 T1c; T1: 8 T1; T2: 8 T2; FLAIR: 8 FLAIR"
    assert (first.why_not, second.why_not) == ("", "Choose an image for: FLAIR.")
    picks.run()
    ((source, title, options),) = desk.asked
    assert (source, title, options["shows"]) == (["8.0.dcm"], four.title, "T1c")
    assert options["inputs"] == {"T1": ["8.1.dcm"], "T2": ["8.2.dcm"], "FLAIR": ["8.3.dcm"]}


def test_images_of_a_study_that_the_model_does_not_take_are_named_before_it_is_run(four: BundleRef) -> None:
    found = {
        name: Candidate(key=name, text=f"Invented – {name}", words=name, open=list, modality="MR", group="8")
        for name in (*NAMES, "Perfusion", "Angio")
    }
    run = GuidedRun(submit=Desk([]).submit, bundles=lambda: [four])
    run.refresh_bundles()
    picks = Picks(run, find=found.get)
    picks.offer([Node(uid="8", text="8", below=tuple(Node(uid=uid, text=uid) for uid in found))])
    picks.tick("8", on=True)
    ((_, noted),) = pick_rows(picks.planned)
    assert noted == "Not taken: Invented – Perfusion, Invented – Angio."
    picks.tick("FLAIR", on=False)
    ((_, noted),) = pick_rows(picks.planned)
    assert noted == "Not run: Choose an image for: FLAIR. Not taken: Invented – Perfusion, Invented – Angio."


# --- Slicer's DICOM browsers -----------------------------------------------------------------------------------------


class Tables:
    """``ctkDICOMTableManager`` at the process edge."""

    def currentPatientsSelection(self) -> list[str]:
        return ["p1"]

    def currentStudiesSelection(self) -> list[str]:
        return ["1.1"]

    def currentSeriesSelection(self) -> list[str]:
        return []


class Views:
    """``ctkDICOMPatientView`` and ``ctkDICOMStudyListView`` at the process edge."""

    def selectedPatientUIDs(self) -> list[str]:
        return ["p2"]

    def studyListView(self) -> Views:
        return self

    def selectedStudyInstanceUIDs(self) -> list[str]:
        return []

    def selectedSeriesInstanceUIDs(self) -> list[str]:
        return []


class Browser:
    """Slicer's ``SlicerDICOMBrowser``: it has both, and says which one is shown."""

    def __init__(self, *, visual: bool) -> None:
        self.useVisualDICOMBrowser = visual
        self.dicomBrowser: Any = type("Classical", (), {"dicomTableManager": lambda self: Tables()})()
        self.dicomVisualBrowser: Any = type("Visual", (), {"patientView": lambda self: Views()})()


def test_both_of_slicers_dicom_browsers_are_read() -> None:
    assert chosen_in(Browser(visual=False)) == Chosen(patients=("p1",), studies=("1.1",))
    assert chosen_in(Browser(visual=False)).smallest == ("1.1",)
    assert chosen_in(Browser(visual=True)).smallest == ("p2",)


def test_a_browser_that_is_not_there_or_has_not_what_is_asked_of_it_says_nothing() -> None:
    older = Browser(visual=True)
    older.dicomVisualBrowser = object()
    bare = Browser(visual=False)
    bare.dicomBrowser = object()
    assert {chosen_in(None), chosen_in(older), chosen_in(bare)} == {Chosen()}
