"""What of a study is run: never results, each series once for what it holds, by the rule for who sent it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread, uid

from slicermedai.dicom.file_list import load_file_list
from slicermedai.dicom.implementation import DEVICE_UID
from slicermedai.domain.study import Identity
from slicermedai.errors import DiskFullError
from slicermedai.pacs.inbox import Inbox, Stage, Task
from slicermedai.pacs.inbox_poll import Poller
from slicermedai.pacs.inbox_rules import Rule
from slicermedai.pacs.objects import read_object
from slicermedai.pacs.outbox import Outbox, State
from slicermedai.pacs.peers import Peer, open_store, save_peers
from slicermedai.pacs.pieces import Piece
from slicermedai.pacs.run_worthy import what_was_made, why_not_run
from slicermedai.pacs.store import SendItem
from Testing.inference.tiny_bundle import write_tiny_bundle
from Testing.pacs.objects import make_object, make_objects
from Testing.pacs.test_inbox import Clock, receive_files, rules

EVERYTHING = Rule(name="everything", bundle="brain", destination="shelf")


@pytest.fixture
def a_clock() -> Clock:
    return Clock()


@pytest.fixture
def shelves(tmp_path: Path) -> tuple[Peer, Peer]:
    made = []
    for name in ("shelf", "other"):
        (tmp_path / name).mkdir()
        made.append(Peer(name=name, kind="folder", path=str(tmp_path / name)))
    save_peers(made)
    return made[0], made[1]


@pytest.fixture
def an_inbox(a_clock: Clock, shelves: tuple[Peer, Peer]) -> Iterator[Inbox]:
    with Inbox(rules(rules=(EVERYTHING,)), clock=a_clock) as made, made.running():
        yield made


class Model:
    """Notes what it was given (series description, number of images), and makes one object a run."""

    def __init__(self, fails: tuple[int, ...] = ()) -> None:
        self.ran: list[tuple[str, int]] = []
        self.fails = fails

    def __call__(self, task: Task) -> None:
        files = load_file_list(task.source)
        source = dcmread(files[0])
        self.ran.append((source.SeriesDescription, len(files)))
        if len(self.ran) in self.fails:
            raise DiskFullError("full")
        made = make_object(
            task.output / "dicom",
            len(self.ran),
            sop_class=uid.SegmentationStorage,
            study=source.StudyInstanceUID,
            series=task.output.parent.name,
            Manufacturer="SlicerMedAI",
            SeriesDescription=f"made from {len(files)}",
        )
        made.rename(made.with_name("seg.dcm"))


@pytest.fixture
def take_in(an_inbox: Inbox, an_outbox: Outbox, a_clock: Clock) -> Callable[..., str]:
    """Let files come from a sender and all that is due be run; gives the study's state and why."""

    def do(model: Model, paths: list[Path], sender: str = "SCANNER1") -> str:
        receive_files(an_inbox, paths, sender)
        an_inbox.collect()
        a_clock.now += 100
        while an_inbox.step(model, an_outbox):
            pass
        return "; ".join(f"{one.state}: {one.reason}" for one in an_inbox.studies())

    return do


def waiting(outbox: Outbox) -> dict[str, list[str]]:
    """Destination -> what its queued objects say they were made from, in the order in which they came."""
    found: dict[str, list[str]] = {}
    for one in outbox.deliveries(states=(State.QUEUED,)):
        found.setdefault(one.destination, []).append(str(dcmread(one.file).SeriesDescription))
    return found


def test_results_that_come_back_are_not_run_and_the_state_says_why(
    an_inbox: Inbox, an_outbox: Outbox, take_in: Callable[..., str], tmp_path: Path
) -> None:
    model = Model()
    take_in(model, make_objects(tmp_path, 2))
    for _ in range(3):
        sent = [one.file for one in an_outbox.deliveries()]
        back = [tmp_path / "back" / f"{number}.dcm" for number in range(len(sent))]
        (tmp_path / "back").mkdir(exist_ok=True)
        for path, place in zip(sent, back, strict=True):
            place.write_bytes(path.read_bytes())
        state = take_in(model, back, "ARCHIVE")
    assert model.ran == [("T1", 2)]
    assert state == "done: not run: 1 x result of this program"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"Manufacturer": "SlicerMedAI"}, "result of this program"),
        ({"Manufacturer": "ARCHIVE", "DeviceSerialNumber": DEVICE_UID}, "result of this program"),
        ({"sop_class": uid.SegmentationStorage}, "segmentation, registration or raw data"),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.66.7"}, "segmentation, registration or raw data"),
        ({"sop_class": uid.Comprehensive3DSRStorage}, "structured report or key object selection"),
        ({"sop_class": uid.SecondaryCaptureImageStorage}, "secondary capture"),
        ({"sop_class": uid.ParametricMapStorage}, "parametric map"),
        ({"sop_class": uid.RTStructureSetStorage}, "radiotherapy object"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "secondary derived image"),
        ({"ImageType": ["DERIVED", "PRIMARY", "ADC"]}, ""),
        ({"ImageType": ["ORIGINAL", "PRIMARY"], "Manufacturer": "VENDOR"}, ""),
        ({"sop_class": uid.RTImageStorage}, ""),
        ({"sop_class": uid.EnhancedMRImageStorage}, ""),
        ({"sop_class": uid.NuclearMedicineImageStorage}, ""),
    ],
)
def test_a_model_runs_on_images_as_they_were_taken(
    take_in: Callable[..., str], tmp_path: Path, values: dict[str, str], why: str
) -> None:
    model = Model()
    state = take_in(model, [make_object(tmp_path, **values)])  # type: ignore[arg-type]  # passed on
    assert (len(model.ran), state) == ((0, f"ignored: not run: 1 x {why}") if why else (1, "done: "))


def test_an_object_that_this_program_contributed_to_is_known_by_its_contributing_equipment() -> None:
    dataset, item = Dataset(), Dataset()
    dataset.SOPClassUID, dataset.Manufacturer = uid.MRImageStorage, "VENDOR"
    dataset.ContributingEquipmentSequence = [item]
    assert why_not_run(dataset) == ""
    item.DeviceSerialNumber = DEVICE_UID
    assert why_not_run(dataset) == "result of this program"


def test_every_storage_class_of_images_that_are_taken_may_be_run() -> None:
    taken = ("CTImage", "MRImage", "EnhancedCTImage", "EnhancedPETImage", "DigitalXRayImageStorageForPresentation")
    classes = [one for one in uid.UID_dictionary if uid.UID(one).keyword.startswith(taken)]
    assert len(classes) == 5
    assert [what_was_made(one) for one in classes] == [""] * 5


def test_secondary_images_among_others_are_left_out(take_in: Callable[..., str], tmp_path: Path) -> None:
    model = Model()
    paths = [*make_objects(tmp_path, 2), make_object(tmp_path, 3, ImageType=["DERIVED", "SECONDARY"])]
    assert take_in(model, paths) == "done: not run: 1 x secondary derived image"
    assert model.ran == [("T1", 2)]


def test_a_series_that_comes_later_is_run_and_the_others_are_not_again(
    take_in: Callable[..., str], an_outbox: Outbox, tmp_path: Path
) -> None:
    model = Model()
    for name in ("c", "a", "b", "d"):  # whatever the order of their UIDs
        take_in(model, [make_object(tmp_path, series=name, SeriesDescription=name)])
    assert model.ran == [("c", 1), ("a", 1), ("b", 1), ("d", 1)]
    assert waiting(an_outbox) == {"shelf": ["made from 1"] * 4}


def test_what_was_made_of_half_a_series_before_a_failure_is_not_taken_for_the_whole(
    take_in: Callable[..., str], tmp_path: Path
) -> None:
    """One series was run, the other failed; then more came of the first before the next try."""
    series = {name: [make_object(tmp_path, n, series=name, SeriesDescription=name) for n in (1, 2, 3)] for name in "ab"}
    model = Model(fails=(2,))
    take_in(model, [paths[0] for paths in series.values()])
    first, second = (name for name, _ in model.ran)
    assert take_in(model, series[first][1:]) == "done: "
    assert sorted(model.ran[2:]) == sorted([(first, 3), (second, 1)])


def test_the_result_of_a_series_that_grew_takes_the_place_of_the_older_one(
    an_inbox: Inbox, an_outbox: Outbox, take_in: Callable[..., str], tmp_path: Path
) -> None:
    model = Model()
    paths = make_objects(tmp_path, 3)
    take_in(model, paths[:1])
    assert waiting(an_outbox) == {"shelf": ["made from 1"]}
    take_in(model, paths[1:])
    assert waiting(an_outbox) == {"shelf": ["made from 3"]}
    (older,) = an_outbox.deliveries(states=(State.REFUSED,))
    assert older.reason == "superseded by the result of more images of the series"
    key = an_inbox.studies()[0].key
    (name,) = an_inbox.pieces.superseded(key)
    assert (an_inbox.result(key, name) / "dicom" / "seg.dcm").exists(), "marked, and not deleted"


def test_fewer_images_of_a_series_that_was_run_with_more_are_not_run_and_the_state_says_so(
    an_inbox: Inbox, an_outbox: Outbox, take_in: Callable[..., str], a_clock: Clock, tmp_path: Path
) -> None:
    model, paths = Model(), make_objects(tmp_path, 3)
    take_in(model, paths)
    a_clock.now += 8 * 24 * 3600
    an_inbox.sweep()
    for _ in range(2):
        state = take_in(model, paths[:1])
        assert state == "done: not run: 1 x series of which a result from more images is there"
        assert (model.ran, waiting(an_outbox)) == ([("T1", 3)], {"shelf": ["made from 3"]})
        an_inbox.update(an_inbox.studies()[0], state=Stage.RECEIVING)
    assert len(an_inbox.pieces.superseded(an_inbox.studies()[0].key)) == 1
    assert take_in(model, paths[1:]) == "done: "
    assert model.ran == [("T1", 3)]


def test_a_result_that_was_made_while_a_larger_one_came_is_superseded_and_does_not_wait(
    an_inbox: Inbox, an_outbox: Outbox, shelves: tuple[Peer, Peer], tmp_path: Path
) -> None:
    """Results are queued, and then settled: in whatever order that is done, the one of more images is sent."""
    paths = make_objects(tmp_path, 3)
    pieces = [Piece(name=f"p{count}", line="l", rule=EVERYTHING, files=tuple(paths[:count])) for count in (3, 1)]
    for number, piece in enumerate(pieces):
        seg = make_object(
            an_inbox.result("k", piece.name) / "dicom",
            number,
            sop_class=uid.SegmentationStorage,
            SeriesDescription=f"made from {len(piece.files)}",
        )
        an_outbox.add([seg.rename(seg.with_name("seg.dcm"))], shelves[0], identity=Identity.KEEP)
        an_inbox.pieces.settle("k", piece, an_outbox)
    assert waiting(an_outbox) == {"shelf": ["made from 3"]}
    assert an_inbox.pieces.superseded("k") == ("p1",)


def test_a_result_that_may_have_arrived_is_not_withdrawn(
    an_outbox: Outbox, take_in: Callable[..., str], tmp_path: Path
) -> None:
    model = Model()
    paths = make_objects(tmp_path, 2)
    take_in(model, paths[:1])
    an_outbox.update(an_outbox.deliveries()[0], State.SENT)
    take_in(model, paths[1:])
    assert sorted(str(one.state) for one in an_outbox.deliveries()) == ["queued", "sent"]


def test_what_was_run_is_known_when_it_comes_again_after_its_files_were_removed(
    an_inbox: Inbox, take_in: Callable[..., str], a_clock: Clock, tmp_path: Path
) -> None:
    model = Model()
    paths = make_objects(tmp_path, 2)
    take_in(model, paths)
    a_clock.now += 8 * 24 * 3600
    assert an_inbox.sweep() == 1
    assert take_in(model, paths) == "done: "
    assert model.ran == [("T1", 2)]


def test_other_weights_under_the_same_name_and_the_other_route_are_other_pieces(
    an_inbox: Inbox, take_in: Callable[..., str], tmp_path: Path
) -> None:
    bundle = write_tiny_bundle(tmp_path / "models" / "tiny@0.1")
    rule = Rule(name="tiny", bundle=str(bundle))
    model = Model()
    an_inbox.rules = rules(rules=(rule,))
    take_in(model, [make_object(tmp_path)])
    take_in(model, [make_object(tmp_path, 9, sop_class=uid.SegmentationStorage)])
    assert len(model.ran) == 1
    (bundle / "docs").mkdir(exist_ok=True)
    (bundle / "docs" / "changed.md").write_text("another one")
    take_in(model, [make_object(tmp_path, 10, sop_class=uid.SegmentationStorage)])
    assert len(model.ran) == 2
    an_inbox.rules = rules(rules=(Rule(name="tiny", bundle=str(bundle), identity="deidentify"),))
    take_in(model, [make_object(tmp_path, 11, sop_class=uid.SegmentationStorage)])
    assert len(model.ran) == 3


TWO = (
    Rule(name="one", bundle="brain", sender="ONE", destination="shelf"),
    Rule(name="two", bundle="brain", sender="TWO", destination="other"),
)


def test_two_senders_of_one_study_do_not_mix_their_destinations(
    an_inbox: Inbox, an_outbox: Outbox, take_in: Callable[..., str], tmp_path: Path
) -> None:
    an_inbox.rules = rules(rules=TWO)
    model = Model()
    take_in(model, [make_object(tmp_path, series="a", SeriesDescription="a")], "ONE")
    take_in(model, make_objects(tmp_path, 2, series="b", SeriesDescription="b"), "TWO")
    assert waiting(an_outbox) == {"shelf": ["made from 1"], "other": ["made from 2"]}


def test_a_series_that_two_sent_is_run_once_and_goes_where_both_rules_say(
    an_inbox: Inbox, an_outbox: Outbox, take_in: Callable[..., str], tmp_path: Path
) -> None:
    an_inbox.rules = rules(rules=TWO)
    model, paths = Model(), make_objects(tmp_path, 2)
    take_in(model, paths, "ONE")
    take_in(model, paths, "TWO")
    take_in(model, paths, "TWO")
    assert model.ran == [("T1", 2)]
    assert waiting(an_outbox) == {"shelf": ["made from 2"], "other": ["made from 2"]}


def test_a_series_that_two_sent_by_halves_is_one_where_one_rule_is_for_both(
    take_in: Callable[..., str], an_inbox: Inbox, tmp_path: Path, a_clock: Clock
) -> None:
    model, paths = Model(), make_objects(tmp_path, 4)
    receive_files(an_inbox, paths[:2], "ONE")
    take_in(model, paths[2:], "TWO")
    assert model.ran == [("T1", 4)]


def test_results_at_the_archive_are_not_waited_for(
    an_inbox: Inbox, an_outbox: Outbox, shelves: tuple[Peer, Peer], a_clock: Clock, tmp_path: Path
) -> None:
    paths = make_objects(tmp_path, 3)
    store = open_store(shelves[0])
    there = [*paths, make_object(tmp_path, sop_class=uid.SegmentationStorage)]
    list(store.send([SendItem(file=path, ref=read_object(path)) for path in there]))
    poller = Poller(an_inbox, store, "shelf")
    receive_files(an_inbox, [*paths[:2], make_object(tmp_path, sop_class=uid.Comprehensive3DSRStorage)])
    an_inbox.collect()
    a_clock.now += 100
    assert an_inbox.step(Model(), an_outbox, expected=poller.expected) is None
    assert an_inbox.studies()[0].reason == "incomplete: 2 of 3 objects"
    receive_files(an_inbox, paths[2:])
    an_inbox.collect()
    a_clock.now += 100
    assert an_inbox.step(Model(), an_outbox, expected=poller.expected) is not None
