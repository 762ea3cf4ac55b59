"""What is remembered of values that repeat: never more than some thousands, and never of another patient."""

from __future__ import annotations

import base64
import io
import random
from pathlib import Path
from typing import Any

import pytest

from slicermedai.deid import free_forms, places, rewriter
from slicermedai.deid.context import Contexts
from slicermedai.deid.harvest import Harvest
from slicermedai.deid.memo import Memo
from slicermedai.deid.patients import Patients
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.rewrite import rewrite_to
from slicermedai.deid.settings import DeidSettings
from slicermedai.deid.tokens import Scope
from slicermedai.deid.vocabulary import Vocabulary, name_tokens
from Testing.corpus.deid.generate import generate
from Testing.deid.samples import KEY, a_series

NAME = b"QUILLFEATHER AMBROSIA"
OF_ONE, OF_ANOTHER = (Vocabulary.of(name_tokens(name)) for name in ("Quillfeather^Ambrosia", "Thornbury^Leopold"))

MUCH_STAYS = Profile(
    frozenset(
        {
            *(Option.CLEAN_DESCRIPTORS, Option.CLEAN_STRUCTURED_CONTENT, Option.RETAIN_DEVICE_IDENTITY),
            *(Option.RETAIN_SAFE_PRIVATE, Option.RETAIN_MODIFIED_DATES),
        }
    )
)


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


def test_contexts_are_let_go_with_what_they_remember_before_they_are_many(tmp_path: Path) -> None:
    patients = Patients.gather(a_series(tmp_path), profile=Profile(), key=KEY)
    context, kept = patients.context(patients.files[0]), Contexts()
    sizes = {len(kept) for n in range(200) if kept.keep((str(n),), context) is context}
    assert max(sizes) <= 64
    masked = [context.vocabulary.scrub("seen by Doe, Jane on 2024-01-05") for _ in range(2)]
    context.vocabulary.forget()
    assert [*masked, context.vocabulary.scrub("seen by Doe, Jane on 2024-01-05")] == 3 * masked[:1]


def _rewritten(files: list[Path], profile: Profile, *, forget: bool = False) -> dict[Path, bytes]:
    patients = Patients.gather_for(files, DeidSettings(profile=profile, key=KEY))
    made = {}
    for origin in patients.files:
        stream = io.BytesIO()
        context = patients.context(origin)
        if forget:
            context.places.clear()
            context.vocabulary.forget()
        rewrite_to(stream, origin, context)
        made[origin.path] = stream.getvalue()
    return made


def _without_memory(patch: pytest.MonkeyPatch) -> None:
    edited, add = places.edited, Harvest.add

    def anew(treatment: places.Treatment, *about: Any) -> tuple[str, bytes | None]:
        treatment.known.clear()
        return edited(treatment, *about)

    def taken(harvest: Harvest, *about: Any) -> None:
        harvest._seen.clear()
        harvest._made.clear()
        add(harvest, *about)

    patch.setattr(Memo, "keep", lambda memo, key, found: found)
    patch.setattr(rewriter, "edited", anew)
    patch.setattr(Harvest, "add", taken)
    patch.setattr(free_forms, "_remembered", free_forms._masked)


@pytest.mark.parametrize("profile", [Profile(), MUCH_STAYS], ids=["basic", "much stays"])
def test_files_of_several_patients_are_written_alike_in_any_order_and_without_memory(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path, 6151, 48, side=32)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    in_order = _rewritten(files, profile)
    assert len(in_order) > 40
    shuffled = random.Random(3).sample(files, len(files))
    assert _rewritten(shuffled, profile) == in_order
    _without_memory(monkeypatch)
    assert _rewritten(files, profile, forget=True) == in_order
