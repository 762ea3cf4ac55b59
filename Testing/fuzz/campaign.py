"""Damaged inputs for every reader: a typed error or a valid object, in time, and nothing is written elsewhere."""

from __future__ import annotations

import contextlib
import random
import signal
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from slicermedai.deid.run import DeidSettings, deidentify_all
from slicermedai.dicom.inputs import open_source
from slicermedai.domain.result import AnalysisResult
from slicermedai.errors import MedAIError
from slicermedai.export.read_back import read_result
from slicermedai.export.run import export_result
from slicermedai.pacs.hl7 import parse_order
from Testing.export.cases import SPECS, Case, a_case
from Testing.export.test_pmap import a_map, with_maps
from Testing.export.test_sr_regions import BOX, POINT, detected
from Testing.fixtures.grids import AXIAL, grid
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series
from Testing.fuzz.mutations import damaged

LIMIT = 20
"""Seconds that one input may take."""
_ORDER = (
    b"MSH|^~\\&|RIS|H|MEDAI|H|20261122101500||ORM^O01|17|P|2.5.1\rPID|1||P-1^^^H||Roe^Jane||19700101|F\r"
    b"ORC|NW|A1|F1\rOBR|1|A1|F1|CT HEAD||20261122101500||||||||||||||||||CT\rIPC|A1|RP|1.2.3|SPS\r"
)


@dataclass(slots=True)
class Figures:
    """How many inputs ended how; ``faults`` are (reader, kind of input, seed, what happened)."""

    inputs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    valid: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, str, int, str]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.inputs} damaged inputs: {sum(self.valid.values())} read, {sum(self.refused.values())} refused"]
        readers = sorted({*self.valid, *self.refused})
        lines += [
            f"  {name}: {self.valid[name]} read, {self.refused[name]} refused by a typed error" for name in readers
        ]
        lines += [f"  FAULT {name} on {kind}, seed {seed}: {what}" for name, kind, seed, what in self.faults]
        return "\n".join([*lines, f"faults: {len(self.faults)}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A good input, and the reader that takes it from a folder of its own."""

    reader: str
    kind: str
    files: tuple[bytes, ...]
    name: str
    read: Callable[[Path], object]


def campaign(count: int, *, seed: int = 1) -> Figures:
    """``count`` damaged inputs, spread evenly over the readers and kinds of input."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        root = Path(folder)
        seeds = list(good_inputs(root / "good"))
        (root / "here").mkdir()
        with contextlib.chdir(root / "here"):
            for number in range(count):
                figures.inputs += 1
                _try(seeds[number % len(seeds)], figures, root, seed * 1_000_003 + number)
    return figures


def _try(one: Seed, figures: Figures, root: Path, seed: int) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="one-", dir=root) as folder:
        place = Path(folder) / "inputs"
        place.mkdir()
        hit = rng.randrange(len(one.files))
        for number, data in enumerate(one.files):
            made = damaged(data, rng) if number == hit else data
            (place / one.name.format(number=number)).write_bytes(made)
        before = _listing(Path(folder), root)
        try:
            with _in_time(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                one.read(place)
        except MedAIError:
            figures.refused[one.reader] += 1
        except Exception as error:  # noqa: BLE001  # that is what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "slicermedai" in frame.filename]
            at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else f"{where.filename}:{where.lineno}"
            figures.faults.append((one.reader, one.kind, seed, f"{type(error).__name__}: {str(error)[:120]} at {at}"))
        else:
            figures.valid[one.reader] += 1
        strays = _listing(Path(folder), root) - before
        if strays:
            figures.faults.append((one.reader, one.kind, seed, f"wrote outside its folder: {sorted(strays)[:3]}"))


def _listing(own: Path, root: Path) -> set[str]:
    """What lies beside the folder of this input, and in the folder that the process stands in."""
    beside = {str(path) for path in root.iterdir() if path != own}
    return beside | {str(path) for path in Path.cwd().iterdir()}


@contextmanager
def _in_time() -> Iterator[None]:
    """TimeoutError after LIMIT seconds; a hang inside a C library ends the process instead, which fails the run too."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"took more than {LIMIT} s")

    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


# --- good inputs -----------------------------------------------------------------------------------------------------


def good_inputs(folder: Path) -> Iterator[Seed]:
    """Series of several kinds, our own objects, a saved result, an order."""
    volume, _ = head_phantom(grid(AXIAL, shape=(5, 16, 14), spacing=(12.0, 12.0, 12.0)))
    for kind, spec in SPECS.items():
        paths = write_series(volume, folder / kind, spec=spec)
        files = tuple(Path(path).read_bytes() for path in paths)
        yield Seed(reader="open_source", kind=kind, files=files, name="{number:03d}.dcm", read=open_source)
        yield Seed(reader="deidentify", kind=kind, files=files, name="{number:03d}.dcm", read=_deidentify)
    for kind, files in _objects(folder):
        yield Seed(reader="read_result", kind=kind, files=files, name="{number}.dcm", read=_read_objects)
    for path in _bundles(folder):
        yield Seed(
            reader="read_result",
            kind=path.stem,
            files=(path.read_bytes(),),
            name="{number}.json",
            read=_read_objects,
        )
    saved = a_case().result.save(folder / "result")
    for path in sorted(saved.rglob("*")):
        if path.is_file():
            yield Seed(
                reader="AnalysisResult.load",
                kind=path.name,
                files=(path.read_bytes(),),
                name=path.name,
                read=_loader(saved, path.relative_to(saved)),
            )
    yield Seed(reader="parse_order", kind="ORM", files=(_ORDER,), name="order.hl7", read=_parse_order)


def _objects(folder: Path) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    cases: dict[str, tuple[Case, tuple[str, ...]]] = {
        "seg and sr": (a_case(), ("seg", "sr")),
        "enhanced": (a_case(spec=SPECS["enhanced MR"]), ("seg", "sr")),
        "map": (with_maps(a_case(), a_map(a_case())), ("pmap",)),
        "label map": (a_case(), ("seg-labelmap",)),
        "boxes": (detected(a_case(), BOX, POINT, probability=0.61), ("sr-regions",)),
    }
    for kind, (case, formats) in cases.items():
        place = folder / kind
        place.mkdir(parents=True)
        made = export_result(case.result, headers=case.headers, folder=place, formats=formats)
        yield kind, tuple(path.read_bytes() for path in made)


def _bundles(folder: Path) -> list[Path]:
    case, place = a_case(), folder / "bundles"
    place.mkdir(parents=True)
    formats = ("seg", "sr", "fhir", "fhir-r5")
    made = export_result(case.result, headers=case.headers, folder=place, formats=formats)
    return [path for path in made if path.suffix == ".json"]


def _deidentify(place: Path) -> object:
    return deidentify_all(sorted(place.iterdir()), place.parent / "out", DeidSettings())


def _read_objects(place: Path) -> object:
    return read_result(sorted(place.iterdir()))


def _parse_order(place: Path) -> object:
    return parse_order((place / "order.hl7").read_bytes())


def _loader(saved: Path, name: Path) -> Callable[[Path], object]:
    """Load the saved result with one of its files in damaged form."""
    others = {path.relative_to(saved): path.read_bytes() for path in saved.rglob("*") if path.is_file()}

    def load(place: Path) -> object:
        folder = place.parent / "result"
        for path, data in others.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes((place / name.name).read_bytes() if path == name else data)
        return AnalysisResult.load(folder)

    return load
