"""Installing and removing Python packages with pip, without touching what was there before. For child processes.

``slicer.packaging.pip_ensure`` is not used: in the window's process it waits in a loop of its own behind a dialog that
nobody can cancel, knows no folder of wheels and keeps no record of what it added; in a child process, where Slicer's
application is not, it calls pip just as this does.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from slicermedai.errors import PackagesError
from slicermedai.jobs import distributions, interpreter
from slicermedai.jobs.distributions import constraints, installed, name_of, unmet
from slicermedai.jobs.install_record import InstallRecord
from slicermedai.jobs.torch_build import AUTO, EXTENSION, FAMILY, Build, Graphics, build_of, choose_build, look
from slicermedai.jobs.wheels import lacking, wheels_in

Say = Callable[[str], object]
_OPTIONS = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-warn-script-location")
_KEPT = 400
"""Lines of pip that are searched for its errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What installing would do here.

    Parameters
    ----------
    missing:
        The requirements that are not met.
    refused:
        Why it cannot be done, in sentences; none where it can.
    build:
        The build of PyTorch, where it or what goes with it is missing and comes from the network.
    wheels:
        The folder that all comes from, None for the network.
    """

    missing: tuple[str, ...]
    refused: tuple[str, ...] = ()
    build: Build | None = None
    wheels: Path | None = None


def plan(
    requirements: Sequence[str],
    *,
    wheels: Path | None = None,
    torch: str = AUTO,
    find: Callable[[], Sequence[Graphics]] = look,
) -> Plan:
    """Look what is to be done, and what stands against it; nothing is changed. BLOCKS for some seconds.

    ``find`` says which graphics processors there are, and is asked where that decides.

    Raises
    ------
    PackagesError
        The wheel folder cannot be read, or the record of what was installed.
    """
    versions, record = installed(), InstallRecord()
    missing = unmet(requirements, versions)
    refused = [*_not_ours(missing, versions, record), *_not_writable(missing)]
    if wheels is not None:
        refused += [f"{wheels} lacks: {text}" for text in lacking(missing, wheels_in(wheels), versions)]
        return Plan(missing=tuple(missing), refused=tuple(refused), wheels=wheels)
    build = _build(missing, versions, torch, find)
    return Plan(missing=tuple(missing), refused=tuple(refused), build=build)


def _build(
    missing: Sequence[str], versions: dict[str, str], wanted: str, find: Callable[[], Sequence[Graphics]]
) -> Build | None:
    """The build that fits; where PyTorch is there and what goes with it is not, the build that PyTorch is of."""
    names = {name_of(one) for one in missing}
    if "torch" in names:
        return choose_build(find() if wanted in (AUTO, EXTENSION) else [], wanted=wanted)
    return build_of(versions.get("torch", "")) if names.intersection(FAMILY) else None


def install(made: Plan, *, say: Say) -> dict[str, str]:
    """Do what was planned; ``say`` gets each line of pip. Returns what was added, name -> version.

    Raises
    ------
    PackagesError
        It was refused, another installation is going on, or pip failed. What pip brought before stays, on record.
    """
    if made.refused:
        raise PackagesError("; ".join(made.refused), advice="Nothing was changed.")
    record, added = InstallRecord(), dict[str, str]()
    with record.alone():
        for requirements, options in _calls(made):
            record.begin(requirements, source=str(made.wheels or (made.build and made.build.index) or "index"))
            try:
                _pip_install(requirements, options, record.report, say)
            except PackagesError as error:
                raise PackagesError(error.message, advice=_hint(made, options)) from error
            finally:
                added |= record.settle()
    return added


def _hint(made: Plan, options: Sequence[str]) -> str | None:
    """A hospital may let PyTorch's own index not through, but another one that pip knows of."""
    if made.build is None or made.build.index not in options:
        return None
    return f"If {made.build.index} cannot be reached, set torch to pypi: pip then takes the build of the index it has."


def remove(*, say: Say) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Remove what MedAI installed and nobody else needs; returns (what went, what stays and who needs it).

    Raises
    ------
    PackagesError
        Something is being installed, or pip failed.
    """
    record = InstallRecord()
    with record.alone():
        ours = record.ours()
        kept = _kept(ours)
        going = {name: version for name, version in ours.items() if name not in kept}
        if going:
            distributions.list_half_copied(going)
            _run([*_pip("uninstall"), "--yes", "--disable-pip-version-check", *sorted(going)], say)
        record.forget(going)
    return going, kept


def collect(requirements: Sequence[str], folder: Path, *, build: Build, say: Say) -> list[Path]:
    """Download the wheels of ``requirements`` and all they need, for a computer as this one without a network.

    Raises
    ------
    PackagesError
        The folder cannot be written, or pip failed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PackagesError(f"cannot be made ({error.strerror})", file=folder) from error
    names = {name_of(one) for one in requirements}
    with tempfile.TemporaryDirectory(prefix="medai-pip-") as scratch:
        kept = _written(scratch, constraints(installed(), free=names))
        options = ["--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        options += ["--dest", str(folder), "--constraint", str(kept)]
        torch = [one for one in requirements if name_of(one) in FAMILY]
        if torch and build.index:
            _run([*_pip("download"), *options, "--index-url", build.index, *torch], say)
        pins = {one.name: f"{one.name}=={one.version}" for one in wheels_in(folder) if one.name in FAMILY and one.fits}
        chosen = [one for one in requirements if name_of(one) not in pins]
        _run([*_pip("download"), *options, "--find-links", str(folder), *pins.values(), *chosen], say)
    return [wheel.path for wheel in wheels_in(folder)]


def _calls(made: Plan) -> list[tuple[list[str], list[str]]]:
    """What pip is called with, one after the other: PyTorch from its own index first, so that the rest finds it."""
    if not made.missing:
        return []
    if made.wheels is not None:
        return [([*made.missing], ["--no-index", "--only-binary=:all:", "--find-links", str(made.wheels)])]
    torch = [one for one in made.missing if name_of(one) in FAMILY]
    rest = [one for one in made.missing if one not in torch]
    if made.build is None or not made.build.index:
        return [([*made.missing], ["--prefer-binary"])]
    calls = [(torch, ["--index-url", made.build.index]), (rest, ["--prefer-binary"])]
    return [call for call in calls if call[0]]


def _pip_install(requirements: list[str], options: list[str], report: Path, say: Say) -> None:
    free = {name_of(one) for one in requirements}
    with tempfile.TemporaryDirectory(prefix="medai-pip-") as scratch:
        kept = _written(scratch, constraints(installed(), free=free))
        command = [*_pip("install"), *_OPTIONS, *options, "--constraint", str(kept), "--report", str(report)]
        _run([*command, *requirements], say)


def _written(scratch: str, lines: list[str]) -> Path:
    path = Path(scratch) / "constraints.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _pip(verb: str) -> list[str]:
    return [interpreter.python(), "-m", "pip", verb]


def _run(command: list[str], say: Say) -> None:
    """Run pip to its end; its lines go to ``say``, and its errors become one."""
    lines: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        try:
            for line in process.stdout or ():
                lines = [*lines[-_KEPT:], line.rstrip()]
                say(line.rstrip())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise PackagesError("; ".join(_errors(lines)) or f"pip ended with status {process.returncode}")


def _errors(lines: Sequence[str]) -> list[str]:
    """What pip calls errors, and what it names as the cause of a conflict: indented lines below a head."""
    found, is_cause = list[str](), False
    for line in lines:
        is_cause = line.startswith("The conflict is caused by") or (is_cause and line.startswith(" "))
        if is_cause and line.startswith(" "):
            found.append(line.strip())
        elif line.startswith("ERROR:") and "ResolutionImpossible" not in line:
            found.append(line.removeprefix("ERROR:").strip().rstrip("."))
    return found


def _not_ours(missing: Sequence[str], versions: dict[str, str], record: InstallRecord) -> list[str]:
    """Packages that are there in another version, and that MedAI did not bring: they are somebody else's."""
    ours = record.ours()
    other = [(one, name_of(one)) for one in missing if name_of(one) in versions and name_of(one) not in ours]
    text = "{name} {version} is installed and {wanted} is needed: it is not MedAI's, and another extension may need it"
    return [text.format(name=name, version=versions[name], wanted=wanted) for wanted, name in other]


def _not_writable(missing: Sequence[str]) -> list[str]:
    """pip would then install into the person's own folder, which Slicer does not read."""
    place = distributions.library()
    try:
        if missing:
            with tempfile.TemporaryFile(dir=place):
                pass
    except OSError as error:
        return [f"{place} cannot be written ({error.strerror}): start once with the rights to change this installation"]
    return []


def _kept(ours: dict[str, str]) -> dict[str, list[str]]:
    """What others need stays, and with it what that needs itself."""
    versions, going, kept = installed(), dict(ours), dict[str, list[str]]()
    while needed := distributions.needed_by(going, versions):
        for name, owners in needed.items():
            kept[name] = owners
            going.pop(name)
    return kept
