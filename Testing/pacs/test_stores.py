"""The same promises from a folder, from DIMSE and from DICOMweb, the latter two on a real Orthanc."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread, uid

from slicermedai.errors import PeerError, PeerRefusedError, PeerUnreachableError
from slicermedai.pacs.folder import CONFIGURATION
from slicermedai.pacs.objects import read_object
from slicermedai.pacs.peers import Peer, open_store
from slicermedai.pacs.store import Level, Pace, SendItem, Store, Verdict
from Testing.pacs.objects import STUDY, make_object, make_objects, uid_of
from Testing.pacs.orthanc import Orthanc, free_port

KINDS = ("folder", "dimse", "dimse by move", "dimse with commitment", "web")
WRITTEN = {
    "SEG": uid.SegmentationStorage,
    "Comprehensive 3D SR": uid.Comprehensive3DSRStorage,
    "Comprehensive SR": uid.ComprehensiveSRStorage,
    "Enhanced SR": uid.EnhancedSRStorage,
    "Parametric Map": uid.ParametricMapStorage,
    "Secondary Capture": uid.SecondaryCaptureImageStorage,
    "multi-frame true colour Secondary Capture": uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    "RT Structure Set": uid.RTStructureSetStorage,
    "Key Object Selection": uid.KeyObjectSelectionDocumentStorage,
    "Presentation State": uid.GrayscaleSoftcopyPresentationStateStorage,
    "Encapsulated PDF": uid.EncapsulatedPDFStorage,
    "MR": uid.MRImageStorage,
    "CT": uid.CTImageStorage,
    "PET": uid.PositronEmissionTomographyImageStorage,
    "enhanced MR": uid.EnhancedMRImageStorage,
    "DX": uid.DigitalXRayImageStorageForPresentation,
}
LABELMAP = "1.2.840.10008.5.1.4.1.1.66.7"


def items(paths: list[Path]) -> list[SendItem]:
    return [SendItem(file=path, ref=read_object(path)) for path in paths]


@pytest.fixture(params=KINDS)
def a_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        (tmp_path / "shelf").mkdir()
        return open_store(Peer(name="shelf", kind="folder", path=str(tmp_path / "shelf")))
    archive: Orthanc = request.getfixturevalue("an_archive")
    peers: dict[str, Callable[[], Peer]] = {
        "dimse": archive.dimse,
        "dimse by move": lambda: archive.dimse(retrieve="move"),
        "dimse with commitment": lambda: archive.dimse(proof="commitment"),
        "web": archive.web,
    }
    return open_store(peers[request.param]())


def test_what_is_sent_is_proved_found_and_retrieved_as_it_was(a_store: Store, tmp_path: Path) -> None:
    paths = make_objects(tmp_path / "in", 3)
    absent = read_object(make_object(tmp_path / "in", 4))
    a_store.echo()
    outcomes = list(a_store.send(items(paths)))
    assert [(one.sop_instance_uid, one.verdict) for one in outcomes] == [(uid_of(p), Verdict.ACCEPTED) for p in paths]

    assert a_store.verify([*(read_object(path) for path in paths), absent]) == {uid_of(path) for path in paths}
    assert a_store.verify([]) == frozenset()

    (study,) = a_store.find(Level.STUDY, {"AccessionNumber": "A-1"})
    assert (study["StudyInstanceUID"], study["PatientID"]) == (STUDY, "MEDAI-1")
    (series,) = a_store.find(Level.SERIES, {"StudyInstanceUID": STUDY})
    found = a_store.find(Level.IMAGE, {"StudyInstanceUID": STUDY, "SeriesInstanceUID": series["SeriesInstanceUID"]})
    assert {one["SOPInstanceUID"] for one in found} == {uid_of(path) for path in paths}
    assert {one["SOPClassUID"] for one in found} == {uid.MRImageStorage}

    a_store.retrieve(STUDY, tmp_path / "out", pace=Pace())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in paths)
    for path in paths:
        assert dcmread(tmp_path / "out" / path.name) == dcmread(path)


def test_sending_twice_keeps_one(a_store: Store, tmp_path: Path) -> None:
    paths = make_objects(tmp_path / "in", 2)
    for _ in range(2):
        assert [one.verdict for one in a_store.send(items(paths))] == [Verdict.ACCEPTED] * 2
    assert len(a_store.find(Level.IMAGE, {"StudyInstanceUID": STUDY})) == 2


def test_a_search_finds_only_what_matches_exactly(a_store: Store, tmp_path: Path) -> None:
    list(a_store.send(items([make_object(tmp_path / "in")])))
    assert a_store.find(Level.STUDY, {"AccessionNumber": "a-1"}) == []
    assert a_store.find(Level.STUDY, {"PatientID": "MEDAI"}) == []
    assert len(a_store.find(Level.STUDY, {"PatientID": "MEDAI-1"})) == 1


def test_a_study_that_is_not_there_gives_nothing(a_store: Store, tmp_path: Path) -> None:
    a_store.retrieve("1.2.3.4", tmp_path / "out", pace=Pace())
    assert list((tmp_path / "out").iterdir()) == []


def test_every_sop_class_that_is_written_is_negotiated(an_archive: Orthanc, tmp_path: Path) -> None:
    paths = [make_object(tmp_path, sop_class=sop_class) for sop_class in WRITTEN.values()]
    outcomes = list(open_store(an_archive.dimse()).send(items(paths)))
    assert {one.sop_instance_uid: one.reason for one in outcomes} == {uid_of(path): "" for path in paths}
    assert sorted(an_archive.instances()) == sorted(uid_of(path) for path in paths)


def test_a_label_map_is_refused_by_its_name_and_the_rest_goes_through(an_archive: Orthanc, tmp_path: Path) -> None:
    paths = [make_object(tmp_path, sop_class=LABELMAP), make_object(tmp_path, sop_class=uid.SegmentationStorage)]
    store = open_store(an_archive.dimse())
    first, second = store.send(items(paths))
    assert (first.verdict, first.unsupported) == (Verdict.REFUSED, True)
    assert first.reason == "Label Map Segmentation Storage is not accepted"
    assert second.verdict is Verdict.ACCEPTED
    assert store.accepted([LABELMAP, uid.SegmentationStorage]) == {uid.SegmentationStorage}  # type: ignore[attr-defined]


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian])
def test_an_accepted_transfer_syntax_is_kept(an_archive: Orthanc, tmp_path: Path, syntax: str) -> None:
    path = make_object(tmp_path, syntax=syntax)
    (outcome,) = open_store(an_archive.dimse()).send(items([path]))
    assert (outcome.verdict, outcome.note) == (Verdict.ACCEPTED, "")
    (kept,) = an_archive.get("/instances")
    assert an_archive.get(f"/instances/{kept}/metadata?expand")["TransferSyntax"] == syntax


def test_a_transfer_syntax_that_is_not_accepted_is_changed_and_noted(tmp_path: Path) -> None:
    from Testing.pacs.orthanc import running

    path = make_object(tmp_path / "in", syntax=uid.DeflatedExplicitVRLittleEndian)
    with running(tmp_path / "orthanc", AcceptedTransferSyntaxes=[uid.ImplicitVRLittleEndian]) as archive:
        (outcome,) = open_store(archive.dimse()).send(items([path]))
        assert outcome.verdict is Verdict.ACCEPTED
        assert outcome.note == (
            "transfer syntax changed from Deflated Explicit VR Little Endian to Implicit VR Little Endian"
        )
        assert archive.instances() == [uid_of(path)]


def test_a_wrong_name_is_refused_and_says_so(an_archive: Orthanc) -> None:
    import dataclasses

    with pytest.raises(PeerRefusedError, match="Called AE title not recognised"):
        open_store(dataclasses.replace(an_archive.dimse(), ae_title="OTHER")).echo()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom leaves its socket open
@pytest.mark.parametrize("kind", ["folder", "dimse", "web"])
def test_nobody_there_is_said(tmp_path: Path, kind: str) -> None:
    nobody = Orthanc(tmp_path / "none")
    peer = {
        "folder": Peer(name="shelf", kind="folder", path=str(tmp_path / "none")),
        "dimse": nobody.dimse(),
        "web": nobody.web(),
    }[kind]
    store = open_store(peer)
    with pytest.raises(PeerUnreachableError):
        store.echo()
    with pytest.raises(PeerUnreachableError):
        list(store.send(items([make_object(tmp_path)])))


@pytest.mark.parametrize("kind", ["dimse", "web"])
def test_a_peer_that_is_silent_is_left_in_time(tmp_path: Path, kind: str) -> None:
    import socket
    import time

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = (
            {"host": "127.0.0.1", "port": port, "ae_title": "X"}
            if kind == "dimse"
            else {"url": f"http://127.0.0.1:{port}"}
        )
        store = open_store(Peer(name="silent", kind=kind, timeout=0.5, **settings))  # type: ignore[arg-type]  # a table
        start = time.monotonic()
        with pytest.raises(PeerUnreachableError):
            store.echo()
        assert time.monotonic() - start < 5


def test_storage_commitment_without_a_way_back_is_said(an_archive: Orthanc, tmp_path: Path) -> None:
    store = open_store(an_archive.dimse(proof="commitment", listen_port=free_port(), timeout=1.0))
    path = make_object(tmp_path)
    list(store.send(items([path])))
    with pytest.raises(PeerUnreachableError, match="no report of storage commitment"):
        store.verify([read_object(path)])


def test_a_folder_misbehaves_as_it_is_told(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    store = open_store(Peer(name="shelf", kind="folder", path=str(shelf)))
    settings = shelf / CONFIGURATION
    paths = make_objects(tmp_path / "in", 4)

    settings.write_text("refuse_association = true")
    with pytest.raises(PeerRefusedError, match="refused"):
        store.echo()
    settings.write_text("fail_every = 2")
    assert [one.verdict for one in store.send(items(paths))] == [Verdict.ACCEPTED, Verdict.FAILED] * 2
    settings.write_text("forget_every = 1")
    assert [one.verdict for one in store.send(items([paths[1]]))] == [Verdict.ACCEPTED]
    assert store.verify([read_object(paths[1])]) == frozenset()
    settings.write_text("capacity_bytes = 1")
    assert [one.reason for one in store.send(items([paths[1]]))] == ["out of resources: full"]
    settings.write_text(f'refuse_sop_classes = ["{uid.MRImageStorage}"]')
    assert [one.unsupported for one in store.send(items([paths[1]]))] == [True]
    settings.write_text("fail_evry = 2")
    with pytest.raises(PeerError, match="fail_evry"):
        store.echo()


def test_other_bytes_under_the_same_uid_are_refused_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    store = open_store(Peer(name="shelf", kind="folder", path=str(tmp_path / "shelf")))
    first, second = make_object(tmp_path / "a"), make_object(tmp_path / "b", text="TWO")
    assert [one.verdict for one in store.send(items([first, second]))] == [Verdict.ACCEPTED, Verdict.REFUSED]


def test_the_pace_is_kept() -> None:
    slept: list[float] = []
    pace = Pace(per_second=4, sleep=slept.append, clock=lambda: 100.0)
    for _ in range(3):
        pace()
    assert slept == [0.25, 0.5]


def test_an_association_that_is_stopped_in_its_middle_leaves_no_thread_to_wait_for(an_archive: Orthanc) -> None:
    from slicermedai.pacs.association import associated

    def stop() -> None:
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt), associated(an_archive.dimse(), []) as association:
        association.release = stop
    deadline = time.monotonic() + 2
    while left := [one for one in set(threading.enumerate()) - before if not one.daemon]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)
