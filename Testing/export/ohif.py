"""OHIF as a person has it: its published pages in a browser, before a real archive with DICOMweb."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from Testing.browser import Page, chromium, opened
from Testing.pacs.orthanc import Orthanc, program, running

_ROOT = Path(__file__).resolve().parents[2]
_KINDS = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
_DATA_SOURCE = {
    "friendlyName": "archive",
    "name": "archive",
    "wadoUriRoot": "/dicom-web",
    "qidoRoot": "/dicom-web",
    "wadoRoot": "/dicom-web",
    "qidoSupportsIncludeField": False,
    "imageRendering": "wadors",
    "thumbnailRendering": "wadors",
    "enableStudyLazyLoad": True,
    "omitQuotationForMultipartRequest": True,
    "bulkDataURI": {"enabled": True, "relativeResolution": "studies"},
}
_CONFIGURATION = {
    "extensions": [],
    "modes": [],
    "maxNumberOfWebWorkers": 2,
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "dicomweb",
            "configuration": _DATA_SOURCE,
        }
    ],
    "defaultDataSourceName": "dicomweb",
}
_SECONDS = 150.0


def pages() -> Path:
    """Where OHIF's pages lie; skips by name where they, a browser or an archive are absent."""
    data = Path(os.environ.get("SLICERMEDAI_TEST_DATA", _ROOT / ".data"))
    found = data / "viewers" / "ohif" / "dist"
    if not (found / "index.html").is_file():
        pytest.skip("absent: @ohif/app (npm pack: see .ci/run)")
    chromium()
    program()
    return found


class _Server(BaseHTTPRequestHandler):
    """The pages, and the archive's DICOMweb under the same address."""

    def __init__(self, *arguments: object, folder: Path, archive: str) -> None:
        self.folder, self.archive = folder, archive
        super().__init__(*arguments)  # type: ignore[arg-type]

    def log_message(self, *arguments: object) -> None:
        """Nothing on the console."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/dicom-web"):
            answer = self._of_archive()
        elif path == "/app-config.js":
            answer = 200, "text/javascript", f"window.config = {json.dumps(_CONFIGURATION)};".encode()
        else:
            file = self.folder / path.lstrip("/")
            file = file if file.is_file() else self.folder / "index.html"
            answer = 200, _KINDS.get(file.suffix, "application/octet-stream"), file.read_bytes()
        with contextlib.suppress(OSError):  # the browser went away
            self._send(*answer)

    def _of_archive(self) -> tuple[int, str, bytes]:
        headers = {"Accept": self.headers.get("Accept", "*/*"), "Host": self.headers["Host"]}
        request = urllib.request.Request(self.archive + self.path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers.get("Content-Type", ""), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, "text/plain", error.read()

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Embedder-Policy", "require-corp"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def showing(objects: Iterable[Path], folder: Path, *, study: str, series: str) -> Iterator[Page]:
    """A window of OHIF on a study whose ``objects`` lie in an archive, beginning with ``series``."""
    place = pages()
    with running(folder / "orthanc") as archive:
        _store(archive, objects)
        handler = partial(_Server, folder=place, archive=archive.url)
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            at = f"http://127.0.0.1:{server.server_port}/viewer"
            with opened(f"{at}?StudyInstanceUIDs={study}&initialSeriesInstanceUID={series}", folder) as page:
                yield page
        finally:
            server.shutdown()
            server.server_close()


def _store(archive: Orthanc, objects: Iterable[Path]) -> None:
    for path in objects:
        request = urllib.request.Request(f"{archive.url}/instances", data=path.read_bytes(), method="POST")
        urllib.request.urlopen(request, timeout=30).close()


def open_segmentation(page: Page) -> None:
    """Answer OHIF's question whether the segmentation of the first series shall be opened, and put its tour away."""
    page.wait("document.body.innerText.includes('open this Segmentation')", seconds=_SECONDS)
    _press(page, "Yes")
    page.wait("window.services.segmentationService.getSegmentations().length", seconds=_SECONDS)
    _press(page, "Confirm and hide")
    page.evaluate("[...document.querySelectorAll('*')].filter(one => one.innerText === 'Skip all').at(-1)?.click()")


def open_lengths(page: Page) -> None:
    """Answer OHIF's question whether the measurements of the first series shall be tracked: they become a person's."""
    page.wait("document.body.innerText.includes('continue tracking measurements')", seconds=_SECONDS)
    _press(page, "Yes")
    page.wait("window.services.measurementService.getMeasurements().length", seconds=_SECONDS)


def _press(page: Page, name: str) -> None:
    buttons = "[...document.querySelectorAll('button')]"
    page.evaluate(f"{buttons}.find(one => one.innerText.trim() === {json.dumps(name)})?.click()")


LINES = """(() => window.services.measurementService.getMeasurements().map((one) => ({
  tool: one.toolName,
  label: one.label,
  image: one.SOPInstanceUID,
  points: one.points,
  said: one.displayText?.primary?.[0],
  locked: one.isLocked,
})))()"""
"""Script: the measurements that a person can move now."""
LABELS = """(() => {
  const [shown] = window.services.segmentationService.getSegmentations();
  return Object.values(shown.segments).map((one) => [one.segmentIndex, one.label]);
})()"""
"""Script: (number, label) of the segments."""
VOXELS = """(() => {
  const found = {};
  const [shown] = window.services.segmentationService.getSegmentations();
  for (const id of shown.representationData.Labelmap.imageIds) {
    const image = window.cornerstone.cache.getImage(id);
    const uid = image.referencedImageId.split('/instances/')[1].split('/')[0];
    for (const value of image.voxelManager.getScalarData()) {
      if (value === 0) continue;
      const key = `${value} ${uid}`;
      found[key] = (found[key] ?? 0) + 1;
    }
  }
  return found;
})()"""
"""Script: how many voxels each segment has on each image, by "NUMBER UID"."""
