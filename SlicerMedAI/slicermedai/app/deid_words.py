"""Every sentence of the module MedAI De-identify, in the language of the person who reads it."""

from __future__ import annotations

from collections.abc import Sequence

from slicermedai.app.deid_state import Change, DeidResult, PreviewShown
from slicermedai.app.words import Translate, time_left, untranslated
from slicermedai.deid.presets import Preset
from slicermedai.deid.profile import Option


def option_texts(option: Option, tr: Translate = untranslated) -> tuple[str, str]:
    """What an option does, in a few words and in a sentence."""
    return (_cleaned(tr) | _retained(tr))[option]


def _cleaned(tr: Translate) -> dict[Option, tuple[str, str]]:
    return {
        Option.CLEAN_PIXEL_DATA: (
            tr("Remove text burned into the pixels"),
            tr("Identity and doubtful text go and doubtful text is shown to you below; annotations stay."),
        ),
        Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES: (
            tr("Remove faces from head CT and MR"),
            tr("The surface of the face goes and no voxel of the brain changes; needs the brain model."),
        ),
        Option.CLEAN_GRAPHICS: (
            tr("Keep drawings, cleaned"),
            tr("Graphic annotations stay with identity taken out of their text; otherwise they go."),
        ),
        Option.CLEAN_STRUCTURED_CONTENT: (
            tr("Keep reports, cleaned"),
            tr("Structured reports stay with identity taken out of their text; otherwise their content goes."),
        ),
        Option.CLEAN_DESCRIPTORS: (
            tr("Keep descriptions, cleaned"),
            tr("Descriptions of studies, series and protocols stay with identity taken out; otherwise they go."),
        ),
    }


def _retained(tr: Translate) -> dict[Option, tuple[str, str]]:
    return {
        Option.RETAIN_FULL_DATES: (
            tr("Keep dates as they are"),
            tr("All dates and times stay, and can point to a person who was in hospital on that day."),
        ),
        Option.RETAIN_MODIFIED_DATES: (
            tr("Keep dates, changed"),
            tr("All dates of a patient move by the same days, so that intervals stay; or the year alone is kept."),
        ),
        Option.RETAIN_PATIENT_CHARACTERISTICS: (
            tr("Keep the patient's characteristics"),
            tr("Sex, age, size, weight and the like stay, which dose and uptake depend on."),
        ),
        Option.RETAIN_DEVICE_IDENTITY: (
            tr("Keep the identity of devices"),
            tr("Serial numbers and station names stay, and can point to a hospital."),
        ),
        Option.RETAIN_UIDS: (
            tr("Keep the original UIDs"),
            tr("Whoever has the originals can find the patient by them; not for Slicer's own database."),
        ),
        Option.RETAIN_SAFE_PRIVATE: (
            tr("Keep private attributes that are safe"),
            tr("Those that DICOM lists as safe stay, such as diffusion weights and PET scale factors."),
        ),
        Option.RETAIN_INSTITUTION_IDENTITY: (
            tr("Keep the institution"),
            tr("Name, address and departments of the hospital stay."),
        ),
    }


def preset_text(preset: Preset, tr: Translate = untranslated) -> str:
    """What a preset does, in sentences."""
    return " ".join(tr(sentence) for sentence in preset.explanation)


def change_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of changes."""
    return [tr("Attribute"), tr("What happens"), tr("Before"), tr("After")]


def left_out_columns(tr: Translate = untranslated) -> list[str]:
    """Heads of the table of files that were left out."""
    return [tr("File"), tr("Why it was left out")]


def change_rows(changes: Sequence[Change], tr: Translate = untranslated) -> list[tuple[str, ...]]:
    """The table of changes, in the order of :func:`change_columns`."""
    return [(one.path, action_text(one.action, tr), one.before, one.after) for one in changes]


def chosen_text(series: int, files: int, tr: Translate = untranslated) -> str:
    """What is ticked in the database."""
    return tr("{series} series, {files}").format(series=series, files=files_text(files, tr))


def action_text(action: str, tr: Translate = untranslated) -> str:
    """What happens to an attribute, in a word."""
    known = {"removed": tr("removed"), "emptied": tr("emptied"), "added": tr("added"), "changed": tr("changed")}
    return known.get(action, action)


def example_text(number: int, count: int, tr: Translate = untranslated) -> str:
    """The name of an example file."""
    return tr("First file of series {number} of {count}").format(number=number, count=count)


def files_text(count: int, tr: Translate = untranslated) -> str:
    """ "1 file", "2 files"."""
    return tr("1 file") if count == 1 else tr("{count} files").format(count=count)


def patients_text(count: int, tr: Translate = untranslated) -> str:
    """ "1 patient", "2 patients"."""
    return tr("1 patient") if count == 1 else tr("{count} patients").format(count=count)


def preview_text(found: PreviewShown | None, tr: Translate = untranslated) -> str:
    """What a preview found, for people."""
    if found is None:
        return tr("Shows what would happen, before anything is written. Values stay on this screen.")
    told = tr("{files} of {patients}; {elements} elements would change. Pixels were not looked at.").format(
        files=files_text(found.files, tr), patients=patients_text(found.patients, tr), elements=found.elements
    )
    refused = tr("{files} would be left out.").format(files=files_text(len(found.refused), tr))
    cut = tr("Of a long list the first changes are shown.")
    return " ".join([told, *([refused] if found.refused else []), *([cut] if found.is_cut else [])])


def stage_text(stage: str, tr: Translate = untranslated) -> str:
    """What is being done, in words; a stage without words comes as it is."""
    known = {
        "start": tr("Starting"),
        "read": tr("Reading"),
        "collect identity": tr("Collecting what identifies the patients"),
        "preview": tr("Looking at what would change"),
        "de-identify": tr("De-identifying"),
        "verify": tr("Searching the copies for identity"),
        "report": tr("Writing the report"),
        "database": tr("Adding the copies to the DICOM database"),
        "done": tr("Done"),
    }
    return known.get(stage, stage)


def progress_text(stage: str, seconds_left: float | None, tr: Translate = untranslated) -> str:
    """The stage and the time that is left, in one line."""
    return " – ".join(filter(None, [stage_text(stage, tr), time_left(seconds_left, tr)]))


def summary(result: DeidResult, tr: Translate = untranslated) -> str:
    """What a job did; what must be read first stands first."""
    parts = []
    if result.kept_back:
        told = tr(
            "The verifier found identity in the copies of {files}: they were kept back. Read why before you go on."
        )
        parts.append(told.format(files=files_text(result.kept_back, tr)))
    told = tr("{files} of {patients} written; the verifier found none of what the headers name in any of them.")
    parts[:0] = [tr("Not all that was asked for was done."), *result.missed] if result.missed else []
    counts = {"files": files_text(result.written, tr), "patients": patients_text(result.patients, tr)}
    parts.append(told.format(**counts))
    rest = len(result.left_out) - result.kept_back
    if rest:
        parts.append(tr("{files} left out: see below.").format(files=files_text(rest, tr)))
    if result.pictures:
        parts.append(tr("Doubtful text: please look at it below ({count}).").format(count=len(result.pictures)))
    return "\n".join(parts)


def stopped_text(tr: Translate = untranslated, *, can_go_on: bool) -> str:
    """After a person stopped it."""
    if can_go_on:
        return tr("Stopped. Nothing was written; Run goes on where it was.")
    return tr("Stopped. Nothing was written.")


def lacking_text(names: Sequence[str], tr: Translate = untranslated) -> str:
    """Packages that the choice needs are not there."""
    return tr("Not installed: {names}. Install what is missing, or choose without it.").format(names=", ".join(names))


def review_text(number: int, count: int, decision: str, tr: Translate = untranslated) -> str:
    """Which piece of doubtful text is shown, and what was decided."""
    if not count:
        return tr("No doubtful text.")
    decided = {
        "": tr("not decided"),
        "identity": tr("identity: rightly removed"),
        "harmless": tr("harmless: could stay"),
    }[decision]
    return tr("Text {number} of {count}: {decided}").format(number=number, count=count, decided=decided)
