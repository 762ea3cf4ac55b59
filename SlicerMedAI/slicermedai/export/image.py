"""What all images that we derive say of the images that they were derived from (PS3.3 C.7.6.1)."""

from __future__ import annotations

from pydicom.dataset import Dataset

_COMPRESSION = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def lossy(dataset: Dataset, header: Dataset) -> None:
    """Say that nothing was lost, unless the source lost something when it was compressed: that is passed on."""
    dataset.LossyImageCompression = "00"
    if header.get("LossyImageCompression") == "01":
        for keyword in _COMPRESSION:
            if keyword in header:
                setattr(dataset, keyword, header[keyword].value)
