"""Children of the tests that need not load their modules first, since they are forks of a process that has them.

What such a child runs is the product's own program, with the arguments, the environment, the folder and the streams
that it would have as a process of its own; only modules that it would load have been imported when it begins. So it
shows nothing about the time that a start takes, and nothing about what is loaded and what not: that is asked of a child
that was started cold (``@pytest.mark.cold_children``). Linux alone.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from slicermedai.jobs import interpreter

LIBRARIES = ("numpy", "scipy.ndimage", "pydicom", "SimpleITK", "highdicom", "highdicom.sr")
OWN = (
    "slicermedai.app.keeping",
    "slicermedai.app.plan_bench",
    "slicermedai.app.report_earlier",
    "slicermedai.app.report_sending",
    "slicermedai.batch.making",
    "slicermedai.batch.planning",
    "slicermedai.batch.sheet",
    "slicermedai.batch.work",
    "slicermedai.bundles.registry",
    "slicermedai.cli.main",
    "slicermedai.cli.worker",
    "slicermedai.console.cohorts",
    "slicermedai.console.models",
    "slicermedai.deid.preview",
    "slicermedai.deid.run",
    "slicermedai.export.forecast",
    "slicermedai.export.run",
    "slicermedai.pipeline",
    "slicermedai.report.build",
)
"""What most children need: libraries, and modules of the product that start nothing when they are imported."""
NETWORKS = (
    "torch",
    "monai.bundle",
    "monai.inferers",
    "monai.networks.nets",
    "monai.transforms",
    "slicermedai.confidence.run",
    "slicermedai.inference.check",
    "slicermedai.inference.runner",
    "slicermedai.validate.record_plots",
)
"""What children need that run a model."""
_HERE = Path(__file__).parent


class WarmChildren:
    """The process that has loaded :data:`LIBRARIES` and :data:`OWN`, and a program that stands for Python before it.

    Parameters
    ----------
    folder:
        Of its socket and of the program.

    Attributes
    ----------
    python:
        The program. ``-m slicermedai...`` it has run by a fork; all else, and what has another environment of Python's,
        by Python itself, as a new process.
    pid:
        The number of the process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._address = folder, folder / "socket"
        self._loaded: set[str] = set()
        self.python = folder / "python"
        (folder / "tmp").mkdir(parents=True)
        self._environment = interpreter.environment(folder / "tmp")
        self._life, self.pid = self._started()
        text = (_HERE / "client.py").read_text(encoding="utf-8")
        own = {name: text for name, text in self._environment.items() if name.startswith("PYTHON")}
        call = f"main({str(self._address)!r}, {sys.executable!r}, {own!r})\n"
        self.python.write_text(f"#!{sys.executable} -IS\n{text}\n\n{call}", encoding="utf-8")
        self.python.chmod(0o755)

    def load(self, names: Sequence[str]) -> None:
        """Have it load more, from now on; returns at once."""
        new = [name for name in names if name not in self._loaded]
        self._loaded.update(new)
        if new:
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(str(self._address))
                one.sendall(("load " + " ".join(new) + "\n").encode("ascii"))

    def close(self) -> None:
        """End it, with all of its forks."""
        os.close(self._life)

    def _started(self) -> tuple[int, int]:
        """The end of a pipe with which it ends, and its number: it is no child of this process, and told by none."""
        reading, life = os.pipe()
        program = [sys.executable, str(_HERE / "server.py"), str(self._address), str(reading), *LIBRARIES, *OWN]
        environment = {**self._environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        try:
            done = subprocess.run(program, pass_fds=[reading], stdout=subprocess.PIPE, env=environment, check=True)
        finally:
            os.close(reading)
        return life, int(done.stdout)
