"""Objects that the demo's one study has none of: boxes, labels of a whole image and a map, of generated data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.finding import Box, Confidence, Finding
from slicermedai.domain.result import AnalysisResult, Map
from slicermedai.export.attributes import FILED_UNDER, ORDER, PROCEDURE
from slicermedai.export.run import export_result
from Testing.export.cases import LESION, Case, a_case

EXAMPLES = "examples"
_SALIENCY = Code(value="130404", scheme="DCM", meaning="Saliency")


def add_examples(out: Path) -> list[Path]:
    """Write ``sr-regions.dcm``, ``sr-image.dcm`` and ``pmap-1.dcm`` into ``out/examples``; returns the files."""
    case, folder = _of_nobody(a_case()), out / EXAMPLES
    folder.mkdir()
    made = {
        "sr-regions": _found(case, Box(low=(-4.5, -20.0, 40.0), high=(1.5, -12.0, 46.0))),
        "sr-image": _found(case, None),
        "pmap": _with_map(case),
    }
    written = [
        export_result(result, headers=case.headers, folder=folder, formats=(name,)) for name, result in made.items()
    ]
    return [path for paths in written for path in paths]


def _of_nobody(case: Case) -> Case:
    for header in case.headers:
        for keyword in (*FILED_UNDER, ORDER, *PROCEDURE):
            if keyword in header and keyword != "StudyInstanceUID":
                del header[keyword]
        header.PatientID = "GENERATED"
    return case


def _found(case: Case, region: Box | None) -> AnalysisResult:
    finding = Finding(tracking_uid="2.25.1234", label=LESION, region=region, confidence=Confidence())
    return replace(case.result, findings=(finding,))


def _with_map(case: Case) -> AnalysisResult:
    array = np.linspace(0, 1, int(np.prod(case.geometry.shape)), dtype=np.float32).reshape(case.geometry.shape)
    made = Map(name="A ramp", quantity=_SALIENCY, unit=NO_UNITS, array=array, geometry=case.geometry)
    return replace(case.result, findings=(), maps=(made,))
