"""Every sentence of the module MedAI Report, in the language of the person who reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicermedai.app.report_state import (
    OWN,
    DeliveryShown,
    EarlierShown,
    FindingShown,
    FormatShown,
    PeerShown,
    ResultShown,
    Written,
)
from slicermedai.app.words import Translate, confidence_text, decision_text, state_cell, untranslated
from slicermedai.app.words import time_left as known_time_left
from slicermedai.domain.result import Decision, Status
from slicermedai.domain.study import Identity
from slicermedai.domain.tracking_table import FILE_NAME, read_table


def format_text(name: str, tr: Translate = untranslated) -> tuple[str, str]:
    """What a format is, in a few words, and who reads it, in a sentence; one without words has its name."""
    return (_dicom(tr) | _others(tr)).get(name, (name, ""))


def _dicom(tr: Translate) -> dict[str, tuple[str, str]]:
    return {
        "seg": (tr("Segmentation"), tr("DICOM SEG: the voxels of each finding, for archives, viewers and Slicer.")),
        "seg-labelmap": (
            tr("Segmentation as a label map"),
            tr("DICOM Label Map Segmentation, smaller; few readers know it, so the usual form is written beside it."),
        ),
        "seg-labelmap-plain": (
            tr("Segmentation as a label map, uncompressed"),
            tr("The same without compression, for readers that do not decode RLE."),
        ),
        "sr": (tr("Report with numbers"), tr("DICOM SR, TID 1500: all findings with their measurements.")),
        "sr-plain": (
            tr("Report with numbers, for older readers"),
            tr("The same as a Comprehensive SR, which web viewers and older systems take."),
        ),
        "sr-lengths": (tr("Lengths to draw"), tr("DICOM SR whose lines web viewers draw, and let people move.")),
        "sr-regions": (tr("Report of boxes and points"), tr("DICOM SR for detections, which have no voxels.")),
        "sr-image": (tr("Report on the whole image"), tr("DICOM SR for classifications, which have no region.")),
        "text": (tr("Report in words"), tr("DICOM Basic Text SR: the result as sentences.")),
        "pmap": (tr("Maps"), tr("DICOM Parametric Map: probability, uncertainty and the like for each voxel.")),
        "rtstruct": (tr("Contours"), tr("DICOM RT Structure Set, for radiotherapy planning.")),
        "capture": (
            tr("Pictures to read"),
            tr("DICOM Secondary Capture: a result page and pictures; any PACS shows it."),
        ),
    }


def _others(tr: Translate) -> dict[str, tuple[str, str]]:
    return {
        "fhir": (tr("Health record, FHIR R4"), tr("A bundle for hospital systems. It cites segmentation and report.")),
        "fhir-r5": (tr("Health record, FHIR R5"), tr("The newer form of the same, by HL7's mapping of DICOM SR.")),
        "hl7": (tr("Message, HL7 v2"), tr("ORU^R01, for hospital and radiology information systems.")),
        "nifti": (tr("Label map, NIfTI"), tr("For research tools. It carries no patient and no study.")),
        "nrrd": (tr("Segmentation, NRRD"), tr("For research tools and Slicer: segments with their names and colours.")),
        "csv": (tr("Table, CSV"), tr("All numbers of the findings, for a spreadsheet.")),
    }


def profile_text(name: str, tr: Translate = untranslated) -> tuple[str, str]:
    """A profile in a few words, and for whom it is."""
    known = {
        "archive": (tr("For an archive"), tr("Everything in full, for machines and for later.")),
        "viewer": (tr("For web viewers"), tr("What web viewers show: segments, a report and lengths.")),
        "legacy": (tr("For older systems"), tr("What all others show: contours, words and pictures.")),
        OWN: (tr("My own choice"), tr("The formats that are ticked below.")),
    }
    return known.get(name, (name, ""))


# --- the result ------------------------------------------------------------------------------------------------------


def outcome_text(shown: ResultShown | None, tr: Translate = untranslated) -> str:
    """What came of the run, and on which route it was made."""
    if shown is None:
        return ""
    outcome = {
        Status.COMPLETE: tr("Findings: {count}.").format(count=len(shown.findings)),
        Status.NO_FINDING: tr("The model ran and found nothing."),
        Status.FAILED: tr("The model failed: {reason}").format(reason=shown.message),
    }[shown.status]
    return " ".join([f"{shown.model}.", outcome, _route_text(shown, tr)])


def _route_text(shown: ResultShown, tr: Translate) -> str:
    if shown.identity is Identity.DEIDENTIFY:
        return tr("Pseudonymous: for research destinations alone.")
    if not shown.study_uid:
        return tr("The source has no patient and no study: no DICOM can be written of it.")
    return tr("Identified: it carries the patient, and goes to clinical destinations alone.")


def warnings_text(shown: ResultShown | None, tr: Translate = untranslated) -> str:
    """What must be read before the numbers; "" where there is nothing."""
    if shown is None:
        return ""
    demonstration = tr("Demonstration weights: what they find has no diagnostic value.")
    lines = [shown.remark, demonstration if shown.demonstration else ""]
    lines += [tr("Warning: {text}.").format(text=line.rstrip(".")) for line in shown.warnings]
    lines += [_own_again(one, tr) for one in shown.findings if one.lost_edit]
    return "\n".join(filter(None, lines))


def _own_again(one: FindingShown, tr: Translate) -> str:
    if one.decision is Decision.REJECTED:
        told = tr("{name} was edited, and then rejected: who accepts it now accepts the model's own voxels, unedited.")
    else:
        told = tr("{name} is accepted with the model's own voxels: the edit went when it was rejected.")
    return told.format(name=one.name)


def finding_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of findings; how far to trust them stands before their numbers."""
    return [tr("Finding"), tr("Confidence"), tr("Review"), tr("Measurements")]


def finding_rows(shown: ResultShown | None, tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The table of findings, in the order of :func:`finding_columns`."""
    return [_finding_row(one, tr) for one in shown.findings] if shown else []


def _finding_row(one: FindingShown, tr: Translate) -> tuple[str, ...]:
    sure = confidence_text(one.confidence, tr)
    if one.probability is not None:
        sure = tr("{percent} % ({state})").format(percent=round(100 * one.probability), state=sure)
    said = decision_text(one.decision, tr)
    numbers = "; ".join(f"{title} {text}" for title, text in one.measurements)
    return one.name, sure, ": ".join(filter(None, [said, one.reason])), numbers


def standing_text(shown: ResultShown | None, pending: int, tr: Translate = untranslated) -> str:
    """Whether every object would say that it was verified, by whom, and which decisions are not saved yet."""
    if shown is None:
        return ""
    if shown.verifiers:
        told = tr("The objects will say: verified by {names}.").format(names=", ".join(shown.verifiers))
    elif shown.status is Status.FAILED:
        told = tr("A failed run cannot be verified.")
    elif shown.whole is Decision.REJECTED:
        told = tr("The objects will say: not verified. The result as a whole was rejected.")
    else:
        told = tr("The objects will say: not verified. Decide about each finding, or accept the whole.")
    waiting = {0: "", 1: tr("1 decision is saved when you write; until then it can be undone.")}.get(
        pending, tr("{count} decisions are saved when you write; until then they can be undone.").format(count=pending)
    )
    return " ".join(filter(None, [told, waiting]))


# --- writing ---------------------------------------------------------------------------------------------------------


def plan_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of what will be written."""
    return [tr("Format"), tr("Will be written"), tr("What is missing"), tr("How to mend it")]


def plan_rows(plan: Sequence[FormatShown], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The table of what will be written and what not, in the order of :func:`plan_columns`."""
    return [(format_text(one.name, tr)[0], *_plan_row(one, tr)) for one in plan]


def _plan_row(one: FormatShown, tr: Translate) -> tuple[str, str, str]:
    if one.is_written:
        return ", ".join(one.files), "", ""
    if one.reason:
        missing = ": ".join(filter(None, [one.attribute, one.reason]))
        return tr("no"), missing, one.advice or tr("Leave this format out.")
    return tr("nothing"), _nothing(one.name, tr), tr("Nothing to mend: leave it out, or choose another format.")


def _nothing(name: str, tr: Translate) -> str:
    known = {
        "pmap": tr("The result holds no maps."),
        "sr-regions": tr("The result holds no boxes and no points."),
        "seg": tr("The result holds no segments."),
        "rtstruct": tr("The result holds no segments."),
    }
    return known.get(name, tr("The result holds nothing for it."))


def unsaid_text(shown: ResultShown | None, tr: Translate = untranslated) -> str:
    """What every object lacks because the source does, by name, and how to mend it."""
    if shown is None or not shown.unsaid:
        return ""
    told = tr("Empty in every object, since the source does not say it: {names}.").format(names=", ".join(shown.unsaid))
    if shown.identity is Identity.DEIDENTIFY:
        return told + " " + tr("On the pseudonymous route that is meant so.")
    mend = tr("To mend it, export the series again from where it is archived, run again and write that result.")
    return f"{told} {mend}"


def written_text(written: Written | None, tr: Translate = untranslated) -> str:
    """What was written, and the name of its folder."""
    if written is None:
        return tr("Nothing was written yet.")
    told = tr("Written: {names}.").format(names=", ".join(written.files))
    return " ".join([told, tr("Folder: {name}").format(name=written.folder.name)])


def earlier_rows(shown: ResultShown | None, tr: Translate = untranslated) -> list[tuple[str, str]]:
    """The earlier results to choose from, none first: folder and text."""
    found = [(str(one.folder), _earlier_text(one, tr)) for one in shown.earlier] if shown else []
    return [("", tr("None: findings are tracked by themselves")), *found]


def _earlier_text(one: EarlierShown, tr: Translate) -> str:
    date = f"{one.date[:4]}-{one.date[4:6]}-{one.date[6:]}" if len(one.date) == 8 else tr("unknown date")
    return tr("Study of {date}, {model} ({folder})").format(date=date, model=one.model, folder=one.folder.name)


def followed_text(folder: Path, tr: Translate = untranslated) -> str:
    """How many findings of what was written in ``folder`` are known from an earlier result; "" where none was asked."""
    if not (folder / FILE_NAME).is_file():
        return ""
    known = list(read_table(folder / FILE_NAME).values())
    told = tr("{known} of {count} findings are known from the earlier result; {table} says which, and why not others.")
    return told.format(known=len([one for one in known if one]), count=len(known), table=FILE_NAME)


# --- the outbox ------------------------------------------------------------------------------------------------------


def outbox_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of the outbox."""
    return [tr("State"), tr("Object"), tr("Destination"), tr("Tries"), tr("Last error")]


def outbox_rows(found: Sequence[DeliveryShown], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The table of the outbox, in the order of :func:`outbox_columns`."""
    return [(_delivery_text(one, tr), one.object, one.destination, str(one.tries), one.reason) for one in found]


_AS_A_RUN = {"queued": "waiting", "sending": "running", "sent": "running", "proved": "done"}
"""A delivery's state by the state of a run that has the same picture."""


def _delivery_text(one: DeliveryShown, tr: Translate) -> str:
    known = {
        "queued": tr("waiting"),
        "sending": tr("being sent"),
        "sent": tr("sent, not proved"),
        "proved": tr("arrived"),
        "refused": tr("refused"),
        "failed": tr("set aside"),
    }
    told = known.get(one.state, one.state)
    if one.wait:
        told = tr("{state}, next try in {seconds} s").format(state=told, seconds=round(one.wait))
    return state_cell(_AS_A_RUN.get(one.state, one.state), tr, told)


def peer_text(peer: PeerShown, tr: Translate = untranslated) -> str:
    """A destination in the list."""
    kind = tr("research") if peer.research else tr("clinical")
    told = tr("{name}, {kind}").format(name=peer.title, kind=kind)
    return tr("{name}, from Slicer's servers").format(name=told) if peer.is_slicers else told


def sent_text(plain: dict[str, Any], tr: Translate = untranslated) -> str:
    """What one sending came to, for people."""
    parts = [tr("{count} sent").format(count=plain["sent"]), tr("{count} arrived").format(count=plain["proved"])]
    more = (
        (plain["refused"], tr("{count} refused")),
        (plain["failed"], tr("{count} set aside")),
        (plain["waiting"], tr("{count} waiting")),
        (plain.get("known", 0), tr("{count} known already")),
    )
    parts += [text.format(count=count) for count, text in more if count]
    told = tr("{parts}.").format(parts=", ".join(parts))
    unknown = tr("{names}: not in peers.toml any more.").format(names=", ".join(plain.get("strangers", [])))
    return " ".join(filter(None, [told, str(plain["trouble"]), unknown if plain.get("strangers") else ""]))


def remove_question(count: int, tr: Translate = untranslated) -> str:
    """What a person is asked before something leaves the outbox."""
    return tr(
        "Remove {count} from the outbox? What arrived stays where it is, and what was refused is not sent. The files "
        "stay in the folder where they were written."
    ).format(count=count)


def stage_text(stage: str, tr: Translate = untranslated) -> str:
    """What is being done, in words; a stage without words comes as it is."""
    known = {
        "": "",
        "start": tr("Starting"),
        "read": tr("Reading the result"),
        "forecast": tr("Looking at what can be written"),
        "export": tr("Writing"),
        "database": tr("Adding to the DICOM database"),
        "queue": tr("Queueing"),
        "send": tr("Sending"),
        "done": tr("Done"),
    }
    return known.get(stage, stage)


def progress_text(stage: str, seconds_left: float | None, tr: Translate = untranslated) -> str:
    """The stage and the time that is left, in one line."""
    return " – ".join(filter(None, [stage_text(stage, tr), known_time_left(seconds_left, tr)]))
