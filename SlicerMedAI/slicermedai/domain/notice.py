"""What must be read before the numbers of a result, in plain lines: the same words in scene, report and table."""

from __future__ import annotations

import re

from slicermedai.domain.result import AnalysisResult

RESEARCH_USE = "Research use only. Not a medical device. Not for primary diagnosis."
DEMONSTRATION = "The weights were trained for demonstration only: what they find has no diagnostic value."

_SHORT = "For demonstration only, not for patients"
_ROOM = 48
"""Letters that fit one line of a picture."""


def picture_notice(result: AnalysisResult) -> str:
    """What stands on each picture where the weights are a demonstration's: how its use begins, if that is short."""
    if not result.provenance.demonstration:
        return ""
    use = re.split(r"[:.;\n]", result.provenance.intended_use, maxsplit=1)[0].strip()
    return use if "not for patients" in use.casefold() and len(use) <= _ROOM else _SHORT


def notice_lines(result: AnalysisResult) -> tuple[str, ...]:
    """Intended use, outcome, warnings in full, and how far each finding's confidence was calibrated."""
    made = result.provenance
    return tuple(
        filter(
            None,
            (
                RESEARCH_USE,
                DEMONSTRATION if made.demonstration else "",
                made.remark,
                f"Result: {result.outcome}.",
                *(f"Warning: {text}" for text in made.warnings),
                *(f"{finding.label.name}: confidence {finding.confidence.state}." for finding in result.findings),
            ),
        )
    )
