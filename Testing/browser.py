"""A real browser, for pages that people open."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium() -> str:
    """The path of a Chromium; skips by name where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("absent: chromium (Debian package chromium)")
    return found


def screenshot(page: Path, folder: Path, *flags: str) -> Path:
    """A PNG of ``page`` as the browser draws it, in ``folder``; ``flags`` are the browser's own."""
    picture = folder / "shot.png"
    command = [chromium(), *_QUIET, f"--user-data-dir={folder / 'profile'}", f"--screenshot={picture}"]
    subprocess.run([*command, *flags, page.as_uri()], capture_output=True, timeout=60, check=True)
    return picture


def printed(page: Path, folder: Path) -> Path:
    """``page`` as the browser prints it: a PDF in ``folder``."""
    paper = folder / "paper.pdf"
    command = [chromium(), *_QUIET, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={paper}"]
    subprocess.run([*command, page.as_uri()], capture_output=True, timeout=60, check=True)
    return paper
