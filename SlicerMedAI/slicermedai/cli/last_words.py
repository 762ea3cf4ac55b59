"""What a person reads last: what came of a run, with every warning in full."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from slicermedai.domain.result import RESULT, WARNINGS, AnalysisResult


def tell(folder: Path) -> None:
    """Write to stderr what came of the run that left ``folder``, and what a calibration or a validation warns of,
    and which of its references was taken for which label."""
    _tell_labels(Path(folder) / "labels.csv")
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


def _tell_labels(table: Path) -> None:
    """The label table that was used, a line for each name of the references."""
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as stream:
            said = [f"  {row['reference']} = {row['label']}" for row in csv.DictReader(stream)]
        print("\n".join(["References, and the label that each was taken for:", *said]), file=sys.stderr)
