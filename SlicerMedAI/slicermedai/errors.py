"""The error tree. Every error says what happened, names the file and the attribute, and says what to do.

::

    MedAIError
    ├── InputError                what was handed in cannot be used
    │   ├── NoImagesError         an empty folder, or one without images
    │   ├── UnreadableFileError   truncated, not an image, a codec that fails
    │   ├── MixedPatientsError    one input, more than one patient
    │   ├── AmbiguousInputError   several series or stacks: one must be named
    │   ├── UnsupportedImageError colour, two-dimensional, NaN voxels, no pixel data
    │   ├── GeometryError         the geometry gate refused
    │   └── MissingContextError   DICOM output without patient or study context
    ├── CodeError                 a label or a unit without a code
    ├── BundleError               a model cannot be used
    │   ├── HashMismatchError     weights are not the ones that were pinned
    │   ├── ConsentError          the bundle runs code and nobody agreed to that
    │   └── UnknownBundleError    no such name or version
    ├── IdentityError             the two identity routes would cross
    ├── OutputError               a result cannot be written
    │   ├── ResultExistsError     the folder holds a result already
    │   ├── FolderBusyError       another run is writing there
    │   ├── NewerResultError      decisions were saved since the result was opened
    │   ├── DiskFullError         no space left
    │   └── FormatError           a format cannot express this result
    ├── JobError                  the worker
    │   ├── JobCancelled          somebody stopped it
    │   ├── WorkerCrashed         it died; the cause is in the message
    │   └── ProtocolError         a job file or an event cannot be understood
    ├── PeerError                 a PACS, or another destination of results
    │   ├── UnknownPeerError      no destination of that name
    │   ├── PeerUnreachableError  no connection, or no answer in time: trying again may help
    │   ├── PeerRefusedError      it answered, and refused: trying again will not help
    │   └── MissingPackageError   the package that speaks to it is not installed
    ├── OutboxError               the outbox, or the inbox, cannot take or keep something
    │   └── ConflictError         the same SOP Instance UID with other bytes
    ├── TrustError                confidence cannot be fitted, or its record cannot be used
    │   ├── TooFewCasesError      fewer patients than a calibration needs
    │   └── SharedCasesError      a patient stands on both sides: in training and calibration, or in fit and judgement
    ├── PackagesError             Python packages cannot be installed or removed
    └── AuditError                the audit log was changed or cannot be written
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class MedAIError(Exception):
    """Root of all errors of this library.

    Parameters
    ----------
    message:
        What happened, in one sentence, without any patient data.
    file:
        The file or folder it happened in.
    attribute:
        The attribute (a DICOM keyword, a field of a job, a key of a bundle) that is wrong.
    advice:
        What the person can do next.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        attribute: str | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = None if file is None else str(file)
        self.attribute = attribute
        self.advice = advice

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.file, self.attribute) if part)
        head = f"{where}: {self.message}" if where else self.message
        return f"{head.rstrip('.')}. {self.advice}" if self.advice else head

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the worker's protocol; :func:`from_dict` turns them back."""
        return {
            "type": type(self).__name__,
            "message": self.message,
            "file": self.file,
            "attribute": self.attribute,
            "advice": self.advice,
        }


class InputError(MedAIError):
    """What was handed in cannot be used."""


class NoImagesError(InputError):
    """An empty folder, or one without images."""


class UnreadableFileError(InputError):
    """Truncated, not an image, or compressed in a way that cannot be decoded."""


class MixedPatientsError(InputError):
    """One input holds more than one patient."""


class AmbiguousInputError(InputError):
    """Several series or stacks are there: one must be named."""


class UnsupportedImageError(InputError):
    """An image of a kind that this step cannot work on."""


class GeometryError(InputError):
    """The geometry gate refused: positions in space are missing, doubled or contradictory."""


class MissingContextError(InputError):
    """DICOM output was asked for, and the source has no patient or study context."""


class CodeError(MedAIError):
    """A label or a unit without a code."""


class BundleError(MedAIError):
    """A model cannot be used."""


class HashMismatchError(BundleError):
    """Weights are not the ones that were pinned."""


class ConsentError(BundleError):
    """The bundle runs code, and nobody agreed to that."""


class UnknownBundleError(BundleError):
    """No bundle of that name or version is known."""


class IdentityError(MedAIError):
    """The two identity routes (keep, deidentify) would cross."""


class OutputError(MedAIError):
    """A result cannot be written."""


class ResultExistsError(OutputError):
    """The folder holds something already."""


class FolderBusyError(OutputError):
    """Another run is writing there."""


class NewerResultError(OutputError):
    """Decisions about the result were saved since it was opened; ``file`` is the result that holds them."""


class DiskFullError(OutputError):
    """No space is left where the result goes."""


class FormatError(OutputError):
    """A format cannot express this result."""


class JobError(MedAIError):
    """The worker failed."""


class JobCancelled(JobError):
    """Somebody stopped the job."""


class WorkerCrashed(JobError):
    """The worker process died."""


class ProtocolError(JobError):
    """A job file or an event cannot be understood."""


class PeerError(MedAIError):
    """A PACS, or another destination of results, failed."""


class UnknownPeerError(PeerError):
    """No destination of that name is known."""


class PeerUnreachableError(PeerError):
    """No connection, or no answer in time: trying again may help."""


class PeerRefusedError(PeerError):
    """It answered, and refused: trying again will not help."""


class MissingPackageError(PeerError):
    """The package that speaks to this kind of destination is not installed."""


class OutboxError(MedAIError):
    """The outbox, or the inbox, cannot take or keep something."""


class ConflictError(OutboxError):
    """The same SOP Instance UID is there with other bytes."""


class TrustError(MedAIError):
    """Confidence cannot be fitted, or its record cannot be used."""


class TooFewCasesError(TrustError):
    """Fewer patients than a calibration needs."""


class SharedCasesError(TrustError):
    """One patient stands on both sides: in training and calibration, or in fit and judgement."""


class PackagesError(MedAIError):
    """Python packages cannot be installed, or not be removed."""


class AuditError(MedAIError):
    """The audit log was changed, or cannot be written."""


def from_dict(values: dict[str, Any]) -> MedAIError:
    """The error that :meth:`MedAIError.to_dict` described; an unknown type becomes :class:`JobError`."""
    kind = _known().get(str(values.get("type")), JobError)
    return kind(
        str(values.get("message", "unknown error")),
        file=values.get("file"),
        attribute=values.get("attribute"),
        advice=values.get("advice"),
    )


def _known() -> dict[str, type[MedAIError]]:
    found: dict[str, type[MedAIError]] = {}
    waiting: list[type[MedAIError]] = [MedAIError]
    while waiting:
        kind = waiting.pop()
        found[kind.__name__] = kind
        waiting.extend(kind.__subclasses__())
    return found
