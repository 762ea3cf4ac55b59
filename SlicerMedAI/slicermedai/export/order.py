"""The order that a study was made for: its numbers go on, so that a result is filed under the right request."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from slicermedai.export.attributes import ORDER, PROCEDURE, STEP
from slicermedai.export.copying import copied

_ISSUER = "IssuerOfAccessionNumberSequence"


def request_attributes(header: Dataset) -> list[Dataset]:
    """Request Attributes Sequence (0040,0275) of an image, as far as the source has it (PS3.3 table 10-9)."""
    return [one for one in (_said(item, (*PROCEDURE, *STEP)) for item in header.get(ORDER) or ()) if len(one)]


def referenced_requests(header: Dataset) -> list[Dataset]:
    """Referenced Request Sequence (0040,A370) of a document (C.17.2): an item for each request that the source names.

    A source that has an accession number and no more is of one request, of which nothing else is known.
    """
    return [_request(item, header) for item in header.get(ORDER) or _alone(header)]


def _alone(header: Dataset) -> Iterator[Dataset]:
    if any(header.get(keyword) for keyword in PROCEDURE[:1] + PROCEDURE[2:4]):
        yield Dataset()


def _request(item: Dataset, header: Dataset) -> Dataset:
    """All but the study and the issuer is of type 2: there, and empty where nobody says it."""
    made = _said(header, PROCEDURE[:4])
    made.update(_said(item, PROCEDURE))
    made.StudyInstanceUID = str(header.StudyInstanceUID)
    made.ReferencedStudySequence = []
    for keyword in PROCEDURE:
        if keyword not in made and keyword != _ISSUER:
            setattr(made, keyword, [] if keyword.endswith("Sequence") else "")
    return made


def _said(item: Dataset, keywords: tuple[str, ...]) -> Dataset:
    return copied(item, tuple(keyword for keyword in keywords if item.get(keyword)))
