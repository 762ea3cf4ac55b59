"""De-identification of a set of files: the interface, whatever engine does the work behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from slicermedai.deid.datasets import as_found
from slicermedai.deid.profile import Option, Profile
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.rewrite import Patients, Refusal, rewrite_file
from slicermedai.deid.rules import BASIC_RULES
from slicermedai.deid.verify import check_file
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.result import Deidentification
from slicermedai.domain.storage import atomic_folder
from slicermedai.errors import InputError, UnreadableFileError

_NOT_DONE = (
    "Faces were not removed: a head can be recognised from its surface.",
    "Text burned into the pixels was not searched for.",
    "The list of safe private attributes was not used: all private attributes were removed.",
)


def deidentify(
    files: Sequence[Path],
    folder: Path,
    *,
    profile: Profile | None = None,
    key: ProjectKey | None = None,
    progress: Progress = silent,
) -> Deidentification:
    """Write de-identified copies of ``files`` as ``folder/00001.dcm`` and so on (PS3.15 Annex E).

    Two passes: the first collects each patient's identity from all files, the second rewrites them one by one.
    Afterwards an independent reader searches what was written. Pixel data stay byte for byte. Files that cannot be
    read or written, or that say themselves that text is burned in, are left out and named in ``refused``.

    Parameters
    ----------
    files:
        DICOM files, of one or more patients and studies.
    folder:
        Made by this call; it must not exist, or be empty.
    profile:
        The Basic profile without options where none is given.
    key:
        Secret of the project; without it a key for this call alone, which nobody keeps.

    Raises
    ------
    UnreadableFileError
        None of the files could be de-identified.
    IdentityError
        The verifier found identity in what was written; the output is removed.
    ResultExistsError, OutputError, DiskFullError
        ``folder`` cannot be made.
    """
    profile = profile or Profile()
    with as_found(), atomic_folder(Path(folder)) as partial:
        patients = Patients.gather(files, profile=profile, key=key or ProjectKey.generate(), progress=progress)
        tally, written, refused = _rewrite_all(patients, partial, progress)
        for number, (source, target) in enumerate(written.items()):
            progress("verify", number / len(written))
            check_file(target, patients.vocabulary(source).tokens, source=source)
    return _record(patients, tally, len(written), refused)


def _rewrite_all(
    patients: Patients, folder: Path, progress: Progress
) -> tuple[Counter[tuple[str, str]], dict[Path, Path], tuple[Refusal, ...]]:
    """(what was done, source -> copy, what was refused)."""
    tally: Counter[tuple[str, str]] = Counter()
    written: dict[Path, Path] = {}
    refused = list(patients.refused)
    for number, source in enumerate(patients.files):
        progress("de-identify", number / len(patients.files))
        target = folder / f"{len(written) + 1:05d}.dcm"
        try:
            tally.update(rewrite_file(source, target, patients.context(source)))
            written[source] = target
        except InputError as error:
            refused.append(Refusal(source, error))
    if not written:
        raise UnreadableFileError(
            "none of the files can be de-identified", file=refused[0].path, advice=refused[0].error.message
        )
    return tally, written, tuple(refused)


def _record(
    patients: Patients, tally: Counter[tuple[str, str]], files: int, refused: tuple[Refusal, ...]
) -> Deidentification:
    by_action: Counter[str] = Counter()
    for (_, action), count in tally.items():
        by_action[action] += count
    return Deidentification(
        method=f"Basic Application Confidentiality Profile, {patients.table.title}",
        codes=patients.profile.codes,
        files=files,
        elements_removed=by_action["X"],
        elements_replaced=by_action["Z"] + by_action["D"] + by_action["C"],
        uids_replaced=by_action["U"],
        done=tuple(describe(patients.profile)),
        not_done=tuple(_not_done(patients)),
        refused=tuple(_sentence(patients, refusal) for refusal in refused),
    )


def describe(profile: Profile | None = None) -> list[str]:
    """What is done under ``profile``, in sentences, from the rules themselves."""
    names = [code.meaning for code in (profile or Profile()).codes]
    return [f"Applied: {', '.join(names)}.", *(line for rule in BASIC_RULES for line in rule.describe())]


def not_done(profile: Profile | None = None) -> list[str]:
    """What is not done under ``profile``, in sentences."""
    chosen = (profile or Profile()).options
    options = [option.code.meaning for option in Option if option not in chosen]
    return [*_NOT_DONE, f"Options that were not applied: {', '.join(options)}."]


def _not_done(patients: Patients) -> list[str]:
    left_out = sum(vocabulary.left_out for vocabulary in patients.vocabularies.values())
    guard = f"{left_out} short or common pieces of the identity were not searched for in other text."
    return [*not_done(patients.profile), *([guard] if left_out else [])]


def _sentence(patients: Patients, refusal: Refusal) -> str:
    """File name (without identity), attribute and reason."""
    attribute = f" ({refusal.error.attribute})" if refusal.error.attribute else ""
    return f"{patients.mask(refusal.path.name)}: {refusal.error.message}{attribute}"
