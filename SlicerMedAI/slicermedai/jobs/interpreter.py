"""Which Python runs a worker, and in which environment.

Outside Slicer it is ``sys.executable``. Inside, that may be Slicer's own binary, which would open a second Slicer: then
it is ``PythonSlicer``, which lies beside it or on the PATH that Slicer sets. The environment is the one of the running
process, since Slicer's Python needs the library paths that Slicer's launcher set (``slicer.util.startupEnvironment`` is
the environment from before that, and is for programs that are not Slicer's).
"""

from __future__ import annotations

import os
import shutil
import site
import sys
import sysconfig
from pathlib import Path

from slicermedai.domain import settings
from slicermedai.errors import WorkerCrashed
from slicermedai.jobs.home import home

_PACKAGES = Path(__file__).resolve().parents[2]


def python() -> str:
    """The path of the Python that workers run in.

    Raises
    ------
    WorkerCrashed
        None was found.
    """
    running = Path(sys.executable or "")
    if running.name.lower().startswith("python"):
        return str(running)
    places = os.pathsep.join([str(running.parent), str(running.parent.parent / "bin"), os.environ.get("PATH", "")])
    found = shutil.which("PythonSlicer", path=places)
    if found is None:
        raise WorkerCrashed(
            "no Python was found to run it in",
            file=running,
            advice="Start Slicer by its launcher, so that PythonSlicer is on the PATH.",
        )
    return found


def environment(temporary: Path) -> dict[str, str]:
    """The environment of a worker: this process's, this package importable, and all temp files in ``temporary``.

    Where the package is installed, the worker finds it by itself: what is on PYTHONPATH comes before the standard
    library, and all that is installed must not. It works with the same settings as this process, and keeps its home
    should somebody set another one meanwhile.
    """
    values = dict(os.environ)
    if not _is_installed():
        paths = [str(_PACKAGES), *filter(None, [values.get("PYTHONPATH", "")])]
        values["PYTHONPATH"] = os.pathsep.join(paths)
    values.update({"PYTHONUTF8": "1", "PYTHONFAULTHANDLER": "1", "PYTHONSAFEPATH": "1"})
    values.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP", settings.SETTINGS["scratch"].variable), str(temporary)))
    values.update(
        {settings.FILE_VARIABLE: str(settings.settings_file()), settings.SETTINGS["home"].variable: str(home())}
    )
    return values


def _is_installed() -> bool:
    """Whether this package lies where every Python of this installation looks by itself."""
    places = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    places |= {*site.getsitepackages(), site.getusersitepackages()}
    return _PACKAGES in {Path(place).resolve() for place in places}
