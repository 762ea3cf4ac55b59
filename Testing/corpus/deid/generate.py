"""The corpus: patients with several visits, files of fifteen kinds, identity everywhere, and the ledger of it all."""

from __future__ import annotations

import datetime
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.uid import UID

from Testing.corpus.deid import headers, hidden, wrapped
from Testing.corpus.deid.attributes import listed
from Testing.corpus.deid.documents import Target, make_object
from Testing.corpus.deid.encoding import Way, choose_way, put_pixels, takes_remarks, wheel_for
from Testing.corpus.deid.images import SOP_CLASSES as IMAGE_KINDS
from Testing.corpus.deid.images import Place, add_icon, make_image, path_value, set_pixel_attributes
from Testing.corpus.deid.ledger import Clinical, Entry, Interval, Ledger, Reference
from Testing.corpus.deid.lettering import burn, keep_annotations
from Testing.corpus.deid.people import Patient, Person, Study, make_patient, make_study
from Testing.corpus.deid.planting import Planter

DEFAULT_FILES = 381
PER_PATIENT = 24
# One turn of the wheel holds every kind; images come before what refers to them.
WHEEL = [
    "CT",
    "CT",
    "MR",
    "US",
    "CR",
    "SC",
    "PT",
    "SR",
    "RTSTRUCT",
    "GSPS",
    "SEG",
    "CT",
    "DX",
    "US",
    "SC",
    "RTPLAN",
    "RTDOSE",
    "PDF",
    "MG",
    "CDA",
    "MR",
    "CR",
    "CT",
    "PT",
]
BURNABLE = ("US", "SC", "CR")
REFERRING = ("RTSTRUCT", "SEG", "RTPLAN")
CLINICAL_VRS = ("DS", "IS", "FL", "FD", "US", "SS", "UL", "SL", "CS", "SH", "LO", "TM", "AS", "SV", "UV", "AT")
NOT_CLINICAL = {0x00100040, 0x00080005, 0x00280301, 0x00080060, 0x00420015, 0x00400243}
"""The last two: length of a document that must go, and where in a hospital it was."""
SAFE_PRIVATE = {0x0019100C, 0x2005100E, 0x70531000}


@dataclass
class Visit:
    """A study while its files are made."""

    study: Study
    uid: str
    frame: str
    series: dict[str, str] = field(default_factory=dict)
    images: list[Target] = field(default_factory=list)


@dataclass
class Maker:
    """Makes the files of one corpus, one after the other."""

    folder: Path
    ledger: Ledger
    rng: random.Random
    side: int
    way: Way | None = None
    before: Person | None = None
    turn: int = 0
    turns: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def uid(self) -> str:
        """A UID of the form 2.25 (PS3.5 B.2)."""
        return f"2.25.{self.rng.getrandbits(122)}"

    def patient(self, index: int, files: int) -> None:
        """All files of one patient, of every kind."""
        patient = make_patient(self.rng, index)
        self.files(patient, index, [WHEEL[n % len(WHEEL)] for n in range(files)])
        person = patient.person
        plain = person.family.isalpha() and not (person.common or person.romanised[0] or person.ideographic[0])
        self.before = person if plain else None

    def files(self, patient: Patient, index: int, kinds: list[str]) -> None:
        """Files of those kinds, over two or three visits."""
        visits = [self._visit(patient, day) for day in self._days()]
        for number, kind in enumerate(kinds):
            which = number * len(visits) // len(kinds)
            which = which if kind in IMAGE_KINDS or targets(kind, visits[which]) else 0
            self._file(kind, (index, which), visits[which])

    def _days(self) -> list[datetime.date]:
        first = datetime.date(self.rng.randrange(2005, 2022), self.rng.randrange(1, 13), self.rng.randrange(1, 29))
        gaps = [0, self.rng.randrange(20, 200), self.rng.randrange(300, 900)]
        return [first + datetime.timedelta(days=gap) for gap in gaps[: self.rng.randrange(2, 4)]]

    def _visit(self, patient: Patient, day: datetime.date) -> Visit:
        return Visit(replace(make_study(self.rng, patient, day), before=self.before), self.uid(), self.uid())

    def _file(self, kind: str, where: tuple[int, int], visit: Visit) -> None:
        self.turn += 1
        name = f"p{where[0]:03}/{kind.lower()}_{self.turn:05}.dcm"
        planter = Planter(self.rng, self.ledger, name, visit.study, visit.study.patient.person.charset)
        burned = kind in BURNABLE and self.rng.random() < 0.7
        data, pixels = self._content(kind, planter, visit, burned=burned)
        self._place(kind, data, planter, visit)
        way = self._way(pixels)
        if pixels is not None:
            put_pixels(data, pixels, way, self._remark(planter, way))
        hidden.plant_terms(planter, data, self.ledger.seed)
        self._note_clinical(data, planter)
        self._plant(planter, data, pixels)
        hidden.plant_hidden(planter, data, way, self.ledger.seed)
        wrapped.plant_wrapped(planter, data, self.ledger.seed)
        self._write(data, planter, way)
        has_pixels = "PixelData" in data
        sop_class = str(data.SOPClassUID)
        self.ledger.entries.append(
            Entry(name, kind, where[0], where[1], self.turn, sop_class, way.syntax, has_pixels, burned)
        )

    def _way(self, pixels: np.ndarray | None) -> Way:
        if self.way is not None:
            return self.way
        wheel = wheel_for(pixels)
        self.turns[wheel] += 1
        return choose_way(self.turns[wheel] - 1, pixels)

    def _content(self, kind: str, planter: Planter, visit: Visit, *, burned: bool) -> tuple[Dataset, np.ndarray | None]:
        if kind not in IMAGE_KINDS:
            target = self.rng.choice(targets(kind, visit))
            data, paths = make_object(kind, planter, target)
            self.ledger.references += [Reference(planter.file, path, target.file, what) for path, what in paths]
            return data, None
        data, pixels = make_image(
            kind, self.rng, Place(len(visit.images), self.side * (2 if burned else 1), self.rng.random() < 0.7)
        )
        if burned:
            pixels = burn(planter, pixels)
            told = self.rng.choice(["YES", "NO", None])
            if told:
                data.BurnedInAnnotation = told
        elif kind in BURNABLE and self.rng.random() < 0.4:
            keep_annotations(planter, pixels)
        set_pixel_attributes(data, pixels)
        if self.rng.random() < 0.25:
            add_icon(data, pixels)
        return data, pixels

    def _place(self, kind: str, data: Dataset, planter: Planter, visit: Visit) -> None:
        """UIDs, numbers and the character set."""
        data.SpecificCharacterSet = list(planter.charset) if len(planter.charset) > 1 else planter.charset[0]
        data.InstanceNumber = str(self.turn)
        series = visit.series.setdefault(kind, self.uid())
        values = {"SOPInstanceUID": self.uid(), "StudyInstanceUID": visit.uid, "SeriesInstanceUID": series}
        if kind in ("CT", "MR", "PT", "RTDOSE"):
            values["FrameOfReferenceUID"] = visit.frame
        for keyword, uid in values.items():
            planter.exact(data, keyword, ("", "uid"), (uid, (uid,)))
        if kind in IMAGE_KINDS:
            frame = values.get("FrameOfReferenceUID", "")
            visit.images.append(Target(planter.file, data.SOPClassUID, values["SOPInstanceUID"], series, frame))
        if kind == "PT":
            self._plant_injection(data, planter)

    def _plant_injection(self, data: Dataset, planter: Planter) -> None:
        """The injection and the acquisition as date-times: their distance is what SUV needs (PS3.3 C.8.9.1.1.3)."""
        day = f"{planter.study.date:%Y%m%d}"
        planter.exact(data, "AcquisitionDateTime", ("", headers.LISTED), (f"{day}094512", (day,)))
        drug, path = data.RadiopharmaceuticalInformationSequence[0], "00540016[0]/"
        planter.exact(drug, "RadiopharmaceuticalStartDateTime", (path, headers.NESTED), (f"{day}083015", (day,)))
        self.ledger.intervals.append(Interval(planter.file, path + "00181078", planter.file, "0008002A", 4497.0))

    def _remark(self, planter: Planter, way: Way) -> bytes:
        """What somebody's software writes into the comment of compressed frames: whose they are."""
        if not takes_remarks(way) or self.rng.random() < 0.5:
            return b""
        form = planter.ascii_form("name")
        planter.note("remark in a frame", "7FE00010", form.tokens)
        return form.text.encode("ascii")

    def _note_clinical(self, data: Dataset, planter: Planter) -> None:
        mine = takewhile(lambda item: item.file == planter.file, reversed(self.ledger.planted))
        taken = {item.path for item in mine}
        for path, value in clinical_values(data):
            if path not in taken:
                self.ledger.clinical.append(Clinical(planter.file, path, value, kind_of(path)))

    def _plant(self, planter: Planter, data: Dataset, pixels: np.ndarray | None) -> None:
        headers.plant_identity(planter, data)
        headers.plant_anywhere(planter, data)
        headers.plant_nested(planter, data)
        headers.plant_private(planter, data)
        headers.plant_unknown(planter, data)
        if pixels is not None and self.rng.random() < 0.4:
            headers.plant_overlay(planter, data, (pixels.shape[1], pixels.shape[2]))
        if self.rng.random() < 0.6:
            headers.plant_padding(planter, data)

    def _write(self, data: Dataset, planter: Planter, way: Way) -> None:
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
        meta.TransferSyntaxUID = UID(way.syntax)
        meta.ImplementationClassUID = UID("2.25.7")
        headers.plant_outside(planter, data, meta)
        planter.note("uid", "(meta)00020003", (str(data.SOPInstanceUID),))
        target = self.folder / planter.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encoded_file(data, meta))


def encoded_file(data: Dataset, meta: FileMetaDataset) -> bytes:
    """The file as bytes, preamble and file meta information first (PS3.10)."""
    whole = FileDataset("", data, preamble=data.preamble, file_meta=meta)
    made = DicomBytesIO()
    dcmwrite(made, whole, enforce_file_format=True)
    return bytes(made.getvalue())


def generate(folder: Path, seed: int, files: int = DEFAULT_FILES, *, side: int = 128) -> Ledger:
    """Write ``files`` DICOM files below ``folder``; the same seed gives the same bytes. ``side`` in pixels."""
    ledger = Ledger(seed)
    maker = Maker(folder, ledger, random.Random(f"deid {seed}"), side)
    patients = max(1, round(files / PER_PATIENT))
    for index in range(patients):
        maker.patient(index, files // patients + (index < files % patients))
    ledger.intervals += intervals(ledger)
    return ledger


def targets(kind: str, visit: Visit) -> list[Target]:
    """The images of the visit that an object of that kind can be about."""
    return [target for target in visit.images if target.frame or kind not in REFERRING]


def kind_of(path: str) -> str:
    """``always`` where no part of the path is in Table E.1-1, ``private`` in a safe private block, else ``option``."""
    tags = [int(part[:8], 16) for part in path.split("/")]
    if tags[0] in SAFE_PRIVATE:
        return "private"
    return "option" if any(tag in listed() for tag in tags) else "always"


def clinical_values(data: Dataset, path: str = "") -> list[tuple[str, str]]:
    """(path, value) of every element that tells of the image and not of the person."""
    found: list[tuple[str, str]] = []
    for element in data:
        here = f"{path}{int(element.tag):08X}"
        if element.VR == "SQ":
            for index, item in enumerate(element.value):
                found += clinical_values(item, f"{here}[{index}]/")
        elif _is_clinical(element, path):
            found.append((here, path_value(element.value)))
    return found


def _is_clinical(element: Any, path: str) -> bool:
    tag = int(element.tag)
    if element.tag.is_private:
        return tag in SAFE_PRIVATE
    nested_tables = path.startswith("00880200")  # an icon may go as a whole
    return (
        element.VR in CLINICAL_VRS and tag not in NOT_CLINICAL and not nested_tables and element.value not in ("", None)
    )


def intervals(ledger: Ledger) -> list[Interval]:
    """Days between the first visit's first file and one file of each later visit, for every kind of date."""
    dates = {(item.file, item.path): item.tokens[0] for item in ledger.planted if item.path in DATE_PATHS}
    first = {(entry.patient, entry.study): entry.file for entry in reversed(ledger.entries)}
    made = []
    for (patient, study), file in sorted(first.items()):
        start = first.get((patient, 0))
        if study == 0 or start is None:
            continue
        for path in DATE_PATHS:
            seconds = (_day(dates[file, path]) - _day(dates[start, path])).total_seconds()
            made.append(Interval(start, path, file, path, seconds))
    return made


DATE_PATHS = ("00080020", "00080021", "00080022", "00080023")


def _day(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y%m%d")
