"""Presets: what they say, what they choose, and a site's own ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicermedai.deid.dates import AgeRule, DateRule
from slicermedai.deid.presets import PRESETS, Preset, load_preset, preset_named, presets, safe_harbor, save_preset
from slicermedai.deid.profile import IMPLEMENTED, Option
from slicermedai.deid.table import load_table
from slicermedai.errors import IdentityError

OWN = Preset(
    name="our-trial",
    title="Unsere Studie – Größe bleibt",
    explanation=("Dates stay.", "Devices stay."),
    options=frozenset({Option.RETAIN_FULL_DATES, Option.RETAIN_DEVICE_IDENTITY}),
    dates=DateRule.KEEP,
    ages=AgeRule.CAP,
)
OPTION_SETS = st.frozensets(st.sampled_from([o for o in Option if o.value not in ("113106", "113107")]))


def plain(**changes: Any) -> dict[str, Any]:
    body = {
        "format": "slicermedai de-identification preset 1",
        "name": "our-trial",
        "title": "Ours",
        "explanation": ["Sentence."],
        "options": ["113107"],
        "dates": "shift",
        "ages": "as-it-is",
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}


def test_the_built_in_presets_are_what_their_names_say() -> None:
    assert list(PRESETS) == ["basic", "research", "hipaa-safe-harbor"]
    assert (PRESETS["basic"].options, PRESETS["basic"].dates) == (frozenset(), DateRule.REMOVE)
    assert PRESETS["research"].dates is DateRule.SHIFT
    assert (PRESETS["hipaa-safe-harbor"].dates, PRESETS["hipaa-safe-harbor"].ages) == (DateRule.YEAR_ONLY, AgeRule.CAP)


def test_no_built_in_preset_keeps_uids_institutions_devices_or_full_dates() -> None:
    for preset in PRESETS.values():
        assert not preset.options & {
            Option.RETAIN_UIDS,
            Option.RETAIN_INSTITUTION_IDENTITY,
            Option.RETAIN_DEVICE_IDENTITY,
            Option.RETAIN_FULL_DATES,
        }


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_an_explanation_names_every_option_that_is_chosen_and_no_other(preset: Preset) -> None:
    named = {option for option in Option if option.value in " ".join(preset.explanation)}
    assert named == preset.options


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_a_preset_gives_its_profile_or_names_what_is_missing(preset: Preset) -> None:
    if preset.options <= IMPLEMENTED:
        assert preset.profile.options == preset.options
    else:
        with pytest.raises(IdentityError, match="is not available"):
            assert preset.profile


def test_safe_harbor_answers_all_eighteen_identifiers() -> None:
    assert "".join(identifier.letter for identifier in safe_harbor()) == "ABCDEFGHIJKLMNOPQR"
    assert all(identifier.what and identifier.how for identifier in safe_harbor())


@pytest.mark.parametrize("identifier", safe_harbor(), ids=lambda identifier: identifier.letter)
def test_no_option_of_safe_harbor_keeps_what_it_must_remove(identifier: Any) -> None:
    rows = {row.keyword: row for row in load_table().rows}
    options = [option.value for option in PRESETS["hipaa-safe-harbor"].options]
    for keyword in identifier.attributes:
        row = rows[keyword]
        assert set(row.basic) <= set("XZDU/*")
        assert not [code for code in options if (row.options or {}).get(code)], keyword


@given(OPTION_SETS, st.sampled_from(DateRule), st.sampled_from(AgeRule), st.text(min_size=1).filter(str.strip))
def test_a_saved_preset_comes_back_without_loss(
    tmp_path_factory: pytest.TempPathFactory, options: frozenset[Option], dates: DateRule, ages: AgeRule, title: str
) -> None:
    chosen = options | ({Option(dates.option)} if dates.option else set())
    title = title.encode("utf-8", "ignore").decode()
    preset = Preset(name="x-1", title=title or "x", explanation=(title,), options=chosen, dates=dates, ages=ages)
    assert load_preset(save_preset(tmp_path_factory.mktemp("preset") / "own.json", preset)) == preset


def test_a_sites_own_presets_join_the_built_in_ones(tmp_path: Path) -> None:
    save_preset(tmp_path / "own.json", OWN)
    assert presets(tmp_path) == {**PRESETS, "our-trial": OWN}
    assert preset_named("our-trial", tmp_path) == OWN
    assert presets(tmp_path / "absent") == PRESETS == presets()


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    save_preset(tmp_path / "a.json", OWN)
    save_preset(tmp_path / "b.json", OWN)
    with pytest.raises(IdentityError, match=r"b\.json, name: has the name of another preset"):
        presets(tmp_path)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(IdentityError, match=r"'hippa'.*Known: basic, hipaa-safe-harbor, research"):
        preset_named("hippa")


@pytest.mark.parametrize(
    ("changes", "attribute"),
    [
        ({"format": None}, "format"),
        ({"format": "slicermedai de-identification preset 2"}, "format"),
        ({"ages": None}, "ages: is missing"),
        ({"colour": "red"}, "colour: is no field"),
        ({"options": ["113999"], "dates": "remove"}, "options: has a value that is not known"),
        ({"options": "113107"}, "options: must be a list"),
        ({"options": [113107]}, "options: must be a list"),
        ({"dates": "shuffle"}, "dates: has a value"),
        ({"dates": 7}, "dates: must be text"),
        ({"dates": "keep"}, "options: dates: keep goes with 113106"),
        ({"dates": "remove"}, "options: dates: remove goes with neither"),
        ({"options": []}, "options: dates: shift goes with 113107"),
        ({"options": ["113106", "113107"]}, "options: dates: shift goes with 113107"),
        ({"ages": "cap"}, "ages: has a value"),
        ({"name": "Our Trial"}, "name: a preset's name"),
        ({"name": "../x"}, "name: a preset's name"),
        ({"title": " "}, "title: a preset needs"),
        ({"explanation": []}, "title: a preset needs"),
    ],
)
def test_a_wrong_preset_is_refused_by_file_and_field(tmp_path: Path, changes: dict[str, Any], attribute: str) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps(plain()), encoding="utf-8")
    assert load_preset(path).dates is DateRule.SHIFT
    path.write_text(json.dumps(plain(**changes)), encoding="utf-8")
    with pytest.raises(IdentityError, match=rf"own\.json, {attribute}"):
        load_preset(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b" " * 200_000])
def test_what_is_no_preset_at_all_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.json"
    path.write_bytes(content)
    with pytest.raises(IdentityError, match=r"own\.json"):
        load_preset(path)
    with pytest.raises(IdentityError, match=r"absent\.json"):
        load_preset(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("rule", "option", "modified", "da", "dt", "tm"),
    [
        (DateRule.REMOVE, None, "REMOVED", None, None, None),
        (DateRule.SHIFT, "113107", "MODIFIED", "20200101", "20200101103000.5+0100", "103000"),
        (DateRule.YEAR_ONLY, "113107", "MODIFIED", "20200101", "2020", None),
        (DateRule.KEEP, "113106", "UNMODIFIED", "20200102", "20200102103000.5+0100", "103000"),
    ],
)
def test_a_date_rule_says_what_it_does_and_does_it(
    rule: DateRule, option: str | None, modified: str, da: str | None, dt: str | None, tm: str | None
) -> None:
    assert (rule.option, rule.modified) == (option, modified)
    assert rule.apply("DA", "20200102", -1) == da
    assert rule.apply("DT", "20200102103000.5+0100", -1) == dt
    assert rule.apply("TM", "103000", -1) == tm


def test_an_age_rule_caps_text_and_numbers_alike() -> None:
    assert [AgeRule.CAP.apply(age) for age in ("089Y", "090Y", "102Y", "bad")] == ["089Y", "090Y", "090Y", None]
    assert [AgeRule.CAP.apply_years(age) for age in (89.0, 89.5, 102.0)] == [89.0, 90.0, 90.0]
    assert (AgeRule.AS_IT_IS.apply("102Y"), AgeRule.AS_IT_IS.apply_years(102.0)) == ("102Y", 102.0)
