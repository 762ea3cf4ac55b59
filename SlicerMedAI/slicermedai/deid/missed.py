"""Steps that were asked for and not done: a run with one of them is no success without a remark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slicermedai.deid.pixel_step import Faces
from slicermedai.deid.profile import Option
from slicermedai.deid.settings import DeidSettings, Missed
from slicermedai.deid.work import Task

_TEXT, _FACES = Option.CLEAN_PIXEL_DATA, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES


def missed_steps(settings: DeidSettings, written: Sequence[Task], faces: Faces) -> Iterator[Missed]:
    """The steps among the profile's options that were not done in files that have pixels, and why.

    Text is looked for in every file where there is a reader, so that it is missed in all of them or in none.
    """
    if _TEXT in settings.profile.options and settings.ocr is None and written:
        yield _missed(_TEXT, len(written), written, {"no text reader was given"})
    if _FACES in settings.profile.options:
        left = [task.origin for task in written if _FACES not in task.claimed and faces.apply_to(task.origin)]
        if left:
            yield _missed(_FACES, len(left), written, {faces.why(origin) for origin in left} - {""})


def about_text(settings: DeidSettings, written: Sequence[Task], unread: int = 0) -> list[str]:
    """In how many files text was read, where it was not in all of them; in ``unread`` files it could not be read."""
    read = sum(_TEXT in task.claimed for task in written)
    if settings.ocr is None or read == len(written):
        return []
    doubt = [_UNREAD.format(count=unread, code=_TEXT.value)] if unread else []
    if read + unread == len(written):
        others = [] if not read else [f"Text in the pixels was read in the other files, which claim {_TEXT.value}."]
        return [*doubt, *others]
    if not read:
        some = "The pixels of the others" if unread else "The pixels"
        return [
            *doubt,
            f"{some} were searched for text; no frame has strokes as text has, so none claims {_TEXT.value}.",
        ]
    return [
        *doubt,
        f"Text in the pixels was read in {read} of {len(written)} files, which claim {_TEXT.value}; "
        f"{'others' if unread else 'the others'} have no pixels, or on no frame strokes as text has.",
    ]


_UNREAD = (
    "In {count} files stands what looks like text and cannot be read, in another script perhaps: nothing was covered "
    "there, and they do not claim {code}. A person should look at them."
)


def _missed(option: Option, files: int, written: Sequence[Task], why: set[str]) -> Missed:
    return Missed(
        code=option.code.value, step=option.code.meaning, files=files, of=len(written), why=tuple(sorted(why))
    )
