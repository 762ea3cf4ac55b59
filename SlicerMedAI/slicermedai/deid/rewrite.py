"""The two passes: gather the vocabulary of each patient over all files, then rewrite the files one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from slicermedai.deid.datasets import DAMAGE, is_pixel_data, read
from slicermedai.deid.harvest import Harvest
from slicermedai.deid.profile import Profile
from slicermedai.deid.pseudonym import ProjectKey, Pseudonyms
from slicermedai.deid.rules import BASIC_RULES, Context, apply
from slicermedai.deid.table import Table, load_table
from slicermedai.deid.verify import elements
from slicermedai.deid.vocabulary import Vocabulary
from slicermedai.dicom.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from slicermedai.domain.observer import Progress, silent
from slicermedai.errors import InputError, UnreadableFileError, UnsupportedImageError

_PATIENT_KEYS = ("PatientID", "PatientName", "PatientBirthDate")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was left out, and why."""

    path: Path
    error: InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patients:
    """What the first pass found: the files, whose they are, and each patient's vocabulary."""

    table: Table
    profile: Profile
    pseudonyms: dict[str, Pseudonyms]
    vocabularies: dict[str, Vocabulary]
    owners: dict[Path, str]
    instances: dict[Path, tuple[str, str]]
    refused: tuple[Refusal, ...] = ()

    @staticmethod
    def gather(files: Sequence[Path], *, profile: Profile, key: ProjectKey, progress: Progress = silent) -> Patients:
        """Read all headers once.

        Raises
        ------
        UnreadableFileError
            None of the files can be read.
        """
        found = _Gathering(load_table())
        for number, path in enumerate(files):
            progress("collect identity", number / len(files))
            found.add(Path(path))
        if not found.owners:
            raise UnreadableFileError(
                "none of the files can be de-identified",
                file=found.refused[0].path if found.refused else None,
                advice=found.refused[0].error.message if found.refused else "Choose a folder with DICOM files.",
            )
        vocabularies = {owner: harvest.vocabulary() for owner, harvest in found.harvests.items()}
        return Patients(
            table=found.table,
            profile=profile,
            pseudonyms={owner: Pseudonyms(key, v.long_numbers) for owner, v in vocabularies.items()},
            vocabularies=vocabularies,
            owners=found.owners,
            instances=found.instances,
            refused=tuple(found.refused),
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that can be read, in the order in which they were given."""
        return tuple(self.owners)

    def vocabulary(self, path: Path) -> Vocabulary:
        """The vocabulary of the patient whose file it is."""
        return self.vocabularies[self.owners[path]]

    def context(self, path: Path) -> Context:
        """What the rules need to know about one file, with a tally of its own."""
        owner = self.owners[path]
        sop_class, study = self.instances[path]
        return Context(
            table=self.table,
            profile=self.profile,
            pseudonyms=self.pseudonyms[owner],
            vocabulary=self.vocabularies[owner],
            patient=self.pseudonyms[owner].patient(owner),
            sop_class=sop_class,
            study_uid=study,
        )

    def mask(self, text: str) -> str:
        """``text`` (a file name for one) without anything of any patient's vocabulary."""
        for vocabulary in self.vocabularies.values():
            text = vocabulary.scrub(text)
        return text


@dataclass(slots=True, eq=False)
class _Gathering:
    table: Table
    harvests: dict[str, Harvest] = field(default_factory=dict)
    owners: dict[Path, str] = field(default_factory=dict)
    instances: dict[Path, tuple[str, str]] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Take one file in, or note why not. Also of a refused file, what can be read joins the vocabulary."""
        try:
            dataset = read(path, pixels=False)
            owner = owner_of(dataset)
            self.harvests.setdefault(owner, Harvest(self.table)).add(dataset)
            check_content(path, dataset)
        except InputError as error:
            self.refused.append(Refusal(path, error))
        except DAMAGE as error:
            self.refused.append(Refusal(path, UnreadableFileError(_REASON.format(type(error).__name__), file=path)))
        else:
            self.owners[path] = owner
            self.instances[path] = (str(dataset.SOPClassUID), str(dataset.StudyInstanceUID))


_REASON = "has values that cannot be read ({})"


def owner_of(dataset: Dataset) -> str:
    """What tells patients apart: the Patient ID; name and birth date, or the study, where there is none."""
    identifier = str(dataset.get("PatientID") or "").strip()
    if identifier:
        return identifier
    rest = "|".join(str(dataset.get(keyword) or "").strip() for keyword in _PATIENT_KEYS[1:])
    return rest if rest.strip("|") else str(dataset.StudyInstanceUID)


def check_content(path: Path, dataset: Dataset) -> None:
    """Refuse what this version cannot de-identify, and what is damaged.

    Raises
    ------
    UnsupportedImageError
        The file itself says that identity is burned into its pixels.
    UnreadableFileError
        Truncated, or an image without its pixel data.
    """
    if str(dataset.get("BurnedInAnnotation") or "").strip().upper() == "YES":
        raise UnsupportedImageError(
            "says that text is burned into its pixels, and pixels are not cleaned",
            file=path,
            attribute="BurnedInAnnotation",
            advice="Leave it out, or have the text removed first.",
        )
    tags = {element.tag for element in elements(path)}
    if "Image Storage" in UID(dataset.SOPClassUID).name and not any(map(is_pixel_data, tags)):
        raise UnreadableFileError("is an image without pixel data", file=path, attribute="PixelData")


def rewrite_dataset(dataset: Dataset, context: Context) -> Counter[tuple[str, str]]:
    """Apply the Basic profile's rules in place; returns (attribute, action) -> how often."""
    apply(BASIC_RULES, context, dataset)
    return context.tally


def rewrite_file(source: Path, target: Path, context: Context) -> Counter[tuple[str, str]]:
    """Write the de-identified copy of ``source``: whole, or not at all.

    Raises
    ------
    UnreadableFileError
        The file cannot be read, or not be written again as valid DICOM.
    """
    dataset = read(source, pixels=True)
    try:
        tally = rewrite_dataset(dataset, context)
        dataset.preamble = b"\0" * 128
        dataset.file_meta = _file_meta(dataset)
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    except DAMAGE as error:
        raise UnreadableFileError(
            f"cannot be written again ({type(error).__name__})", file=source, advice="It was left out."
        ) from error
    target.write_bytes(buffer.getvalue())
    return tally


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    """File meta information (PS3.10 7.1) of this program, nothing of the old one but the transfer syntax."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    return meta
