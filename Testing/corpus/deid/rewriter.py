"""Both passes over a folder without the verifier, the report and the command: ``rewriter.py INPUT OUTPUT``."""

from __future__ import annotations

import sys
from pathlib import Path

from slicermedai.deid.patients import Patients
from slicermedai.deid.profile import Profile
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.rewrite import rewrite_file


def main(source: Path, output: Path) -> int:
    """The Basic profile, one file after the other."""
    files = sorted(path for path in source.rglob("*") if path.is_file())
    patients = Patients.gather(files, profile=Profile(), key=ProjectKey.generate())
    output.mkdir()
    for number, origin in enumerate(patients.files):
        rewrite_file(origin, output / f"{number}.dcm", patients.context(origin))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
