"""Objects that this program wrote, read back whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.dicom.files import understood
from slicermedai.domain.study import InstanceRef, SeriesRef
from slicermedai.errors import UnreadableFileError
from slicermedai.export.fhir_json import is_json
from slicermedai.export.read_back import SEGMENTATIONS, ReadBack, read_result
from slicermedai.export.sr_images import with_frames

_ADVICE = "Import the objects of this result again, all of them from one export."


def read_own(files: Sequence[Path]) -> ReadBack:
    """The result of which ``files`` are the objects, with the images that they cite as its sources.

    Raises
    ------
    UnreadableFileError
        One of the objects is damaged: half a result is none.
    NoImagesError, MixedPatientsError
        The files hold no result, or are of several studies.
    """
    read = read_result(files)
    damaged = [path for path in files if any(text.startswith(f"{path.name}: not understood") for text in read.lost)]
    if damaged:
        raise UnreadableFileError("the object is damaged", file=damaged[0], advice=_ADVICE)
    if read.result.sources:
        return read
    with understood(files[0].parent):
        sources = tuple(_cited(files))
    study = replace(read.result.study, series=sources)
    return replace(read, result=replace(read.result, sources=sources, study=study))


def _cited(files: Sequence[Path]) -> list[SeriesRef]:
    """The images in the evidence of reports (PS3.3 C.17.2.3), each series once."""
    heads = [dcmread(path, stop_before_pixels=True) for path in files if not is_json(path)]
    evidence = [one for head in heads for one in head.get("CurrentRequestedProcedureEvidenceSequence") or ()]
    series = [_series(one) for study in evidence for one in study.get("ReferencedSeriesSequence") or ()]
    images = [one for one in series if not any(i.sop_class_uid in SEGMENTATIONS for i in one.instances)]
    return list(with_frames({one.series_uid: one for one in images}.values(), heads))


def _series(cited: Dataset) -> SeriesRef:
    instances = tuple(
        InstanceRef(sop_class_uid=str(one.ReferencedSOPClassUID), sop_instance_uid=str(one.ReferencedSOPInstanceUID))
        for one in cited.get("ReferencedSOPSequence") or ()
    )
    return SeriesRef(series_uid=str(cited.SeriesInstanceUID), instances=instances)
