"""What MedAI has installed into this Python, so that exactly that can be removed again.

One file for each Python, in the folder ``packages`` of the home. A run is written down before pip begins, with what was
there, and pip itself writes what it is about to install; so a run that was killed is accounted for by the next look.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slicermedai.domain import locks
from slicermedai.domain.storage import write_text
from slicermedai.errors import PackagesError
from slicermedai.jobs.distributions import canonical, installed, library
from slicermedai.jobs.home import home

_FORMAT = 1


class InstallRecord:
    """The record of one Python: by default of this one, ``place`` being its library, in the ``folder`` of the home."""

    def __init__(self, folder: Path | None = None, *, place: Path | None = None) -> None:
        self.place = place or library()
        key = hashlib.sha256(os.fsencode(self.place)).hexdigest()[:12]
        self.folder = folder or home() / "packages"
        self.path = self.folder / f"{key}.json"
        self.report = self.folder / f"{key}.report.json"
        """Where pip writes what it is about to install."""
        self._lock = self.folder / f"{key}.lock"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold this Python for one installation or removal.

        Raises
        ------
        PackagesError
            Another one is going on, or the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = locks.take(self._lock)
        except BlockingIOError as error:
            raise PackagesError(
                "packages are being installed or removed by another process",
                file=self.place,
                advice="Wait until it has ended, then try again.",
            ) from error
        except OSError as error:
            raise PackagesError(f"the record cannot be written ({error.strerror})", file=self.folder) from error
        try:
            self.settle()
            yield
        finally:
            locks.release(held)

    @property
    def is_busy(self) -> bool:
        """Whether something is being installed or removed now."""
        return bool(locks.is_held(self._lock))

    def begin(self, asked: Iterable[str], *, source: str) -> None:
        """Write down what is there before pip comes."""
        self.report.unlink(missing_ok=True)
        body = self._read()
        run = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "source": source, "asked": list(asked)}
        body["open"] = {**run, "before": installed()}
        self._write(body)

    def settle(self, *, whole: bool = False) -> dict[str, str]:
        """Account for the run that was begun; returns what it has added, name -> version.

        ``whole`` counts all that is new since then, where no report of pip says what belongs to it.
        """
        body = self._read()
        run = body.pop("open", None)
        if run is None:
            return {}
        now, before = installed(), run.pop("before")
        planned = now if whole else self._planned()
        own = self._ours(body)
        added = {
            name: version
            for name, version in planned.items()
            if now.get(name) == version and (name not in before or (name in own and before[name] != version))
        }
        body["runs"] = [*body["runs"], {**run, "added": added}]
        self._write(body)
        self.report.unlink(missing_ok=True)
        return added

    def ours(self) -> dict[str, str]:
        """What MedAI installed and is still there as it was: canonical name -> version."""
        known = self._ours(self._read())
        now = installed(known)
        return {name: version for name, version in known.items() if now.get(name) == version}

    def forget(self, names: Iterable[str]) -> None:
        """These are not there any more, or are not MedAI's any more."""
        body, gone = self._read(), set(names)
        for run in body["runs"]:
            run["added"] = {name: version for name, version in run["added"].items() if name not in gone}
        body["runs"] = [run for run in body["runs"] if run["added"]]
        self._write(body)

    def _ours(self, body: Mapping[str, Any]) -> dict[str, str]:
        return {name: version for run in body["runs"] for name, version in run["added"].items()}

    def _planned(self) -> dict[str, str]:
        """What pip's report names; nothing where it came to none, since then it installed nothing."""
        try:
            parts = json.loads(self.report.read_text(encoding="utf-8"))["install"]
            return {canonical(one["metadata"]["name"]): str(one["metadata"]["version"]) for one in parts}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _read(self) -> dict[str, Any]:
        if not self.path.exists():
            return {"medai_packages": _FORMAT, "python": str(self.place), "runs": []}
        try:
            body = json.loads(self.path.read_text(encoding="utf-8"))
            if body["medai_packages"] != _FORMAT or not isinstance(body["runs"], list):
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PackagesError(
                "the record of what was installed cannot be read",
                file=self.path,
                advice="Remove the file: what was installed then stays, and is not removed by MedAI any more.",
            ) from error
        return dict(body)

    def _write(self, body: Mapping[str, Any]) -> None:
        write_text(self.path, json.dumps(body, indent=1))
