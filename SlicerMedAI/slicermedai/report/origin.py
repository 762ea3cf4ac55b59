"""Where the result comes from: patient and study, what was de-identified, the input's notes, and the run itself."""

from __future__ import annotations

from slicermedai.domain.provenance import InputDigest, Provenance
from slicermedai.domain.result import AnalysisResult, Deidentification
from slicermedai.domain.study import Identity
from slicermedai.report.actions import badge
from slicermedai.report.markup import Html, code, items, join, number, section, table, tag, terms, text
from slicermedai.report.people import coded, date, person, time

RAW_OUTPUT = "Network output, not a probability"
_ROUTES = {
    Identity.KEEP: "keep: everything that was written carries the patient's identity",
    Identity.DEIDENTIFY: "deidentify: everything that was written is pseudonymous",
}

_ROUTES_OF_NOBODY = {
    Identity.KEEP: "keep: there was none to keep, beside the image itself and the name of its file",
    Identity.DEIDENTIFY: "deidentify: names and UIDs that came with the image were left out",
}


def patient_section(result: AnalysisResult) -> Html:
    """Who was imaged, or the pseudonym, and which of the two identity routes the run took."""
    study = result.study
    pseudonym = study.identity is Identity.DEIDENTIFY
    known = [
        ("Pseudonym" if pseudonym else "Patient", person(study.patient_name)),
        ("Pseudonymous ID" if pseudonym else "Patient ID", study.patient_id),
        ("Born", date(study.birth_date)),
        ("Sex", study.sex),
        ("Study", study.description),
        ("Body part", study.body_part),
        ("Study date", " ".join(filter(None, (date(study.date), time(study.time))))),
        ("Accession", study.accession),
        ("Study UID", code(study.study_uid)),
        ("Identity", _ROUTES[study.identity]),
    ]
    missing = "" if study.has_context else tag("p", "The source names no patient and no study.")
    if not study.has_context:
        known[-1] = ("Identity", _ROUTES_OF_NOBODY[study.identity])
    return section("patient", "Patient and study", missing, terms(known), _series(result))


def deidentification_section(result: AnalysisResult) -> Html:
    """What was taken out, and what was not."""
    record = result.deidentification
    if record is None:
        return section("deidentification", "De-identification", tag("p", _no_record(result)))
    rules = items(record.done) if record.done else ""
    done = join([tag("h3", "What was done"), terms(_counts(record)), rules, _verified(record), _changes(record)])
    not_done = [
        tag("h3", "What was not done"),
        items(record.not_done, class_="warn") if record.not_done else tag("p", "Nothing is recorded as not done."),
    ]
    return section("deidentification", "De-identification", done, *not_done)


def _verified(record: Deidentification) -> Html:
    if not record.verified:
        return Html("")
    words = f"After writing, a reader of its own searched all {record.verified} files for identity, and found none."
    return join([tag("h3", "What the verifier found"), tag("p", words)])


def _changes(record: Deidentification) -> Html:
    """Before and after, attribute by attribute, without values: those before are what had to go."""
    rows = [
        (one.attribute, badge(one.action), tag("td", f"{one.elements:,}", class_="number"), one.reason)
        for one in record.changes
    ]
    if not rows:
        return Html("")
    made = table("What became of each attribute", ("Attribute", "Action", "Elements", "Why"), rows, class_="attributes")
    return tag("details", tag("summary", f"{len(rows)} attributes, one by one"), made)


def notes_section(notes: tuple[str, ...]) -> Html:
    """What the geometry gate said when it read the input."""
    content = items(notes) if notes else tag("p", "The input was taken as it is; nothing was repaired.")
    return section("input", "Notes on the input", content)


def provenance_section(result: AnalysisResult) -> Html:
    """Model, software, machine and steps: enough to repeat the run. Warnings stand at the top of the page."""
    made_by = result.provenance
    facts = [
        ("Model", f"{made_by.bundle} {made_by.bundle_version}".strip()),
        ("Weights SHA-256", _weights(made_by)),
        ("Trust record", _record(made_by)),
        ("Input SHA-256", _input(made_by.input)),
        ("Licence", made_by.licence),
        ("Intended use", made_by.intended_use),
        ("Device", made_by.device),
        ("Precision", made_by.precision),
        ("Seed", str(made_by.seed)),
        ("Threads", str(made_by.threads) if made_by.threads else ""),
        ("Started", made_by.started),
        ("Finished", made_by.finished),
        ("Job", code(made_by.job_id)),
        ("Image grid", _grid(result)),
        ("Maps", ", ".join(f"{item.name} ({item.unit.meaning})" for item in result.maps)),
    ]
    return section("provenance", "How it was made", terms(facts), _outputs(result), _steps(result), _versions(result))


def _record(made_by: Provenance) -> Html:
    """What calibrated the numbers."""
    used = made_by.trust_record
    return (
        text("none applied: nothing is calibrated")
        if used is None
        else join([code(used.sha256), text(used.model)], " ")
    )


def _weights(made_by: Provenance) -> Html:
    """Every file of weights that ran, by its hash."""
    if not made_by.weights:
        return code(made_by.weights_sha256)
    return join((join([code(one.sha256), text(one.file)], " ") for one in made_by.weights), "<br>")


def _input(read: InputDigest | None) -> Html:
    """What was read, by the hash that the audit log holds too."""
    if read is None:
        return Html("")
    files = f"over the hashes of {read.files} files" if read.files > 1 else "of the file"
    return join([code(read.sha256), files if read.files else "of the voxels and their place"], " ")


def image_words(result: AnalysisResult) -> str:
    """Which image the pictures show: "Image: T1 MPRAGE, MR, series 4, 50 x 46 x 34 voxels of 5 x 5 x 5 mm."."""
    parts = [result.volume_geometry.in_words]
    for series in (result.sources or result.study.series)[:1]:
        number = "" if series.number is None else f"series {series.number}"
        parts = [series.description, series.modality, number, *parts]
    return f"Image: {', '.join(filter(None, parts))}."


def _series(result: AnalysisResult) -> Html:
    sources = result.sources or result.study.series
    rows = [
        (
            series.description or "without description",
            series.modality,
            "" if series.number is None else series.number,
            len(series.instances),
            code(series.series_uid),
        )
        for series in sources
    ]
    headings = ("Series", "Modality", "Number", "Instances", "Series UID")
    return table("Series that were analysed", headings, rows) if rows else Html("")


def _no_record(result: AnalysisResult) -> str:
    if result.study.identity is Identity.KEEP and not result.study.has_context:
        return "Nothing was de-identified: the source is no DICOM study and names nobody."
    if result.study.identity is Identity.KEEP:
        return "Nothing was de-identified: this run keeps the identity of its source."
    return "This result is marked pseudonymous, and holds no record of how its source was de-identified."


def _counts(record: Deidentification) -> list[tuple[str, object]]:
    if not record.files:
        return [("Method", record.method)]
    return [
        ("Method", record.method),
        ("Profile and options", join((coded(value) for value in record.codes), "<br>")),
        ("Key fingerprint", code(record.fingerprint)),
        ("Files", record.files),
        ("Elements removed", record.elements_removed),
        ("Elements replaced", record.elements_replaced),
        ("UIDs replaced", record.uids_replaced),
    ]


def _grid(result: AnalysisResult) -> str:
    geometry = result.volume_geometry
    if not geometry.is_in_patient:
        return f"{geometry.in_words}; it has no place in the patient"
    return f"{geometry.in_words}, axes towards {', '.join(geometry.axis_codes)} (slices, rows, columns)"


def _steps(result: AnalysisResult) -> Html:
    rows = [(s.name, s.detail, tag("td", f"{s.seconds:.2f}", class_="number")) for s in result.provenance.steps]
    return table("Steps", ("Step", "Detail", "Seconds"), rows) if rows else Html("")


def _outputs(result: AnalysisResult) -> Html:
    """The networks' own numbers, apart from the findings, where they would be read as probabilities."""
    known = [(f.label.name, f.confidence.raw_score) for f in result.findings if f.confidence.raw_score is not None]
    rows = [(name, number(score)) for name, score in known]
    return table(RAW_OUTPUT, ("Finding", "Mean output inside"), rows) if rows else Html("")


def _versions(result: AnalysisResult) -> Html:
    rows = list(result.provenance.versions)
    return table("Software", ("Package", "Version"), rows) if rows else Html("")
