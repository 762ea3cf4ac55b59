"""A projection or photograph as a plain picture for the report: as it is shown, side and directions written on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from slicermedai.domain.storage import atomic_file
from slicermedai.domain.volume import Volume
from slicermedai.export.lettering import STEP, wrapped, write_line
from slicermedai.scene.pictures import Picture

KIND = "projection"
_LARGEST = 900
_INK = (255, 214, 10)
_LETTER = 14
"""Width of a letter with its gap, pixels."""
_OPPOSITE = dict(zip("LRAPHF", "RLPAFH", strict=True))


def draw_flat(volume: Volume, folder: Path, *, notice: str = "") -> tuple[Picture, ...]:
    """The picture in ``volume`` (one slice) as ``folder/projection.png``, at most 900 pixels long, in its true shape.

    Around it stand the directions of Patient Orientation where the header states them, and above it side and view as
    the header has them: they are not read from the picture. ``notice`` stands below it.

    Raises
    ------
    OutputError, DiskFullError
        The folder cannot be written.
    """
    picture = _resized(_shown(volume), tuple(volume.geometry.spacing[1:]))
    canvas = np.zeros((picture.shape[0] + 2 * STEP, picture.shape[1] + 4 * _LETTER, 3), np.uint8)
    canvas[STEP : STEP + picture.shape[0], 2 * _LETTER : 2 * _LETTER + picture.shape[1]] = picture
    marks = _marks(volume)
    _write(canvas, marks)
    canvas = np.vstack([canvas, _strip(notice, canvas.shape[1])])
    path = Path(folder) / f"{KIND}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        Image.fromarray(canvas).save(partial, format="PNG")
    view = volume.flat.in_words if volume.flat else ""
    title = f"The picture that was analysed{f' ({view})' if view else ''}"
    description = f"{title}. {_in_words(marks)}"
    return (Picture(path=path, title=title, kind=KIND, description=description),)


def _shown(volume: Volume) -> NDArray[np.uint8]:
    """(rows, columns, 3), as a viewer shows it; values alone are stretched from their darkest to their brightest."""
    flat = volume.flat
    if flat is None:
        low, high = float(volume.array.min()), float(volume.array.max())
        planes = np.repeat((volume.array - low) / max(high - low, 1e-9) * 255, 3, axis=0)
    else:
        planes = np.repeat(flat.display, 3, axis=0) if flat.colours is None else flat.colours[:, 0]
    return np.moveaxis(np.rint(np.clip(planes, 0, 255)), 0, -1).astype(np.uint8)


def _resized(picture: NDArray[np.uint8], spacing: tuple[Any, ...]) -> NDArray[np.uint8]:
    """Square pixels, the longer edge 900 pixels at most."""
    rows, columns = picture.shape[0] * float(spacing[0]), picture.shape[1] * float(spacing[1])
    scale = min(_LARGEST, max(picture.shape[:2])) / max(rows, columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))


def _marks(volume: Volume) -> dict[str, str]:
    """What stands at the "left", "right", "top" and "bottom" edge, and the side and view ("view")."""
    flat = volume.flat
    if flat is None:
        return {}
    side = flat.side.meaning.upper() if flat.side else ""
    made = {"view": " ".join(filter(None, (side, flat.view)))}
    if flat.towards:
        right, bottom = flat.towards
        made |= {"right": right[0], "left": _OPPOSITE[right[0]], "bottom": bottom[0], "top": _OPPOSITE[bottom[0]]}
    return made


def _write(canvas: NDArray[np.uint8], marks: dict[str, str]) -> None:
    rows, columns = canvas.shape[:2]
    middle, centre = (rows - STEP) // 2, (columns - _LETTER) // 2
    places = {
        "left": (middle, 2),
        "right": (middle, columns - _LETTER),
        "top": (0, centre),
        "bottom": (rows - STEP, centre),
        "view": (0, 2),
    }
    for name, text in marks.items():
        top, left = places[name]
        write_line(canvas, text, top=top, left=left, color=_INK)


def _strip(notice: str, width: int) -> NDArray[np.uint8]:
    """(rows, width, 3) with the words, no rows without any."""
    told = wrapped(notice, width - 4) if notice else []
    strip = np.zeros((len(told) * STEP, width, 3), np.uint8)
    for number, text in enumerate(told):
        write_line(strip, text, top=number * STEP, left=2, color=_INK)
    return strip


def _in_words(marks: dict[str, str]) -> str:
    if "left" not in marks:
        return "The header does not say which way its edges lie."
    edges = ", ".join(f"{name}: {marks[name]}" for name in ("left", "right", "top", "bottom"))
    return f"Its edges, by the header: {edges}."
