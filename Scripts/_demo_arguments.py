"""What people type after Scripts/demo; standard library only, since the environment may not be there yet."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wanted:
    """``out`` is the folder to make, ``source`` a person's own DICOM folder, ``series`` which of its series or "".

    With ``everything`` a small cohort and a surgical plan follow, on generated data.
    """

    out: Path
    source: Path | None = None
    series: str = ""
    everything: bool = False


def understand(name: str, about: str) -> Wanted:
    """What was typed; ends the program with words where it is nothing."""
    parser = argparse.ArgumentParser(prog=name, description=about.partition("\n\n")[2])
    parser.add_argument("--out", type=Path, help="folder to make (default: medai-demo, or the next free number)")
    parser.add_argument("--input", type=Path, help="your own DICOM folder, instead of the sample head")
    parser.add_argument("--series", default="", help="which series, where your folder holds several: as the error says")
    parser.add_argument("--all", action="store_true", help="add a small cohort and a surgical plan, on generated data")
    options = parser.parse_args()
    if options.series and options.input is None:
        parser.error("--series is of your own folder: give --input too")
    out = (options.out or _free_name(Path("medai-demo"))).absolute()
    return Wanted(out=out, source=options.input, series=options.series, everything=options.all)


def _free_name(wanted: Path) -> Path:
    names = [wanted, *(wanted.with_name(f"{wanted.name}-{n}") for n in range(2, 1000))]
    return next(name for name in names if not name.exists())
