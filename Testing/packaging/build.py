"""The extension, built and installed by CMake with a stand-in for Slicer's macros.

``python -m Testing.packaging.build FOLDER [pytest arguments]`` installs it into ``FOLDER/installed``; with arguments it
then runs those tests against what was installed instead of the checkout.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).resolve().parent / "slicer"
MODULES = Path("lib") / "Slicer-5.12" / "qt-scripted-modules"
DESCRIPTION = Path("share") / "Slicer-5.12" / "MedAI-description.txt"
OURS = ("SlicerMedAI", "Resources", "CMakeLists.txt", "LICENSE", "README.md", "Testing/CMakeLists.txt")
"""What the build reads of a checkout."""
INSTALLED = ("SlicerMedAI/", "Resources/Docs/", "Resources/Screenshots/", "Resources/Models/")
"""What of a checkout is installed, but for the lists of CMake."""


def tool(name: str) -> str | None:
    """The program ``cmake`` or ``ninja`` of this environment (PyPI has both), else of the system."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)


def install(source: Path, folder: Path) -> Path:
    """Configure, build and install ``source`` below ``folder``; where Slicer's module folder then is.

    No compiler is needed: CMake is told that a program stands for one, since nothing here is compiled.

    :raises subprocess.CalledProcessError: CMake refused; its words are in ``stderr``
    """
    build, installed = folder / "build", folder / "installed"
    settings = {"Slicer_DIR": STAND_IN, "Python3_EXECUTABLE": sys.executable, "CMAKE_MAKE_PROGRAM": tool("ninja")}
    for language in ("C", "CXX"):
        settings[f"CMAKE_{language}_COMPILER"] = sys.executable
        settings |= {f"CMAKE_{language}_COMPILER_{skipped}": "ON" for skipped in ("FORCED", "ID_RUN")}
    _run("-G", "Ninja", "-S", source, "-B", build, *(f"-D{key}={value}" for key, value in settings.items()))
    _run("--build", build)
    _run("--install", build, "--prefix", installed)
    return installed / MODULES


def checkout_of(modules: Path, folder: Path) -> Path:
    """A checkout whose modules, library and pages are the installed ones, so that the same tests run on them.

    All else is of this checkout, as git lists it; git lists the new one too, for tests that ask it.

    :raises subprocess.CalledProcessError: this is no checkout of git
    """
    for name in filter(None, _git(ROOT, "ls-files", "-z").split("\0")):
        if not name.startswith(INSTALLED) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    left = shutil.ignore_patterns("__pycache__")
    shutil.copytree(modules, folder / "SlicerMedAI", dirs_exist_ok=True, ignore=left)
    shutil.copytree(modules / "Resources", folder / "Resources", dirs_exist_ok=True, ignore=left)
    shutil.copyfile(ROOT / "SlicerMedAI" / "CMakeLists.txt", folder / "SlicerMedAI" / "CMakeLists.txt")
    for pages in ("Docs", "Screenshots", "Models"):  # they are installed beside the modules' own
        shutil.rmtree(folder / "SlicerMedAI" / "Resources" / pages)
    for own in (ROOT / "SlicerMedAI" / "Resources").iterdir():
        shutil.rmtree(folder / "Resources" / own.name) if own.is_dir() else (folder / "Resources" / own.name).unlink()
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all")
    return folder


def environment(*paths: Path) -> dict[str, str]:
    """The variables of a process that finds Python files at ``paths`` and in the environment, and nowhere else."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}


def run_tests(checkout: Path, *arguments: str, shown: bool = False) -> subprocess.CompletedProcess[str]:
    """pytest in that checkout; the data of this one are used. What it says is kept, or where ``shown``, passed on."""
    data = os.environ.get("SLICERMEDAI_TEST_DATA", str(ROOT / ".data"))
    variables = {**environment(checkout / "SlicerMedAI", checkout), "SLICERMEDAI_TEST_DATA": data}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=checkout, env=variables, capture_output=not shown, text=True)


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def _run(*arguments: object) -> None:
    cmake = tool("cmake")
    subprocess.run([str(cmake), *map(str, arguments)], check=True, capture_output=True, text=True)


def main(folder: Path, *arguments: str) -> int:
    """Install below ``folder``, and run the tests that were named."""
    modules = install(ROOT, folder)
    sys.stdout.write(f"installed in {modules}\n")
    if not arguments:
        return 0
    return run_tests(checkout_of(modules, folder / "checkout"), *arguments, shown=True).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), *sys.argv[2:]))
