"""The extension as CMake installs it, once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from Testing.packaging import build


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the extension was installed to."""
    for name in ("cmake", "ninja"):
        if build.tool(name) is None:
            pytest.skip(f"absent: {name} (PyPI {name})")
    folder = tmp_path_factory.mktemp("extension")
    return build.install(build.ROOT, folder).parents[2]


@pytest.fixture(scope="session")
def installed(prefix: Path) -> Path:
    """The folder that Slicer takes modules from."""
    return prefix / build.MODULES
