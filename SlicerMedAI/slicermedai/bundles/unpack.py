"""Copies of bundles that come from elsewhere: whatever could reach out of their folder is refused by name."""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from slicermedai.errors import BundleError

LARGEST = 64 * 2**30
"""Bytes that a bundle may have, unpacked."""
MOST_FILES = 10_000
_RATIO = 200
_SMALL = 2**20
_PIECE = 2**20
_RUBBISH = {"__MACOSX", "__pycache__", ".git", ".DS_Store", "Thumbs.db", ".cache"}


def unpack_zip(archive: Path, folder: Path) -> Path:
    """Unpack ``archive`` into the empty ``folder``; returns the bundle's own folder inside of it.

    Raises
    ------
    BundleError
        No zip; a member that is absolute, leaves the folder, is a link or a device, comes twice, is encrypted, or
        unpacks to more than it says or than can be sensible. Nothing outside ``folder`` was touched.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [info for info in opened.infolist() if not _is_rubbish(info.filename)]
            _check_members(members, archive)
            for info in members:
                if not info.is_dir():
                    _unpack_member(opened, info, folder / PurePosixPath(info.filename), archive)
    except (EOFError, OSError, RuntimeError, lzma.LZMAError, zipfile.BadZipFile, zlib.error) as error:
        raise BundleError(f"cannot be unpacked ({type(error).__name__})", file=archive, attribute="zip") from error
    return inner_folder(folder)


def copy_folder(source: Path, folder: Path, *, only: Iterable[str] | None = None) -> None:
    """Copy a bundle's files from ``source`` into ``folder``; errors as :func:`unpack_zip`.

    Links are refused, also those that stay inside: what was hashed must be what is loaded.
    """
    wanted = None if only is None else set(only)
    paths = [path for path in files_of(source) if wanted is None or path.relative_to(source).as_posix() in wanted]
    total = sum(path.stat().st_size for path in paths)
    if len(paths) > MOST_FILES or total > LARGEST:
        raise _refused(source, f"has {len(paths)} files of {total} bytes, which is no bundle")
    for path in paths:
        copy_file(path, folder / path.relative_to(source))


def copy_file(path: Path, target: Path) -> None:
    """Copy one plain file; folders above ``target`` are made. Raises :class:`BundleError` for a link or a device."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise _refused(path, "is a link or a device: a bundle holds plain files alone")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target, follow_symlinks=False)


def files_of(folder: Path) -> list[Path]:
    """All regular files of a bundle, sorted by name; raises :class:`BundleError` for a link or a device."""
    found = []
    for parent, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not _is_rubbish(name))
        for name in [*names, *files]:
            path = Path(parent) / name
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode) or not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                raise _refused(path, "is a link or a device: a bundle holds plain files alone")
            found += [path] if stat.S_ISREG(mode) and not _is_rubbish(name) else []
    return sorted(found)


def inner_folder(folder: Path) -> Path:
    """The one folder that a zip wraps its content in, or ``folder`` itself."""
    while not (folder / "configs").is_dir():
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            break
        folder = inside[0]
    return folder


def _check_members(members: list[zipfile.ZipInfo], archive: Path) -> None:
    seen: set[str] = set()
    for info in members:
        name = info.filename
        if _leaves(name):
            raise _refused(archive, f"member {name!r} leaves its folder")
        if not (info.is_dir() or stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)):
            raise _refused(archive, f"member {name!r} is a link or a device")
        if name.rstrip("/").casefold() in seen:
            raise _refused(archive, f"member {name!r} comes twice")
        if info.flag_bits & 1:
            raise _refused(archive, f"member {name!r} is encrypted")
        if info.file_size > max(_SMALL, _RATIO * info.compress_size):
            raise _refused(archive, f"member {name!r} would unpack to {info.file_size} bytes from {info.compress_size}")
        seen.add(name.rstrip("/").casefold())
    total = sum(info.file_size for info in members)
    if total > LARGEST or len(members) > MOST_FILES:
        raise _refused(archive, f"would unpack to {total} bytes in {len(members)} files")


def _leaves(name: str) -> bool:
    path = PurePosixPath(name)
    drive = len(name) > 1 and name[1] == ":"
    return path.is_absolute() or ".." in path.parts or "\\" in name or drive or "\0" in name or not path.parts


def _unpack_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, archive: Path) -> None:
    """Written piece by piece: a member that holds more than it said stops there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    with opened.open(info) as source, target.open("xb") as sink:
        while piece := source.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise _refused(archive, f"member {info.filename!r} holds more than it says")
            sink.write(piece)


def _is_rubbish(name: str) -> bool:
    return any(part in _RUBBISH for part in PurePosixPath(name).parts)


def _refused(path: Path, reason: str) -> BundleError:
    return BundleError(reason, file=path, attribute="bundle", advice="Nothing of it was taken over.")
