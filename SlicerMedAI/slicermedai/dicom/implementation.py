"""Who wrote a DICOM file (PS3.10 section 7.1; PS3.3 C.7.5.1): one identity for all that this program writes."""

from __future__ import annotations

import uuid

IMPLEMENTATION_CLASS_UID = f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, 'urn:slicermedai:implementation class').int}"
IMPLEMENTATION_VERSION = "SLICERMEDAI"
MANUFACTURER = "SlicerMedAI"
MODEL_NAME = "MedAI"
DEVICE_UID = f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, 'urn:slicermedai:device').int}"
"""DeviceSerialNumber of every result: what was made here is known by it wherever it comes back from."""
