"""Bundles by their name in MONAI's Model Zoo: the one place here that asks the network, and only when told to.

The zoo publishes one list (``model_info.json``): name_vVERSION -> address and SHA-1 of a zip. How an address becomes
bytes is an argument, so that a hospital's mirror, a proxy or a test may stand in.
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.bundles.store import version_key
from slicermedai.domain.observer import Progress, silent
from slicermedai.domain.suggest import did_you_mean
from slicermedai.errors import BundleError, UnknownBundleError

LIST = "https://raw.githubusercontent.com/Project-MONAI/model-zoo/dev/models/model_info.json"
_TIMEOUT = 30.0
_PIECE = 2**20
_LIST_LIMIT = 16 * 2**20
_LARGEST = 16 * 2**30

Transport = Callable[[str], Iterator[bytes]]
"""An address -> its bytes in pieces; raises OSError where it cannot be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version of a bundle in the zoo; ``sha1`` is the zoo's own word."""

    name: str
    version: str
    address: str
    sha1: str


def https(address: str) -> Iterator[bytes]:
    """The bytes behind an ``https`` address, by the system's certificates and proxies; no other scheme is followed."""
    if not address.startswith("https://"):
        raise OSError("not an https address")
    with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:
        if not str(answer.url).startswith("https://"):
            raise OSError("was led away from https")
        while piece := answer.read(_PIECE):
            yield piece


def find(name: str, *, transport: Transport = https) -> Release:
    """The release ``name`` or ``name@version``, the newest where no version is given.

    Raises
    ------
    UnknownBundleError
        The list has none of that name and version.
    BundleError
        The list cannot be had, or is damaged.
    """
    wanted, _, version = name.partition("@")
    releases = list(_releases(_list(transport)))
    fitting = [r for r in releases if r.name == wanted and version in ("", r.version)]
    if not fitting:
        hint = did_you_mean(wanted, {release.name for release in releases})
        raise UnknownBundleError(
            f"the Model Zoo has no {name!r}", attribute="bundle", advice=hint or "Look at its list of models."
        )
    return max(fitting, key=lambda release: version_key(release.version))


def download(release: Release, path: Path, *, transport: Transport = https, progress: Progress = silent) -> str:
    """Write the zip of a release to ``path``; returns its SHA-256.

    Raises
    ------
    BundleError
        It cannot be had, or has not the hash that the list says; ``path`` is not there then.
    """
    old, new, size = hashlib.sha1(usedforsecurity=False), hashlib.sha256(), 0
    try:
        with Path(path).open("wb") as stream:
            for piece in transport(release.address):
                size += len(piece)
                _refuse_endless(size, release)
                for digest in (old, new):
                    digest.update(piece)
                stream.write(piece)
                progress("download model", min(0.9, size / 2**30))
        if old.hexdigest() != release.sha1:
            raise BundleError(f"{release.name} has not the hash that the Model Zoo says", attribute="checksum")
    except (OSError, urllib.error.URLError) as error:
        Path(path).unlink(missing_ok=True)
        raise _offline(release.address, error) from error
    except BundleError:
        Path(path).unlink(missing_ok=True)
        raise
    return new.hexdigest()


def _list(transport: Transport) -> dict[str, Any]:
    content = bytearray()
    try:
        for piece in transport(LIST):
            content += piece
            if len(content) > _LIST_LIMIT:
                raise BundleError("the Model Zoo's list is longer than any list can be", attribute="bundle")
        body = json.loads(bytes(content))
    except (OSError, urllib.error.URLError) as error:
        raise _offline(LIST, error) from error
    except ValueError as error:
        raise BundleError("the Model Zoo's list cannot be read", attribute="bundle") from error
    return body if isinstance(body, dict) else {}


def _releases(body: dict[str, Any]) -> Iterator[Release]:
    for title, entry in body.items():
        match = re.fullmatch(r"(.+)_v(\d[\w.]*)", title)
        if match and isinstance(entry, dict) and entry.get("source") and entry.get("checksum"):
            yield Release(
                name=match[1], version=match[2], address=str(entry["source"]), sha1=str(entry["checksum"]).lower()
            )


def _refuse_endless(size: int, release: Release) -> None:
    if size > _LARGEST:
        raise BundleError(f"{release.name} is larger than any bundle can be", attribute="bundle")


def _offline(address: str, error: OSError) -> BundleError:
    host = address.split("/")[2] if address.count("/") > 2 else address
    return BundleError(
        f"{host} cannot be reached ({type(error).__name__})",
        attribute="bundle",
        advice="Is there a network? Offline, download the zip elsewhere and import that file.",
    )
