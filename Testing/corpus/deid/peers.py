"""The tools to compare: peers in an environment of their own, and this project's command; each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass, field, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = ("dicognito", "deid", "dicom-anonymizer", "dcmanon")
OURS = "slicermedai"
OURS_BASIC = "slicermedai-basic"
PRESETS = {
    OURS: "research",  # what is asked of a research data set: dates shifted, reports, descriptions and pixels cleaned
    OURS_BASIC: "basic",  # the profile that the peers are nearest to; it reads no pixels
}
_LIMIT_S = 1800


@dataclass(frozen=True)
class Cost:
    """What one run took: CPU seconds, peak memory in MB, wall seconds; and how it ended."""

    status: int
    cpu_s: float
    peak_mb: float
    wall_s: float
    log: str = ""

    @property
    def failed(self) -> bool:
        """True where the tool did not do its work; 3 is ours for a step that no file had a use for (faces)."""
        return self.status not in (0, 3)


@dataclass(frozen=True)
class Tool:
    """A tool that can be run: its command, with INPUT, OUTPUT and KEY to be replaced, and its version."""

    name: str
    command: tuple[str, ...]
    version: str
    environment: dict[str, str] = field(default_factory=dict)
    rewriter: tuple[str, ...] = ()

    def alone(self) -> Tool | None:
        """The rewriter without what is around it, where it can be run like that."""
        return replace(self, command=self.rewriter, rewriter=()) if self.rewriter else None

    def run(self, source: Path, output: Path) -> Cost:
        """Run over a folder; the output folder does not exist yet."""
        with tempfile.TemporaryDirectory() as folder:
            words = {"INPUT": str(source), "OUTPUT": str(output), "KEY": str(Path(folder) / "project.key")}
            command = [words.get(word, word) for word in self.command]
            told, log = Path(folder) / "cost.json", Path(folder) / "log.txt"
            variables = {**os.environ, **self.environment, "MEASURED_RESULT": str(told), "MEASURED_LOG": str(log)}
            runner = [sys.executable, "-S", str(HERE / "measured.py"), *command]
            subprocess.run(runner, env=variables, timeout=_LIMIT_S, check=True)
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] if log.exists() else []
            return Cost(**json.loads(told.read_text(encoding="utf-8")), log=" ".join(last))


def find_tools(names: list[str], folder: Path) -> tuple[list[Tool], dict[str, str]]:
    """The tools that can run, and why the others cannot; ``folder`` holds the peers' environment, made on demand."""
    tools, absent = [], {}
    for name in names:
        found = ours(name) if name in PRESETS else peer(name, folder)
        if isinstance(found, Tool):
            tools.append(found)
        else:
            absent[name] = found
    return tools, absent


def ours(name: str = OURS) -> Tool | str:
    """This project's command with the preset of that name, or why it cannot be run."""
    command = [sys.executable, "-m", "slicermedai", "deid"]
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        return "not available: command deid missing"
    version = subprocess.run([*command[:3], "--version"], capture_output=True, text=True, check=False, timeout=120)
    _compile_ours()
    words = (*command, "INPUT", "OUTPUT", "--preset", PRESETS[name])
    rewriter = (sys.executable, str(HERE / "rewriter.py"), "INPUT", "OUTPUT") if name == OURS_BASIC else ()
    return Tool(name, words, version.stdout.strip().split()[-1], rewriter=rewriter)


def _compile_ours() -> None:
    """Leave byte code beside this checkout's sources, as pip does for a peer's when it installs it; where the
    environment keeps Python from writing any, every start would compile them anew."""
    package = HERE.parents[2] / "SlicerMedAI" / "slicermedai"
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(package)], check=True, timeout=_LIMIT_S)


def peer(name: str, folder: Path) -> Tool | str:
    """A peer from PyPI, installed where it is not yet, or why it cannot be run."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
    if _version(python, name) is None:
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
        if done.returncode:
            return f"not available: {(done.stderr.strip().splitlines() or ['pip failed'])[-1][:120]}"
    version = _version(python, name)
    if version is None:
        return "not available: installed, but its version cannot be told"
    words = (str(python), str(HERE / "peer_runner.py"), name, "INPUT", "OUTPUT")
    return Tool(name, words, version, {"PYTHONPATH": ""})


def _version(python: Path, name: str) -> str | None:
    code = f"from importlib.metadata import version; print(version({name!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False, timeout=120)
    return done.stdout.strip() if done.returncode == 0 else None
