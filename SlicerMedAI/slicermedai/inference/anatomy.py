"""Does the image show the part of the body that the model was made for? Held together before anything is computed.

Headers are wrong now and then: the part is often that of the scanner's protocol. So a neighbouring part is warned of,
one farther away is refused, and a person may say what the image shows instead.
"""

from __future__ import annotations

from slicermedai.bundles.body_parts import Regions, apart, listed, regions_of_term
from slicermedai.bundles.manifest import Manifest
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError, UnsupportedImageError
from slicermedai.inference.contrast import Checked

ANY = "any"
_STATED = ("AnatomicRegion", "BodyPartExamined")


def check_body_part(manifest: Manifest, volume: Volume, asked: str = "") -> Checked:
    """Hold what ``volume`` shows against what the model is for: its ``body_parts``, or else where its labels lie.

    ``asked`` is a person's word for what the image shows, in DICOM's terms; "any" leaves the check out.

    Raises
    ------
    InputError
        ``asked`` is no part of the body that is known.
    UnsupportedImageError
        The image shows a part of the body that is not even beside one that the model is for.
    """
    if asked.lower() == ANY:
        return _unchecked("as asked")
    if asked and not regions_of_term(asked):
        raise InputError(
            "is no part of the body that is known", attribute="body_part", advice="Say for instance CHEST, or any."
        )
    made_for, shown = manifest.regions, _shown(volume, asked)
    if not made_for or not shown:
        silent = f"{manifest.ref.title} does not say what it is made for" if not made_for else "the image does not say"
        return _unchecked(silent)
    steps = apart(shown, made_for)
    if steps > 1:
        raise UnsupportedImageError(
            f"{_what(manifest, made_for)}, and this image shows the {listed(shown)}",
            file=volume.name or None,
            attribute="BodyPartExamined",
            advice="Choose another model or series; if the header is wrong, say it: --body-part CHEST (or any).",
        )
    told = f"this image shows the {listed(shown)}, and {_what(manifest, made_for)}"
    return Checked(warnings=(f"{told}: is it the right series?",) if steps else ())


def _what(manifest: Manifest, made_for: Regions) -> str:
    return f"{manifest.ref.title} is made for the {listed(made_for)}"


def _unchecked(reason: str) -> Checked:
    return Checked(unchecked=(f"Body part: not checked, {reason}.",))


def _shown(volume: Volume, asked: str) -> Regions:
    """By a person's word, else by what of the header is known first."""
    stated = {keyword: text for keyword, text in volume.acquisition if isinstance(text, str)}
    for text in (asked, *(stated.get(keyword, "") for keyword in _STATED)):
        found = regions_of_term(text)
        if found:
            return found
    return frozenset()
