"""Who wrote a DICOM file (PS3.10 section 7.1): one identity for all that this program writes."""

from __future__ import annotations

import uuid

IMPLEMENTATION_CLASS_UID = f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, 'urn:slicermedai:implementation class').int}"
IMPLEMENTATION_VERSION = "SLICERMEDAI"
