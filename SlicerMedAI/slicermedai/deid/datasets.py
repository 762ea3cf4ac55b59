"""Reading with pydicom as it is found, for the steps that look at pixels."""

from __future__ import annotations

import contextlib
import struct
import warnings
import zlib
from collections.abc import Iterator

from pydicom import config
from pydicom.errors import InvalidDicomError

PYDICOM_DAMAGE = (
    InvalidDicomError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom and its decoders may raise on a damaged file, or on one that they cannot decode."""


@contextlib.contextmanager
def as_found() -> Iterator[None]:
    """Within it pydicom takes values as they are found: invalid ones are neither changed nor warned about."""
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield
