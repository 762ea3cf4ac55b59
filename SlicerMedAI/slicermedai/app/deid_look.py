"""The child of :mod:`slicermedai.app.deid_preview`: one request on stdin, JSON lines on stdout, nothing on a disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from slicermedai.app.answering import answer_one
from slicermedai.domain.observer import Progress

_SERIES = 50
"""At most so many example files: more than anybody looks through."""
_CHANGES = 120
"""At most so many changes of one file: a multi-frame header has tens of thousands, and a table must not stall."""
_NO_READER = object()
"""Stands for the text reader, which takes seconds to load: a preview does not look at pixels."""


def main() -> int:
    """Answer one request; ends with whoever asked."""
    return answer_one(_answer)


def _answer(asked: dict[str, Any], progress: Progress) -> Any:
    if "key" in asked:
        return _made_key(asked["key"], asked["passphrase"])
    return _look(asked["job"], asked["passphrase"], progress)


def _made_key(path: str, passphrase: str) -> str:
    from slicermedai.deid.keystore import save_key
    from slicermedai.deid.pseudonym import ProjectKey

    key = ProjectKey.generate()
    save_key(Path(path), key, passphrase)
    return key.fingerprint


def _look(spec: dict[str, Any], passphrase: str, say: Progress) -> dict[str, Any]:
    from slicermedai.deid.preview import look
    from slicermedai.deid.profile import Option
    from slicermedai.deid.request import choice_of, files_of, settings_of
    from slicermedai.jobs.files import make_job
    from slicermedai.jobs.specs import DeidJob

    asked = make_job(DeidJob, spec)
    job = replace(asked, table="", deface=False, ocr=False, review="")
    files, profile = files_of(job), choice_of(asked).profile
    settings = settings_of(job, files=len(files), passphrase=passphrase or None)
    reader = _NO_READER if Option.CLEAN_PIXEL_DATA in profile.options else None
    settings = replace(settings, profile=profile, ocr=reader)

    def progress(stage: str, fraction: float) -> None:
        say(stage, 0.5 * fraction + (0.5 if stage == "preview" else 0.0))

    found = look(files, settings, progress=progress)
    examples = [found.values(origin) for origin in found.examples()[:_SERIES]]
    return {
        "files": len(found.files),
        "patients": len(found.patients),
        "elements": sum(row.count for row in found.rows),
        "refused": [(row.source, row.reason) for row in found.refused],
        "examples": [[_plain(row) for row in rows[:_CHANGES]] for rows in examples],
        "is_cut": any(len(rows) > _CHANGES for rows in examples),
    }


def _plain(row: Any) -> dict[str, str]:
    return {
        "path": row.path,
        "action": _action(row.before, row.after),
        "before": row.before or "",
        "after": row.after or "",
    }


def _action(before: str | None, after: str | None) -> str:
    if after is None:
        return "removed"
    if before is None:
        return "added"
    return "changed" if after else "emptied"


if __name__ == "__main__":
    raise SystemExit(main())
