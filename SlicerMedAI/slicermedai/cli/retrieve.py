"""``slicermedai retrieve LIST.csv --from PEER --output DIR``: many studies from an archive.

It speaks to networks by libraries that use threads: run it in a process of its own, never inside Slicer's.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

HELP = "fetch many studies from an archive"
EXIT_NOT_ALL = 3


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("retrieve", help=HELP, description=do.__doc__)
    parser.add_argument("list", metavar="LIST.csv", type=Path, help="columns accession, study or patient")
    parser.add_argument("--from", dest="peer", required=True, metavar="PEER", help="archive to fetch from")
    parser.add_argument("--output", type=Path, default=Path("medai-studies"), metavar="DIR", help="a folder a study")
    parser.add_argument("--opt-out", type=Path, metavar="FILE", help="who must not be fetched, an identifier a line")
    parser.add_argument("--rate", type=float, default=0.0, metavar="N", help="objects a second (default: no limit)")
    parser.set_defaults(do=do)


def do(given: argparse.Namespace) -> int:
    """Fetch the studies of a list, each whole or not at all; what is there already stays. DIR/retrieved.csv says what
    became of each row. Ends with 3 where not all were fetched.
    """
    from slicermedai.pacs.opt_out import OptOutList
    from slicermedai.pacs.peers import load_peer, open_store
    from slicermedai.pacs.retrieve import TABLE, Fate, Terms, read_list, retrieve_list
    from slicermedai.pacs.store import Pace

    terms = Terms(
        opted_out=None if given.opt_out is None else OptOutList.load(given.opt_out), pace=Pace(per_second=given.rate)
    )
    wanted = read_list(given.list)
    store = open_store(load_peer(given.peer))
    lines = retrieve_list(wanted, store, given.output, terms=terms, progress=_tell)
    counts = Counter(str(line.fate) for line in lines)
    print(f"{given.output / TABLE}: " + ", ".join(f"{count} {fate}" for fate, count in sorted(counts.items())))
    return 0 if set(counts) <= {str(Fate.DONE), str(Fate.OPTED_OUT)} else EXIT_NOT_ALL


def _tell(stage: str, fraction: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{stage} {fraction:.0%}", end="" if fraction < 1 else "\n", file=sys.stderr)
