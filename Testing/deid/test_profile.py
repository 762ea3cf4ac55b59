"""The profile and its twelve options."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from slicermedai.deid.profile import BASIC, Option, Profile
from slicermedai.errors import IdentityError


def test_there_are_twelve_options_with_the_codes_of_cid_7050() -> None:
    members = {code.value: code.meaning for code in codes.CID7050.concepts.values()}
    ours = {option.value: option.code.meaning for option in Option}
    assert len(ours) == 12
    assert {BASIC.value: BASIC.meaning, **ours} == {value: members[value] for value in (BASIC.value, *ours)}


@pytest.mark.parametrize("option", list(Option))
def test_an_option_that_is_not_implemented_is_refused_by_name(option: Option) -> None:
    with pytest.raises(IdentityError, match=rf"{option.value}.*not available.*Available: the Basic profile"):
        Profile(frozenset({option}))


def test_the_basic_profile_alone_has_its_one_code() -> None:
    assert Profile().codes == (BASIC,)
