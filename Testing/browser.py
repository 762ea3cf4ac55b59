"""A real browser, for pages that people open."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


_DRAWING = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--window-size=1280,800")
_ANSWER = 60.0


@dataclass(eq=False)
class Page:
    """A page that scripts drive by the DevTools protocol, over a pipe: JSON messages that end in a zero byte."""

    to_browser: int
    from_browser: int
    session: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _rest: bytes = b""

    def send(self, method: str, **values: Any) -> Any:
        """The answer to a command."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": values}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _ANSWER
        while True:
            said = self._next(deadline)
            if said.get("id") == number:
                assert "error" not in said, said["error"]
                return said["result"]

    def evaluate(self, script: str) -> Any:
        """The value of an expression; a promise is awaited."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return found["result"].get("value")

    def wait(self, script: str, *, seconds: float) -> Any:
        """The first value of ``script`` that is true."""
        deadline = time.monotonic() + seconds
        while not (found := self.evaluate(script)):
            assert time.monotonic() < deadline, f"not true after {seconds} s: {script}"
            time.sleep(0.5)
        return found

    def screenshot(self, path: Path) -> Path:
        """A PNG of the window as it is now."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))
        return path

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.from_browser], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self.from_browser, 1 << 16) if ready else b""
            assert data, "the browser does not answer"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@contextlib.contextmanager
def opened(url: str, folder: Path) -> Iterator[Page]:
    """A window of a browser on ``url`` for as long as the block runs."""
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()
    flags = [*_QUIET, *_DRAWING, f"--user-data-dir={folder / 'profile'}", "--remote-debugging-pipe", "about:blank"]
    command = ["bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', chromium(), *flags]
    browser = subprocess.Popen(
        command, pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        page = Page(to_browser=ours_out, from_browser=ours_in)
        target = page.send("Target.createTarget", url="about:blank")["targetId"]
        page.session = page.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page.send("Page.navigate", url=url)
        yield page
    finally:
        browser.kill()
        browser.wait(20)
        for end in (ours_in, theirs_out, theirs_in, ours_out):
            os.close(end)
