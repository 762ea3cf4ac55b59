"""What people type after Scripts/demo; standard library only, since the environment may not be there yet."""

from __future__ import annotations

import argparse
from pathlib import Path


def understand(name: str, about: str) -> tuple[Path, Path | None]:
    """(folder to make, the person's own DICOM folder or None for the sample head)."""
    parser = argparse.ArgumentParser(prog=name, description=about.partition("\n\n")[2])
    parser.add_argument("--out", type=Path, help="folder to make (default: medai-demo, or the next free number)")
    parser.add_argument("--input", type=Path, help="your own DICOM folder, instead of the sample head")
    options = parser.parse_args()
    return (options.out or _free_name(Path("medai-demo"))).absolute(), options.input


def _free_name(wanted: Path) -> Path:
    names = [wanted, *(wanted.with_name(f"{wanted.name}-{n}") for n in range(2, 1000))]
    return next(name for name in names if not name.exists())
