"""Load all modules of a folder on Slicer's stand-in, as Slicer does when it starts and when each is opened.

``python load_modules.py FOLDER`` prints one line of JSON: which were loaded, what went wrong, where the files of ours came
from, and all top-level packages that Python then holds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def load_all(folder: Path) -> dict[str, Any]:
    """Load each module, enter and leave it, unload it."""
    from Testing.Harness import install
    from Testing.Harness.pythonqt import dicom_lib

    harness = install()
    loaded = []
    for path in sorted(folder.glob("*.py")):
        if path.stem.endswith("Plugin"):
            with dicom_lib.installed():
                __import__(path.stem)
        else:
            module = harness.load_module(path)
            harness.process(50)
            module.exit()
            module.close()
        loaded.append(path.stem)
    wrong = list(harness.strict_log)
    harness.close()
    return {
        "loaded": loaded,
        "wrong": wrong,
        "files": _files(),
        "packages": sorted(name for name in sys.modules if "." not in name),
    }


def _files() -> list[str]:
    """Where all that is ours was loaded from."""
    ours = [module for name, module in sys.modules.items() if name.startswith(("slicermedai", "DICOMMedAI"))]
    return sorted({str(module.__file__) for module in ours if getattr(module, "__file__", None)})


if __name__ == "__main__":
    sys.stdout.write(json.dumps(load_all(Path(sys.argv[1]))))
