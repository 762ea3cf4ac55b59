"""Reference implementations from PyPI, in an environment of their own that borrows PyTorch and MONAI from ours."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import tempfile
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
PEERS = ("netcal", "crepes", "torchmetrics", "surface-distance", "scikit-learn", "monai")
_LIMIT_S = 900


@dataclass
class Peers:
    """The peers' environment, made on demand in ``folder``; ``absent`` says why one cannot be asked."""

    folder: Path
    versions: dict[str, str] = field(default_factory=dict)
    absent: str = ""

    def prepare(self) -> None:
        """Make the environment where it is missing, and note the versions."""
        if not self.python.exists():
            venv.create(self.folder, with_pip=True)
        self._borrow()
        wanted = [name for name in PEERS if self._version(name) is None]
        if wanted:
            command = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
            self.absent = (done.stderr.strip().splitlines() or ["pip failed"])[-1][:120] if done.returncode else ""
        self.versions = {name: self._version(name) or "absent" for name in PEERS}

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def ask(self, name: str, **arrays: Any) -> dict[str, Any] | None:
        """What function ``name`` of the runner answers; None where it failed (``absent`` says why)."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "given.npz"
            np.savez(path, **arrays)
            command = [str(self.python), str(HERE / "peer_runner.py"), name, str(path)]
            variables = {**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S, env=variables)
        if done.returncode:
            self.absent = (done.stderr.strip().splitlines() or ["failed"])[-1][:120]
            return None
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer

    def _borrow(self) -> None:
        scheme = "venv" if "venv" in sysconfig.get_scheme_names() else sysconfig.get_default_scheme()
        place = sysconfig.get_path("purelib", scheme, {"base": str(self.folder), "platbase": str(self.folder)})
        (Path(place) / "zz_project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")

    def _version(self, name: str) -> str | None:
        code = f"from importlib.metadata import version; print(version({name!r}))"
        done = subprocess.run([str(self.python), "-c", code], capture_output=True, text=True, check=False, timeout=120)
        return done.stdout.strip() if done.returncode == 0 else None
