"""Throw-away certificates for loopback, made by the openssl program for each run."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificates:
    """An authority, and a server's and a client's certificate and key (PEM)."""

    folder: Path

    def __getattr__(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")


def make_certificates(folder: Path) -> Certificates:
    """New ones in ``folder``; a skip by name without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("absent: openssl; .ci/run installs it")
    folder.mkdir(parents=True)
    _openssl(
        folder,
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test authority"),
        *("-keyout", "ca_key.pem", "-out", "ca.pem"),
    )
    for name in ("server", "client"):
        _openssl(
            folder,
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", f"{name}_key.pem", "-out", f"{name}.csr"),
        )
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        _openssl(
            folder,
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca_key.pem", "-CAcreateserial"),
            *("-days", "2", "-out", f"{name}.pem", "-extfile", "names"),
        )
    return Certificates(folder)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
