"""What people type after Scripts/demo; standard library only, since the environment may not be there yet."""

from __future__ import annotations

import argparse
from pathlib import Path


def understand(name: str, about: str) -> tuple[Path, Path | None, str]:
    """(folder to make, the person's own DICOM folder or None for the sample head, which of its series or "")."""
    parser = argparse.ArgumentParser(prog=name, description=about.partition("\n\n")[2])
    parser.add_argument("--out", type=Path, help="folder to make (default: medai-demo, or the next free number)")
    parser.add_argument("--input", type=Path, help="your own DICOM folder, instead of the sample head")
    parser.add_argument("--series", default="", help="which series, where your folder holds several: as the error says")
    options = parser.parse_args()
    if options.series and options.input is None:
        parser.error("--series is of your own folder: give --input too")
    return (options.out or _free_name(Path("medai-demo"))).absolute(), options.input, options.series


def _free_name(wanted: Path) -> Path:
    names = [wanted, *(wanted.with_name(f"{wanted.name}-{n}") for n in range(2, 1000))]
    return next(name for name in names if not name.exists())
