"""Write identity into elements and note it in the ledger."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from pydicom.charset import encode_string, python_encoding
from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from Testing.corpus.deid.attributes import FREE_TEXT
from Testing.corpus.deid.ledger import Ledger, Planted
from Testing.corpus.deid.people import Form, Person, Study, stripped, study_forms
from Testing.corpus.deid.spoilt import spoilt_forms

LENGTHS = {"SH": 16, "LO": 64, "CS": 16, "AE": 16, "ST": 900, "LT": 900, "UC": 900, "UT": 900, "PN": 64}
FRAMES = (
    "{}",
    "{}",
    "Patient {}",
    "for {}",
    "scan of {}, repeat",
    "please call {} re: follow-up",
    "Seen today: {}. No contrast.",
    "copy to {}",
    "({}) supine",
)


@dataclass
class Planter:
    """Plants facts of one visit into the elements of one file."""

    rng: random.Random
    ledger: Ledger
    file: str
    study: Study
    charset: tuple[str, ...]
    forms: list[Form] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.forms = study_forms(self.study) + spoilt_forms(self.study.patient)

    def note(self, category: str, path: str, tokens: tuple[str, ...], *, strong: bool = True) -> None:
        """Put what stands at ``path`` into the ledger."""
        encoded = tuple(self.encoded(token).hex() for token in tokens)
        self.ledger.planted.append(Planted(self.file, category, path, tokens, encoded, strong))

    def encoded(self, text: str) -> bytes:
        """The text in the file's character set, as the generator writes it outside pydicom."""
        encodings = [python_encoding[term or "ISO_IR 6"] for term in self.charset]
        return bytes(encode_string(text, encodings))

    def form(self, kind: str, vr: str, room: int) -> Form:
        """A form of that kind of fact (``any``: whichever) that the VR and the character set can hold."""
        fitting = [form for form in self.forms if self._fits(form, vr, room)]
        wanted = [form for form in fitting if form.kind == kind]
        return self.rng.choice(wanted or fitting)

    def _fits(self, form: Form, vr: str, room: int) -> bool:
        if len(self.encoded_or_none(form.text) or " " * 9999) > room:
            return False
        if vr == "CS":
            return all(c.isascii() and (c.isupper() or c.isdigit() or c in " _") for c in form.text)
        return form.text.isascii() if vr == "AE" else True

    def encoded_or_none(self, text: str) -> bytes | None:
        """The text in the file's character set, or nothing where that cannot hold it."""
        codec = python_encoding[self.charset[-1] or "ISO_IR 6"]
        try:
            return text.encode(codec)
        except UnicodeEncodeError:
            return None

    def text(self, kind: str, vr: str, *, framed: bool = True) -> tuple[str, tuple[str, ...]]:
        """A text for the VR with a fact of that kind in it, and its tokens."""
        room = LENGTHS[vr]
        form = self.form(kind, vr, room)
        frame = self.rng.choice(FRAMES) if framed and vr in FREE_TEXT else "{}"
        whole = frame.format(form.text)
        return (whole if len(self.encoded_or_none(whole) or "") <= room else form.text), form.tokens

    def plant(self, data: Dataset, tag: int | str, where: tuple[str, str], kind: str = "any") -> None:
        """Write a fact into a standard text element; ``where`` is (path of the data set, category)."""
        number = tag_for_keyword(tag) if isinstance(tag, str) else tag
        if number is None or number in data:
            return
        vr = dictionary_VR(number)
        if vr == "PN":
            self.plant_person(data, number, where, self.study.patient.person if kind == "name" else self.study.reader)
            return
        value, tokens = self.text(kind, vr)
        data.add_new(number, vr, [value] if _is_multiple(number) and vr not in ("ST", "LT", "UT") else value)
        self.note(where[1], where[0] + f"{number:08X}", tokens)

    def plant_person(self, data: Dataset, tag: int | str, where: tuple[str, str], person: Person) -> None:
        """Write a name as VR PN."""
        number = Tag(tag)
        data.add_new(number, "PN", person.pn)
        self.note(where[1], where[0] + f"{number:08X}", person.pn_tokens)

    def exact(self, data: Dataset, keyword: str, where: tuple[str, str], value: tuple[Any, tuple[str, ...]]) -> None:
        """Write that value, which holds those tokens."""
        number = tag_for_keyword(keyword)
        assert number is not None, keyword
        data.add_new(number, dictionary_VR(number), value[0])
        vague = dictionary_VR(number) in ("DA", "DT") and "Birth" not in keyword
        self.note(where[1], where[0] + f"{number:08X}", value[1], strong=not vague)

    def inside(self, data: Dataset, keyword: str, path: str = "") -> tuple[Dataset, str]:
        """A new item in the sequence of that name, and the item's path."""
        number = tag_for_keyword(keyword)
        assert number is not None, keyword
        if number not in data:
            data.add_new(number, "SQ", Sequence([]))
        item = Dataset()
        data[number].value.append(item)
        return item, f"{path}{number:08X}[{len(data[number].value) - 1}]/"

    def bytes_with(self, kind: str = "any") -> tuple[bytes, tuple[str, ...]]:
        """Binary data with a fact in it, at an odd place."""
        form = self.form(kind, "LO", 64)
        text = self.encoded_or_none(form.text)
        assert text is not None
        noise = bytes(self.rng.randrange(128, 256) for _ in range(self.rng.randrange(3, 24)))
        whole = noise + b"\0" + text + b"\0" + noise
        return whole + b"\0" * (len(whole) % 2), form.tokens

    def ascii_form(self, kind: str = "any") -> Form:
        """A form that needs no character set."""
        fitting = [form for form in self.forms if form.text.isascii() and len(form.text) < 40]
        return self.rng.choice([form for form in fitting if form.kind == kind] or fitting)


def _is_multiple(tag: int) -> bool:
    return dictionary_VM(tag) != "1"


def caption(form: Form) -> str:
    """The form as a scanner's burned-in text would write it: no marks."""
    return stripped(form.text)
