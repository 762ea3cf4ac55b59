"""What a DICOM file says of itself, as far as sending it goes: UIDs, transfer syntax, and whose identity it carries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import UID

from slicermedai.dicom.files import READ_ERRORS, quiet
from slicermedai.domain.study import Identity
from slicermedai.errors import IdentityError, UnreadableFileError

_UID = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+")
_NEW_NAMES = {"1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage"}
"""SOP classes that this pydicom does not know yet."""
_TAGS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientIdentityRemoved")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """One SOP instance in a file. ``identity_removed`` is (0012,0062) as it stands there: YES, NO or "".

    ``sha256`` is that of the whole file, "" where nobody counted it.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    identity_removed: str = ""
    sha256: str = ""

    @property
    def kind(self) -> str:
        """The SOP class by its name in PS3.6, or its UID where it is unknown."""
        return _NEW_NAMES.get(self.sop_class_uid) or UID(self.sop_class_uid).name


def read_object(path: Path) -> ObjectRef:
    """The reference of the file at ``path``; its pixels are not read.

    Raises
    ------
    UnreadableFileError
        No DICOM file (PS3.10), a UID that is missing or malformed, or a file meta group that contradicts the data set.
    """
    try:
        with quiet():
            dataset = dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
            values = {name: str(dataset.get(name, "") or "") for name in _TAGS}
            syntax = str(dataset.file_meta.get("TransferSyntaxUID", "") or "")
            told = str(dataset.file_meta.get("MediaStorageSOPInstanceUID", "") or "")
    except READ_ERRORS as error:
        raise UnreadableFileError(f"is no readable DICOM file ({type(error).__name__})", file=path) from error
    _check_uids({**{name: values[name] for name in _TAGS[:4]}, "TransferSyntaxUID": syntax}, path)
    if told != values["SOPInstanceUID"]:
        raise UnreadableFileError(
            "differs from SOPInstanceUID", file=path, attribute="MediaStorageSOPInstanceUID", advice="Write it anew."
        )
    return ObjectRef(
        sop_class_uid=values["SOPClassUID"],
        sop_instance_uid=values["SOPInstanceUID"],
        study_uid=values["StudyInstanceUID"],
        series_uid=values["SeriesInstanceUID"],
        transfer_syntax_uid=syntax,
        identity_removed=values["PatientIdentityRemoved"].strip().upper(),
    )


def result_objects(folder: Path) -> list[Path]:
    """The DICOM objects that a result folder holds, sorted: what was exported, without the de-identified source."""
    root = folder / "dicom" if (folder / "dicom").is_dir() else folder
    return sorted(path for path in root.rglob("*.dcm") if path.relative_to(root).parts[0] != "source")


def is_uid(text: str) -> bool:
    """True for a UID as PS3.5 section 9.1 has it: digits in dotted components, at most 64 characters."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def identity_of(ref: ObjectRef, *, recorded: Identity | None, file: Path | None = None) -> Identity:
    """The route that an object belongs to, from its own attribute and from the record of its result.

    Raises
    ------
    IdentityError
        The two contradict each other, or neither says anything.
    """
    told = {"YES": Identity.DEIDENTIFY, "NO": Identity.KEEP}.get(ref.identity_removed)
    if told is None and recorded is Identity.KEEP and not ref.identity_removed:
        return Identity.KEEP
    if told is None:
        raise IdentityError(
            "does not say whether identity was removed, and nothing else does",
            file=file,
            attribute="PatientIdentityRemoved",
            advice="Send what this program wrote, or name the identity route of these files.",
        )
    if recorded is not None and told is not recorded:
        raise IdentityError(
            "contradicts the record of the result",
            file=file,
            attribute="PatientIdentityRemoved",
            advice="Export the result again; nothing was queued.",
        )
    return told


def _check_uids(values: dict[str, str], path: Path) -> None:
    for name, value in values.items():
        if not is_uid(value):
            raise UnreadableFileError("is missing or no UID", file=path, attribute=name)
