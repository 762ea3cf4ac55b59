"""Kills of senders and of a real archive (Debian's Orthanc on loopback) while many objects are under way."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from Testing.pacs.killing import campaign
from Testing.pacs.orthanc import running


def main(arguments: list[str]) -> int:
    """Print the figures; 0 where nothing was lost, doubled or left unproved."""
    parser = argparse.ArgumentParser(prog="Scripts/soak outbox", description=__doc__)
    parser.add_argument("--objects", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--kind", choices=("dimse", "web"), default="dimse", help="transport (default: dimse)")
    parser.add_argument("--step", type=int, default=60, help="a kill after at most that many moves (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (default: 1)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        root = Path(folder)
        os.environ["SLICERMEDAI_HOME"] = str(root / "home")
        with running(root / "orthanc") as archive:
            figures = campaign(
                archive, root / "in", objects=given.objects, kind=given.kind, seed=given.seed, step=given.step
            )
    print(figures)
    return 1 if figures.lost or figures.doubled or figures.not_proved else 0
