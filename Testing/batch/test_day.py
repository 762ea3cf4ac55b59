"""A day of a researcher in small: twelve studies with all faults, out of a real archive, chosen by rule, run by real
jobs in two processes, killed twice, gone on with, and accounted for in table and sheet. `Scripts/soak batch` does 60.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slicermedai.console import cohorts
from Testing.batch.day import figures, leftovers, run_with_kills, through_archive
from Testing.batch.studies import FAULTS, write_day
from Testing.pacs.orthanc import Orthanc, running


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Orthanc]:
    """Orthanc, or a skip by its name."""
    with running(tmp_path / "orthanc") as made:
        yield made


def test_out_of_an_archive_and_after_two_kills_every_case_is_accounted_for_exactly_once(
    tmp_path: Path, rules: Path, tiny: Path, archive: Orthanc
) -> None:
    began = time.monotonic()
    day = write_day(tmp_path, studies=12)
    assert len(day.wrong) == len(FAULTS) - 1, "all kinds; copies are none"
    fetched, _, others = through_archive(tmp_path, day, archive)
    assert others == 1, "an archive takes no damaged file"
    cohort = cohorts.make(tmp_path / "cohort", fetched, rules, bundle=str(tiny), device="cpu", exclude=day.exclude)
    assert cohort.counts() == {"waiting": 6, "refused": 5, "excluded": 1}
    killed = run_with_kills(cohort, workers=2, kills=(1, 1))
    found = figures(cohort, day, kills=killed, seconds=time.monotonic() - began)
    assert killed == 4
    assert found.is_right, found
    assert (found.cases, found.done) == (12, 6)
    assert leftovers(cohort) == []
    reasons = " ".join(cohort.standing(name).reason for name in cohort.names())
    for words in ("1 slice missing", "tilted by 12.0", "no series fits", "alike", "mixed frames", "exclusion list"):
        assert words in reasons
