"""Damaged series, objects, results and messages for every reader."""

from __future__ import annotations

import argparse
import time
import warnings

from Testing.fuzz.campaign import campaign


def main(arguments: list[str]) -> int:
    """Print the figures; 0 where every input gave a typed error or a valid object."""
    parser = argparse.ArgumentParser(prog="Scripts/soak fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="how many (default: 10000)")
    parser.add_argument("--seed", type=int, default=1, help="of the damage (default: 1)")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # of libraries, about the damage
    began = time.monotonic()
    figures = campaign(given.inputs, seed=given.seed)
    print(figures)
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if figures.faults else 0
