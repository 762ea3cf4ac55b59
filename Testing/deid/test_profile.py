"""The profile and its twelve options."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from slicermedai.deid import profile as profile_module
from slicermedai.deid.profile import BASIC, STEPS, Option, Profile
from slicermedai.errors import IdentityError


def test_there_are_twelve_options_with_the_codes_of_cid_7050() -> None:
    members = {code.value: code.meaning for code in codes.CID7050.concepts.values()}
    ours = {option.value: option.code.meaning for option in Option}
    assert len(ours) == 12
    assert {BASIC.value: BASIC.meaning, **ours} == {value: members[value] for value in (BASIC.value, *ours)}


@pytest.mark.parametrize("option", list(Option))
def test_every_option_can_be_chosen_and_is_claimed_unless_it_needs_a_step_that_did_not_run(option: Option) -> None:
    profile = Profile(frozenset({option}))
    assert profile.codes == (BASIC, option.code)
    assert profile.claims() == ((BASIC,) if option in STEPS else (BASIC, option.code))
    assert profile.claims(frozenset({option})) == (BASIC, option.code)


def test_a_step_that_was_not_asked_for_is_not_claimed() -> None:
    assert Profile().claims(STEPS) == (BASIC,)


def test_an_option_that_this_version_lacks_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_module, "IMPLEMENTED", frozenset({Option.CLEAN_GRAPHICS}))
    with pytest.raises(IdentityError, match=r"113112.*not available.*Available: Clean Graphics Option"):
        Profile(frozenset({Option.RETAIN_INSTITUTION_IDENTITY}))


def test_dates_cannot_be_kept_and_modified_at_once() -> None:
    with pytest.raises(IdentityError, match="at once"):
        Profile(frozenset({Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES}))


def test_the_basic_profile_alone_has_its_one_code() -> None:
    assert Profile().codes == (BASIC,)
