"""The identity in the headers: listed, unlisted, nested, private, unknown, overlays, padding, preamble, file meta."""

from __future__ import annotations

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from Testing.corpus.deid.attributes import HEADER, likely, listed_texts, retired_texts, unlisted_texts
from Testing.corpus.deid.planting import Planter

STUDY_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
LISTED, UNLISTED, NESTED = "listed", "unlisted", "nested"
CREATORS = ("ACME VIEWER 1.1", "GEMS_IDEN_01", "SIEMENS MED", "LOCAL RIS NOTES", "TOSHIBA_MEC_OT3")
NESTS = (
    ("RequestAttributesSequence", "RequestedProcedureDescription", "ScheduledProcedureStepDescription"),
    ("ProcedureCodeSequence", "CodeMeaning", "MappingResource"),
    ("AnatomicRegionSequence", "CodeMeaning", "MappingResourceName"),
    ("ReferencedPerformedProcedureStepSequence", "PerformedProcedureStepDescription", "CodeMeaning"),
    ("ContributingEquipmentSequence", "ContributionDescription", "ManufacturerModelName"),
    ("SourceImageSequence", "PurposeOfReferenceDescription", "ManufacturerModelName"),
    ("DeviceSequence", "DeviceDescription", "ManufacturerModelName"),
)
PRIVATE_TEXTS = (("LO", 0xA1), ("LT", 0xA2), ("ST", 0xA3), ("SH", 0xA4))


def plant_identity(planter: Planter, data: Dataset) -> None:
    """Who, where and when: what the header of every file tells."""
    study, patient = planter.study, planter.study.patient
    where = ("", LISTED)
    planter.plant_person(data, "PatientName", where, patient.person)
    planter.plant_person(data, "PatientMotherBirthName", where, patient.mother)
    planter.plant_person(data, "ReferringPhysicianName", where, study.referring)
    planter.plant_person(data, "OperatorsName", where, study.operator)
    planter.plant_person(data, "NameOfPhysiciansReadingStudy", where, study.reader)
    digits = "".join(c for c in patient.record if c.isdigit())[-8:]
    values = {
        "PatientID": (patient.record, (digits,)),
        "PatientBirthDate": (f"{patient.birth:%Y%m%d}", (f"{patient.birth:%Y%m%d}",)),
        "PatientAddress": (f"{patient.street}, {patient.city}"[:64], (patient.street,)),
        "AccessionNumber": (study.accession, (study.accession[3:],)),
        "StudyID": (study.accession[-8:], (study.accession[-8:],)),
        "InstitutionName": (study.clinic, (study.clinic.split()[-1],)),
        "InstitutionAddress": (f"{study.clinic}, Am Ring 4", (study.clinic.split()[-1],)),
        "StationName": (study.station, (study.station,)),
        "DeviceSerialNumber": (study.serial, (study.serial[2:],)),
    }
    for keyword, value in values.items():
        if planter.encoded_or_none(value[0]) is not None:
            planter.exact(data, keyword, where, value)
    if patient.person.romanised[0]:  # the header tells how the name is spelt in Latin letters
        latin = "^".join(patient.person.romanised)
        planter.exact(data, "OtherPatientNames", where, (latin, patient.person.romanised))
    for keyword in STUDY_DATES:
        planter.exact(data, keyword, where, (f"{study.date:%Y%m%d}", (f"{study.date:%Y%m%d}",)))
    for keyword, kind in HEADER.items():
        planter.plant(data, keyword, where, kind)
    _other_identifiers(planter, data)


def _other_identifiers(planter: Planter, data: Dataset) -> None:
    item, path = planter.inside(data, "OtherPatientIDsSequence")
    social = planter.study.patient.social
    planter.exact(item, "PatientID", (path, NESTED), (social, (social,)))
    planter.plant(item, "IssuerOfPatientID", (path, NESTED), "clinic")
    item.TypeOfPatientID = "TEXT"


def plant_anywhere(planter: Planter, data: Dataset) -> None:
    """Listed, unlisted and retired attributes of the dictionary, drawn anew for every file."""
    rng = planter.rng
    for tag in rng.sample(listed_texts(), 13):
        planter.plant(data, tag, ("", LISTED), "any")
    free = [tag for tag in likely() if tag not in data]
    for tag in rng.sample(free, min(5, len(free))):
        planter.plant(data, tag, ("", UNLISTED), "name")
    for tag in rng.sample(unlisted_texts(), 5):
        planter.plant(data, tag, ("", UNLISTED), "any")
    planter.plant(data, rng.choice(retired_texts()), ("", "retired"), "any")


def plant_nested(planter: Planter, data: Dataset) -> None:
    """Sequences in sequences, to a depth of five."""
    for sequence, first, second in planter.rng.sample(NESTS, 2):
        item, path = planter.inside(data, sequence)
        _complete(planter, item, sequence)
        for keyword in (first, second):
            planter.plant(item, keyword, (path, NESTED), "any")
    holder, path = data, ""
    for depth, keyword in enumerate(("ReferencedStudySequence", "ReferencedSeriesSequence", "ReferencedImageSequence")):
        if keyword in data:
            continue
        holder, path = planter.inside(holder, keyword, path)
        _complete(planter, holder, keyword)
        planter.plant(holder, ("StudyDescription", "SeriesDescription", "ImageComments")[depth], (path, NESTED), "any")
    for keyword in ("PurposeOfReferenceCodeSequence", "EquivalentCodeSequence"):
        holder, path = planter.inside(holder, keyword, path)
        _complete(planter, holder, keyword)
        planter.plant(holder, "CodeMeaning", (path, NESTED), "name")
    planter.plant(holder, planter.rng.choice(unlisted_texts()), (path, NESTED), "any")


def _complete(planter: Planter, item: Dataset, sequence: str) -> None:
    """What the standard wants in an item of that sequence (PS3.3 8.8, 10.11)."""
    if sequence.endswith(("CodeSequence", "RegionSequence")):
        item.CodeValue, item.CodingSchemeDesignator = f"9{planter.rng.randrange(1000, 9999)}", "99LOCAL"
    elif sequence == "ReferencedSeriesSequence":
        item.SeriesInstanceUID = f"2.25.{planter.rng.getrandbits(120)}"
    elif sequence in ("DeviceSequence", "ContributingEquipmentSequence"):
        item.Manufacturer = "ACME"
    elif sequence != "RequestAttributesSequence":
        item.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
        item.ReferencedSOPInstanceUID = f"2.25.{planter.rng.getrandbits(120)}"


def plant_private(planter: Planter, data: Dataset) -> None:
    """Private text, UN, binary and nested private sequences."""
    creator = planter.rng.choice(CREATORS)
    group = planter.rng.choice((0x0009, 0x0011, 0x0029, 0x0033, 0x0051))
    block = data.private_block(group, creator, create=True)
    for vr, number in PRIVATE_TEXTS:
        text, tokens = planter.text("any", vr)
        block.add_new(number, vr, text)
        planter.note("private", f"{block.get_tag(number):08X}", tokens)
    for number, vr in ((0xB0, "UN"), (0xB1, "OB")):
        value, tokens = planter.bytes_with()
        block.add_new(number, vr, value)
        planter.note("private", f"{block.get_tag(number):08X}", tokens)
    item = Dataset()
    inner = item.private_block(group, creator, create=True)
    text, tokens = planter.text("name", "LO")
    inner.add_new(0xC1, "LO", text)
    block.add_new(0xC0, "SQ", Sequence([item]))
    planter.note("private", f"{block.get_tag(0xC0):08X}[0]/{inner.get_tag(0xC1):08X}", tokens)


def plant_unknown(planter: Planter, data: Dataset) -> None:
    """Even groups that no dictionary knows, as UN and as text."""
    value, tokens = planter.bytes_with("name")
    data.add_new(0x00189FF1, "UN", value)
    planter.note("unknown", "00189FF1", tokens)
    text, tokens = planter.text("any", "LO")
    data.add_new(0x00429FE2, "LO", text)
    planter.note("unknown", "00429FE2", tokens)


def plant_overlay(planter: Planter, data: Dataset, shape: tuple[int, int]) -> None:
    """An overlay plane with label, description, comments, and text hidden in its bits."""
    group = 0x60000000 + (planter.rng.randrange(0, 8) << 17)
    rows, columns = shape
    plain = {0x10: ("US", rows), 0x11: ("US", columns), 0x40: ("CS", "G"), 0x50: ("SS", [1, 1]), 0x100: ("US", 1)}
    for element, (vr, value) in {**plain, 0x102: ("US", 0)}.items():
        data.add_new(group + element, vr, value)
    for element, vr in ((0x0022, "LO"), (0x1500, "LO"), (0x4000, "LT")):
        text, tokens = planter.text("any", vr)
        data.add_new(group + element, vr, text)
        planter.note("overlay", f"{group + element:08X}", tokens)
    hidden, tokens = planter.bytes_with("record")
    size = (rows * columns + 15) // 16 * 2
    data.add_new(group + 0x3000, "OW", (hidden + bytes(size))[:size])
    planter.note("overlay", f"{group + 0x3000:08X}", tokens)


def plant_padding(planter: Planter, data: Dataset) -> None:
    """Text behind the last element's meaning: DataSetTrailingPadding."""
    value, tokens = planter.bytes_with("name")
    data.add_new(0xFFFCFFFC, "OB", value)
    planter.note("padding", "FFFCFFFC", tokens)


def plant_outside(planter: Planter, data: Dataset, meta: FileMetaDataset) -> None:
    """Preamble and file meta information."""
    form = planter.ascii_form("name")
    data.preamble = (b"\0" * 16 + form.text.encode("ascii") + bytes(128))[:128]
    planter.note("preamble", "(preamble)", form.tokens)
    station = planter.study.station
    meta.SourceApplicationEntityTitle = station[:16]
    planter.note("file meta", "(meta)00020016", (station[:16],))
    form = planter.ascii_form("record")
    meta.ImplementationVersionName = form.text[:16]
    if all(token in form.text[:16] for token in form.tokens):
        planter.note("file meta", "(meta)00020013", form.tokens)
    private, tokens = planter.bytes_with("any")
    meta.PrivateInformationCreatorUID = UID("2.25.71")
    meta.PrivateInformation = private
    planter.note("file meta", "(meta)00020102", tokens)
