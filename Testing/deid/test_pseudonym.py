"""Pseudonyms and the key that they hang on."""

from __future__ import annotations

import re
import stat
import sys
from pathlib import Path

import pytest

from slicermedai.deid.pseudonym import SHIFT_DAYS, ProjectKey, Pseudonyms
from slicermedai.errors import IdentityError
from Testing.deid.samples import KEY, OTHER_KEY

UID = "1.2.826.0.1.3680043.8.498.1"


def test_the_same_key_gives_the_same_pseudonyms_and_another_key_others() -> None:
    assert Pseudonyms(KEY).uid(UID) == Pseudonyms(KEY).uid(UID) != Pseudonyms(OTHER_KEY).uid(UID)
    assert Pseudonyms(KEY).patient("A") == Pseudonyms(KEY).patient("A") != Pseudonyms(OTHER_KEY).patient("A")


def test_uids_are_valid_and_under_2_25() -> None:
    made = {Pseudonyms(KEY).uid(f"{UID}.{n}") for n in range(500)}
    assert len(made) == 500
    assert all(re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", uid) and len(uid) <= 64 for uid in made)


def test_uids_that_dicom_defines_stay() -> None:
    assert Pseudonyms(KEY).uid("1.2.840.10008.1.4.1.1") == "1.2.840.10008.1.4.1.1"
    assert Pseudonyms(KEY).uid("") == ""


def test_a_scope_keeps_the_same_original_apart() -> None:
    made = {Pseudonyms(KEY).uid(UID, scope=scope) for scope in ("", "1.2.3", "1.2.4")}
    assert len(made) == 3


def test_no_uid_holds_a_number_of_the_identity_by_chance() -> None:
    plain = Pseudonyms(KEY).uid(UID)
    run = plain[8:14]
    avoiding = Pseudonyms(KEY, frozenset({run}))
    assert run not in avoiding.uid(UID)
    assert avoiding.uid(UID) == avoiding.uid(UID) != plain


def test_a_patients_pseudonym_is_no_word_and_no_number() -> None:
    made = {Pseudonyms(KEY).patient(str(n)) for n in range(500)}
    assert len(made) == 500
    assert all(re.fullmatch(r"MEDAI-[B-DF-HJ-NP-TV-Z]{12}", name) for name in made)


def test_a_key_is_saved_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = KEY.save(tmp_path / "project.key")
    assert ProjectKey.from_file(path) == KEY
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_32_raw_bytes_are_a_key_too(tmp_path: Path) -> None:
    path = tmp_path / "raw.key"
    path.write_bytes(KEY.secret)
    assert ProjectKey.from_file(path) == KEY


@pytest.mark.parametrize("content", [b"", b"zz" * 32, b"ab" * 31, b"\xff" * 64])
def test_a_file_without_a_key_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "not.key"
    path.write_bytes(content)
    with pytest.raises(IdentityError, match=r"not\.key, project_key: holds no project key"):
        ProjectKey.from_file(path)


def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="holds no project key"):
        ProjectKey.from_file(tmp_path / "absent.key")


def test_a_key_does_not_show_itself_and_two_new_ones_differ() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert str(KEY.secret) not in repr(Pseudonyms(KEY))
    assert ProjectKey.generate() != ProjectKey.generate()


def test_padding_and_the_way_an_umlaut_is_stored_do_not_change_a_pseudonym() -> None:
    plain, other = "Müller-12", "  Mu\u0308ller-12 \0"
    assert Pseudonyms(KEY).patient(plain) == Pseudonyms(KEY).patient(other)
    assert KEY.shift_days(plain) == KEY.shift_days(other)


def test_dates_of_a_patient_always_move_alike_ten_to_twenty_years_back() -> None:
    shifts = [KEY.shift_days(str(n)) for n in range(2000)]
    assert (
        shifts == [KEY.shift_days(str(n)) for n in range(2000)] != [OTHER_KEY.shift_days(str(n)) for n in range(2000)]
    )
    assert -SHIFT_DAYS[1] <= min(shifts) < -7250
    assert -3703 < max(shifts) <= -SHIFT_DAYS[0]
    assert len(set(shifts)) > 1500


def test_the_fingerprint_tells_keys_apart_and_holds_nothing_of_them() -> None:
    assert KEY.fingerprint != OTHER_KEY.fingerprint
    assert re.fullmatch(r"[0-9a-f]{16}", KEY.fingerprint)
    assert KEY.fingerprint not in KEY.secret.hex()


def test_a_key_answers_as_its_pseudonyms_do() -> None:
    assert KEY.uid(UID, "1.2.3") == Pseudonyms(KEY).uid(UID, scope="1.2.3")
    assert KEY.patient("A") == Pseudonyms(KEY).patient("A")


def test_pseudonyms_are_those_of_every_version() -> None:
    """Written down once: another result here breaks the pseudonyms of every project that goes on."""
    assert KEY.uid("1.2.3") == "2.25.285507378849503049031862966124780021086"
    assert (KEY.patient("A"), KEY.shift_days("A")) == ("MEDAI-ZLMDLRXJHGFB", -6646)
