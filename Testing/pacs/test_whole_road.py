"""From a scanner's C-STORE to the archive: inbox, rule, a real job in its child, outbox, a real Orthanc."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pydicom import dcmread, uid

from slicermedai.pacs.objects import read_object
from slicermedai.pacs.peers import Peer, open_store, save_peers
from slicermedai.pacs.store import SendItem, Verdict
from Testing.fixtures.grids import covering
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.pacs.orthanc import Orthanc, free_port

LIBRARY = Path(__file__).resolve().parents[2] / "SlicerMedAI"


def test_a_study_that_a_scanner_sends_is_analysed_and_filed(an_archive: Orthanc, a_home: Path, tmp_path: Path) -> None:
    volume, _ = head_phantom(covering("SPL", spacing=(8.0, 8.0, 8.0)))
    paths = write_series(volume, tmp_path / "study")
    port = free_port()
    save_peers([an_archive.dimse()])
    bundle = write_tiny_bundle(tmp_path / "models" / "tiny@0.1")
    (a_home / "inbox.toml").write_text(
        f'quiet_seconds = 0.5\n[listen]\nport = {port}\nhost = "127.0.0.1"\nsenders = ["SCANNER1"]\n'
        f'[[rule]]\nname = "head"\nmodality = "MR"\nbundle = "{bundle}"\ndestination = "archive"\n'
    )
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY), "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-m", "slicermedai", "inbox", "run", "--send"]
    with (tmp_path / "told").open("wb") as told:
        process = subprocess.Popen(words, env=environment, stdout=told, stderr=told)
    try:
        _await(lambda: "running" in (tmp_path / "told").read_text(), tmp_path)
        us = Peer(
            name="us", kind="dimse", host="127.0.0.1", port=port, ae_title="SLICERMEDAI", calling_ae_title="SCANNER1"
        )
        items = [SendItem(file=path, ref=read_object(path)) for path in paths]
        assert {one.verdict for one in open_store(us).send(items)} == {Verdict.ACCEPTED}
        _await(lambda: len(an_archive.instances()) == 2, tmp_path)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 130
    kept = {one["MainDicomTags"]["SOPInstanceUID"]: one["ID"] for one in an_archive.get("/instances?expand")}
    classes = {an_archive.get(f"/instances/{name}/metadata?expand")["SopClassUid"] for name in kept.values()}
    assert classes == {uid.SegmentationStorage, uid.Comprehensive3DSRStorage}
    (study,) = an_archive.get("/studies?expand")
    assert study["PatientMainDicomTags"]["PatientID"] == dcmread(paths[0]).PatientID, "filed with the right patient"


def _await(true: Callable[[], bool], folder: Path) -> None:
    deadline = time.monotonic() + 180  # a machine that does other things too
    while not true():
        assert time.monotonic() < deadline, (folder / "told").read_text()
        time.sleep(0.1)
