"""Models that take several images: which is which is suggested, shown before anything runs, and changed by a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.run_inputs import Candidate, wanted_by
from slicermedai.app.run_words import input_rows, inputs_text
from slicermedai.app.state import InputRow, SourceKind
from slicermedai.bundles.manifest import read_bundle
from slicermedai.domain.bundle import BundleRef
from Testing.app.test_guided_run import Office, PlannedJob, a_bundle, a_result, without_place
from Testing.inference.zoo import write_zoo_bundle

NAMES = ("T1c", "T1", "T2", "FLAIR")


@pytest.fixture
def four(tmp_path: Path) -> BundleRef:
    """A model of four contrasts, made for MR."""
    write_zoo_bundle(tmp_path / "four@0.1", "of_several_channels")
    return read_bundle(tmp_path / "four@0.1")


def a_series(key: str, words: str, *, modality: str = "MR", group: str = "1.2") -> Candidate:
    return Candidate(
        key=key, text=f"Invented – {words}", words=words, open=lambda: [f"{key}.dcm"], modality=modality, group=group
    )


STUDY = [a_series(f"1.{n}", f"AX {name} TSE") for n, name in enumerate(NAMES)]

Ask = Callable[[Sequence[Candidate]], tuple[GuidedRun, Office]]


@pytest.fixture
def ask(four: BundleRef) -> Ask:
    """The presenter with that model and another one; the given images are at hand."""

    def make(images: Sequence[Candidate]) -> tuple[GuidedRun, Office]:
        office = Office(PlannedJob([], a_result()))
        run = GuidedRun(submit=office.submit, bundles=lambda: [four, a_bundle()], images=lambda: images)
        run.refresh_bundles()
        run.refresh_series([(one.key, one.text) for one in images if one.node is None])
        return run, office

    return make


def choose(run: GuidedRun, one: Candidate) -> None:
    run.choose_source(one.open(), one.text, kind=SourceKind.SERIES, series=one.key, modality=one.modality)


def taken(run: GuidedRun) -> dict[str, str]:
    return {row.name: row.key for row in run.state.inputs}


def test_the_names_are_the_models_own_and_one_image_needs_none(four: BundleRef, tmp_path: Path) -> None:
    assert wanted_by(four) == NAMES
    write_zoo_bundle(tmp_path / "plain@0.1", "plain")
    assert wanted_by(read_bundle(tmp_path / "plain@0.1")) == ()
    assert wanted_by(a_bundle()) == ()
    assert wanted_by(None) == ()
    (tmp_path / "four@0.1" / "configs" / "inference.json").write_text("{")
    assert wanted_by(four) == ()


def test_all_are_suggested_from_one_chosen_series_whichever_it_is(ask: Ask) -> None:
    for one in STUDY:
        run, _ = ask(STUDY)
        choose(run, one)
        assert taken(run) == {name: other.key for name, other in zip(NAMES, STUDY, strict=True)}
        assert run.can_run
        assert run.state.message == "Ready."


def test_the_job_takes_each_by_its_name_and_results_refer_to_the_first(ask: Ask) -> None:
    run, office = ask(STUDY)
    choose(run, STUDY[3])
    run.start()
    ((source, title, options),) = office.asked
    assert (source, title) == (["1.0.dcm"], "of_several_channels@0.1")
    assert isinstance(options, dict)
    assert options["shows"] == "T1c"
    assert options["inputs"] == {"T1": ["1.1.dcm"], "T2": ["1.2.dcm"], "FLAIR": ["1.3.dcm"]}
    run.poll()
    assert run.analysed == ["1.0.dcm"]
    assert run.state.queue[0].image == "Invented – AX T1c TSE"


def test_a_name_is_a_word_of_its_own(ask: Ask) -> None:
    run, _ = ask([*STUDY[:1], a_series("1.9", "AX T1cranial"), *STUDY[2:]])
    choose(run, STUDY[2])
    assert taken(run)["T1"] == ""


def test_images_of_another_study_or_modality_are_not_suggested(ask: Ask) -> None:
    other = [a_series("1.7", "T1", group="9.9"), a_series("1.8", "T2", modality="CT")]
    run, _ = ask([STUDY[0], *other, STUDY[3]])
    choose(run, STUDY[0])
    assert taken(run) == {"T1c": "1.0", "T1": "", "T2": "", "FLAIR": "1.3"}


def test_two_that_fit_are_not_chosen_between(ask: Ask) -> None:
    run, _ = ask([*STUDY, a_series("1.5", "T2 SPACE")])
    choose(run, STUDY[0])
    assert taken(run)["T2"] == ""
    assert not run.can_run
    assert run.state.message == "Choose an image for: T2."
    run.choose_input("T2", "1.5")
    assert run.can_run
    assert taken(run)["T2"] == "1.5"


def test_of_two_that_fit_the_one_that_was_chosen_in_the_browser_is_taken(ask: Ask) -> None:
    run, _ = ask([*STUDY, a_series("1.5", "T2 SPACE")])
    choose(run, STUDY[0])
    run.prefer(["1.0", "1.5"])
    assert taken(run)["T2"] == "1.5"
    assert (run.can_run, run.state.message) == (True, "Ready.")
    assert taken(run)["T1"] == "1.1", "what fits alone needs no preference"
    run.prefer(["1.2", "1.5"])
    assert taken(run)["T2"] == ""


def test_it_refuses_by_name_while_one_is_missing_or_two_are_the_same(ask: Ask) -> None:
    run, office = ask(STUDY)
    choose(run, STUDY[0])
    run.choose_input("FLAIR", "")
    run.start()
    assert office.asked == []
    assert run.state.message == "Choose an image for: FLAIR."
    run.choose_input("FLAIR", "1.2")
    run.start()
    assert office.asked == []
    assert run.state.message == "T2, FLAIR have the same image: choose one for each."
    run.choose_input("FLAIR", "1.3")
    run.start()
    assert len(office.asked) == 1


def test_an_image_that_says_nothing_is_taken_for_the_first(ask: Ask) -> None:
    run, _ = ask([])
    run.choose_source("folder", "a folder", kind=SourceKind.FOLDER)
    assert taken(run) == {"T1c": "chosen", "T1": "", "T2": "", "FLAIR": ""}
    assert ("chosen", "a folder") in run.image_choices


def test_volumes_of_the_scene_are_matched_by_their_names(ask: Ask) -> None:
    class Node:
        """Stands for a volume node, which nothing here looks into."""

    nodes = [Node() for _ in NAMES]
    volumes = [
        Candidate(
            key=f"v{n}",
            text=name,
            words=name,
            group="1.2",
            open=lambda node=node: node,  # type: ignore[misc]
            node=node,
        )
        for n, (name, node) in enumerate(zip(NAMES, nodes, strict=True))
    ]
    run, office = ask(volumes)
    run.choose_source(nodes[1], "T1")
    run.start()
    ((source, _, options),) = office.asked
    assert source is nodes[0]
    assert isinstance(options, dict)
    assert list(options["inputs"].values()) == nodes[1:]


def test_images_of_an_unknown_study_may_be_of_two_patients_and_are_not_suggested(ask: Ask) -> None:
    run, _ = ask([a_series(f"1.{n}", name, group="") for n, name in enumerate(NAMES)])
    choose(run, run._images()[1])  # type: ignore[arg-type]  # a candidate
    assert taken(run) == {"T1c": "", "T1": "1.1", "T2": "", "FLAIR": ""}
    assert run.state.message == "Choose an image for: T1c, T2, FLAIR."


def test_images_of_two_patients_are_refused_by_name_until_they_are_of_one(ask: Ask) -> None:
    def of(patient: str, number: int) -> Candidate:
        made = a_series(f"{patient}.{number}", NAMES[number], group=patient)
        return replace(made, patient=lambda: patient.strip("?"))

    images = [of(patient, number) for patient in ("A", "B", "?") for number in range(4)]
    run, office = ask(images)
    choose(run, images[0])
    assert run.can_run
    run.choose_input("T2", "B.2")
    run.choose_input("FLAIR", "B.3")
    run.start()
    assert office.asked == []
    assert run.state.message == "T2, FLAIR show another patient than T1c: choose images of one patient."
    run.choose_input("T1c", "?.0")
    assert run.state.message == "T2, FLAIR show another patient than T1: choose images of one patient."
    run.choose_input("T1", "B.1")
    assert (run.can_run, run.state.message) == (True, "Ready."), "of one image it is not known"
    run.choose_input("T1c", "A.0")
    assert not run.can_run
    assert "'B'" not in repr(run.state.inputs), "no patient's ID where a state is printed"


def test_another_model_of_one_image_needs_no_table(ask: Ask) -> None:
    run, office = ask(STUDY)
    choose(run, STUDY[1])
    run.choose_bundle("brain@1")
    assert run.state.inputs == ()
    run.start()
    ((*what, options),) = office.asked
    assert what == [["1.1.dcm"], "brain@1"]
    assert without_place(options) == {"identity": "keep", "device": "auto"}


def test_an_image_that_is_gone_is_missing(ask: Ask) -> None:
    at_hand = list(STUDY)
    run, _ = ask(at_hand)
    choose(run, STUDY[0])
    del at_hand[2]
    run.refresh_series([(one.key, one.text) for one in at_hand])
    assert taken(run)["T2"] == ""
    assert not run.can_run


def test_choosing_nothing_empties_the_table(ask: Ask) -> None:
    run, _ = ask(STUDY)
    choose(run, STUDY[0])
    run.choose_source(None, "")
    assert set(taken(run).values()) == {""}
    assert not run.can_run
    assert run.state.message == "Choose an image."


def test_rows_say_what_is_missing() -> None:
    rows = [InputRow(name="T1c"), InputRow(name="T1", key="1", text="AX T1")]
    assert input_rows(rows) == [("T1c", "none yet: choose one"), ("T1", "AX T1")]
    assert inputs_text([]) == ""
