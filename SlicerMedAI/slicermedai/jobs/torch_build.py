"""Which build of PyTorch a computer can use: by its graphics processors, their driver, and the operating system.

Facts: a program built with any CUDA 12 runs on drivers from 525 on, one built with CUDA 13 from 580 on (NVIDIA, CUDA
Compatibility, minor version compatibility); Blackwell (compute capability 10 and more) needs CUDA 12.8 and driver 570.
PyTorch's builds with CUDA 12.6 reach from Maxwell (5.0) to Hopper (9.0), those with 12.8 end with Blackwell, those with
13.0 begin with Turing (7.5) (PyTorch, RELEASE.md, CUDA support matrix, releases 2.8 to 2.14).
"""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

AUTO, EXTENSION, PYPI, CPU = "auto", "extension", "pypi", "cpu"
CHOICES = (AUTO, EXTENSION, PYPI, CPU, "cu126", "cu128", "cu130")
"""What the setting ``torch`` takes: the one that fits, Slicer's extension, what pip takes by itself, or a build."""
INDEX = "https://download.pytorch.org/whl/"
FAMILY = ("torch", "torchvision")
"""What has to be of one build, and comes from one index."""
OLDEST_DRIVER = (525, 60)
_TURING, _BLACKWELL = 7.5, 10.0
_SECONDS = 20.0
_ASKED = ("name,driver_version,compute_cap", "name,driver_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphics:
    """A graphics processor of NVIDIA; ``capability`` is 0 where an old driver does not tell it."""

    name: str
    driver: tuple[int, ...]
    capability: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """``index`` is where pip finds it, "" for the package index it has anyway; ``why`` is for people."""

    name: str
    index: str
    why: str


def choose_build(
    found: Sequence[Graphics], *, wanted: str = AUTO, system: str = "", tr: Callable[[str], str] = str
) -> Build:
    """The build for these processors, or the ``wanted`` one.

    Parameters
    ----------
    system:
        As :func:`platform.system` says it; "" for this computer's.
    tr:
        Gives an English text in the person's language.
    """
    if wanted not in (AUTO, EXTENSION):
        return _build(wanted, tr("as it is set"))
    if (system or platform.system()) == "Darwin":
        return _build(PYPI, tr("macOS: one build for all, with Apple's graphics"))
    if not found:
        return _build(CPU, tr("no graphics processor of NVIDIA was found"))
    best = max(found, key=lambda one: one.capability)
    name = _for(best)
    told = {"name": best.name, "driver": ".".join(map(str, best.driver))}
    if name == CPU:
        text = tr("{name} has driver {driver}, which is too old for CUDA 12: update it, then install again")
        return _build(CPU, text.format(**told))
    return _build(name, tr("{name} with driver {driver}").format(**told))


def build_of(version: str, *, tr: Callable[[str], str] = str) -> Build | None:
    """The build that an installed PyTorch says it is of ("2.9.1+cu130"), None where it is that of the package index."""
    name = version.partition("+")[2]
    return _build(name, tr("that of the installed PyTorch")) if re.fullmatch(r"cpu|cu\d+", name) else None


def look() -> list[Graphics]:
    """What ``nvidia-smi`` tells, nothing where there is none. BLOCKS for up to some seconds: for child processes."""
    for asked in _ASKED:
        command = ["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            return []
        if done.returncode == 0:
            return parse(done.stdout)
    return []


def parse(text: str) -> list[Graphics]:
    """The lines of ``nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader``."""
    rows = [[part.strip() for part in line.split(",")] for line in text.splitlines()]
    return [_graphics(row) for row in rows if len(row) >= 2 and re.match(r"\d+(\.\d+)+$", row[1])]


def _graphics(row: list[str]) -> Graphics:
    told = row[2] if len(row) > 2 and re.fullmatch(r"\d+\.\d+", row[2]) else "0"
    return Graphics(name=row[0], driver=tuple(map(int, row[1].split("."))), capability=float(told))


def _for(one: Graphics) -> str:
    if one.driver < OLDEST_DRIVER or (one.capability >= _BLACKWELL and one.driver < (570,)):
        return CPU
    if one.driver >= (580,) and one.capability >= _TURING:
        return "cu130"
    return "cu128" if one.capability >= _BLACKWELL else "cu126"


def _build(name: str, why: str) -> Build:
    return Build(name=name, index="" if name == PYPI else f"{INDEX}{name}", why=why)
