"""The rules of the Basic profile. Each one acts on one dataset, and says in words what it does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from pydicom import DataElement, Dataset
from pydicom.sequence import Sequence as Items

from slicermedai import __version__
from slicermedai.deid import dummies
from slicermedai.deid.datasets import bytes_of, is_pixel_data, is_sequence, items_of, label_of, values_of, vr_of
from slicermedai.deid.profile import Profile
from slicermedai.deid.pseudonym import Pseudonyms
from slicermedai.deid.table import Action, Table
from slicermedai.deid.tokens import Scope, scope_of
from slicermedai.deid.vocabulary import Vocabulary
from slicermedai.errors import IdentityError

_CLASS_UIDS = re.compile(
    r"SOPClass|TransferSyntax|CodingScheme|^ContextUID|MappingResource|Creator|SegmentationTemplate"
)
_FRAMES = re.compile(r"FrameOfReferenceUID$")
_PATIENT = frozenset({"PatientID", "PatientName"})
_PADDING = (0x00080001, 0xFFFCFFFC)  # Length to End (retired), Data Set Trailing Padding
_BYTES = frozenset({"OB", "OW", "SQ", "UN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a rule knows about the instance and the place in it.

    Parameters
    ----------
    patient:
        The patient's pseudonym, Patient ID and name alike.
    sop_class, study_uid:
        SOP Class UID and (original) Study Instance UID of the instance.
    parent:
        Keyword of the sequence that the dataset lies in, "" at the top level.
    tally:
        (attribute, action code) -> how often; "C" stands for text in which identity was masked.
    """

    table: Table
    profile: Profile
    pseudonyms: Pseudonyms
    vocabulary: Vocabulary
    patient: str
    sop_class: str
    study_uid: str
    parent: str = ""
    tally: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, tag: int, action: str) -> None:
        """Note that ``action`` was done to an element."""
        self.tally[label_of(tag), action] += 1

    def new_uid(self, tag: int, original: str) -> str:
        """The pseudonymous UID; a frame of reference is kept apart from the same one in other studies."""
        scope = self.study_uid if _FRAMES.search(label_of(tag)) else ""
        return self.pseudonyms.uid(original, scope=scope)


class Rule(Protocol):
    """One thing that is done to every dataset, the nested ones included."""

    def __call__(self, context: Context, dataset: Dataset) -> None:
        """Change ``dataset`` (its own elements, not those of its items) and count what was done."""

    def describe(self) -> list[str]:
        """What it does, in sentences for report, preview and reference."""


class RemoveHidden:
    """Elements that are no content: group lengths, padding, and what belongs to messages and file meta information."""

    def __call__(self, context: Context, dataset: Dataset) -> None:
        """Remove them."""
        for tag in list(dataset.keys()):
            if tag & 0xFFFF == 0 or tag >> 16 in (0, 2) or tag in _PADDING:
                context.count(tag, Action.REMOVE.value)
                del dataset[tag]

    def describe(self) -> list[str]:
        """In words."""
        return [
            "Group lengths and padding were removed.",
            "Preamble and file meta information were written anew.",
        ]


class ApplyTable:
    """The Basic profile's action for every attribute that Table E.1-1 lists."""

    def __call__(self, context: Context, dataset: Dataset) -> None:
        """Remove, empty or replace what is listed."""
        for tag in list(dataset.keys()):
            action = context.table.action(tag, sop_class=context.sop_class, parent=context.parent)
            if action is not None:
                self._act(context, dataset, tag, action)

    def describe(self) -> list[str]:
        """In words."""
        return [
            "Every attribute that the table lists was removed, emptied or replaced, at every depth.",
            "All private attributes, overlays and curves were removed.",
            "Patient ID and name were replaced by a pseudonym.",
            "UIDs were replaced by new ones that agree between the files, references included.",
            "All dates and times that the table lists were removed, emptied or replaced by 1900-01-01.",
        ]

    def _act(self, context: Context, dataset: Dataset, tag: int, action: Action) -> None:
        vr = vr_of(dataset, tag)
        if label_of(tag) in _PATIENT and action is not Action.REMOVE:
            dataset[tag] = DataElement(tag, vr, context.patient)
            context.count(tag, Action.DUMMY.value)
        elif action is Action.REMOVE:
            del dataset[tag]
            context.count(tag, action.value)
        elif action is Action.UID:
            replace_uids(context, dataset, tag)
        elif action is Action.ZERO:
            dataset[tag] = DataElement(tag, vr, Items() if vr == "SQ" else None)
            context.count(tag, action.value)
        elif action is Action.DUMMY:
            self._dummy(context, dataset, tag, vr)
        else:
            raise IdentityError(f"action {action.value} is not implemented", attribute=label_of(tag))

    @staticmethod
    def _dummy(context: Context, dataset: Dataset, tag: int, vr: str) -> None:
        if vr != "SQ":
            dataset[tag] = DataElement(tag, vr, dummies.value_for(vr))
        elif label_of(tag).endswith("CodeSequence"):
            dataset[tag] = DataElement(tag, vr, Items([dummies.code()]))
        else:
            return  # the items stay, and each of their attributes is treated by its own row
        context.count(tag, Action.DUMMY.value)


class HideUnlisted:
    """Names, dates and UIDs of instances in attributes that the table does not list."""

    def __call__(self, context: Context, dataset: Dataset) -> None:
        """Empty names and dates, replace UIDs."""
        for tag in list(dataset.keys()):
            if context.table.row(tag) is not None:
                continue
            vr = vr_of(dataset, tag)
            if vr in ("PN", "DA", "DT") and dataset.get_item(tag).value:
                dataset[tag] = DataElement(tag, vr, None)
                context.count(tag, Action.ZERO.value)
            elif vr == "UI" and not _CLASS_UIDS.search(label_of(tag)):
                replace_uids(context, dataset, tag)

    def describe(self) -> list[str]:
        """In words."""
        return ["Person names, dates and instance UIDs in attributes that the table does not list were hidden too."]


class ScrubText:
    """What is left of the patient's vocabulary in values that are kept."""

    def __call__(self, context: Context, dataset: Dataset) -> None:
        """Mask it in text, empty numbers that hold it, remove bytes that hold it. Pixels are never touched."""
        for tag in list(dataset.keys()):
            if is_pixel_data(tag) or is_sequence(dataset, tag) or not dataset.get_item(tag).value:
                continue
            vr = vr_of(dataset, tag)
            if vr in _BYTES:
                self._bytes(context, dataset, tag, vr)
            elif (scope := scope_of(vr, 0)) is not Scope.BINARY:
                self._text(context, dataset, tag, scope)

    def describe(self) -> list[str]:
        """In words."""
        return [
            "Names, identifiers, telephone numbers, addresses, institutions and dates of the patient were collected "
            "from all files and masked wherever they stood in other text."
        ]

    @staticmethod
    def _text(context: Context, dataset: Dataset, tag: int, scope: Scope) -> None:
        values = values_of(dataset, tag)
        scrubbed = [context.vocabulary.scrub(value, scope) for value in values]
        if scrubbed == values:
            return
        element = dataset.get_item(tag)
        vr = vr_of(dataset, tag)
        new = None if scope is Scope.NUMBER else scrubbed if len(scrubbed) > 1 else scrubbed[0]
        dataset[element.tag] = DataElement(tag, vr, new)
        context.count(tag, Action.CLEAN.value)

    @staticmethod
    def _bytes(context: Context, dataset: Dataset, tag: int, vr: str) -> None:
        value = bytes_of(dataset, tag)
        scope = scope_of("UN" if vr == "SQ" else vr, len(value))
        texts = (value.decode("latin-1"), value.decode("utf-8", "replace"), value.replace(b"\0", b"").decode("latin-1"))
        if any(context.vocabulary.hits(text, scope) for text in texts):
            del dataset[tag]
            context.count(tag, Action.REMOVE.value)


class MarkDeidentified:
    """PS3.15 E.1.1: what was done is said in the instance itself (top level alone)."""

    def __call__(self, context: Context, dataset: Dataset) -> None:
        """Write the attributes of the Patient and SOP Common modules that say so."""
        if context.parent:
            return
        dataset.PatientID = dataset.PatientName = context.patient
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = [f"SlicerMedAI {__version__}", context.table.short_title]
        dataset.DeidentificationMethodCodeSequence = Items([dummies.code(code) for code in context.profile.codes])
        dataset.LongitudinalTemporalInformationModified = "REMOVED"

    def describe(self) -> list[str]:
        """In words."""
        return ["The files say that the identity was removed, by which profile, and that dates were removed."]


BASIC_RULES: tuple[Rule, ...] = (RemoveHidden(), ApplyTable(), HideUnlisted(), ScrubText(), MarkDeidentified())


def apply(rules: Sequence[Rule], context: Context, dataset: Dataset) -> None:
    """Apply all ``rules`` to ``dataset`` and then to every item of its sequences, at every depth."""
    for rule in rules:
        rule(context, dataset)
    for parent, item in items_of(dataset):
        if not (context.parent == "" and parent == "DeidentificationMethodCodeSequence"):
            apply(rules, replace(context, parent=parent), item)


def replace_uids(context: Context, dataset: Dataset, tag: int) -> None:
    """Give every UID of an element its pseudonym; sequences are left to their items."""
    if vr_of(dataset, tag) == "SQ" or not dataset.get_item(tag).value:
        return
    old = values_of(dataset, tag)
    new = [context.new_uid(tag, value) for value in old]
    if new != old:
        dataset[tag] = DataElement(tag, "UI", new if len(new) > 1 else new[0])
        context.count(tag, Action.UID.value)
