"""Run one peer over a folder, inside the peers' own environment: ``peer_runner.py TOOL INPUT OUTPUT``.

Each is called as its documentation shows, with its default rules, file by file; the relative names stay. A file that
the tool fails on is not written, and counted by the kind of error. The last line printed is JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

Handle = Callable[[Path, Path], object]


def dicognito() -> Handle:
    """dicognito's anonymizer, as its command line uses it."""
    import pydicom
    from dicognito.anonymizer import Anonymizer

    anonymizer = Anonymizer(seed="bench")

    def handle(source: Path, target: Path) -> None:
        with pydicom.dcmread(source) as data:
            anonymizer.anonymize(data)
            data.save_as(target)

    return handle


def dicom_anonymizer() -> Handle:
    """dicom-anonymizer with its newest table."""
    from dicomanonymizer.simpledicomanonymizer import anonymize_dicom_file, initialize_actions

    table = "dicomfields_2026c"

    def handle(source: Path, target: Path) -> None:
        anonymize_dicom_file(str(source), str(target), None, True, lambda: initialize_actions(table))

    return handle


def deid() -> Handle:
    """deid with its default recipe, private attributes removed."""
    from deid.config import DeidRecipe
    from deid.dicom import replace_identifiers
    from deid.logger import bot

    bot.level = 0
    recipe = DeidRecipe()

    def handle(source: Path, target: Path) -> None:
        made = replace_identifiers([str(source)], deid=recipe, save=False, remove_private=True)
        made[0].save_as(target)

    return handle


def dcmanon() -> Handle:
    """dcmanon with its default actions."""
    from dcmanon import Anonymizer

    anonymizer = Anonymizer()
    return lambda source, target: target.write_bytes(anonymizer.anonymize(str(source)))


TOOLS: dict[str, Callable[[], Handle]] = {
    "dicognito": dicognito,
    "dicom-anonymizer": dicom_anonymizer,
    "deid": deid,
    "dcmanon": dcmanon,
}


def main(arguments: list[str]) -> int:
    """Run the tool over every file below the folder."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    name, source, output = arguments[0], Path(arguments[1]), Path(arguments[2])
    handle = TOOLS[name]()
    failures: Counter[str] = Counter()
    for path in sorted(source.rglob("*.dcm")):
        target = output / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle(path, target)
        except Exception as error:  # noqa: BLE001  # another program's mistake is counted, whatever it is
            target.unlink(missing_ok=True)
            failures[type(error).__name__] += 1
    print(json.dumps(failures))  # noqa: T201  # the answer to the process that started this one
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
