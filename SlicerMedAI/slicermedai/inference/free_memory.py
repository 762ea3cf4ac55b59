"""How much memory there is for a run; nothing is loaded for it, since processes ask that need no more of the engine."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def available() -> float:
    """Bytes that this process may still take: of the machine, its control group and its own limit."""
    return min(_of_machine(), _of_group(), _of_limit())


def _of_machine() -> float:
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    return _physical()


def _physical() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _of_group() -> float:
    """Control groups of Linux, version 2 then 1."""
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            return float(int(Path(limit).read_text("ascii")) - _used(Path(used)))
        except (OSError, ValueError):
            continue
    return float("inf")


def _used(path: Path) -> int:
    """What the group uses, without the file cache that the kernel gives back when asked."""
    used = int(path.read_text("ascii"))
    stat = dict(line.split() for line in (path.parent / "memory.stat").read_text("ascii").splitlines())
    return used - int(stat.get("inactive_file", 0)) - int(stat.get("active_file", 0))


def _of_limit() -> float:
    if sys.platform == "win32":
        return float("inf")
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except (OSError, ValueError):
        return float(limit)
    return float(limit - pages * os.sysconf("SC_PAGE_SIZE"))
