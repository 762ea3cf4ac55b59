"""The audit log: what was written can be trusted, what was changed is seen, and nobody is named."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slicermedai.audit.entry import FIRST, canonical
from slicermedai.audit.log import RECOVERED, append, append_to, log_path, verify
from slicermedai.errors import AuditError

SHA = "ab" * 32
per_example = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of an audit log that does not exist yet."""
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    return log_path()


def fill(log: Path, count: int = 5) -> list[bytes]:
    for number in range(count):
        append_to(log, "step", job_id="job", details={"number": number})
    return log.read_bytes().splitlines(keepends=True)


def test_an_entry_says_who_did_what_when_to_which_hashes(log: Path) -> None:
    entry = append("model run", job_id="j1", weights_sha256=SHA, windows=12, seconds=1.5)
    assert json.loads(log.read_text()) == {
        "sequence": 1,
        "time": entry.time,
        "who": entry.who,
        "action": "model run",
        "job_id": "j1",
        "details": {"weights_sha256": SHA, "windows": 12, "seconds": 1.5},
        "prev_hash": FIRST,
        "hash": entry.hash,
    }
    assert entry.who
    assert entry.time.endswith("+00:00")


def test_every_entry_is_bound_to_the_one_before(log: Path) -> None:
    entries = [json.loads(line) for line in fill(log)]
    assert [entry["sequence"] for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry["prev_hash"] for entry in entries[1:]] == [entry["hash"] for entry in entries[:-1]]
    assert verify(log).ok
    assert verify(log).entries == 5


def test_a_log_that_nobody_wrote_is_empty_and_whole(log: Path) -> None:
    found = verify()
    assert (found.entries, found.ok, found.first_bad) == (0, True, None)
    assert not log.parent.exists()


@pytest.mark.skipif(os.name == "nt", reason="absent: POSIX modes")
def test_the_log_is_readable_by_its_owner_alone(log: Path) -> None:
    fill(log, 1)
    assert log.stat().st_mode & 0o077 == 0


@per_example
@given(data=st.data())
def test_any_changed_byte_is_found(log: Path, data: st.DataObject) -> None:
    whole = log.read_bytes() if log.exists() else b"".join(fill(log))
    position = data.draw(st.integers(0, len(whole) - 2))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != whole[position]))
    try:
        log.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
        found = verify(log)
        assert not found.ok
        assert found.first_bad == whole[:position].count(b"\n") + 1
    finally:
        log.write_bytes(whole)


@per_example
@given(order=st.permutations(range(5)).filter(lambda order: order != list(range(5))), keep=st.integers(1, 5))
def test_removed_and_reordered_entries_are_found(log: Path, order: list[int], keep: int) -> None:
    lines = log.read_bytes().splitlines(keepends=True) if log.exists() else fill(log)
    try:
        log.write_bytes(b"".join(lines[number] for number in order[:keep]))
        assert not verify(log).ok
    finally:
        log.write_bytes(b"".join(lines))


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_entries_cut_from_the_end_are_found(log: Path, kept: int) -> None:
    lines = fill(log)
    log.write_bytes(b"".join(lines[:kept]))
    found = verify(log)
    assert not found.ok
    assert found.first_bad == kept + 1
    assert f"{5 - kept} entries" in found.reason


def test_a_log_that_is_gone_altogether_is_found(log: Path) -> None:
    fill(log)
    log.unlink()
    assert not verify(log).ok


def test_an_entry_with_a_hash_made_anew_is_found(log: Path) -> None:
    lines = fill(log)
    changed = json.loads(lines[2])
    changed["details"] = {"number": 99}
    body = {name: value for name, value in changed.items() if name != "hash"}
    changed["hash"] = hashlib.sha256(canonical(body)).hexdigest()
    log.write_bytes(b"".join([*lines[:2], canonical(changed) + b"\n", *lines[3:]]))
    assert verify(log).first_bad == 4


@pytest.mark.parametrize(
    "spoil",
    [
        lambda head: head.unlink(),
        lambda head: head.write_text("{"),
        lambda head: head.write_text('{"entries": 1, "hash": ""}'),
    ],
    ids=["removed", "damaged", "set back"],
)
def test_a_spoilt_head_is_found(log: Path, spoil: Callable[[Path], object]) -> None:
    fill(log)
    spoil(log.with_name("head.json"))
    assert not verify(log).ok


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_log_whose_head_is_gone_is_found_and_not_added_to(log: Path, count: int) -> None:
    fill(log, count)
    log.with_name("head.json").unlink()
    found = verify(log)
    assert (found.ok, found.reason) == (False, "the head is missing or damaged")
    with pytest.raises(AuditError, match="head"):
        append("step", job_id="job")


def test_a_log_emptied_with_its_head_gone_is_found(log: Path) -> None:
    fill(log, 1)
    log.write_bytes(b"")
    log.with_name("head.json").unlink()
    assert not verify(log).ok


def test_a_kill_between_the_first_head_and_the_first_entry_is_no_damage(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("slicermedai.audit.log._write", die)
        with pytest.raises(KeyboardInterrupt):
            fill(log, 1)
    assert log.with_name("head.json").exists()
    assert verify().ok
    fill(log, 1)
    assert verify(log).ok


def test_a_log_that_is_not_there_is_an_error_and_no_whole_one(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="not there") as caught:
        verify(tmp_path / "no" / "such.jsonl")
    assert caught.value.file == str(tmp_path / "no" / "such.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_looking_at_a_copy_leaves_nothing_beside_it(log: Path, tmp_path: Path) -> None:
    fill(log)
    (tmp_path / "copy").mkdir()
    for path in (log, log.with_name("head.json")):
        (tmp_path / "copy" / path.name).write_bytes(path.read_bytes())
    assert verify(tmp_path / "copy" / log.name).ok
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == [log.name, "head.json"]


def test_nothing_is_added_to_a_log_that_was_cut(log: Path) -> None:
    lines = fill(log)
    log.write_bytes(b"".join(lines[:3]))
    before = log.read_bytes()
    with pytest.raises(AuditError, match="2 entries are missing"):
        append("step", job_id="job")
    assert log.read_bytes() == before


def test_a_kill_between_entry_and_head_is_no_damage(log: Path) -> None:
    fill(log, 3)
    head = log.with_name("head.json")
    before = head.read_bytes()
    fill(log, 1)
    head.write_bytes(before)
    assert verify(log).ok
    fill(log, 1)
    assert verify(log).ok
    assert verify(log).entries == 5


@per_example
@given(lost=st.integers(2, 40), again=st.integers(0, 30))
def test_a_line_torn_by_a_kill_is_seen_and_recorded_by_the_next_entry(log: Path, lost: int, again: int) -> None:
    """Also where the entry that records it was torn in turn."""
    log.unlink(missing_ok=True)
    log.with_name("head.json").unlink(missing_ok=True)
    lines = fill(log, 3)
    with log.open("ab") as stream:
        stream.write(lines[0][:-lost] + (b"\n" + lines[1][:again] if again else b""))
    found = verify(log)
    assert (found.ok, found.torn, found.entries) == (True, True, 3)
    append("step", job_id="job")
    found = verify(log)
    assert (found.ok, found.torn, found.entries) == (True, False, 5)
    actions = [json.loads(line)["action"] for line in log.read_bytes().splitlines()[-2:]]
    assert actions == [RECOVERED, "step"]


def test_an_entry_whose_line_break_was_lost_counts_and_the_next_begins_a_line(log: Path) -> None:
    fill(log, 3)
    log.write_bytes(log.read_bytes()[:-1])
    assert verify(log).ok
    fill(log, 1)
    assert verify(log).ok
    assert len(log.read_text().splitlines()) == 4


def test_a_last_entry_changed_by_hand_is_not_taken_for_a_torn_one(log: Path) -> None:
    lines = fill(log, 3)
    log.write_bytes(b"".join(lines[:2]) + lines[2][:-9])
    assert not verify(log).ok
    with pytest.raises(AuditError):
        append("step", job_id="job")


def test_garbage_in_the_middle_is_not_excused_by_a_recovery_of_something_else(log: Path) -> None:
    fill(log, 2)
    with log.open("ab") as stream:
        stream.write(b'{"torn')
    fill(log, 1)
    assert verify(log).ok
    log.write_bytes(log.read_bytes().replace(b'{"torn', b'{"tear'))
    assert verify(log).first_bad == 3


def test_a_long_log_goes_on_from_its_end(log: Path) -> None:
    for number in range(30):
        append_to(log, "step", job_id="job", details={f"text{n}": "x" * 200 for n in range(20)} | {"number": number})
    assert log.stat().st_size > 1 << 16
    assert verify(log).entries == 30


def test_processes_that_append_at_once_make_one_chain(log: Path) -> None:
    code = "from slicermedai.audit.log import append\nfor n in range(15): append('step', job_id='j', number=n)"
    library = str(Path(__file__).resolve().parents[2] / "SlicerMedAI")
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": library}
    running = [subprocess.Popen(command, env=environment) for _ in range(3)]
    assert [process.wait(30) for process in running] == [0, 0, 0]
    assert verify(log).ok
    assert verify(log).entries == 45


@pytest.mark.parametrize(
    "name",
    ["patient_name", "PatientID", "birth_date", "AccessionNumber", "institution", "ReferringPhysicianName",
     "study_instance_uid", "SeriesInstanceUID", "StudyDate", "e_mail", "phone_number", "ImageComments"],
)  # fmt: skip
def test_a_detail_that_may_carry_identity_is_refused_by_name(log: Path, name: str) -> None:
    with pytest.raises(AuditError) as caught:
        append("step", job_id="job", **{name: "Jane"})
    assert caught.value.attribute == name
    assert "Jane" not in str(caught.value)
    assert not log.exists()


@pytest.mark.parametrize(
    "value",
    ["Doe^Jane", "/data/jane", "C:\\jane", "~/jane", "x" * 201, "of 1.2.840.10008.1.2.1", None, [1], {"a": 1}, b"x",
     float("nan")],
)  # fmt: skip
def test_a_detail_is_a_short_text_or_a_number(log: Path, value: object) -> None:
    with pytest.raises(AuditError) as caught:
        append_to(log, "step", job_id="job", details={"thing": value})
    assert caught.value.attribute == "thing"
    assert "jane" not in str(caught.value).lower()
    assert not log.exists()


@pytest.mark.parametrize("action", ["", "Doe^Jane", "Jane Doe", "step\n", "a" * 201, "run /data/jane", "one 2"])
def test_an_action_is_a_few_small_words(log: Path, action: str) -> None:
    with pytest.raises(AuditError) as caught:
        append(action, job_id="job")
    assert caught.value.attribute == "action"
    assert "Jane" not in str(caught.value)
    assert not log.exists()


@pytest.mark.parametrize("job_id", ["Doe^Jane", "Jane", "doe jane", "1.2.840", "a-b", "x" * 33, "../x", "j\n"])
def test_the_name_of_a_job_is_a_uuid_or_a_short_token(log: Path, job_id: str) -> None:
    with pytest.raises(AuditError) as caught:
        append("step", job_id=job_id)
    assert caught.value.attribute == "job_id"
    assert "Jane" not in str(caught.value)
    assert not log.exists()


@pytest.mark.parametrize(
    "job_id", ["", "x", "7d4f6ff030404202a1844563256cdd43", "4e1c6f5a-cecf-447d-a114-ae9a8d290f20"]
)
def test_a_job_named_by_a_uuid_or_a_token_is_taken(log: Path, job_id: str) -> None:
    assert append("de-identified", job_id=job_id).job_id == job_id


@pytest.mark.parametrize("name", ["Doe^Jane", "a b", "", "x" * 41, "\u00fc"])
def test_the_name_of_a_detail_is_a_name(log: Path, name: str) -> None:
    with pytest.raises(AuditError) as caught:
        append_to(log, "step", job_id="job", details={name: 1})
    assert "Jane" not in str(caught.value)
    assert not log.exists()


@per_example
@given(
    details=st.dictionaries(
        st.sampled_from(["device", "bundle", "count", "weight_hash"]),
        st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=60).map(lambda text: "t" + text.replace("^", "")),
    )
)  # fmt: skip
def test_any_allowed_detail_is_kept_as_it_is(log: Path, details: dict) -> None:
    entry = append_to(log, "step", job_id="job", details=details)
    last = json.loads(log.read_bytes().splitlines()[-1])
    assert last["details"] == details
    assert last["hash"] == entry.hash
    assert verify(log).ok


def test_a_log_that_cannot_be_written_is_an_error_in_words(log: Path) -> None:
    log.parent.parent.mkdir(parents=True)
    log.parent.write_text("a file where the folder should be")
    with pytest.raises(AuditError, match="cannot be written"):
        append("step", job_id="job")
