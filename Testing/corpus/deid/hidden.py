"""Identity where only structure tells that nothing should be: around pixels, in binary values, in numbers.

Draws from a generator of its own for each file, so that nothing else of a corpus depends on it.
"""

from __future__ import annotations

import random
from dataclasses import replace

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from Testing.corpus.deid.encoding import NATIVE, OFFSET_LENGTHS, OFFSETS, Way, as_item, items_of
from Testing.corpus.deid.images import code
from Testing.corpus.deid.people import Form
from Testing.corpus.deid.planting import Planter

AROUND, BINARY, NUMBER = "around pixels", "text in binary", "number"
SMALL, SERVER = "small picture", "address of a server"
PIXELS = 0x7FE00010
TERMS = (
    ("Bennett fracture", "SCT"),
    ("Bennett projection", "SCT"),
    ("Jones fracture", "SCT"),
    ("Gross tumor volume", "DCM"),
    ("Morton neuroma", "SCT"),
    ("Paget disease", "SCT"),
    ("Cobb angle", "SCT"),
    ("Graves orbitopathy", "99TERMS"),
    ("Stanford type B", "99TERMS"),
    ("Chance fracture", "99TERMS"),
    ("Evans index 0.31", "99TERMS"),
    ("Broca area", "99TERMS"),
    ("Acute stroke protocol", "99TERMS"),
    ("Angiography of the leg", "99TERMS"),
    ("Proton therapy plan", "99TERMS"),
    ("Portable chest", "99TERMS"),
    ("Intensive care chest", "99TERMS"),
    ("Dialysis catheter", "99TERMS"),
    ("Mammography with tomosynthesis", "99TERMS"),
)
SERVICES = (
    *("Stroke Unit", "Angiography", "Proton Therapy", "Portable", "Intensive Care", "Dialysis", "Mammography"),
    *("Endoscopy Suite", "Neurosurgery", "Outpatients", "Sleep Laboratory", "Gamma Camera"),
)


def plant_terms(planter: Planter, data: Dataset, seed: int) -> None:
    """A term of medicine that begins with somebody's name, or names a service of hospitals: it must stay."""
    rng = _own(planter, seed).rng
    meaning, scheme = rng.choice(TERMS)
    if "PerformedLocation" not in data:
        data.PerformedLocation = rng.choice(SERVICES)
    if "ViewCodeSequence" not in data:
        data.ViewCodeSequence = Sequence([code("246300", scheme, meaning)])


def plant_hidden(planter: Planter, data: Dataset, way: Way, seed: int) -> None:
    """All kinds that the data set has a place for."""
    own = _own(planter, seed)
    _plant_binary(own, data)
    _plant_number(own, data)
    _plant_wave(own, data)
    _plant_small_picture(own, data)
    _plant_server(own, data)
    if "PixelData" in data and own.rng.random() < 0.5:
        _plant_around(own, data, way)


def _own(planter: Planter, seed: int) -> Planter:
    return replace(planter, rng=random.Random(f"hidden {seed} {planter.file}"))


def _remark(planter: Planter, kinds: tuple[str, ...] = ("name", "birth date", "record")) -> Form:
    """What somebody's software leaves behind: name, birth date and number in one line."""
    parts = [planter.ascii_form(kind) for kind in kinds]
    return Form("remark", " ".join(part.text for part in parts), tuple(t for part in parts for t in part.tokens))


def _plant_binary(planter: Planter, data: Dataset) -> None:
    form = _remark(planter, ("name", "birth date"))
    value = bytes(20) + b"desc " + form.text.encode("ascii") + bytes(19)
    data.add_new(0x00282000, "OB", value + bytes(len(value) % 2))
    planter.note(BINARY, "00282000", form.tokens)
    form = _remark(planter)
    value = b"x" * 1100 + b" " + form.text.encode("ascii") + b" "
    data.add_new(0x00189FF3, "UN", value + b" " * (len(value) % 2))
    planter.note(BINARY, "00189FF3", form.tokens)
    _plant_in_charset(planter, data)


def _plant_in_charset(planter: Planter, data: Dataset) -> None:
    """A name in capitals between other bytes, in the file's own character set."""
    fitting = [form for form in planter.forms if form.kind == "name" and len(form.tokens[0]) >= 8]
    texts = [form.tokens[0].upper() for form in fitting if not form.tokens[0].isascii()]
    raws = [(text, planter.encoded_or_none(text)) for text in texts]
    for text, raw in raws[:1]:
        if raw is not None:
            value = bytes(range(128, 140)) + bytes(8) + raw + bytes(20)
            data.add_new(0x00143070, "OB", value + bytes(len(value) % 2))
            planter.note(BINARY, "00143070", (text,))


def _plant_small_picture(planter: Planter, data: Dataset) -> None:
    """A thumbnail beside a reference, with a remark among its pixels."""
    if planter.rng.random() > 0.3:
        return
    item, path = planter.inside(data, "SourceImageSequence")
    item.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    item.ReferencedSOPInstanceUID = f"2.25.{planter.rng.getrandbits(120)}"
    item.SamplesPerPixel, item.PhotometricInterpretation, item.Rows, item.Columns = 1, "MONOCHROME2", 32, 32
    item.BitsAllocated, item.BitsStored, item.HighBit, item.PixelRepresentation = 8, 8, 7, 0
    form = _remark(planter)
    item.add_new(PIXELS, "OB", (form.text.encode("ascii") + bytes(1024))[:1024])
    planter.note(SMALL, f"{path}{PIXELS:08X}", form.tokens)


def _plant_server(planter: Planter, data: Dataset) -> None:
    """Where the instance can be fetched: the name of a hospital's computer that no other attribute tells."""
    host = "".join(planter.rng.choice("bcdfghklmnprstvz") for _ in range(9))
    tag = planter.rng.choice((0x00081190, 0x00080409, 0x0040E010))
    if tag not in data:
        data.add_new(tag, "UR", f"https://{host}.example/wado/7")
        planter.note(SERVER, f"{tag:08X}", (host,))


def _plant_number(planter: Planter, data: Dataset) -> None:
    """The record number where a single number of a device or a dose stands."""
    digits = "".join(c for c in planter.study.patient.record if c.isdigit())[-8:]
    if not digits.startswith("0"):
        tag, vr = planter.rng.choice(((0x00181411, "DS"), (0x00181153, "IS"), (0x00181412, "DS")))
        if tag not in data:
            data.add_new(tag, vr, digits)
            planter.note(NUMBER, f"{tag:08X}", (digits,))


def _plant_wave(planter: Planter, data: Dataset) -> None:
    """A remark behind the samples of a waveform (PS3.3 C.10.9)."""
    if planter.rng.random() > 0.3:
        return
    item, path = planter.inside(data, "WaveformSequence")
    item.WaveformOriginality, item.NumberOfWaveformChannels, item.NumberOfWaveformSamples = "ORIGINAL", 2, 8
    item.SamplingFrequency, item.WaveformBitsAllocated, item.WaveformSampleInterpretation = "500", 16, "SS"
    form = _remark(planter)
    text = form.text.encode("ascii")
    item.add_new(0x54001010, "OW", bytes([1, 0]) * 16 + text + b" " * (len(text) % 2))
    planter.note(AROUND, path + "54001010", form.tokens)


def _plant_around(planter: Planter, data: Dataset, way: Way) -> None:
    form = _remark(planter)
    text = form.text.encode("ascii")
    text += b" " * (-len(text) % 8)
    if way.syntax in NATIVE:
        frame = int(data.Rows) * int(data.Columns) * int(data.SamplesPerPixel) * int(data.BitsAllocated) // 8
        old = data["PixelData"].VR
        data.PixelData += text * (frame // len(text) + 2)
        data["PixelData"].VR = old
        planter.note(AROUND, f"{PIXELS:08X}", form.tokens)
    elif way.extended:
        for tag in (OFFSETS, OFFSET_LENGTHS):
            data[tag].value += text
            planter.note(AROUND, f"{tag:08X}", form.tokens)
    elif int(data.get("NumberOfFrames", 1)) == 1:
        _into_items(data, text, behind=way.syntax == RLELossless and planter.rng.random() < 0.5)
        planter.note(AROUND, f"{PIXELS:08X}", form.tokens)


def _into_items(data: Dataset, text: bytes, *, behind: bool) -> None:
    """Text in place of the offset table, or behind the only frame within its fragment (PS3.5 A.4)."""
    items = items_of(bytes(data.PixelData))
    table, frames = (items[0], [*items[1:-1], items[-1] + text]) if behind else (text, items[1:])
    data.PixelData = b"".join(as_item(item) for item in (table, *frames))
    data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
