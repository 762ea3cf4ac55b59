"""Memory that is taken away at random moments of a run: a clear sentence, and nothing that stays broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TIGHT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
"""glibc gives back what is freed, so that the next allocation meets the limit."""
TRIES = 12


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="absent: Linux's limits and figures of memory")
def test_memory_that_runs_out_at_random_moments_is_said_and_leaves_the_process_whole(tiny: Path) -> None:
    script = Path(__file__).parent / "under_limit.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tiny), str(TRIES), "7"],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, **TIGHT},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["same"], "a run after the limit was lifted finds something else"
    assert found["found"] > 0
    ended = [(kind, words) for *_, kind, words in found["ended"]]
    assert {kind for kind, _ in ended} <= {"done", "InputError"}, [words for kind, words in ended if kind == "stray"]
    said = [words for kind, words in ended if kind == "InputError"]
    assert said, "no try met its limit"
    for words in said:
        assert "memory" in words.partition(":")[0]
        assert "use a machine with more memory" in words
