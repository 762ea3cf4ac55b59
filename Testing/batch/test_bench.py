"""What `Scripts/bench batch` says of its figures: one that was not measured is never called good."""

from __future__ import annotations

import pytest

from Scripts._bench_batch import growth, tell_goal


def test_a_growth_of_too_few_samples_is_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    tell_goal("growth", growth([100.0] * 4), 0.1)
    assert capsys.readouterr().out.startswith("NOT MEASURED growth")


@pytest.mark.parametrize(("last", "said"), [(105.0, "ok"), (120.0, "MISSED")])
def test_a_growth_that_was_measured_meets_its_goal_or_not(
    last: float, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = growth([100.0] * 20 + [last] * 20)
    assert found == pytest.approx(last / 100 - 1)
    tell_goal("growth", found, 0.1)
    assert capsys.readouterr().out.split()[0] == said
