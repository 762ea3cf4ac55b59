"""Objects of ours come back whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from slicermedai.errors import UnreadableFileError
from slicermedai.export.own import read_own
from slicermedai.export.run import export_result
from Testing.export.cases import a_case
from Testing.export.test_sr_regions import BOX, detected


@pytest.mark.parametrize("missing", [2, 40, 200, 400, 3000])
def test_a_segmentation_that_was_cut_off_is_refused_by_name(tmp_path: Path, missing: int) -> None:
    case = a_case()
    paths = export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg", "sr"))
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[:-missing])
    with pytest.raises(UnreadableFileError, match=r"seg\.dcm"):
        read_own(paths)


def test_a_report_alone_names_the_images_that_it_is_about_as_its_evidence_does(tmp_path: Path) -> None:
    case = detected(a_case(), BOX)
    paths = export_result(case.result, headers=case.headers, folder=tmp_path, formats=("sr-regions",))
    (source,) = read_own(paths).result.sources
    assert source.series_uid == str(case.headers[0].SeriesInstanceUID)
    assert {one.sop_instance_uid for one in source.instances} == {str(one.SOPInstanceUID) for one in case.headers}


def test_a_segmentation_in_the_evidence_is_no_image_of_the_source(tmp_path: Path) -> None:
    case = a_case()
    _, report = export_result(case.result, headers=case.headers, folder=tmp_path, formats=("seg", "sr"))
    series = {one.series_uid for one in read_own([report]).result.sources}
    assert series == {str(case.headers[0].SeriesInstanceUID)}
    cited = dcmread(report).CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert len(cited) == 2, "else this test shows nothing"
