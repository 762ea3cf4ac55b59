"""Which formats go together, by who is to read them. Listing a profile loads no format."""

from __future__ import annotations

from slicermedai.errors import FormatError
from slicermedai.export.formats import FORMATS

NONE = "none"
DEFAULT = ("seg", "sr")
PROFILES: dict[str, tuple[str, ...]] = {
    "archive": ("seg", "sr", "pmap"),
    "viewer": ("seg", "sr-plain", "sr-lengths"),
    "legacy": ("rtstruct", "text", "capture"),
}
"""archive: everything, for machines and for later; viewer: what web viewers show; legacy: what all others do."""


def formats_of(names: tuple[str, ...], profile: str = NONE) -> tuple[str, ...]:
    """The formats of ``profile`` and of ``names``, each once, in the order of the table; without both, SEG and SR.

    Raises
    ------
    FormatError
        An unknown profile.
    """
    if profile not in (NONE, *PROFILES):
        raise FormatError(
            f"there is no profile {profile!r}", attribute="profile", advice=f"Choose from {', '.join(PROFILES)}."
        )
    wanted = (*PROFILES.get(profile, ()), *names)
    known = tuple(name for name in FORMATS if name in wanted)
    return (*known, *[name for name in names if name not in FORMATS]) or DEFAULT
