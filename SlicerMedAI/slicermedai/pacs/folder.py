"""A folder as destination: the fake that ships. It has a real one's manners, and its faults where it is told to.

Objects lie in ``STUDY/SERIES/INSTANCE.dcm``. ``medai-folder.toml`` beside them may say how it misbehaves:

.. code-block:: toml

    refuse_association = false    # nobody gets in
    refuse_sop_classes = []       # UIDs that it does not take
    fail_every = 0                # every n-th object: out of resources
    forget_every = 0              # every n-th object: "stored", and is not
    seconds_per_object = 0.0      # slow
    capacity_bytes = 0            # full beyond this (0: as much as the disk holds)
"""

from __future__ import annotations

import dataclasses
import shutil
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread

from slicermedai.dicom.files import READ_ERRORS, quiet
from slicermedai.domain.storage import atomic_file, sha256_file
from slicermedai.errors import DiskFullError, OutputError, PeerRefusedError, PeerUnreachableError
from slicermedai.pacs.objects import ObjectRef, is_uid
from slicermedai.pacs.store import KEYS, Level, Outcome, Pace, Record, SendItem, Verdict, matches

CONFIGURATION = "medai-folder.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How the folder behaves; the defaults are those of a good one."""

    refuse_association: bool = False
    refuse_sop_classes: tuple[str, ...] = ()
    fail_every: int = 0
    forget_every: int = 0
    seconds_per_object: float = 0.0
    capacity_bytes: int = 0


class FolderStore:
    """Implements :class:`slicermedai.pacs.store.Store` on ``root``, which must exist."""

    def __init__(self, root: Path) -> None:
        self._root = Path(root)
        self._count = 0

    def echo(self) -> None:
        """Raises PeerUnreachableError where the folder is not there, PeerRefusedError where it lets nobody in."""
        self._enter()

    def send(self, items: Sequence[SendItem]) -> Iterator[Outcome]:
        """Copy each file to its place, whole or not at all; one with other bytes in its place is refused."""
        manners = self._enter()
        for item in items:
            time.sleep(manners.seconds_per_object)
            self._count += 1
            verdict, reason, unsupported = self._take(item, manners)
            yield Outcome(
                sop_instance_uid=item.ref.sop_instance_uid, verdict=verdict, reason=reason, unsupported=unsupported
            )

    def find(self, level: Level, keys: Mapping[str, str]) -> list[Record]:
        """Look into the headers of all files; one record for each study, series or instance."""
        self._enter()
        found: dict[str, Record] = {}
        for path in self._files():
            record = _record(path)
            unique = record[f"{_UNIQUE[level]}InstanceUID"]
            if matches(record, keys) and unique not in found:
                found[unique] = {name: record.get(name, "") for name in KEYS[level]} | {"count": "0"}
            if unique in found:
                found[unique]["count"] = str(int(found[unique]["count"]) + 1)
        return [_with_count(record, level) for record in found.values()]

    def retrieve(self, study_uid: str, folder: Path, *, pace: Pace) -> None:
        """Copy a study into ``folder``; a study that is not there gives nothing."""
        manners = self._enter()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = self._root / study_uid if is_uid(study_uid) else self._root / "none"
        for path in sorted(place.glob("*/*.dcm")):
            pace()
            time.sleep(manners.seconds_per_object)
            with atomic_file(folder / path.name) as partial:
                shutil.copyfile(path, partial)

    def verify(self, refs: Sequence[ObjectRef]) -> frozenset[str]:
        """Those whose file is there; with the same bytes, where ``refs`` say their hash."""
        self._enter()
        return frozenset(ref.sop_instance_uid for ref in refs if self._has(ref))

    def _enter(self) -> Manners:
        if not self._root.is_dir():
            raise PeerUnreachableError("the folder is not there", file=self._root, advice="Make or mount it.")
        manners = _manners(self._root / CONFIGURATION)
        if manners.refuse_association:
            raise PeerRefusedError("the association was refused", file=self._root, attribute="refuse_association")
        return manners

    def _take(self, item: SendItem, manners: Manners) -> tuple[Verdict, str, bool]:
        place = self._place(item.ref)
        if item.ref.sop_class_uid in manners.refuse_sop_classes:
            return Verdict.REFUSED, f"{item.ref.kind} is not accepted", True
        if manners.fail_every and self._count % manners.fail_every == 0:
            return Verdict.FAILED, "out of resources", False
        if manners.forget_every and self._count % manners.forget_every == 0:
            return Verdict.ACCEPTED, "", False
        if place.exists():
            same = sha256_file(place) == sha256_file(item.file)
            return (Verdict.ACCEPTED, "", False) if same else (Verdict.REFUSED, "is there with other bytes", False)
        return self._copy(item.file, place, manners)

    def _copy(self, file: Path, place: Path, manners: Manners) -> tuple[Verdict, str, bool]:
        if manners.capacity_bytes:
            used = sum(path.stat().st_size for path in self._files())
            if used + file.stat().st_size > manners.capacity_bytes:
                return Verdict.FAILED, "out of resources: full", False
        try:
            with atomic_file(place) as partial:
                shutil.copyfile(file, partial)
        except DiskFullError:
            return Verdict.FAILED, "out of resources: full", False
        except (OutputError, OSError) as error:
            return Verdict.FAILED, f"cannot be written ({type(error).__name__})", False
        return Verdict.ACCEPTED, "", False

    def _has(self, ref: ObjectRef) -> bool:
        place = self._place(ref)
        return place.is_file() and ref.sha256 in ("", sha256_file(place))

    def _place(self, ref: ObjectRef) -> Path:
        return self._root / ref.study_uid / ref.series_uid / f"{ref.sop_instance_uid}.dcm"

    def _files(self) -> list[Path]:
        return sorted(path for path in self._root.glob("*/*/*.dcm") if not path.name.startswith("."))


_UNIQUE = {Level.STUDY: "Study", Level.SERIES: "Series", Level.IMAGE: "SOP"}


def _with_count(record: Record, level: Level) -> Record:
    count = record.pop("count")
    return record | ({"NumberOfStudyRelatedInstances": count} if level is Level.STUDY else {})


def _record(path: Path) -> Record:
    names = sorted({name for keys in KEYS.values() for name in keys})
    try:
        with quiet():
            dataset = dcmread(path, stop_before_pixels=True, specific_tags=[*names, "Modality"])
            record = {name: str(dataset.get(name, "") or "") for name in names}
            return record | {"ModalitiesInStudy": record["Modality"]}
    except READ_ERRORS as error:
        raise PeerRefusedError(f"holds a file that cannot be read ({type(error).__name__})", file=path) from error


def _manners(path: Path) -> Manners:
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise PeerRefusedError(f"cannot be read ({type(error).__name__})", file=path) from error
    good = {field.name: field.default for field in dataclasses.fields(Manners)}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for name, value in values.items():
        if name not in good or not isinstance(value, type(good[name])):
            raise PeerRefusedError("is no setting of a folder, or of the wrong type", file=path, attribute=name)
    return Manners(**values)
