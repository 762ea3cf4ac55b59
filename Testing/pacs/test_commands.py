"""``slicermedai outbox``: what a person sees and does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import uid

from slicermedai.cli.commands import understand
from slicermedai.cli.main import main
from slicermedai.domain.study import Identity
from slicermedai.pacs.folder import CONFIGURATION
from slicermedai.pacs.outbox import Outbox
from slicermedai.pacs.peers import Peer, save_peers
from Testing.pacs.objects import make_object, make_objects, uid_of
from Testing.pacs.orthanc import Orthanc


@pytest.fixture
def a_shelf(tmp_path: Path) -> Path:
    (tmp_path / "shelf").mkdir()
    save_peers([Peer(name="shelf", kind="folder", path=str(tmp_path / "shelf"))])
    return tmp_path / "shelf"


def test_files_are_queued_sent_and_listed(a_shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = make_objects(tmp_path / "in", 2)
    assert main(["outbox", "send", "--to", "shelf", "--identity", "keep", *map(str, paths)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "shelf: 2 sent, 2 proved"
    assert main(["outbox", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"proved    shelf  MR Image Storage  {uid_of(path)}" for path in paths]
    assert main(["outbox", "forget"]) == 0
    assert capsys.readouterr().out == "2 forgotten\n"
    assert main(["outbox", "list"]) == 0
    assert capsys.readouterr().out == ""


def test_what_waits_and_what_was_refused_are_told_by_the_exit_code(
    a_shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_object(tmp_path / "in")
    (a_shelf / CONFIGURATION).write_text("capacity_bytes = 1")
    assert main(["outbox", "send", "--to", "shelf", "--identity", "keep", str(path)]) == 3
    assert "1 waiting" in capsys.readouterr().out
    assert main(["outbox", "forget"]) == 0
    assert capsys.readouterr().out == "0 forgotten\n", "what waits is never dropped"
    assert main(["outbox", "forget", "--unproved"]) == 1
    main(["outbox", "list"])
    assert "next try in" in capsys.readouterr().out
    (a_shelf / CONFIGURATION).write_text(f'refuse_sop_classes = ["{uid.SegmentationStorage}"]')
    other = make_object(tmp_path / "in", sop_class=uid.SegmentationStorage)
    assert main(["outbox", "send", "--to", "shelf", "--identity", "keep", str(other), "--wait", "20"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "shelf: 1 sent, 1 proved, 1 refused"
    (a_shelf / CONFIGURATION).unlink()
    assert main(["outbox", "retry"]) == 0
    assert main(["outbox", "send"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["1 queued again", "shelf: 1 sent, 1 proved"]


def test_what_waits_is_dropped_where_it_is_named(
    a_shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (a_shelf / CONFIGURATION).write_text("capacity_bytes = 1")
    paths = make_objects(tmp_path / "in", 2)
    assert main(["outbox", "send", "--to", "shelf", "--identity", "keep", *map(str, paths)]) == 3
    assert main(["outbox", "forget", "--unproved", uid_of(paths[0])]) == 0
    capsys.readouterr()
    main(["outbox", "list"])
    (line,) = capsys.readouterr().out.splitlines()
    assert uid_of(paths[1]) in line


def test_a_file_that_does_not_say_whose_it_is_is_not_taken(
    a_shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["outbox", "send", "--to", "shelf", str(make_object(tmp_path))]) == 1
    assert "PatientIdentityRemoved" in capsys.readouterr().err


def test_an_unknown_destination_is_named_with_the_known_ones(
    a_shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["outbox", "send", "--to", "elsewhere", str(make_object(tmp_path))]) == 1
    assert "Known: shelf" in capsys.readouterr().err


def test_a_destination_that_is_gone_does_not_hold_up_the_others(
    a_shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Peer(name="gone", kind="folder", path=str(tmp_path / "gone"))
    shelf = Peer(name="shelf", kind="folder", path=str(a_shelf))
    with Outbox() as outbox:
        for peer in (gone, shelf):
            outbox.add([make_object(tmp_path / "in")], peer, identity=Identity.KEEP)
    assert main(["outbox", "send"]) == 1
    told = capsys.readouterr()
    assert told.out == "shelf: 1 sent, 1 proved\n"
    assert "no destination of that name" in told.err


def test_understanding_the_command_loads_no_network_library() -> None:
    code = (
        "import sys; from slicermedai.cli.commands import understand; understand(['outbox', 'list']);"
        "print([m for m in ('pynetdicom', 'dicomweb_client', 'keyring', 'pydicom') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert understand(["outbox", "list"])


def test_a_real_archive_gets_it_by_command(
    an_archive: Orthanc, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_peers([an_archive.dimse(proof="commitment"), an_archive.web()])
    path = make_object(tmp_path)
    for name in ("archive", "web-archive"):
        assert main(["outbox", "send", "--to", name, "--identity", "keep", str(path)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"{name}: 1 sent, 1 proved"
    assert an_archive.instances() == [uid_of(path)]
