"""A model is suggested by modality and part of the body; what a person chose is changed for a nearer one alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai import Label
from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.suggesting import (
    BESIDE,
    ELSEWHERE,
    FITS,
    OTHER_MODALITY,
    UNKNOWN,
    Shows,
    better,
    distance,
    made_for,
    parts_apart,
)
from slicermedai.bundles.manifest import read_bundle
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.codes import ANATOMY, Code
from Testing.app.test_guided_run import Office, PlannedJob, a_bundle, a_result
from Testing.inference.tiny_bundle import write_tiny_bundle

LIVER = Label(name="Liver", category=ANATOMY, type=Code(value="10200004", scheme="SCT", meaning="Liver"))


def a_liver(name: str = "liver", modality: tuple[str, ...] = ("CT",)) -> BundleRef:
    return replace(a_bundle(name), modality=modality, labels=((1, LIVER),))


def a_head(name: str = "head_ct") -> BundleRef:
    return replace(a_bundle(name), modality=("CT",))


@pytest.mark.parametrize(
    ("shows", "far"),
    [
        (Shows(modality="CT", body_part="ABDOMEN"), FITS),
        (Shows(modality="CT", body_part="PELVIS"), BESIDE),
        (Shows(modality="CT", body_part="CHESTABDPELVIS"), FITS),
        (Shows(modality="CT"), UNKNOWN),
        (Shows(modality="CT", body_part="what a name"), UNKNOWN),
        (Shows(), UNKNOWN),
        (Shows(modality="MR", body_part="ABDOMEN"), OTHER_MODALITY),
    ],
)
def test_an_image_is_as_far_from_a_model_as_its_part_of_the_body(shows: Shows, far: float) -> None:
    assert distance(a_liver(), shows) == far


def test_parts_farther_apart_are_farther() -> None:
    head, leg = (distance(a_liver(), Shows(modality="CT", body_part=part)) for part in ("HEAD", "LEG"))
    assert ELSEWHERE < leg < OTHER_MODALITY
    assert ELSEWHERE < head < OTHER_MODALITY


def test_what_a_bundle_says_counts_before_where_its_labels_lie(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "tiny@0.1") or tmp_path / "tiny@0.1"
    entry = tmp_path / "tiny@0.1" / "medai.json"
    said = json.loads(entry.read_text(encoding="utf-8"))
    entry.write_text(json.dumps({**said, "body_parts": ["FOOT"]}), encoding="utf-8")
    assert folder
    assert made_for(read_bundle(tmp_path / "tiny@0.1")) == {"leg"}


def test_the_nearest_model_is_suggested_and_a_neighbour_or_an_unknown_one_is_left_alone() -> None:
    models = [a_head(), a_liver(), a_liver("liver_mr", ("MR",))]
    abdomen = Shows(modality="CT", body_part="ABDOMEN")
    found = better(a_head(), models, abdomen)
    assert found is not None
    assert found.name == "liver"
    assert better(a_liver(), models, Shows(modality="CT", body_part="CHEST")) is None
    assert better(a_head(), models, Shows(modality="CT")) is None
    assert better(a_head(), [a_head()], abdomen) is None
    assert better(None, models, abdomen) is None


def test_the_part_of_the_body_decides_between_models_of_one_modality_and_is_told() -> None:
    run = GuidedRun(submit=Office(PlannedJob([], a_result())).submit, bundles=lambda: [a_head(), a_liver()])
    run.refresh_bundles()
    assert run.state.title == "head_ct@1"
    run.choose_source("belly", "Belly", modality="CT", body_part="ABDOMEN")
    assert run.state.title == "liver@1"
    assert run.state.message == "Ready."
    run.choose_bundle("head_ct@1")
    told = "head_ct@1 is made for the head, and the image shows the abdomen: choose another model."
    assert run.state.message.startswith(told)
    run.choose_source("belly", "Belly", modality="CT", body_part="ABDOMEN")
    assert run.state.title == "head_ct@1", "what a person chose afterwards stays"
    run.choose_source("head", "Head", modality="CT", body_part="HEAD")
    assert (run.state.title, run.state.message) == ("head_ct@1", "Ready.")


def test_only_parts_that_lie_apart_are_told() -> None:
    assert parts_apart(a_liver(), Shows(modality="CT", body_part="PELVIS")) == ("", "")
    assert parts_apart(a_liver(), Shows(modality="MR", body_part="HEAD")) == ("", ""), "the modality is told instead"
    assert parts_apart(a_liver(), Shows(modality="CT", body_part="HEAD")) == ("abdomen", "head")
    assert parts_apart(None, Shows()) == ("", "")
