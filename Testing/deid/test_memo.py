"""What is remembered of values that repeat: never more than some thousands, and never of another patient."""

from __future__ import annotations

import base64

from slicermedai.deid.memo import Memo
from slicermedai.deid.tokens import Scope
from slicermedai.deid.vocabulary import Vocabulary, name_tokens

NAME = b"QUILLFEATHER AMBROSIA"
OF_ONE, OF_ANOTHER = (Vocabulary.of(name_tokens(name)) for name in ("Quillfeather^Ambrosia", "Thornbury^Leopold"))


def test_a_memo_forgets_before_it_grows_too_large() -> None:
    memo = Memo[int, int]()
    sizes = {len(memo) for n in range(20000) if memo.keep(n, -n) == -n}
    assert max(sizes) <= 8192
    assert memo[19999] == -19999


def test_what_one_patients_vocabulary_remembers_is_none_of_anothers() -> None:
    encoded = base64.b64encode(NAME).decode()
    for _ in range(2):
        assert OF_ONE.scrub(f"seen by {NAME.decode()}") == "seen by XXXX"
        assert OF_ANOTHER.scrub(f"seen by {NAME.decode()}") == f"seen by {NAME.decode()}"
        assert (OF_ONE.hits(encoded), OF_ANOTHER.hits(encoded)) == (True, False)


def test_a_scope_is_not_answered_with_what_was_found_in_another() -> None:
    short = b"\0\1 AMBROSI \2"  # in bytes fewer letters than a name has are no find, in text they are a name cut short
    for _ in range(2):
        found = [OF_ONE.hits_bytes(short, scope) for scope in (Scope.TEXT, Scope.PIXELS, Scope.TEXT)]
        assert found[0] == found[2]
        assert found == [True, False, True]
        assert not OF_ONE.hides(short)
