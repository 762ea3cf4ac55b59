"""Dates that move by whole days or lose all but their year, and ages that are capped."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicermedai.deid.dates import PLACEHOLDERS, as_date, cap_age, shift, shift_da, shift_dt, shift_tm, year_only
from slicermedai.deid.pseudonym import SHIFT_DAYS

DAYS = st.dates(date(1840, 1, 1), date(2199, 12, 31)).filter(lambda day: day not in PLACEHOLDERS)
SHIFTS = st.integers(-SHIFT_DAYS[1], -SHIFT_DAYS[0])
TIMES = st.from_regex(r"\A([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9](\.[0-9]{1,6})?)?)?\Z")
OFFSETS = st.sampled_from(["", "+0000", "+0530", "-1200", "+1400"])


def written(day: date) -> str:
    return f"{day:%Y%m%d}"


@given(DAYS, DAYS, SHIFTS)
def test_intervals_between_dates_stay(first: date, second: date, days: int) -> None:
    moved = [as_date(shift_da(written(day), days) or "") for day in (first, second)]
    if all(moved):
        assert moved[1] - moved[0] == second - first  # type: ignore[operator]  # both are there


@given(DAYS, SHIFTS)
def test_a_date_moves_by_exactly_the_shift_into_the_past_and_back(day: date, days: int) -> None:
    moved = shift_da(written(day), days)
    assert moved == written(day + timedelta(days))
    assert moved < written(day)
    if as_date(moved):
        assert shift_da(moved, -days) == written(day)


@given(DAYS, TIMES, OFFSETS, SHIFTS)
def test_time_of_day_fraction_and_offset_of_a_datetime_stay(day: date, time: str, offset: str, days: int) -> None:
    moved = written(day + timedelta(days))
    assert shift_dt(f"{written(day)}{time}{offset}", days) == f"{moved}{time}{offset}"


@given(DAYS, DAYS, SHIFTS)
def test_a_range_and_a_list_move_as_their_parts_do(first: date, second: date, days: int) -> None:
    one, two = shift_da(written(first), days), shift_da(written(second), days)
    for move in (shift_da, shift_dt):
        assert move(f"{written(first)}-{written(second)}", days) == f"{one}-{two}"
        assert move(f"{written(first)}\\{written(second)}", days) == f"{one}\\{two}"
        assert move(f"{written(first)}-", days) == f"{one}-"
        assert move(f"-{written(first)}", days) == f"-{one}"


@given(st.text(alphabet="0123456789.-+\\ ab\u0663", max_size=24), SHIFTS)
def test_whatever_comes_in_a_result_is_empty_or_a_date_or_nothing(text: str, days: int) -> None:
    for vr in ("DA", "DT"):
        for result in (shift(vr, text, days), year_only(vr, text)):
            assert result is None or set(result) <= set("0123456789.-+\\")
            assert result is None or result.strip("\\") == "" or (shift(vr, result, 0) is not None or "0101" in result)


@pytest.mark.parametrize(
    ("text", "days", "moved"),
    [
        ("20200301", -1, "20200229"),
        ("20190301", -1, "20190228"),
        ("19000301", -1, "19000228"),
        ("20000301", -1, "20000229"),
        ("20200101", -1, "20191231"),
        ("20201231", 1, "20210101"),
        ("20200229", -365, "20190301"),
        ("2020.02.29", -366, "2019.02.28"),
        (" 20200102 ", -1, "20200101"),
        ("202003", -31, "202002"),
        ("2020", -366, "2019"),
        ("", -1, ""),
    ],
)
def test_leap_years_year_ends_and_precision(text: str, days: int, moved: str) -> None:
    assert shift_da(text, days) == moved


@pytest.mark.parametrize(
    "text",
    [
        *("20190229", "20201301", "20200100", "00000000", "2020-01-01", "01.02.2020", "Muster", "17991231", "22000101"),
        *("99991231", "202001011", "2020.0101", "-", "20200101-x", "٢٠٢٠٠١٠١", *map(written, sorted(PLACEHOLDERS))),
    ],
)
def test_what_is_no_date_or_a_placeholder_is_not_passed_on(text: str) -> None:
    assert shift_da(text, -4000) is None


def test_a_date_that_would_leave_the_calendar_is_emptied() -> None:
    assert shift_da("18050601", -4000) is None
    assert shift_da("21990601", 4000) is None
    assert shift_da("20200601", -(10**6)) is None


def test_of_several_values_only_the_invalid_one_is_lost() -> None:
    assert shift_da("20200102\\Muster\\20200103", -1) == "20200101\\\\20200102"
    assert shift_da("Muster\\Erika", -1) is None


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("20200102-0500", "20200101-0500"),
        ("2019-2020", "2019-2020"),
        ("20200102+0100-20200103+0100", "20200101+0100-20200102+0100"),
        ("20200102101112.5", "20200101101112.5"),
        ("2020010223", "2020010123"),
    ],
)
def test_a_hyphen_in_a_datetime_is_an_offset_where_it_can_be_one(text: str, moved: str) -> None:
    assert shift_dt(text, -1) == moved


@pytest.mark.parametrize(
    "text", ["2020010225", "20200102101161", "20200102.5", "20200102+1500", "2020010", "2020 0102"]
)
def test_what_is_no_datetime_is_not_passed_on(text: str) -> None:
    assert shift_dt(text, -1) is None


@pytest.mark.parametrize("text", ["101112.123456", "10", "1011", "235960", "10:11:12.5", "1011-1213", "-1011", ""])
def test_times_of_day_stay(text: str) -> None:
    assert shift_tm(text, -4000) == text


@pytest.mark.parametrize("text", ["25", "1", "1060", "noon", "10-11-12-13"])
def test_what_is_no_time_of_day_is_not_passed_on(text: str) -> None:
    assert shift_tm(text, -4000) is None


@pytest.mark.parametrize(
    ("vr", "text", "year"),
    [
        ("DA", "20200517", "20200101"),
        ("DA", "2020.05.17", "20200101"),
        ("DA", "20200517-20210102", "20200101-20210101"),
        ("DT", "20200517101112.5+0100", "2020"),
        ("DT", "2020+0100", "2020"),
        ("DT", "202005", "2020"),
        ("DA", "Muster", None),
        ("DT", "Muster", None),
        ("DT", "19000101", None),
        ("TM", "101112", None),
    ],
)
def test_year_only_leaves_nothing_but_the_year(vr: str, text: str, year: str | None) -> None:
    assert year_only(vr, text) == year


@given(st.integers(0, 999))
def test_no_age_over_89_years_is_left(years: int) -> None:
    assert cap_age(f"{years:03d}Y") == ("090Y" if years > 89 else f"{years:03d}Y")


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("018M", "018M"),
        ("3W", "003W"),
        ("", ""),
        ("92", None),
        ("about 92", None),
        ("092y", None),
        ("091Y\\004D", "090Y\\004D"),
    ],
)
def test_ages_in_other_units_and_what_is_no_age(text: str, age: str | None) -> None:
    assert cap_age(text) == age


@pytest.mark.parametrize(
    ("text", "day"),
    [("20200517", date(2020, 5, 17)), ("20200517101112", date(2020, 5, 17)), ("2020", None), ("19000101", None)],
)
def test_a_day_is_read_from_a_full_date_alone(text: str, day: date | None) -> None:
    assert as_date(text) == day
