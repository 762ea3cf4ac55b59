"""The report of a de-identification: what it says is what was done, it names nobody, and a browser shows it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slicermedai.deid.exclusion import ExclusionList
from slicermedai.deid.presets import PRESETS
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.run import deidentify_all
from slicermedai.deid.settings import DeidOutcome, DeidSettings, Naming, ReviewItem
from slicermedai.deid.sources import find_files
from slicermedai.jobs.specs import DeidJob
from slicermedai.report.deid_facts import DeidFacts, Doubt, LeftOut, facts_of
from slicermedai.report.deid_page import counted, render_deid_page, write_deid_report
from slicermedai.report.deid_tables import MANY_FILES
from Testing.browser import screenshot
from Testing.deid.samples import KEY, a_series
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.series_spec import SeriesSpec
from Testing.report.reading import Reader

PEOPLE = {
    "a": Identity(),
    "b": Identity(patient_name="Zwickelmann^Rosalind", patient_id="ZW-5501923", age="071Y", sex="M"),
    "c": Identity(patient_name="Ottergren^Malvina", patient_id="OG-6620481", age="034Y", accession="AC58243"),
    "d": Identity(patient_name="Pemberwick^Cosmo", patient_id="PB-9914370", age="071Y", sex="M", accession="AC31907"),
}


@dataclasses.dataclass(frozen=True)
class Done:
    """A job that was done, and its facts."""

    job: DeidJob
    outcome: DeidOutcome
    folder: Path
    facts: DeidFacts


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Three patients of four (one opted out), two modalities, a torn file, a text file; research without pixels."""
    root = tmp_path_factory.mktemp("deid")
    for name, identity in PEOPLE.items():
        spec = SeriesSpec(identity=identity, seed=name, modality="CT" if name == "b" else "MR")
        a_series(root / "in" / name, spec=spec)
    torn = root / "in" / "a" / "IM0002.dcm"
    torn.write_bytes(torn.read_bytes()[:-100])
    torn.rename(torn.with_name("Sobczyk_Halina_tel_0511884.dcm"))  # of whom no header tells
    (root / "in" / "Quillfeather.txt").write_text("no image")
    (root / "list.txt").write_text("PB-9914370\n")
    job = DeidJob(source=str(root / "in"), output=str(root / "out"), preset="research", key="k", exclude="list.txt")
    options = PRESETS["research"].options - {Option.CLEAN_PIXEL_DATA, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES}
    settings = DeidSettings(
        profile=Profile(options | {Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES}),
        key=KEY,
        deface=True,
        exclusion=ExclusionList.from_file(root / "list.txt"),
        names=Naming.TREE,
    )
    outcome = deidentify_all(find_files([root / "in"]), root / "dicom", settings)
    times = ("2026-03-02T10:15:00+00:00", "2026-03-02T10:15:04+00:00")
    return Done(job, outcome, root / "dicom", facts_of(job, outcome, root / "dicom", settings=settings, times=times))


def page(facts: DeidFacts) -> Reader:
    return Reader(render_deid_page(facts))


def data(facts: DeidFacts, folder: Path) -> dict:
    return json.loads(write_deid_report(facts, folder)[1].read_text(encoding="utf-8"))


def test_the_counts_are_those_of_the_files(done: Done, tmp_path: Path) -> None:
    told = data(done.facts, tmp_path)
    written = [row for row in done.outcome.files if row.output]
    assert told["counts"]["written"] == len(written) == len(list(done.folder.rglob("*.dcm"))) == 5
    assert told["counts"]["patients"] == 3
    assert (told["counts"]["excluded_files"], told["counts"]["excluded_entries"]) == (2, 1)
    assert told["verifier"] == {"searched": 5, "kept_back": 0}
    summed = Counter({(one["attribute"], one["action"]): one["elements"] for one in told["attributes"]})
    assert summed == sum((row.done for row in written), Counter())
    assert sum(one["files"] for one in told["series"]) == 5
    assert {one["modality"] for one in told["series"]} == {"MR", "CT"}


def test_every_file_has_every_attribute_in_the_data(done: Done, tmp_path: Path) -> None:
    told = data(done.facts, tmp_path)
    for file, row in zip(told["files"], [row for row in done.outcome.files if row.output], strict=True):
        assert file["output"] == row.output
        assert (done.folder / file["output"]).is_file()
        treated = {(label, action): count for label, action, count in told["treated"][file["treated"]]}
        assert treated == dict(row.done)
    reasons = {(one["attribute"], one["action"]): one["reason"] for one in told["attributes"]}
    assert {(label, action) for kind in told["treated"] for label, action, _ in kind} <= set(reasons)
    assert all(reasons.values())


def test_nobody_is_named(done: Done, tmp_path: Path) -> None:
    write_deid_report(done.facts, tmp_path)
    text = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir()).lower()
    wanted = {token for identity in PEOPLE.values() for token in identity_tokens(identity)}
    assert [token for token in sorted(wanted | {"Sobczyk", "0511884"}) if token.lower() in text] == []
    assert not any("Sobczyk" in line for line in done.outcome.record.refused)
    assert re.search(r"2\.25\.\d+", text), "the new UIDs are there"


def test_the_page_says_what_was_asked_for_and_what_came_of_it(done: Done) -> None:
    read = page(done.facts)
    options = read.section("choices")
    assert "Clean Descriptors Option DCM 113105 yes 5 of 5 files" in options
    assert "Clean Recognizable Visual Features Option DCM 113102 yes 0 of 5 files" in options
    assert "Retain UIDs Option DCM 113110 no" in options
    assert "moved by whole days" in options
    assert KEY.fingerprint in options
    assert "edition 2024e" in options
    assert "StudyDate (0008,0020) moved 5 5 Table E.1-1: Z, option 113107: C" in read.section("attributes")
    assert "(113102) was asked for and not done in 5 of 5 files" in read.section("not-done")
    assert "asked for, not done in 5 of 5 files" in options
    assert "k = 1" in read.section("risk")
    left = read.section("left-out")
    assert "file 1 (*.txt) left out is no DICOM file" in left
    assert "exclusion list (line 1" in left
    assert "2 of them because of an entry of the exclusion list" in left


def test_the_first_words_are_bad_only_where_identity_was_found(done: Done) -> None:
    clean = dataclasses.replace(done.facts, left_out=(), missed=())
    (status,) = [e for e in page(clean).all("p") if e.attributes.get("class", "").startswith("status")]
    assert (status.attributes["class"], status.text) == (
        "status",
        "5 files written; the verifier found none of what the headers name in any of them.",
    )
    undone = page(dataclasses.replace(done.facts, left_out=()))
    (status,) = [e for e in undone.all("p") if e.attributes.get("class", "").startswith("status")]
    assert status.attributes["class"] == "status warned"
    assert "(113102) was asked for and not done in 5 of 5 files" in status.text
    (status,) = [e for e in page(done.facts).all("p") if e.attributes.get("class", "").startswith("status")]
    assert status.attributes["class"] == "status warned"
    kept = LeftOut(number=9, source="IM0009.dcm", reason="a name is still there", quarantined=True, asked_for=False)
    failed = page(dataclasses.replace(done.facts, left_out=(*done.facts.left_out, kept)))
    (status,) = [e for e in failed.all("p") if e.attributes.get("class", "").startswith("status")]
    assert status.attributes["class"] == "status failed"
    assert "In 1 file it found some" in failed.section("verified")
    first = failed.section("left-out").index("IM0009.dcm")
    assert first < failed.section("left-out").index("file 1 "), "what the verifier kept back stands first"


def test_what_a_person_must_look_at_is_listed(done: Done) -> None:
    assert "Nothing is waiting" in page(done.facts).section("review")
    shown = page(dataclasses.replace(done.facts, doubts=(Doubt(output="00003.dcm", pieces=2, removed=1),)))
    assert "00003.dcm 2 1" in shown.section("review")
    assert "What could not be read was not covered" in shown.section("review")


def test_text_that_was_read_in_pixels_never_reaches_the_report(done: Done, tmp_path: Path) -> None:
    from slicermedai.deid.pixels.kinds import Search, TextBox, TextClass, Verdict

    box = TextBox(x0=1, y0=1, x1=9, y1=9, text="Wobblethorpe", kind=TextClass.UNCLASSIFIED, why="unknown word")
    verdict = Verdict(boxes=(box,), search=Search.READ, reason="it is a secondary capture")
    item = ReviewItem(source=Path("in"), output="00001.dcm", verdict=verdict)
    outcome = dataclasses.replace(done.outcome, review=(item,))
    settings = DeidSettings(key=KEY)
    facts = facts_of(done.job, outcome, done.folder, settings=settings, times=("", ""))
    assert facts.doubts == (Doubt(output="00001.dcm", pieces=1, removed=1),)
    assert "Wobblethorpe" not in render_deid_page(facts) + json.dumps(data(facts, tmp_path))


def test_many_files_are_in_the_data_and_their_series_on_the_page(done: Done, tmp_path: Path) -> None:
    row = next(row for row in done.facts.files if row.output)
    many = dataclasses.replace(done.facts, files=(row,) * (MANY_FILES + 1))
    assert "201 files were written" in page(many).section("files")
    assert len(data(many, tmp_path)["files"]) == MANY_FILES + 1
    assert len(data(many, tmp_path)["treated"]) == 1


def test_the_page_loads_nothing_and_is_whole(done: Done) -> None:
    html = render_deid_page(done.facts)
    read = Reader(html)
    assert [e for e in read.elements if e.attributes.get("src", "").startswith("http")] == []
    targets = {e.attributes.get("id") for e in read.elements}
    assert {e.attributes["href"][1:] for e in read.all("a")} <= targets
    assert len(read.all("h1")) == 1


@pytest.mark.parametrize(("number", "text"), [(0, "0 files"), (1, "1 file"), (1203, "1,203 files")])
def test_numbers_have_their_words(number: int, text: str) -> None:
    assert counted(number, "file") == text


def test_a_browser_shows_it(done: Done, tmp_path: Path, keep_screenshot) -> None:
    write_deid_report(done.facts, tmp_path)
    shot = screenshot(tmp_path / "report.html", tmp_path, "--window-size=1100,1700", "--light")
    seen = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    assert tuple(seen[4, 500]) == (122, 31, 43), "the banner is on top"
    keep_screenshot(shot, "deid-report.png")


def test_it_can_be_printed(done: Done, tmp_path: Path) -> None:
    from Testing.browser import printed

    write_deid_report(done.facts, tmp_path)
    paper = printed(tmp_path / "report.html", tmp_path).read_bytes()
    assert paper.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 8
