"""A day of a researcher in small: twelve studies, real jobs in two processes, killed twice, and gone on with."""

from __future__ import annotations

import time
from pathlib import Path

from slicermedai.console import cohorts
from Testing.batch.day import figures, leftovers, run_with_kills
from Testing.batch.studies import write_day


def test_after_two_kills_every_case_is_accounted_for_exactly_once(tmp_path: Path, rules: Path, tiny: Path) -> None:
    began = time.monotonic()
    day = write_day(tmp_path, studies=12)
    cohort = cohorts.make(tmp_path / "cohort", day.folder, rules, bundle=str(tiny), device="cpu", exclude=day.exclude)
    assert cohort.counts() == {"waiting": 6, "refused": 5, "excluded": 1}
    killed = run_with_kills(cohort, workers=2, kills=(1, 1))
    found = figures(cohort, day, kills=killed, seconds=time.monotonic() - began)
    assert killed == 4
    assert found.is_right, found
    assert (found.cases, found.done) == (12, 6)
    assert leftovers(cohort) == []
    reasons = " ".join(cohort.standing(name).reason for name in cohort.names())
    for words in ("is damaged", "tilted by 12.0", "no series fits", "alike", "mixed frames", "exclusion list"):
        assert words in reasons
