"""What a rule knows about the instance and the place in it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from slicermedai.deid.charsets import DEFAULT, Charset
from slicermedai.deid.dates import AgeRule, DateRule
from slicermedai.deid.dictionary import keyword_of, label_of
from slicermedai.deid.encode import LITTLE
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.pseudonym import Pseudonyms
from slicermedai.deid.table import Action, Table
from slicermedai.deid.text_rule import TextRule
from slicermedai.deid.vocabulary import Vocabulary
from slicermedai.deid.wire import Encoding

_MOST_CONTEXTS = 64


class Element(NamedTuple):
    """A kind of element: tag, VR (by the dictionary where the file says UN), the sequence it is in, ("" at the top).

    ``private`` is the creator of a private attribute that is on the list of safe ones; ``has_items`` tells a sequence.
    """

    tag: int
    vr: str
    parent: str = ""
    private: str = ""
    has_items: bool = False

    @property
    def keyword(self) -> str:
        """ "" where it has none."""
        return keyword_of(self.tag)

    @property
    def label(self) -> str:
        """Keyword, or what stands for it in counts."""
        return label_of(self.tag)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """What is the same for all elements of a file, or of an item with a character set of its own.

    Parameters
    ----------
    patient:
        The patient's pseudonym, Patient ID and name alike.
    sop_class, study_uid:
        SOP Class UID and (original) Study Instance UID of the instance.
    days:
        By how many days dates of this patient are moved.
    dates, ages:
        What becomes of dates and ages that the profile's options keep.
    text:
        What becomes of free text.
    claimed:
        Options of steps that ran for this file and were checked.
    places:
        What the engine remembers for all files that share this context.
    kinds:
        What it remembers for contexts too that differ in nothing but the study.
    """

    table: Table
    profile: Profile
    pseudonyms: Pseudonyms
    vocabulary: Vocabulary
    patient: str
    sop_class: str
    study_uid: str
    days: int = 0
    dates: DateRule = DateRule.REMOVE
    ages: AgeRule = AgeRule.AS_IT_IS
    text: TextRule = TextRule.SCRUB
    claimed: frozenset[Option] = frozenset()
    charset: Charset = DEFAULT
    encoding: Encoding = LITTLE
    codes: frozenset[str] = field(init=False)
    places: dict[Any, Any] = field(default_factory=dict, repr=False)
    kinds: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", self.profile.option_codes)

    def has(self, option: Option) -> bool:
        """True where the profile has that option."""
        return option.value in self.codes

    def action(self, element: Element) -> Action | None:
        """The table's action, the options' columns first; None where it does not list the attribute."""
        kept = self.table.option_action(element.tag, self.codes)
        return kept or self.basic(element)

    def basic(self, element: Element) -> Action | None:
        """The Basic profile's own action."""
        return self.table.action(element.tag, sop_class=self.sop_class, parent=element.parent)

    def new_uid(self, tag: int, original: str) -> str:
        """The pseudonymous UID; a frame of reference is kept apart from the same one in other studies."""
        scope = self.study_uid if depends_on_study(tag) else ""
        return self.pseudonyms.uid(original, scope=scope)


class Contexts(dict[tuple[str, ...], Context]):
    """Key -> context. Each holds values that were met before, so with many of them it begins anew: memory does not grow
    with the number of studies. ``kinds`` are those of contexts, by owner and SOP Class UID."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[tuple[str, str], dict[Any, Any]] = {}

    def keep(self, key: tuple[str, ...], context: Context) -> Context:
        """Remember ``context``, and hand it back."""
        if len(self) >= _MOST_CONTEXTS:
            for one in self.values():
                one.vocabulary.forget()
            self.clear()
            self.kinds.clear()
        self[key] = context
        return context


@functools.lru_cache(maxsize=4096)
def depends_on_study(tag: int) -> bool:
    """True for UIDs of frames of reference, of which each study gets its own."""
    return keyword_of(tag).endswith("FrameOfReferenceUID")
