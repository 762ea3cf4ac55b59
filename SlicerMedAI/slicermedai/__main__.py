"""``python -m slicermedai``: the command line, and with ``run job.json`` the worker."""

from __future__ import annotations

import sys

from slicermedai.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
