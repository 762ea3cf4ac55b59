"""The measurement report as a Comprehensive SR (PS3.3 A.35.3), for readers that know no Comprehensive 3D SR.

Its content is that of :mod:`sr`, which has no places in space of its own: those are in the segmentation.
"""

from __future__ import annotations

from pathlib import Path

from slicermedai.domain.result import AnalysisResult
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.sr import measurement_report

KIND = ObjectKind(name="sr-plain", sop_class="1.2.840.10008.5.1.4.1.1.88.33", modality="SR", offset=6)
FILE_NAME = "sr-plain.dcm"


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/sr-plain.dcm``; raises as :func:`sr.write`."""
    dataset = finish(measurement_report(result, context), context, result=result, kind=KIND)
    return [save(dataset, folder / FILE_NAME)]
