"""What is really exported, and real compressed images, over every transport to a real Orthanc and back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread, uid
from pynetdicom import evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from slicermedai.cli.main import main
from slicermedai.domain.study import Identity
from slicermedai.domain.volume import Volume
from slicermedai.export.run import export_result
from slicermedai.pacs import receive
from slicermedai.pacs.deliver import Patience, deliver, keep_delivering
from slicermedai.pacs.objects import read_object
from slicermedai.pacs.outbox import Outbox, State
from slicermedai.pacs.peers import Peer, open_store, save_peers
from slicermedai.pacs.run_worthy import why_not_run
from slicermedai.pacs.store import Pace, SendItem, Verdict
from Testing.export.cases import a_case, with_label_map
from Testing.fixtures.grids import AXIAL, grid
from Testing.fixtures.series_writer import SeriesSpec, write_series
from Testing.pacs.objects import make_object, make_objects, uid_of
from Testing.pacs.orthanc import Orthanc, running

LABELMAP = "1.2.840.10008.5.1.4.1.1.66.7"


@pytest.mark.parametrize("kind", ["get", "move", "commitment", "web"])
def test_a_result_goes_out_is_proved_and_comes_back_equal(
    an_archive: Orthanc, an_outbox: Outbox, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "result").mkdir()
    case = with_label_map(a_case())
    exported = export_result(case.result, headers=case.headers, folder=tmp_path / "result", formats=("seg", "sr"))
    peer = {
        "get": an_archive.dimse(),
        "move": an_archive.dimse(retrieve="move"),
        "commitment": an_archive.dimse(proof="commitment"),
        "web": an_archive.web(),
    }[kind]
    files = [path for path in exported if path.suffix == ".dcm"]
    an_outbox.add(files, peer, identity=Identity.KEEP)
    done = deliver(an_outbox, peer, open_store(peer))
    assert (done.proved, done.waiting, done.trouble) == (len(files), 0, "")
    open_store(peer).retrieve(str(dcmread(files[0]).StudyInstanceUID), tmp_path / "back", pace=Pace())
    for path in files:
        sent = dcmread(path)
        assert dcmread(tmp_path / "back" / f"{sent.SOPInstanceUID}.dcm") == sent


def test_every_object_that_is_exported_is_known_again_and_its_source_is_not(tmp_path: Path) -> None:
    case = with_label_map(a_case())
    formats = ("seg", "sr", "sr-plain", "sr-regions", "text", "rtstruct")
    exported = export_result(case.result, headers=case.headers, folder=tmp_path, formats=formats)
    why = {path.name: why_not_run(dcmread(path)) for path in exported if path.suffix == ".dcm"}
    assert len(why) >= 4
    assert set(why.values()) == {"result of this program"}, why
    assert {why_not_run(header) for header in case.headers} == {""}


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.RLELossless, uid.JPEG2000Lossless])
@pytest.mark.parametrize("accepts", ["compressed", "plain"])
def test_compressed_images_keep_their_voxels(
    request: pytest.FixtureRequest, tmp_path: Path, syntax: str, accepts: str
) -> None:
    archive: Orthanc = request.getfixturevalue("an_archive" if accepts == "compressed" else "a_plain_archive")
    geometry = grid(AXIAL, shape=(1, 80, 70), spacing=(2.0, 1.0, 1.0))
    array = np.arange(np.prod(geometry.shape), dtype=np.int16).reshape(geometry.shape)
    volume = Volume(array=array, geometry=geometry, modality="MR")
    (path,) = write_series(volume, tmp_path / "in", spec=SeriesSpec(transfer_syntax=syntax, seed=str(syntax)))
    (outcome,) = open_store(archive.dimse()).send([SendItem(file=path, ref=read_object(path))])
    assert outcome.verdict is Verdict.ACCEPTED
    assert bool(outcome.note) == (accepts == "plain")
    sent = dcmread(path)
    open_store(archive.web()).retrieve(str(sent.StudyInstanceUID), tmp_path / "back", pace=Pace())
    back = dcmread(tmp_path / "back" / f"{sent.SOPInstanceUID}.dcm")
    assert np.array_equal(back.pixel_array, sent.pixel_array)
    assert (back.file_meta.TransferSyntaxUID == syntax) == (accepts == "compressed")


@pytest.fixture(scope="module")
def a_plain_archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """It takes implicit VR little endian, and label maps too."""
    options = {"AcceptedTransferSyntaxes": [uid.ImplicitVRLittleEndian], "UnknownSopClassAccepted": True}
    with running(tmp_path_factory.mktemp("plain"), **options) as made:
        yield made


def test_a_label_map_goes_where_it_is_negotiated_and_its_twin_where_it_is_not(
    an_archive: Orthanc, a_plain_archive: Orthanc, an_outbox: Outbox, tmp_path: Path
) -> None:
    label_map = make_object(tmp_path, sop_class=LABELMAP)
    binary = make_object(tmp_path, sop_class=uid.SegmentationStorage)
    strict, open_minded = an_archive.dimse(), dataclasses.replace(a_plain_archive.dimse(), name="open-minded")
    for peer in (strict, open_minded):
        an_outbox.add([label_map], peer, identity=Identity.KEEP, fallbacks={label_map: binary})
        deliver(an_outbox, peer, open_store(peer))
    found = {(one.destination, one.ref.sop_instance_uid): one for one in an_outbox.deliveries()}
    assert {key: one.state for key, one in found.items()} == {
        ("archive", uid_of(label_map)): State.REFUSED,
        ("archive", uid_of(binary)): State.PROVED,
        ("open-minded", uid_of(label_map)): State.PROVED,
    }
    assert "Label Map Segmentation Storage is not accepted" in found["archive", uid_of(binary)].note
    assert an_archive.instances() == [uid_of(binary)]


@pytest.mark.parametrize(
    ("formats", "strict", "open_minded"),
    [
        (("seg-labelmap",), {"seg"}, {"seg-labelmap"}),
        (("seg", "seg-labelmap", "sr"), {"seg", "sr"}, {"seg", "seg-labelmap", "sr"}),
    ],
)
def test_an_exported_label_map_is_sent_by_command_and_its_twin_where_it_is_not_taken(
    an_archive: Orthanc,
    a_plain_archive: Orthanc,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    formats: tuple[str, ...],
    strict: set[str],
    open_minded: set[str],
) -> None:
    """What a report cites goes with it; where nothing does, the archive gets one of the two."""
    a_plain_archive.clear()
    save_peers([an_archive.dimse(), dataclasses.replace(a_plain_archive.dimse(), name="open-minded")])
    case = with_label_map(a_case())
    (tmp_path / "out").mkdir()
    export_result(case.result, headers=case.headers, folder=tmp_path / "out", formats=formats)
    uids = {str(dcmread(path).SOPInstanceUID): path.stem for path in (tmp_path / "out").glob("*.dcm")}
    for name in ("archive", "open-minded"):
        main(["outbox", "send", "--to", name, "--identity", "keep", str(tmp_path / "out")])
    assert {uids[one] for one in an_archive.instances()} == strict
    assert {uids[one] for one in a_plain_archive.instances()} == open_minded
    capsys.readouterr()
    main(["outbox", "list", "--to", "archive"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "refused" in line]
    assert "Label Map Segmentation Storage is not accepted" in line
    assert "another object was queued in its place" in line


def test_a_compressed_label_map_goes_plainly_where_its_transfer_syntax_is_not_taken_and_that_is_noted(
    a_plain_archive: Orthanc, tmp_path: Path
) -> None:
    a_plain_archive.clear()
    case = with_label_map(a_case())
    (tmp_path / "out").mkdir()
    export_result(case.result, headers=case.headers, folder=tmp_path / "out", formats=("seg-labelmap",))
    path = tmp_path / "out" / "seg-labelmap.dcm"
    sent, store = dcmread(path), open_store(a_plain_archive.dimse())
    assert sent.file_meta.TransferSyntaxUID == uid.RLELossless
    (outcome,) = store.send([SendItem(file=path, ref=read_object(path))])
    assert (outcome.verdict, "from RLE Lossless" in outcome.note) == (Verdict.ACCEPTED, True)
    open_store(a_plain_archive.web()).retrieve(str(sent.StudyInstanceUID), tmp_path / "back", pace=Pace())
    back = dcmread(tmp_path / "back" / f"{sent.SOPInstanceUID}.dcm")
    assert not back.file_meta.TransferSyntaxUID.is_compressed
    assert np.array_equal(back.pixel_array, sent.pixel_array)
    del back["PixelData"], sent["PixelData"]
    assert back == sent


def test_a_slow_archive_is_left_in_time_looked_at_and_not_sent_to_twice(an_outbox: Outbox, tmp_path: Path) -> None:
    """It takes an object and answers too late: the object counts as unsure, and is found by looking."""
    stored: list[str] = []

    def slow(sender: str, path: Path) -> None:
        stored.append(path.stem)
        time.sleep(1.5)

    def found(event: object) -> Iterator[tuple[int, Dataset]]:
        for name in stored:
            answer = Dataset()
            answer.QueryRetrieveLevel, answer.SOPInstanceUID = "IMAGE", name
            yield 0xFF00, answer

    handlers = [
        (receive.STORE, receive.storing(lambda sender, uid: tmp_path / "kept" / f"{uid}.dcm", slow)),
        (evt.EVT_C_FIND, found),
    ]
    listener = receive.Listener(port=0, ae_title="SLOW", host="127.0.0.1")
    with pytest.MonkeyPatch.context() as patch:
        plain = receive._entity

        def with_find(listener: receive.Listener) -> object:
            entity = plain(listener)
            entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
            return entity

        patch.setattr(receive, "_entity", with_find)
        with receive.listening(listener, handlers) as port:
            peer = Peer(name="slow", kind="dimse", host="127.0.0.1", port=port, ae_title="SLOW", timeout=0.5)
            an_outbox.add([make_object(tmp_path / "in")], peer, identity=Identity.KEEP)
            patience = Patience(base=0.1, cap=0.1)
            first = deliver(an_outbox, peer, open_store(peer), patience=patience)
            assert (first.sent, first.waiting) == (0, 1)
            assert "connection was lost" in an_outbox.deliveries()[0].reason
            done = keep_delivering(an_outbox, peer, open_store(peer), seconds=10, patience=patience)
    assert (done.proved, len(stored)) == (1, 1)


def test_more_objects_than_one_claim_holds_go_out(an_archive: Orthanc, an_outbox: Outbox, tmp_path: Path) -> None:
    paths = make_objects(tmp_path / "in", 12)
    peer = an_archive.dimse()
    an_outbox.add(paths, peer, identity=Identity.KEEP)
    done = deliver(an_outbox, peer, open_store(peer), patience=Patience(batch=5))
    assert (done.sent, done.proved) == (12, 12)
    assert sorted(an_archive.instances()) == sorted(uid_of(path) for path in paths)
