"""What must be read before the numbers of a result, in plain lines: the same words in scene, report and table."""

from __future__ import annotations

from slicermedai.domain.result import AnalysisResult

RESEARCH_USE = "Research use only. Not a medical device. Not for primary diagnosis."
DEMONSTRATION = "The weights were trained for demonstration only: what they find has no diagnostic value."


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
