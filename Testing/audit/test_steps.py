"""What steps leave in the log: hashes that others can compute too."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from slicermedai.audit import steps
from slicermedai.audit.ends import record_failure
from slicermedai.audit.log import append, log_path
from slicermedai.domain.provenance import InputDigest, Provenance
from slicermedai.errors import NoImagesError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "study" / name for name in "cab"]
    paths[0].parent.mkdir()
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 100)
    return paths


def last() -> dict:
    return json.loads(log_path().read_text().splitlines()[-1])


def test_one_hash_stands_for_many_files_in_any_order(files: list[Path]) -> None:
    assert steps.hash_of_files(files) == steps.hash_of_files(files[::-1])
    before = steps.hash_of_files(files)
    files[1].write_bytes(b"changed")
    assert steps.hash_of_files(files) != before


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="absent: sha256sum")
def test_the_hash_is_the_one_of_the_documented_command(files: list[Path]) -> None:
    command = "sha256sum * | cut -d ' ' -f 1 | LC_ALL=C sort | sha256sum"
    done = subprocess.run(["sh", "-c", command], cwd=files[0].parent, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == steps.hash_of_files(files)


@pytest.mark.parametrize(("files", "name"), [(0, "image_sha256"), (7, "files_sha256")])
def test_the_image_is_logged_by_the_hash_in_its_result(files: int, name: str) -> None:
    made = Provenance(
        bundle="b", bundle_version="1", weights_sha256="w", input=InputDigest(sha256="cd" * 32, files=files)
    )
    steps.record_read(made, slices=4, job_id="j", route="keep")
    assert last()["details"] == {"files": files, "slices": 4, "route": "keep", name: "cd" * 32}


def test_a_file_that_is_gone_is_said_to_be_unreadable_and_stops_nothing(tmp_path: Path) -> None:
    steps.record_result_read(tmp_path, job_id="j")
    assert last()["details"] == {"result_sha256": "unreadable", "arrays_sha256": "unreadable"}


def test_a_log_that_cannot_be_written_does_not_hide_why_a_job_failed(caplog: pytest.LogCaptureFixture) -> None:
    append("step", job_id="j")
    log_path().with_name("head.json").unlink()
    record_failure("run failed", NoImagesError("no images"), job_id="j")
    assert "the audit log was changed" in caplog.text
