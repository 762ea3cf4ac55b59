"""The text reader, loaded once; tests that need it skip by name where it is absent."""

from __future__ import annotations

import pytest

from slicermedai.deid.pixels.ocr import Ocr, is_available, load_ocr


@pytest.fixture(scope="session")
def ocr() -> Ocr:
    """The real text reader."""
    if not is_available():
        pytest.skip("absent: rapidocr-onnxruntime (optional extra ocr)")
    return load_ocr()
