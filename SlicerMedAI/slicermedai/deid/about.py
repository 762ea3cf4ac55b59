"""What a profile does to dates, and what its options keep, in sentences."""

from __future__ import annotations

from slicermedai.deid.profile import Option, Profile


def about_dates(profile: Profile) -> list[str]:
    """What becomes of dates and times."""
    if Option.RETAIN_FULL_DATES in profile.options:
        return ["Dates and times were kept, but for the birth date."]
    if Option.RETAIN_MODIFIED_DATES in profile.options:
        return ["Dates were modified for each patient in one way, so that intervals stay; times of day were kept."]
    return ["All dates and times that the table lists were removed, emptied or replaced by 1900-01-01."]


def about_options(profile: Profile) -> list[str]:
    """What the options keep."""
    return [_SENTENCES[option] for option in sorted(profile.options) if option in _SENTENCES]


_SENTENCES = {
    Option.CLEAN_GRAPHICS: "Graphic annotations were kept after identity in their text was masked; overlays, which "
    "may show text, were removed.",
    Option.CLEAN_STRUCTURED_CONTENT: "Structured content was kept: numbers and codes as they are, text after identity "
    "was masked, names replaced.",
    Option.CLEAN_DESCRIPTORS: "Descriptions and comments were kept after identity in them was masked.",
    Option.RETAIN_PATIENT_CHARACTERISTICS: "Age, sex, size, weight and other characteristics were kept.",
    Option.RETAIN_DEVICE_IDENTITY: "Identity of devices was kept.",
    Option.RETAIN_INSTITUTION_IDENTITY: "Identity of institutions was kept.",
}
