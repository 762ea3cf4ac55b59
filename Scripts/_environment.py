"""The project's own environment: made once beside the checkout, remade when what it needs changes.

Standard library only: this file runs on whatever Python 3.11+ the person has.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("SLICERMEDAI_VENV", ROOT / ".venv"))
DATA = Path(os.environ.get("SLICERMEDAI_TEST_DATA", ROOT / ".data"))
CONSTRAINTS = ROOT / "Testing" / "constraints-slicer-5.12.txt"
NEEDS = {
    "run": [ROOT / "Scripts" / "requirements.txt"],
    "test": [ROOT / "Scripts" / "requirements.txt", ROOT / "Testing" / "requirements.txt"],
}
OLDEST = (3, 11)
PREFERRED = (3, 12)  # what Slicer 5.12 runs on


def ensure_environment(level: str = "run") -> None:
    """Go on inside the project's environment, made first where it is missing or out of date."""
    if Path(sys.prefix).resolve() == VENV.resolve() and _is_current(level):
        _prepare_variables()
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return
    if sys.version_info < OLDEST:
        sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0])
    if not _is_current(level):
        try:
            _make(level)
        except KeyboardInterrupt:
            _say(f"{Path(sys.argv[0]).name}: stopped while setting up; start it again to go on")
            sys.exit(130)
    _restart_inside()


def show_help(about: str | None) -> None:
    """End with ``about`` where the person asked for help, before anything is set up."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print((about or "").strip())
        sys.exit(0)


def environment_python() -> Path:
    """The environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _prepare_variables() -> None:
    paths = [str(ROOT / "SlicerMedAI"), str(ROOT)]
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(paths + [p for p in known if p and p not in paths])
    os.environ.setdefault("SLICERMEDAI_TEST_DATA", str(DATA))
    sys.path[:0] = [p for p in paths if p not in sys.path]


def _restart_inside() -> None:
    command = [str(environment_python()), *sys.argv]
    if os.name == "nt":  # exec on Windows returns to the shell too early
        try:
            sys.exit(subprocess.call(command))
        except KeyboardInterrupt:
            sys.exit(130)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C waits until the new Python can answer it
    os.execv(command[0], command)


def _stamp(level: str) -> str:
    digest = hashlib.sha256()
    for path in [
        ROOT / "pyproject.toml",
        *NEEDS[level],
        ROOT / "SlicerMedAI" / "Resources" / "requirements.txt",
        CONSTRAINTS,
    ]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_current(level: str) -> bool:
    marks = [VENV / f".made-for-{name}" for name in ("run", "test")]
    wanted = ["run", "test"] if level == "run" else ["test"]
    if not environment_python().exists():
        return False
    return any(
        mark.exists() and mark.read_text() == _stamp(mark.name.rpartition("-")[2])
        for mark in marks
        if mark.name.rpartition("-")[2] in wanted
    )


def _make(level: str) -> None:
    python = _best_python()
    _say(f"Setting up the environment in {VENV} (once; downloads PyTorch, some GB, and takes minutes) ...")
    if not _same_version(python) or not _has_pip():
        shutil.rmtree(VENV, ignore_errors=True)
        _finish([python, "-m", "venv", str(VENV)])
    pip = [str(environment_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    arguments = [part for needs in NEEDS[level] for part in ("-r", str(needs))]
    _finish([*pip, "-c", str(CONSTRAINTS), *arguments])
    _finish([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    (VENV / f".made-for-{level}").write_text(_stamp(level))
    _say("The environment is ready.")


def _finish(command: list[str]) -> None:
    """Run to the end; Ctrl-C is answered here alone, in words, and stops the child."""
    own_group = {"creationflags": 0x200} if os.name == "nt" else {"start_new_session": True}
    child = subprocess.Popen(command, stdout=sys.stderr, **own_group)
    try:
        code = child.wait()
    except KeyboardInterrupt:
        child.terminate() if os.name == "nt" else os.killpg(child.pid, signal.SIGTERM)
        child.wait()
        raise
    if code:
        sys.exit("The environment could not be made; the reason is above. Nothing else was changed.")


def _has_pip() -> bool:
    """False where making the environment was interrupted before pip was in it."""
    command = [str(environment_python()), "-m", "pip", "--version"]
    return subprocess.run(command, capture_output=True).returncode == 0


def _same_version(python: str) -> bool:
    wanted = _version_of([python])
    return wanted is not None and _version_of([str(environment_python())]) == wanted


def _best_python() -> str:
    for candidate in _candidates():
        if _version_of(candidate) == PREFERRED:
            return _executable_of(candidate)
    return sys.executable


def _candidates() -> list[list[str]]:
    name = ".".join(map(str, PREFERRED))
    found = [[sys.executable], [f"python{name}"], ["py", f"-{name}"]]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found += [[str(path)] for path in sorted(pyenv.glob(f"versions/{name}.*/bin/python"))]
    return found


def _version_of(command: list[str]) -> tuple[int, int] | None:
    try:
        code = "import sys; print(*sys.version_info[:2])"
        out = subprocess.run([*command, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(out[0]), int(out[1])


def _executable_of(command: list[str]) -> str:
    code = "import sys; print(sys.executable)"
    return subprocess.run([*command, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
