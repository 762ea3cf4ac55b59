"""Generated results written in every format and read back: what comes back must be what was written."""

from __future__ import annotations

import argparse
import time
import warnings

from Testing.export.generated import campaign


def main(arguments: list[str]) -> int:
    """Print the figures; 0 where every result came back as it was written."""
    parser = argparse.ArgumentParser(prog="Scripts/soak roundtrip", description=__doc__)
    parser.add_argument("--results", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the results (default: 1)")
    parser.add_argument("--first", type=int, default=0, help="number of the first result (default: 0)")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # of libraries, about names in other scripts
    began = time.monotonic()
    figures = campaign(given.results, seed=given.seed, first=given.first)
    print(figures)
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if figures.faults else 0
