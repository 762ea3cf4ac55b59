"""Keys and tables that only a passphrase opens, and that no kill, clash or wrong place can harm."""

from __future__ import annotations

import builtins
import csv
import dataclasses
import json
import os
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from slicermedai.deid import keystore
from slicermedai.deid.keystore import (
    PatientRecord,
    PlainKeyWarning,
    ReidentificationTable,
    change_passphrase,
    load_key,
    needs_passphrase,
    save_key,
)
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.sealed import (
    PASSPHRASE_VARIABLE,
    Cost,
    Sealer,
    is_sealed,
    open_sealed,
    passphrase_from,
    refuse_inside,
)
from slicermedai.domain import locks
from slicermedai.errors import FolderBusyError, IdentityError, OutputError, ResultExistsError
from Testing.deid.samples import KEY, OTHER_KEY

WORDS = "seven blue horses"
CHEAP = Cost(n=1 << 4)
ERIKA = PatientRecord(
    pseudonym=KEY.patient("4711"),
    key=KEY.fingerprint,
    owner="4711",
    patient_ids=("4711",),
    names=("Mustermann^Erika",),
    birth_dates=("19640812",),
    shift_days=KEY.shift_days("4711"),
    uids={KEY.uid("1.2.3.4"): "1.2.3.4"},
)
MAX = PatientRecord(pseudonym=KEY.patient("4712"), key=KEY.fingerprint, owner="4712", names=("Müller^Max",))


def a_table(path: Path, passphrase: str = WORDS) -> ReidentificationTable:
    return ReidentificationTable(path, passphrase, cost=CHEAP)


def a_saved_table(path: Path) -> ReidentificationTable:
    table = a_table(path)
    table.add(ERIKA)
    table.save()
    return table


def test_a_key_comes_back_by_its_passphrase_alone(tmp_path: Path) -> None:
    path = save_key(tmp_path / "project.key", KEY, WORDS, cost=CHEAP)
    assert needs_passphrase(path)
    assert load_key(path, WORDS) == KEY
    with pytest.raises(IdentityError, match=r"project\.key, passphrase: the passphrase is wrong"):
        load_key(path, WORDS + "!")
    with pytest.raises(IdentityError, match="a passphrase is needed"):
        load_key(path)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = save_key(tmp_path / "project.key", KEY, WORDS, cost=CHEAP)
    (tmp_path / "link.key").symlink_to(tmp_path / "absent.key")
    for taken in (path, tmp_path / "link.key"):
        with pytest.raises(ResultExistsError, match="a key cannot be made twice"):
            save_key(taken, OTHER_KEY, WORDS, cost=CHEAP)
    assert load_key(path, WORDS) == KEY


def test_a_key_gets_another_passphrase_and_a_plain_one_its_first(tmp_path: Path) -> None:
    path = save_key(tmp_path / "project.key", KEY, WORDS, cost=CHEAP)
    plain = KEY.save(tmp_path / "plain.key")
    for file, old in ((path, WORDS), (plain, None)):
        with pytest.raises(IdentityError, match="fewer than 8"):
            change_passphrase(file, old, "short", cost=CHEAP)
        assert needs_passphrase(file) == (old is not None)
        change_passphrase(file, old, "five red horses", cost=CHEAP)
        assert load_key(file, "five red horses") == KEY
        with pytest.raises(IdentityError, match="passphrase is wrong"):
            change_passphrase(file, WORDS, WORDS, cost=CHEAP)


def test_a_table_gets_another_passphrase_with_all_that_is_in_it(tmp_path: Path) -> None:
    table, other = a_saved_table(tmp_path / "table.sealed"), a_table(tmp_path / "table.sealed")
    table.add(MAX)
    table.change_passphrase("five red horses", cost=CHEAP)
    assert len(a_table(tmp_path / "table.sealed", "five red horses").records) == 2
    for act in (other.save, lambda: a_table(tmp_path / "table.sealed")):
        with pytest.raises(IdentityError, match="passphrase is wrong"):
            act()
    table.save()


def test_the_stated_cost_is_what_a_file_is_sealed_with(tmp_path: Path) -> None:
    path = save_key(tmp_path / "project.key", KEY, WORDS)
    header = json.loads(path.read_bytes().split(b"\n")[1])
    assert header["scrypt"] == {"n": 65536, "r": 8, "p": 2}
    assert load_key(path, WORDS) == KEY


def test_a_passphrase_means_the_same_on_every_keyboard(tmp_path: Path) -> None:
    path = save_key(tmp_path / "project.key", KEY, "drei Schlüssel", cost=CHEAP)
    assert load_key(path, "drei Schlu\u0308ssel") == KEY


def test_nothing_of_key_or_table_is_readable_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    key = save_key(tmp_path / "project.key", KEY, WORDS, cost=CHEAP)
    table = a_saved_table(tmp_path / "table.sealed").path
    raw = key.read_bytes() + table.read_bytes()
    secrets = [
        KEY.secret,
        KEY.secret.hex().encode(),
        WORDS.encode(),
        b"Muster",
        b"4711",
        b"1964",
        b"1.2.3.4",
        b"MEDAI-",
    ]
    assert not [secret for secret in secrets if secret in raw]
    if os.name != "nt":
        assert {stat.S_IMODE(path.stat().st_mode) for path in (key, table)} == {0o600}


def test_the_same_content_is_never_sealed_twice_alike(tmp_path: Path) -> None:
    one = save_key(tmp_path / "one.key", KEY, WORDS, cost=CHEAP).read_bytes()
    two = save_key(tmp_path / "two.key", KEY, WORDS, cost=CHEAP).read_bytes()
    assert one != two
    table = a_saved_table(tmp_path / "table.sealed")
    before = table.path.read_bytes()
    table.save()
    assert table.path.read_bytes()[-32:] != before[-32:]


@pytest.mark.parametrize("passphrase", ["", "1234567"])
def test_a_short_passphrase_is_refused(tmp_path: Path, passphrase: str) -> None:
    with pytest.raises(IdentityError, match="fewer than 8 characters"):
        save_key(tmp_path / "project.key", KEY, passphrase)
    assert not list(tmp_path.iterdir())


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = save_key(tmp_path / "project.key", KEY, WORDS, cost=CHEAP)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(IdentityError, match=r"project\.key"):
            load_key(path, WORDS)
    path.write_bytes(whole)
    assert load_key(path, WORDS) == KEY


@pytest.mark.filterwarnings("ignore::slicermedai.deid.keystore.PlainKeyWarning")
@pytest.mark.parametrize("length", [0, 5, 21, 100, -17, -1])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, length: int) -> None:
    path = save_key(tmp_path / "project.key", KEY, WORDS, cost=CHEAP)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(IdentityError, match=r"project\.key"):
        load_key(path, WORDS)


def test_a_changed_ciphertext_and_a_wrong_passphrase_are_told_apart(tmp_path: Path) -> None:
    path = save_key(tmp_path / "project.key", KEY, WORDS, cost=CHEAP)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(IdentityError, match="was changed or damaged"):
        load_key(path, WORDS)


def test_a_table_is_no_key(tmp_path: Path) -> None:
    path = a_saved_table(tmp_path / "table.sealed").path
    with pytest.raises(IdentityError, match="another kind"):
        load_key(path, WORDS)


@pytest.mark.parametrize(
    "scrypt", [{"n": 1 << 30, "r": 8, "p": 1}, {"n": 3, "r": 8, "p": 1}, {"n": 16, "r": 8, "p": 0}]
)
def test_a_file_cannot_ask_for_all_memory(tmp_path: Path, scrypt: dict[str, int]) -> None:
    path = save_key(tmp_path / "project.key", KEY, WORDS, cost=CHEAP)
    lines = path.read_bytes().split(b"\n", 2)
    lines[1] = json.dumps({**json.loads(lines[1]), "scrypt": scrypt}).encode()
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(IdentityError, match=r"project\.key, project key: is no sealed file"):
        load_key(path, WORDS)


def test_a_plain_key_is_read_with_a_warning(tmp_path: Path) -> None:
    path = KEY.save(tmp_path / "plain.key")
    assert not needs_passphrase(path)
    with pytest.warns(PlainKeyWarning, match=r"plain\.key.*not encrypted"):
        assert load_key(path) == KEY


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_a_plain_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = KEY.save(tmp_path / "plain.key")
    path.chmod(0o640)
    with pytest.raises(IdentityError, match="other users can read"):
        load_key(path)


def test_a_missing_key_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match=r"absent\.key, project_key: cannot be read"):
        load_key(tmp_path / "absent.key", WORDS)


@pytest.mark.parametrize("inside", ["images", "images/a/b", "link", "images/../images"])
def test_neither_key_nor_table_may_lie_in_a_folder_of_images(tmp_path: Path, inside: str) -> None:
    (tmp_path / "images" / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "images", target_is_directory=True)
    path, away = tmp_path / inside / "project.key", [tmp_path / "other", tmp_path / "images"]
    with pytest.raises(IdentityError, match=r"project\.key, project_key: lies in a folder of images"):
        save_key(path, KEY, WORDS, away_from=away)
    with pytest.raises(IdentityError, match="table: lies in a folder of images"):
        ReidentificationTable(path, WORDS, away_from=away, cost=CHEAP)
    KEY.save(path)
    with pytest.raises(IdentityError, match="project_key: lies in a folder of images"):
        load_key(path, away_from=away)
    with pytest.raises(IdentityError, match="lies in a folder of images"):
        a_table(tmp_path / "table.sealed").export_csv(path, away_from=away)


def test_a_folder_with_a_similar_name_or_none_yet_is_no_folder_of_images(tmp_path: Path) -> None:
    refuse_inside(tmp_path / "images2" / "project.key", [tmp_path / "images"], attribute="project_key")
    with pytest.raises(IdentityError):
        refuse_inside(tmp_path / "images" / "project.key", [tmp_path / "images"], attribute="project_key")


def test_a_table_grows_over_runs(tmp_path: Path) -> None:
    a_saved_table(tmp_path / "table.sealed")
    second = a_table(tmp_path / "table.sealed")
    second.add(dataclasses.replace(ERIKA, patient_ids=("4711 ",), uids={KEY.uid("1.2.3.5"): "1.2.3.5"}))
    second.add(MAX)
    second.save()
    third = a_table(tmp_path / "table.sealed")
    assert [record.pseudonym for record in third.records] == sorted([ERIKA.pseudonym, MAX.pseudonym])
    found = third.find(ERIKA.pseudonym)
    assert found is not None
    assert (found.patient_ids, found.names) == (("4711", "4711 "), ("Mustermann^Erika",))
    assert set(found.uids.values()) == {"1.2.3.4", "1.2.3.5"}
    assert third.original_uid(KEY.uid("1.2.3.5")) == "1.2.3.5"
    assert third.find("MEDAI-") is None is third.original_uid("2.25.1")
    assert third.find(MAX.pseudonym) == MAX


def test_two_runs_that_begin_one_table_at_once_both_get_in(tmp_path: Path) -> None:
    tables = [a_table(tmp_path / "table.sealed"), a_table(tmp_path / "table.sealed")]
    for table, record in zip(tables, (ERIKA, MAX), strict=True):
        table.add(record)
    for table in tables:
        table.save()
    assert len(a_table(tmp_path / "table.sealed").records) == 2


def test_many_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "table.sealed"

    def run(first: int) -> None:
        table = a_table(path)
        for number in range(first, first + 5):
            table.add(dataclasses.replace(MAX, pseudonym=KEY.patient(str(number)), owner=str(number)))
            table.save()

    threads = [threading.Thread(target=run, args=(first,)) for first in (0, 5, 10, 15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {record.owner for record in a_table(path).records} == {str(n) for n in range(20)}


def test_a_table_that_another_run_holds_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = a_saved_table(tmp_path / "table.sealed")
    monkeypatch.setattr(keystore, "_WAIT", 0.05)
    with (
        locks.locked(tmp_path / "table.sealed.lock", wait=0.0),
        pytest.raises(FolderBusyError, match=r"table\.sealed: another run is writing it"),
    ):
        table.save()
    table.save()


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        ({"owner": "4713"}, "owner"),
        ({"key": OTHER_KEY.fingerprint}, "key"),
        ({"shift_days": -4000}, "shift_days"),
        ({"uids": {KEY.uid("1.2.3.4"): "1.2.3.9"}}, "uids"),
    ],
)
@pytest.mark.parametrize("saved", [True, False])
def test_a_pseudonym_never_stands_for_two(tmp_path: Path, change: dict[str, Any], attribute: str, saved: bool) -> None:
    table = a_table(tmp_path / "table.sealed")
    table.add(ERIKA)
    if saved:
        table.save()
    with pytest.raises(IdentityError, match=f"{attribute}: two patients"):
        table.add(dataclasses.replace(ERIKA, **change))
    table.save()
    assert a_table(tmp_path / "table.sealed").records == (ERIKA,)


def test_a_clash_with_another_run_shows_at_saving_and_changes_nothing(tmp_path: Path) -> None:
    late = a_table(tmp_path / "table.sealed")
    a_saved_table(tmp_path / "table.sealed")
    late.add(dataclasses.replace(ERIKA, owner="4713"))
    before = late.path.read_bytes()
    with pytest.raises(IdentityError, match="owner: two patients"):
        late.save()
    assert late.path.read_bytes() == before


def test_a_wrong_passphrase_opens_no_table_and_leaves_it(tmp_path: Path) -> None:
    path = a_saved_table(tmp_path / "table.sealed").path
    before = path.read_bytes()
    with pytest.raises(IdentityError, match=r"table\.sealed, passphrase: the passphrase is wrong"):
        a_table(path, "another one")
    assert path.read_bytes() == before


def test_a_table_that_cannot_be_made_is_known_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match=r"table\.sealed, table: cannot be locked or written"):
        a_table(tmp_path / "file" / "table.sealed")


def test_a_kill_while_a_table_is_written_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    path = a_saved_table(tmp_path / "table.sealed").path
    script = textwrap.dedent(
        f"""
        import sys
        from Testing.deid.test_keystore import CHEAP, ERIKA, KEY, WORDS, PatientRecord, ReidentificationTable
        from pathlib import Path
        table = ReidentificationTable(Path({str(path)!r}), WORDS, cost=CHEAP)
        number = 0
        while True:
            number += 1
            table.add(PatientRecord(pseudonym=KEY.patient(str(number)), key=KEY.fingerprint, owner=str(number)))
            table.save()
            print(number, flush=True)
        """
    )
    for wait in (1, 3):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        done = [int(process.stdout.readline()) for _ in range(wait)][-1]
        process.kill()
        process.wait()
        process.stdout.close()
        owners = {record.owner for record in a_table(path).records}
        assert owners >= {"4711", *map(str, range(1, done + 1))}
    a_saved_table(path)


def test_a_table_in_plain_text_is_written_on_request_alone(tmp_path: Path) -> None:
    table = a_saved_table(tmp_path / "table.sealed")
    table.add(dataclasses.replace(MAX, names=("=1+1", "-x")))
    path = table.export_csv(tmp_path / "table.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = {tuple(row) for row in csv.reader(stream)}
    assert rows == {
        ("pseudonym", "attribute", "original"),
        (ERIKA.pseudonym, "PatientID", "4711"),
        (ERIKA.pseudonym, "PatientName", "Mustermann^Erika"),
        (ERIKA.pseudonym, "PatientBirthDate", "19640812"),
        (ERIKA.pseudonym, "shift_days", str(ERIKA.shift_days)),
        (ERIKA.pseudonym, KEY.uid("1.2.3.4"), "1.2.3.4"),
        (MAX.pseudonym, "PatientName", "'=1+1"),
        (MAX.pseudonym, "PatientName", "'-x"),
    }
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_neither_records_nor_tables_nor_seals_show_what_they_hold(tmp_path: Path) -> None:
    table = a_saved_table(tmp_path / "table.sealed")
    sealer = Sealer.new("sample", WORDS, cost=CHEAP)
    shown = repr(ERIKA) + repr(table) + repr(sealer)
    assert not [word for word in ("4711", "Muster", "1964", "1.2.3.4", str(ERIKA.shift_days), WORDS) if word in shown]
    assert "key" not in repr(sealer)


def test_a_file_that_opens_and_holds_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.sealed"
    Sealer.new(keystore.TABLE_KIND, WORDS, cost=CHEAP).write(path, b"[]")
    with pytest.raises(IdentityError, match="holds no table"):
        a_table(path)
    Sealer.new(keystore.KEY_KIND, WORDS, cost=CHEAP).write(path, b"short")
    with pytest.raises(IdentityError, match="32 bytes"):
        load_key(path, WORDS)


def test_a_passphrase_comes_from_the_environment_or_from_a_question() -> None:
    assert passphrase_from({PASSPHRASE_VARIABLE: WORDS}, lambda _: "asked") == WORDS
    assert passphrase_from({}, lambda _: WORDS) == WORDS
    for ask in (None, lambda _: ""):
        with pytest.raises(IdentityError, match=f"passphrase is needed.*{PASSPHRASE_VARIABLE}"):
            passphrase_from({}, ask)


def test_without_cryptography_it_is_named_and_nothing_is_written_in_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(IdentityError, match=r"cryptography is not installed.*slicermedai\[deid\]"):
        save_key(tmp_path / "project.key", KEY, WORDS)
    assert not list(tmp_path.iterdir())


def test_a_seal_opens_again_with_what_made_it(tmp_path: Path) -> None:
    sealer = Sealer.new("sample", WORDS, cost=CHEAP)
    path = sealer.write(tmp_path / "sample", b"content")
    assert is_sealed(path)
    assert sealer.open(path) == b"content"
    again, content = open_sealed(path, "sample", WORDS)
    assert (again, content) == (sealer, b"content")
    other = Sealer.new("sample", WORDS, cost=CHEAP)
    with pytest.raises(IdentityError, match="passphrase is wrong"):
        other.open(path)


def test_new_keys_are_sealed_as_well_as_given_ones(tmp_path: Path) -> None:
    key = ProjectKey.generate()
    assert load_key(save_key(tmp_path / "project.key", key, WORDS, cost=CHEAP), WORDS) == key


def test_two_people_never_share_a_pseudonym_in_silence(tmp_path: Path) -> None:
    one = dataclasses.replace(MAX, people=(("Müller^Max", "19500101"),), issuers=("A",))
    table = a_table(tmp_path / "people")
    table.add(one)
    table.add(dataclasses.replace(one, people=(("MUELLER^MAX^JOSEF", ""),), issuers=("",)))
    with pytest.raises(IdentityError, match="PatientID"):
        table.add(dataclasses.replace(one, people=(("Lindqvist^Anna", "19620101"),)))
    table.save()
    (found,) = a_table(tmp_path / "people").records
    assert found.issuers == ("A", "")
    assert found.people == (("Müller^Max", "19500101"), ("MUELLER^MAX^JOSEF", ""))
