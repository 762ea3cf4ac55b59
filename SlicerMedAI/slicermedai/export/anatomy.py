"""Which part of the body a source shows, as codes (PS3.16 annex L): for objects whose frames must say it."""

from __future__ import annotations

from pydicom.dataset import Dataset

from slicermedai.domain.codes import ANATOMY, BRAIN, Code
from slicermedai.export.codes import concept, from_item

_PARTS = {
    "BRAIN": BRAIN,
    "HEAD": Code(value="69536005", scheme="SCT", meaning="Head"),
    "NECK": Code(value="45048000", scheme="SCT", meaning="Neck"),
    "CHEST": Code(value="43799004", scheme="SCT", meaning="Chest"),
    "LUNG": Code(value="39607008", scheme="SCT", meaning="Lung"),
    "HEART": Code(value="80891009", scheme="SCT", meaning="Heart"),
    "BREAST": Code(value="76752008", scheme="SCT", meaning="Breast"),
    "ABDOMEN": Code(value="818983003", scheme="SCT", meaning="Abdomen"),
    "LIVER": Code(value="10200004", scheme="SCT", meaning="Liver"),
    "KIDNEY": Code(value="64033007", scheme="SCT", meaning="Kidney"),
    "PELVIS": Code(value="816092008", scheme="SCT", meaning="Pelvis"),
    "PROSTATE": Code(value="41216001", scheme="SCT", meaning="Prostate"),
    "SPINE": Code(value="421060004", scheme="SCT", meaning="Spine"),
    "HIP": Code(value="29836001", scheme="SCT", meaning="Hip"),
    "KNEE": Code(value="72696002", scheme="SCT", meaning="Knee"),
    "SHOULDER": Code(value="16982005", scheme="SCT", meaning="Shoulder"),
}


def anatomic_region(header: Dataset) -> Code:
    """What the source names, coded or by Body Part Examined; where it is silent, no more than "Anatomical Structure".

    Sequences are looked for at the top and in the shared Frame Anatomy group (C.7.6.16.2.8).
    """
    for place in (header, _frame_anatomy(header)):
        if place.get("AnatomicRegionSequence"):
            return from_item(place.AnatomicRegionSequence[0])
    return _PARTS.get(str(header.get("BodyPartExamined") or "").strip().upper(), ANATOMY)


def frame_anatomy(header: Dataset) -> Dataset:
    """One item of Frame Anatomy Sequence: region and side, "U" (unpaired) where the source has none."""
    made = Dataset()
    made.AnatomicRegionSequence = [concept(anatomic_region(header))]
    side = str(header.get("Laterality") or _frame_anatomy(header).get("FrameLaterality") or "U")
    made.FrameLaterality = side if side in ("R", "L", "U", "B") else "U"
    return made


def _frame_anatomy(header: Dataset) -> Dataset:
    shared = header.get("SharedFunctionalGroupsSequence")
    found = shared[0].get("FrameAnatomySequence") if shared else None
    return found[0] if found else Dataset()
