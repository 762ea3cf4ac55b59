"""Run a command and write what it cost, as JSON, to ``$MEASURED_RESULT``: ``measured.py COMMAND ...``.

A small process of its own, since a child's peak memory counts what its parent held when it was started.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main(command: list[str]) -> int:
    """CPU seconds (user and system), peak memory in MB of the largest process, wall seconds, exit status."""
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        log = os.open(os.environ.get("MEASURED_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.execvp(command[0], command)
    _, status, usage = os.wait4(child, 0)
    told = {
        "status": os.waitstatus_to_exitcode(status),
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2),
        "wall_s": time.perf_counter() - start,
    }
    Path(os.environ["MEASURED_RESULT"]).write_text(json.dumps(told), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
