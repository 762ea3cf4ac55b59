"""Several images for one model: each opened by itself, and all of one patient."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicermedai.dicom.inputs import Source, open_source
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.tracking import contradictions
from slicermedai.errors import InputError, MixedPatientsError

MAIN = "image"
"""The name of the image that results refer to, where nobody names it."""
_FORM = re.compile(r"(?P<name>[^=]+)=(?P<path>.+?)(?:::(?P<series>[0-9.]+(?:#[0-9]+)?))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedInput:
    """An image by what it shows (``name``, as the model calls it), where it lies, and which series there."""

    name: str
    path: Path
    series: str = ""

    @classmethod
    def parse(cls, text: str) -> NamedInput:
        """From ``NAME=PATH`` or ``NAME=PATH::SERIES``; raises :class:`InputError` for anything else."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise InputError(
                "an input is not of the form NAME=PATH or NAME=PATH::SERIES",
                attribute="inputs",
                advice="As in FLAIR=/data/patient::1.2.840.1, the name being the one that the model has for it.",
            )
        return cls(name=found["name"].strip(), path=Path(found["path"].strip()), series=found["series"] or "")


def open_with(
    main: Source, further: Sequence[str], *, name: str = "", tilt: str = "refuse", progress: Progress = silent
) -> dict[str, Source]:
    """``main`` and the images that ``further`` names (:meth:`NamedInput.parse`), by name, ``main`` first.

    Raises
    ------
    InputError
        A name stands twice, or as :func:`slicermedai.dicom.inputs.open_source`.
    MixedPatientsError
        An image is of another patient. Where an image says nothing of its patient this cannot be seen, and is noted.
    """
    found = {name or MAIN: main}
    for asked in map(NamedInput.parse, further):
        if asked.name in found:
            raise InputError(f"two images are called {asked.name!r}", attribute="inputs")
        source = open_source(asked.path, series=asked.series, tilt=tilt, progress=progress)
        _check_patient(main, source, asked)
        found[asked.name] = source
    return found


def doubts(sources: Sequence[Source]) -> tuple[str, ...]:
    """What several images together leave open, in sentences without patient data; () for one."""
    if len(sources) == 1:
        return ()
    said, studies = [], {source.study.study_uid for source in sources} - {""}
    if not all(source.study.patient_id for source in sources):
        said.append("Not every image names its patient: nothing shows that they are of the same one.")
    if len(studies) > 1:
        said.append(f"The images are of {len(studies)} studies: what changed in between is not seen.")
    return tuple(said)


def _check_patient(main: Source, other: Source, asked: NamedInput) -> None:
    """One number of two people, as two hospitals give it, is told by what else is said of them."""
    known = {source.study.patient_id for source in (main, other)} - {""}
    attribute = "PatientID" if len(known) > 1 else next(contradictions(main.study, other.study), "")
    if attribute:
        raise MixedPatientsError(
            f"the image {asked.name!r} is of another patient than the first",
            file=asked.path,
            attribute=attribute,
            advice="Choose images of one patient.",
        )
