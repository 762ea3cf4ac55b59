"""The order that a study was made for: its numbers go on, so that a result is filed under the right request."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from slicermedai.export.attributes import ORDER, PROCEDURE, STEP
from slicermedai.export.copying import copied

_ISSUER = "IssuerOfAccessionNumberSequence"
_ACCESSION, _PLACER, _FILLER = PROCEDURE[0], *PROCEDURE[2:4]


def request_attributes(header: Dataset) -> list[Dataset]:
    """Request Attributes Sequence (0040,0275) of an image, as far as the source has it (PS3.3 table 10-9)."""
    return [one for one in (_said(item, (*PROCEDURE, *STEP)) for item in header.get(ORDER) or ()) if len(one)]


def referenced_requests(header: Dataset) -> list[Dataset]:
    """Referenced Request Sequence (0040,A370) of a document (C.17.2): an item for each request that the source names.

    A source that has an accession number and no more is of one request, of which nothing else is known.
    """
    return [_request(item, header) for item in header.get(ORDER) or _alone(header)]


def _alone(header: Dataset) -> Iterator[Dataset]:
    if any(header.get(keyword) for keyword in (_ACCESSION, _PLACER, _FILLER)):
        yield Dataset()


def _request(item: Dataset, header: Dataset) -> Dataset:
    """All but the study and the issuer is of type 2: there, and empty where nobody says it.

    The study is the one that the request was made for, which others may have been added to.
    """
    made = _numbers(header, PROCEDURE[:4]) if _is_of_one_order(item, header) else Dataset()
    made.update(_numbers(item, PROCEDURE))
    made.StudyInstanceUID = str(item.get("StudyInstanceUID") or header.StudyInstanceUID)
    made.ReferencedStudySequence = []
    for keyword in PROCEDURE:
        if keyword not in made and keyword != _ISSUER:
            setattr(made, keyword, [] if keyword.endswith("Sequence") else "")
    return made


def _is_of_one_order(item: Dataset, header: Dataset) -> bool:
    """True unless the one has a number that is not the other's: numbers of two orders are never mixed."""
    if item.get(_ACCESSION) and item.get(_ACCESSION) != header.get(_ACCESSION):
        return False
    said = [(item.get(keyword), header.get(keyword)) for keyword in (_PLACER, _FILLER)]
    return all(one == other for one, other in said if one and other)


def _numbers(part: Dataset, keywords: tuple[str, ...]) -> Dataset:
    """An issuer counts beside the accession number that it gave, and nowhere else."""
    return _said(part, tuple(keyword for keyword in keywords if keyword != _ISSUER or part.get(_ACCESSION)))


def _said(item: Dataset, keywords: tuple[str, ...]) -> Dataset:
    return copied(item, tuple(keyword for keyword in keywords if item.get(keyword)))
