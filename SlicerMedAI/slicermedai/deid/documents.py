"""Encapsulated documents are replaced by empty ones of the same kind: nobody can say what stands in them."""

from __future__ import annotations

DOCUMENT, DOCUMENT_LENGTH = 0x00420011, 0x00420015


def _pdf() -> bytes:
    """One empty page (ISO 32000-1, 7.5)."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>>>",
    )
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    return body + b"xref\n0 4\n0000000000 65535 f \n" + table + trailer


_CDA = (
    b'<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3">'
    b'<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/><title>REMOVED</title></ClinicalDocument>'
)
_BY_CLASS = {
    "1.2.840.10008.5.1.4.1.1.104.1": _pdf(),
    "1.2.840.10008.5.1.4.1.1.104.2": _CDA,
    "1.2.840.10008.5.1.4.1.1.104.3": b"\0" * 84,  # STL, binary: a header of 80 bytes, and no triangles
    "1.2.840.10008.5.1.4.1.1.104.4": b"# REMOVED\n",  # OBJ
    "1.2.840.10008.5.1.4.1.1.104.5": b"# REMOVED\n",  # MTL
}


def is_document(sop_class: str) -> bool:
    """True for SOP classes whose only content is a document, which is replaced whole, with what is drawn in it."""
    return sop_class in _BY_CLASS


def placeholder(sop_class: str) -> bytes:
    """An empty document for an encapsulated document's SOP class; two bytes for classes that have none."""
    document = _BY_CLASS.get(sop_class, b"\0\0")
    return document + (b"" if len(document) % 2 == 0 else b"\n" if sop_class.endswith("1") else b" ")
