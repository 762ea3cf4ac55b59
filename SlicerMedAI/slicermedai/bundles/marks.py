"""Whether a model goes by what a person marks, as its files say it: nothing of it is imported, loaded or run.

It does where a step of its configuration draws clicks into the image (DeepGrow, DeepEdit), or where its network's
``forward`` takes ``point_coords`` and ``point_labels`` (as MONAI's VISTA3D does). Networks are looked up in the
bundle's own code and in MONAI's. What a run then makes of marks is for the run to say.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slicermedai.bundles.manifest import read_config
from slicermedai.bundles.registry import list_bundles
from slicermedai.domain.bundle import BundleRef
from slicermedai.errors import BundleError

DRAWING = re.compile(r"^AddGuidanceSignal")
"""Steps that draw clicks into channels of the image."""
PLACES = frozenset({"point_coords", "point_labels"})
"""What a network that is asked about places takes beside the image."""
_NETWORK = "network_def"
_REFERENCE = re.compile(r"@([\w:#]+)")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_LIBRARY = "monai"
_NETWORKS = "networks/nets"


def models_by_marks() -> list[BundleRef]:
    """The installed bundles that go by marks, by name and version; not hashed."""
    return [ref for ref in list_bundles() if takes_marks(Path(ref.path))]


def takes_marks(folder: Path) -> bool:
    """True where the bundle in ``folder`` goes by points and boxes; False where that cannot be seen."""
    try:
        config = read_config(folder)
    except BundleError:
        return False
    if any(DRAWING.match(target.rpartition(".")[2]) for target in _targets(config)):
        return True
    return any(_takes_places(folder, name) for name in _names_of_network(config))


def _targets(value: Any) -> Iterator[str]:
    """Every ``_target_`` in ``value``, however deep, but for what is switched off."""
    if isinstance(value, dict):
        if value.get("_disabled_") is not True and isinstance(value.get("_target_"), str):
            yield value["_target_"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _targets(one)


def _names_of_network(config: dict[str, Any]) -> set[str]:
    """What the network may be called in code: targets and names in expressions, references followed."""
    found, waiting, seen = set[str](), [config.get(_NETWORK)], set[str]()
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            found.update(str(entry.get("_target_", "")).split())
        elif isinstance(entry, str):
            found.update(_NAME.findall(entry) if entry.startswith("$") else ())
            known = {name.partition("#")[0].partition("::")[0] for name in _REFERENCE.findall(entry)}
            waiting += [config.get(name) for name in known - seen]
            seen |= known
    return found


def _takes_places(folder: Path, name: str) -> bool:
    module, _, symbol = name.rpartition(".")
    return any(_defines(path, path.stat().st_mtime_ns, symbol) for path in _files(folder, module, symbol))


def _files(folder: Path, module: str, symbol: str) -> list[Path]:
    """The files of Python that may define ``symbol``."""
    first, *rest = module.split(".")
    if not all(part.isidentifier() for part in (*rest, symbol, first or symbol)):
        return []
    if module and first != _LIBRARY:
        place = folder.joinpath(first, *rest)
    else:
        library = _library()
        if library is None:
            return []
        place = library.joinpath(*rest) if module else library / _NETWORKS
    single = place.with_suffix(".py")
    found = [single] if single.is_file() else sorted(place.glob("*.py"))
    return [path for path in found if symbol in path.read_text(encoding="utf-8", errors="replace")]


def _library() -> Path | None:
    """Where MONAI lies, None where it is not installed; it is not imported."""
    try:
        spec = importlib.util.find_spec(_LIBRARY)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None


@functools.lru_cache(maxsize=256)
def _defines(path: Path, changed: int, symbol: str) -> bool:
    """True where the file ``path``, as it was at the time ``changed``, defines ``symbol`` as such a network, or as a
    function that makes one."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
    except (SyntaxError, ValueError):
        return False
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    if symbol in classes:
        return _forward_takes_places(classes, symbol, set())
    made = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == symbol]
    used = {one.id for node in made for one in ast.walk(node) if isinstance(one, ast.Name)}
    return any(_forward_takes_places(classes, name, set()) for name in used & set(classes))


def _forward_takes_places(classes: dict[str, ast.ClassDef], name: str, seen: set[str]) -> bool:
    """By its own ``forward``, or by that of what it stands on in the same file."""
    if name not in classes or name in seen:
        return False
    own = [node for node in classes[name].body if isinstance(node, ast.FunctionDef) and node.name == "forward"]
    if own:
        given = own[0].args
        return {one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)} >= PLACES
    bases = [base.id for base in classes[name].bases if isinstance(base, ast.Name)]
    return any(_forward_takes_places(classes, base, seen | {name}) for base in bases)
