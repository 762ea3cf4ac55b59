"""Consent to run a bundle's code, bound to the SHA-256 of all of its files: one changed byte, and it is void."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slicermedai.bundles.store import Change, Title, models, note
from slicermedai.bundles.verify import content_sha256
from slicermedai.domain.storage import write_text
from slicermedai.errors import BundleError, ConsentError


def agree(title: Title, word: str, folder: Path) -> Change:
    """Keep a person's ``word`` (who, and why this code is trusted) for the bundle in ``folder`` as it is now.

    Raises
    ------
    ConsentError
        An empty word: somebody must be named.
    """
    if not word.strip():
        raise ConsentError(
            "consent needs a person's word", attribute="consent", advice="Say who agrees, and why it is trusted."
        )
    digest = content_sha256(folder)
    time = datetime.now(UTC).isoformat(timespec="seconds")
    kept = {**_read(), digest: {"title": str(title), "word": word.strip(), "time": time}}
    write_text(_path(), json.dumps(kept, indent=1, sort_keys=True) + "\n")
    return note("agreed to", title, sha256=digest)


def word_for(folder: Path) -> str:
    """The word that was given for exactly these files; "" where none was, or where a file has changed since."""
    kept = _read()
    return str(kept.get(content_sha256(folder), {}).get("word", "")) if kept else ""


def _path() -> Path:
    return models() / "consents.json"


def _read() -> dict[str, Any]:
    path = _path()
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BundleError("is damaged", file=path, advice="Remove it, and agree again.") from error
    if not isinstance(body, dict):
        raise BundleError("is damaged", file=path, advice="Remove it, and agree again.")
    return body
