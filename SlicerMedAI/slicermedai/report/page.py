"""``report.html``: one page that holds everything, needs no server, loads nothing, and can be printed."""

from __future__ import annotations

import base64
from pathlib import Path
from string import Template

from slicermedai.domain.decisions import decided
from slicermedai.domain.notice import DEMONSTRATION, RESEARCH_USE
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.domain.storage import write_text
from slicermedai.errors import OutputError
from slicermedai.report import course, findings, follow_up, origin, stability, uncertainty
from slicermedai.report.context import ReportContext
from slicermedai.report.files import files_section
from slicermedai.report.markup import Html, items, join, resource, section, tag, text
from slicermedai.report.people import date, person
from slicermedai.scene.pictures import Picture

FILE_NAME = "report.html"
BANNER = RESEARCH_USE
_STATUS = {
    Status.COMPLETE: "Complete: the analysis ran to its end.",
    Status.NO_FINDING: "No finding: the analysis ran to its end and found nothing. That is not proof of absence.",
    Status.FAILED: "Failed: the analysis did not run to its end.",
}
_CONTENTS = (
    ("course", "Over time"),
    ("follow-up", "Since the earlier study"),
    ("findings", "Findings"),
    ("pictures", "Pictures"),
    ("quality", "Quality"),
    ("uncertainty", "Uncertainty"),
    ("stability", "Stability"),
    ("maps", "Maps"),
    ("refused", "Refused or not assessed"),
    ("reviews", "Review"),
    ("patient", "Patient and study"),
    ("deidentification", "De-identification"),
    ("input", "Input"),
    ("provenance", "How it was made"),
    ("files", "Files"),
)


def write_report(context: ReportContext, folder: Path) -> Path:
    """Write ``folder/report.html``, whole or not at all, and return its path.

    Raises
    ------
    OutputError, DiskFullError
        The folder cannot be written, or a picture or a listed file is not there.
    """
    return write_text(Path(folder) / FILE_NAME, render_page(context, Path(folder)))


def render_page(context: ReportContext, folder: Path) -> str:
    """The page as text; sizes and hashes are those of ``context.files`` in ``folder``."""
    result = decided(context.result)
    sections = [
        course.course_section(result),
        follow_up.follow_up_section(result),
        findings.findings_section(result),
        pictures_section(context),
        findings.quality_section(result),
        uncertainty.uncertainty_section(result),
        stability.stability_section(result),
        uncertainty.maps_section(result),
        findings.refusals_section(result),
        findings.reviews_section(context.result),
        origin.patient_section(result),
        origin.deidentification_section(result),
        origin.notes_section(context.notes),
        origin.provenance_section(result),
        files_section(context.files, folder),
    ]
    return _template().substitute(
        title=text(context.title),
        style=resource("style.css"),
        banner=text(BANNER),
        demonstration=tag("p", DEMONSTRATION, class_="demonstration") if context.demonstration else "",
        summary=_summary(result),
        status=join([_remark(result), _status(result), _warnings(result)]),
        contents=join(tag("li", tag("a", words, href=f"#{name}")) for name, words in _contents(result)),
        sections=join(filter(None, sections)),
        made=text(result.provenance.finished or result.provenance.started or "at an unknown time"),
    )


def _contents(result: AnalysisResult) -> tuple[tuple[str, str], ...]:
    absent = {"course"} if result.course is None else set()
    absent |= {"follow-up"} if result.follow_up is None else set()
    return tuple(entry for entry in _CONTENTS if entry[0] not in absent)


_CONVENTION = "Radiological convention: in axial and coronal slices the patient's left (L) is on the right."
_BY_HEADER = "Side and letters at the edges are those of the header; they were not read from the picture."


def pictures_section(context: ReportContext) -> Html:
    """The pictures, or why there are none."""
    if not context.pictures:
        reason = context.no_pictures or "none were asked for"
        return section("pictures", "Pictures", tag("p", f"Pictures could not be made: {reason}", class_="warn"))
    figures = [_figure(picture) for picture in context.pictures]
    words = _CONVENTION if context.result.volume_geometry.is_in_patient else _BY_HEADER
    said = tag("p", " ".join(filter(None, [origin.image_words(context.result), words])))
    return section("pictures", "Pictures", said, tag("div", *figures, class_="pictures"))


def _figure(picture: Picture) -> Html:
    try:
        encoded = base64.b64encode(picture.path.read_bytes()).decode("ascii")
    except OSError as error:
        raise OutputError("was to be shown in the report and is not there", file=picture.path) from error
    described = text(picture.description or picture.title)
    image = Html(f'<img src="data:image/png;base64,{encoded}" alt="{described}">')
    return tag("figure", image, tag("figcaption", picture.title))


def _status(result: AnalysisResult) -> Html:
    """Green for a complete run without warnings alone; with any, the first words say that there are some."""
    kind, words = result.status.name.lower().replace("_", "-"), _STATUS[result.status]
    if result.needs_a_look:
        rest = words.partition(": ")[2]
        kind, words = f"{kind} warned", f"{_sentence(result.outcome)}. {_sentence(rest)}"
    said = join([tag("strong", words), text(result.message)], " ")
    return tag("p", said, class_=f"status {kind}")


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _remark(result: AnalysisResult) -> Html:
    """What whoever started the run wants every reader to know."""
    remark = result.provenance.remark
    return tag("p", f"{remark.rstrip('.')}.", class_="remark") if remark else Html("")


def _warnings(result: AnalysisResult) -> Html:
    """What a reader must know before the numbers: at the top, in full."""
    warned = result.provenance.warnings
    return items(warned, class_="warn") if warned else Html("")


def _summary(result: AnalysisResult) -> Html:
    """In one line: by which model, of whom, from when."""
    study, model = result.study, result.provenance
    parts = (
        f"Model {model.bundle} {model.bundle_version}".strip(),
        person(study.patient_name) or study.patient_id,
        study.description,
        date(study.date),
    )
    return tag("p", " · ".join(part for part in parts if part), class_="summary")


def _template() -> Template:
    return Template(resource("page.html"))
