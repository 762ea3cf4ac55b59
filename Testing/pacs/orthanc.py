"""A real archive: Debian's Orthanc with its DICOMweb plugin, on loopback, on free ports, in a folder of the test."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slicermedai.pacs.peers import Peer

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
TITLE, OURS = "ORTHANC", "SLICERMEDAI"
_START = 30.0


def program() -> str:
    """Orthanc's path, or a skip by its name."""
    found = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
    if found is None or not PLUGIN.exists():
        pytest.skip("absent: orthanc, orthanc-dicomweb (Debian); .ci/run installs them")
    return found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        return int(plain.getsockname()[1])


@dataclass
class Orthanc:
    """One archive that may be killed and started again; it keeps its objects in ``folder``."""

    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    scheme: str = "http"
    http_port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    our_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(self._configuration()))
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen([program(), str(path)], stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + _START
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, "Orthanc does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL: nothing is written any more."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.http_port}"

    def dimse(self, **more: Any) -> Peer:
        """Its DIMSE side as a destination."""
        settings = {"calling_ae_title": OURS, "listen_port": self.our_port, "timeout": 10.0, **more}
        return Peer(name="archive", kind="dimse", host="127.0.0.1", port=self.dicom_port, ae_title=TITLE, **settings)

    def web(self, **more: Any) -> Peer:
        """Its DICOMweb side as a destination."""
        return Peer(name="web-archive", kind="web", url=f"{self.url}/dicom-web", **{"timeout": 10.0, **more})

    def instances(self) -> list[str]:
        """The SOP Instance UIDs of all that it keeps, each as often as it keeps it."""
        return [str(one["MainDicomTags"]["SOPInstanceUID"]) for one in self.get("/instances?expand")]

    def clear(self) -> None:
        """Remove all studies."""
        for study in self.get("/studies"):
            request = urllib.request.Request(f"{self.url}/studies/{study}", method="DELETE")
            urllib.request.urlopen(request, timeout=10).close()

    def get(self, path: str) -> Any:
        """Its own REST interface."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def _configuration(self) -> dict[str, Any]:
        peer = {"AET": OURS, "Host": "127.0.0.1", "Port": self.our_port, "AllowStorageCommitment": True}
        return {
            "StorageDirectory": str(self.folder / "store"),
            "IndexDirectory": str(self.folder / "store"),
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "DicomAet": TITLE,
            "DicomCheckCalledAet": True,
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True},
            "DicomModalities": {"us": peer},
            "UnknownSopClassAccepted": False,
            "RemoteAccessAllowed": False,
            "ConcurrentJobs": 2,
            **self.options,
        }

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, urllib.error.URLError, ValueError):
            socket.create_connection(("127.0.0.1", self.dicom_port), 1).close()
            return bool(self.get("/system"))
        return False

    def _end(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)
        self.process = None


@contextlib.contextmanager
def running(folder: Path, **options: Any) -> Iterator[Orthanc]:
    """An archive for as long as the block runs."""
    program()
    made = Orthanc(folder, options)
    try:
        made.start()
        yield made
    finally:
        made.kill()
