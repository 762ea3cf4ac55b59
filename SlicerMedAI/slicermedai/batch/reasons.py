"""Reasons that may be handed on, on either route: without UIDs, and without the names of files and folders.

Errors are raised about files, and some name others beside the one that they are about. What people call files and
folders, and what an archive calls studies, tells who it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from slicermedai.errors import MedAIError

_UID = re.compile(r"(?<![\w.])(?=[0-9.]{16}|(?:[0-9]+\.){3})[0-9]+(?:\.[0-9]+){2,}(?:#[0-9]+)?(?![\w.]*\w)")
"""Of sixteen characters or four numbers, so that "1.2.3" may be a version."""
_STOPS = r"[:;,'\"]"
_VERBS = "is|are|was|were|has|have|had|cannot|could|does|holds|lacks|says"
_SAID = rf"\s+(?:{_VERBS})\b(?=[^/\\:;,'\"]*(?:{_STOPS}|$))"
"""Where a name with spaces ends and a sentence goes on: at a verb, behind which no further folder is named."""
_LETTER = rf"(?:(?!{_SAID})[^/\\:;,'\"])"
_PATH = re.compile(
    rf"(?<![\w/\\])(?:[A-Za-z]:)?[/\\]+(?=\S)(?:{_LETTER}+[/\\]+)+(?:{_LETTER}*?\.[A-Za-z]\w{{0,7}}\b|[^/\\\s:;,'\"]*)"
)
_MERE_NUMBER = re.compile(r"[0-9]{1,4}")
_FURTHER = rf"(?:(?:[/\\]{_LETTER}*)+|(?![^\s:;,'\").]))"
"""What lies in a folder, or the end of its name."""
_SHALLOW = 2
"""Parts of a path that name nobody: root and what lies in it."""


def reason_of(error: MedAIError, files: Iterable[Path]) -> str:
    """What is wrong, with the attribute, in words of :func:`without_names`; ``files`` are those of the study."""
    return without_names(" ".join(filter(None, (error.attribute, error.message))), files)


def without_names(text: str, files: Iterable[Path]) -> str:
    """``text`` with "file 3" (counted in the order of their paths) for each of ``files``, and without other paths and
    UIDs. Names that are numbers of up to four digits tell nobody, and stay.
    """
    known = sorted(files)
    for number, file in enumerate(known, 1):
        for name in (str(file), file.name):
            if name in text and not _MERE_NUMBER.fullmatch(name):
                text = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.]*\w)", f"file {number}", text)
    return _PATH.sub("a file", _UID.sub("a UID", _without_folders(text, known)))


def _without_folders(text: str, files: Iterable[Path]) -> str:
    """Without the folders that ``files`` lie in, and what is named in them: names with spaces end nowhere by rule."""
    folders = {str(folder) for file in files for folder in file.parents if len(folder.parts) > _SHALLOW}
    for folder in sorted(folders, key=len, reverse=True):
        if folder in text:
            text = re.sub(rf"{re.escape(folder)}{_FURTHER}", "a folder", text)
    return text
