"""Load all modules of a folder on Slicer's stand-in, as Slicer does when it starts and when each is opened.

``python load_modules.py FOLDER`` prints one line of JSON: which were loaded, what went wrong, where the files of ours
came from, all top-level packages that Python then holds, and what each module's help links to.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any


def load_all(folder: Path) -> dict[str, Any]:
    """Load each module, enter and leave it, unload it."""
    from Testing.Harness import install
    from Testing.Harness.pythonqt import dicom_lib

    harness = install()
    loaded, helps = [], {}
    for path in sorted(folder.glob("*.py")):
        if path.stem.endswith("Plugin"):
            with dicom_lib.installed():
                __import__(path.stem)
        else:
            module = harness.load_module(path)
            harness.process(50)
            helps[path.stem] = re.findall(r'href="([^"]+)"', str(module.module.parent.helpText))
            module.exit()
            module.close()
        loaded.append(path.stem)
    wrong = list(harness.strict_log)
    harness.close()
    packages = sorted(name for name in sys.modules if "." not in name)
    return {"loaded": loaded, "wrong": wrong, "files": _files(), "packages": packages, "help": helps}


def _files() -> list[str]:
    """Where all that is ours was loaded from."""
    ours = [module for name, module in sys.modules.items() if name.startswith(("slicermedai", "DICOMMedAI"))]
    return sorted({str(module.__file__) for module in ours if getattr(module, "__file__", None)})


if __name__ == "__main__":
    sys.stdout.write(json.dumps(load_all(Path(sys.argv[1]))))
