"""What a person reads last: what came of a run, with every warning in full."""

from __future__ import annotations

import sys
from pathlib import Path

from slicermedai.domain.result import RESULT, WARNINGS, AnalysisResult


def tell(folder: Path) -> None:
    """Write to stderr what came of the run that left ``folder``, and what a calibration or a validation warns of."""
    warned = Path(folder) / WARNINGS
    if warned.is_file():
        print(
            "\n".join(f"Warning: {line}" for line in warned.read_text(encoding="utf-8").splitlines()), file=sys.stderr
        )
    if not (Path(folder) / RESULT / f"{RESULT}.json").is_file():
        return
    result = AnalysisResult.load(folder)
    words = [f"{result.outcome[0].upper()}{result.outcome[1:]}."]
    words += [f"Warning: {line.rstrip('.')}." for line in result.provenance.warnings]
    print("\n".join(words), file=sys.stderr)
