"""Archives, an outbox and a home of its own for each test."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from slicermedai.pacs.outbox import Outbox
from Testing.pacs.orthanc import Orthanc, running


@pytest.fixture(autouse=True)
def a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the outbox, the peers or the audit log of a person."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def an_outbox(a_home: Path) -> Iterator[Outbox]:
    with Outbox() as made:
        yield made


@pytest.fixture(scope="session")
def the_archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One Orthanc for all tests of a process; :func:`an_archive` gives it empty."""
    with running(tmp_path_factory.mktemp("orthanc")) as made:
        yield made


@pytest.fixture
def an_archive(the_archive: Orthanc) -> Orthanc:
    the_archive.clear()
    return the_archive


@pytest.fixture(autouse=True)
def sockets_of_failed_associations(request: pytest.FixtureRequest) -> Iterator[None]:
    """pynetdicom leaves them to the collector: where a test says so, in that test and no other."""
    yield
    if request.node.get_closest_marker("filterwarnings"):
        gc.collect()
