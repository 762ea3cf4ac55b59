"""A result says for which order its study was made, so that it is filed under the right request and visit."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from slicermedai.export.order import referenced_requests
from slicermedai.export.run import export_pictured, export_result
from Testing.export.cases import Case, a_case
from Testing.export.test_pmap import a_map, with_maps
from Testing.export.test_sr_image import LESION, said_of
from Testing.export.test_sr_regions import BOX, detected
from Testing.export.validators import dciodvfy_errors, pixelmed_errors

_IMAGES = ("seg", "seg-labelmap", "pmap", "rtstruct", "capture")
_DOCUMENTS = ("sr", "sr-plain", "text", "sr-regions", "sr-image")


def item(**values: object) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def ordered(case: Case, *requests: Dataset, **values: object) -> Case:
    """``case`` on a study that was made for ``requests``; ``values`` are those of its headers."""
    for header in case.headers:
        header.AccessionNumber = ""
        header.RequestAttributesSequence = list(requests)
        for keyword, value in values.items():
            setattr(header, keyword, value)
    return case


def objects(case: Case, folder: Path) -> dict[str, Path]:
    """One object of each kind."""
    found = {}
    for names, one in (
        ((*_IMAGES, "sr", "sr-plain", "text"), with_maps(case, a_map(case))),
        (("sr-regions",), detected(case, BOX)),
        (("sr-image",), said_of(case, LESION)),
    ):
        export_result(one.result, headers=one.headers, folder=folder, formats=names)
        export_pictured(one.result, headers=one.headers, folder=folder, formats=names, pictures=())
        suffix = {"pmap": "-1", "capture": "-1"}
        found |= {name: folder / f"{name}{suffix.get(name, '')}.dcm" for name in names}
    return found


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    procedure = item(CodeValue="77477000", CodingSchemeDesignator="SCT", CodeMeaning="CT of head")
    request = item(
        RequestedProcedureID="RP-9",
        RequestedProcedureDescription="CT head",
        RequestedProcedureCodeSequence=[procedure],
        ScheduledProcedureStepID="S-1",
        PlacerOrderNumberImagingServiceRequest="P-77",
        FillerOrderNumberImagingServiceRequest="F-88",
    )
    request.add_new(0x00091010, "LO", "private")
    case = ordered(a_case(), request, AccessionNumber="A-55", AdmissionID="V-3", ServiceEpisodeID="E-4")
    return objects(case, tmp_path_factory.mktemp("ordered"))


@pytest.mark.parametrize("name", _IMAGES)
def test_an_image_says_its_order_as_the_source_does_and_is_valid(name: str, paths: dict[str, Path]) -> None:
    made = dcmread(paths[name])
    (request,) = made.RequestAttributesSequence
    assert (request.RequestedProcedureID, request.ScheduledProcedureStepID) == ("RP-9", "S-1")
    assert request.RequestedProcedureCodeSequence[0].CodeValue == "77477000"
    assert "private" not in str(request)
    assert dciodvfy_errors(paths[name]) == []


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_a_document_refers_to_its_request_and_is_valid(name: str, paths: dict[str, Path]) -> None:
    made = dcmread(paths[name])
    (request,) = made.ReferencedRequestSequence
    assert (request.RequestedProcedureID, request.AccessionNumber) == ("RP-9", "A-55")
    assert request.PlacerOrderNumberImagingServiceRequest == "P-77"
    assert request.FillerOrderNumberImagingServiceRequest == "F-88"
    assert request.StudyInstanceUID == made.StudyInstanceUID
    assert "RequestAttributesSequence" not in made
    assert (dciodvfy_errors(paths[name]), pixelmed_errors(paths[name])) == ([], [])


@pytest.mark.parametrize("name", [*_IMAGES, *_DOCUMENTS])
def test_every_object_says_its_visit(name: str, paths: dict[str, Path]) -> None:
    made = dcmread(paths[name])
    assert (made.AccessionNumber, made.AdmissionID, made.ServiceEpisodeID) == ("A-55", "V-3", "E-4")


def test_a_document_of_a_study_with_an_accession_number_alone_refers_to_it(tmp_path: Path) -> None:
    found = objects(ordered(a_case(), AccessionNumber="A-55"), tmp_path)
    (request,) = dcmread(found["sr"]).ReferencedRequestSequence
    assert (request.AccessionNumber, request.RequestedProcedureID) == ("A-55", "")
    assert request.RequestedProcedureCodeSequence == []
    assert "RequestAttributesSequence" not in dcmread(found["seg"])
    assert dciodvfy_errors(found["sr"]) == []


def test_several_requests_are_all_there_and_without_any_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    two = [item(RequestedProcedureID=name, AccessionNumber=f"A-{name}") for name in ("1", "2")]
    found = objects(ordered(a_case(), *two), tmp_path / "two")
    for name, keyword in (("sr", "ReferencedRequestSequence"), ("seg", "RequestAttributesSequence")):
        assert [one.AccessionNumber for one in dcmread(found[name])[keyword]] == ["A-1", "A-2"]
    (tmp_path / "none").mkdir()
    found = objects(ordered(a_case()), tmp_path / "none")
    assert "ReferencedRequestSequence" not in dcmread(found["sr"])


def issuer(name: str) -> list[Dataset]:
    return [item(LocalNamespaceEntityID=name)]


_HEADER = {
    "AccessionNumber": "A1",
    "IssuerOfAccessionNumberSequence": issuer("RIS-A"),
    "PlacerOrderNumberImagingServiceRequest": "P-A",
}


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"AccessionNumber": "B7", "RequestedProcedureID": "RP2"}, ("B7", "", "")),
        ({"AccessionNumber": "A1"}, ("A1", "RIS-A", "P-A")),
        ({"RequestedProcedureID": "RP2"}, ("A1", "RIS-A", "P-A")),
        ({"AccessionNumber": "B7", "IssuerOfAccessionNumberSequence": issuer("RIS-B")}, ("B7", "RIS-B", "")),
        ({"IssuerOfAccessionNumberSequence": issuer("RIS-B")}, ("A1", "RIS-A", "P-A")),
        ({"PlacerOrderNumberImagingServiceRequest": "P-B"}, ("", "", "P-B")),
    ],
)
def test_numbers_of_two_orders_are_never_mixed(said: dict[str, object], wanted: tuple[str, str, str]) -> None:
    header = item(StudyInstanceUID="1.2.3", RequestAttributesSequence=[item(**said)], **_HEADER)
    (request,) = referenced_requests(header)
    issuers = [one.LocalNamespaceEntityID for one in request.get("IssuerOfAccessionNumberSequence", [])]
    placer = request.PlacerOrderNumberImagingServiceRequest
    assert (request.AccessionNumber, "".join(issuers), placer) == wanted


def test_an_issuer_without_its_number_is_not_put_beside_that_of_another() -> None:
    header = item(StudyInstanceUID="1.2.3", RequestAttributesSequence=[item(AccessionNumber="B7")])
    header.IssuerOfAccessionNumberSequence = issuer("RIS-A")
    (request,) = referenced_requests(header)
    assert request.AccessionNumber == "B7" and "IssuerOfAccessionNumberSequence" not in request


def test_a_request_for_another_study_names_that_study_and_one_that_names_none_this_one(tmp_path: Path) -> None:
    other, none = item(AccessionNumber="B7", StudyInstanceUID="1.2.9"), item(AccessionNumber="B8")
    found = objects(ordered(a_case(), other, none), tmp_path)["sr"]
    made = dcmread(found)
    assert [one.StudyInstanceUID for one in made.ReferencedRequestSequence] == ["1.2.9", made.StudyInstanceUID]
    assert (dciodvfy_errors(found), pixelmed_errors(found)) == ([], [])


def test_a_corrected_order_makes_other_objects(tmp_path: Path) -> None:
    made = []
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        case = ordered(a_case(), item(RequestedProcedureID=number))
        (path,) = export_result(case.result, headers=case.headers, folder=tmp_path / number, formats=("seg",))
        made.append(dcmread(path).SOPInstanceUID)
    assert made[0] != made[1]


def test_an_order_with_names_in_other_letters_is_written_in_letters_that_can_say_it(tmp_path: Path) -> None:
    case = ordered(a_case(), item(RequestedProcedureDescription="頭部 CT"), SpecificCharacterSet="ISO_IR 192")
    found = objects(case, tmp_path)
    assert dcmread(found["sr"]).ReferencedRequestSequence[0].RequestedProcedureDescription == "頭部 CT"
