"""Destinations by name, and what may go to each."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from slicermedai.domain.study import Identity
from slicermedai.errors import IdentityError, MissingPackageError, PeerError, UnknownPeerError, UnreadableFileError
from slicermedai.pacs.objects import read_object
from slicermedai.pacs.peers import Peer, check_object, load_peer, load_peers, open_store, peers_path, save_peers
from Testing.pacs.objects import make_object

CLINICAL = Peer(name="clinic", kind="folder", path="/shelf")
RESEARCH = Peer(name="study", kind="folder", path="/shelf", research=True)
WHOLE = Peer(
    name="archive",
    kind="dimse",
    host="pacs.example",
    port=11112,
    ae_title="ARCHIVE",
    proof="commitment",
    listen_port=11113,
    tls_ca='C:\\certificates\\"ours".pem',
    timeout=12.5,
)


def test_what_was_saved_is_read_back() -> None:
    save_peers([CLINICAL, RESEARCH, WHOLE])
    assert load_peers() == {"clinic": CLINICAL, "study": RESEARCH, "archive": WHOLE}
    assert load_peer("archive") == WHOLE


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    assert load_peers() == {}
    save_peers([RESEARCH, CLINICAL])
    with pytest.raises(UnknownPeerError, match="Known: clinic, study"):
        load_peer("elsewhere")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[a]\nkind = "folder"', "a.path"),
        ('[a]\npath = "x"', "a.kind"),
        ('[a]\nkind = "ftp"', "a.kind"),
        ('[a]\nkind = "folder"\npath = "x"\nresearch = "yes"', "a.research"),
        ('[a]\nkind = "folder"\npath = "x"\nreserch = true', "a.reserch"),
        ('[a]\nkind = "dimse"\nhost = "h"\nport = 70000\nae_title = "T"', "a.port"),
        ('[a]\nkind = "dimse"\nhost = "h"\nport = 104\nae_title = "SEVENTEEN LETTERS"', "a.ae_title"),
        ('[a]\nkind = "dimse"\nhost = "h"\nport = 104\nae_title = "T"\nproof = "commitment"', "a.listen_port"),
        ('[a]\nkind = "dimse"\nhost = "h"\nport = 104\nae_title = "T"\nretrieve = "move"', "a.listen_port"),
        ('[a]\nkind = "web"\nurl = "ftp://h"', "a.url"),
        ('[a]\nkind = "web"\nurl = "https://h"\ntls_certificate = "c.pem"', "a.tls_key"),
        ('[a]\nkind = "folder"\npath = "x"\ntimeout = 0.0', "a.timeout"),
        ('[a]\nkind="dimse"\nhost="h"\nport=1\nae_title="T"\ntls_certificate="c"\ntls_key="k"', "a.tls_ca"),
        ('["a b"]\nkind = "folder"\npath = "x"', "small letters"),
        ("[a", "peers.toml"),
    ],
)
def test_a_setting_that_cannot_be_is_named(a_home: Path, text: str, named: str) -> None:
    a_home.mkdir()
    peers_path().write_text(text)
    with pytest.raises(PeerError, match=named):
        load_peers()


@pytest.mark.parametrize(
    ("removed", "recorded", "expected"),
    [
        ("YES", None, Identity.DEIDENTIFY),
        ("YES", Identity.DEIDENTIFY, Identity.DEIDENTIFY),
        ("NO", None, Identity.KEEP),
        ("NO", Identity.KEEP, Identity.KEEP),
        (None, Identity.KEEP, Identity.KEEP),
    ],
)
def test_an_object_goes_where_its_route_leads(
    tmp_path: Path, removed: str | None, recorded: Identity | None, expected: Identity
) -> None:
    path = make_object(tmp_path, removed=removed)
    right, wrong = (RESEARCH, CLINICAL) if expected is Identity.DEIDENTIFY else (CLINICAL, RESEARCH)
    assert check_object(right, read_object(path), recorded=recorded, file=path) is expected
    with pytest.raises(IdentityError, match="is refused by a destination") as caught:
        check_object(wrong, read_object(path), recorded=recorded, file=path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize(
    ("removed", "recorded"),
    [(None, None), ("MAYBE", None), ("MAYBE", Identity.KEEP), (None, Identity.DEIDENTIFY)],
)
@pytest.mark.parametrize("peer", [CLINICAL, RESEARCH], ids=["clinical", "research"])
def test_an_unknown_route_is_refused_by_name(
    tmp_path: Path, removed: str | None, recorded: Identity | None, peer: Peer
) -> None:
    path = make_object(tmp_path)
    if removed is not None:
        from pydicom import config, dcmread

        dataset = dcmread(path)
        with config.disable_value_validation():
            dataset.PatientIdentityRemoved = removed
            dataset.save_as(path)
    with pytest.raises(IdentityError, match="PatientIdentityRemoved"):
        check_object(peer, read_object(path), recorded=recorded, file=path)


@pytest.mark.parametrize(("removed", "recorded"), [("YES", Identity.KEEP), ("NO", Identity.DEIDENTIFY)])
def test_a_file_that_contradicts_its_record_goes_nowhere(tmp_path: Path, removed: str, recorded: Identity) -> None:
    ref = read_object(make_object(tmp_path, removed=removed))
    for peer in (CLINICAL, RESEARCH):
        with pytest.raises(IdentityError, match="contradicts"):
            check_object(peer, ref, recorded=recorded)


def test_a_uid_that_would_leave_the_folder_is_no_uid(tmp_path: Path) -> None:
    from pydicom import config, dcmread

    path = make_object(tmp_path)
    dataset = dcmread(path)
    with config.disable_value_validation():
        dataset.StudyInstanceUID = "../../etc"
        dataset.save_as(path)
    with pytest.raises(UnreadableFileError, match="StudyInstanceUID"):
        read_object(path)


def test_what_is_no_dicom_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no image")
    with pytest.raises(UnreadableFileError):
        read_object(tmp_path / "text")


@pytest.mark.parametrize(("kind", "package"), [("dimse", "pynetdicom"), ("web", "dicomweb_client")])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, kind: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("slicermedai.pacs.") and name != __name__]:
        if name.rpartition(".")[2] in {"dimse", "web", "association", "receive", "commitment"}:
            monkeypatch.delitem(sys.modules, name)
    peer = Peer(name="a", kind=kind, host="h", port=1, ae_title="T", url="http://h")
    with pytest.raises(MissingPackageError, match=r"slicermedai\[pacs\]") as caught:
        open_store(peer)
    assert caught.value.attribute == package


def test_outbox_and_peers_load_no_network_library() -> None:
    code = (
        "import sys, slicermedai.pacs.outbox, slicermedai.pacs.deliver, slicermedai.pacs.peers;"
        "print([m for m in ('pynetdicom', 'dicomweb_client', 'keyring') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_destinations_in_the_guide_can_be_used(a_home: Path) -> None:
    guide = Path(__file__).resolve().parents[2] / "Resources" / "Docs" / "pacs.md"
    a_home.mkdir()
    (a_home / "example.toml").write_text(guide.read_text().split("```toml")[1].split("```")[0])
    assert set(load_peers(a_home / "example.toml")) == {"archive", "web-archive"}


@pytest.mark.parametrize("part", ["peers", "inbox_rules", "folder"])
def test_the_examples_in_the_docs_can_be_used(a_home: Path, part: str) -> None:
    """They stand in the docstrings, which is where a person looks first."""
    import importlib
    import inspect

    from slicermedai.pacs.folder import Manners
    from slicermedai.pacs.inbox_rules import load_rules

    text = inspect.getdoc(importlib.import_module(f"slicermedai.pacs.{part}")) or ""
    example = text.partition(".. code-block:: toml")[2]
    assert example
    a_home.mkdir()
    (a_home / "example.toml").write_text(inspect.cleandoc(example))
    if part == "folder":
        assert set(tomllib.loads(inspect.cleandoc(example))) == {field.name for field in dataclasses.fields(Manners)}
    elif part == "peers":
        assert set(load_peers(a_home / "example.toml")) == {"archive", "web-archive", "shelf"}
    else:
        save_peers([dataclasses.replace(CLINICAL, name="archive")])
        assert load_rules(a_home / "example.toml").rules[0].name == "brain MR"
