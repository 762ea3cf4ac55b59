"""The two identity routes; the rules lie in :mod:`slicermedai.domain.routes`, since others apply them too."""

from __future__ import annotations

from slicermedai.domain.routes import check_destination, check_study

__all__ = ["check_destination", "check_study"]
