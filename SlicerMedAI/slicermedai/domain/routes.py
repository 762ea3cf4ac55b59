"""The two identity routes: what is written on one never reaches a destination of the other."""

from __future__ import annotations

from slicermedai.domain.study import Identity, Study
from slicermedai.errors import IdentityError


def check_destination(identity: Identity, *, destination_is_research: bool) -> None:
    """Refuse a crossing between a result and where it is to go.

    Raises
    ------
    IdentityError
        A pseudonymous result for a clinical destination, or an identified one for a research destination.
    """
    if identity is Identity.DEIDENTIFY and not destination_is_research:
        raise IdentityError(
            "a pseudonymous result is refused by a destination that is not marked research",
            attribute="identity",
            advice="Choose a research destination, or run the job with identity keep.",
        )
    if identity is Identity.KEEP and destination_is_research:
        raise IdentityError(
            "an identified result is refused by a destination that is marked research",
            attribute="identity",
            advice="De-identify the study first, or choose a clinical destination.",
        )


def check_study(study: Study, identity: Identity) -> None:
    """Refuse a study whose values are of the other route than the job's.

    Raises
    ------
    IdentityError
        The job says deidentify and the study still carries identity, or the job says keep and it is pseudonymous.
    """
    if study.identity is identity:
        return
    if identity is Identity.DEIDENTIFY:
        raise IdentityError(
            "the study still carries the patient's identity, and the job is to de-identify",
            attribute="identity",
            advice="De-identify the source first; nothing was written.",
        )
    raise IdentityError(
        "the study is pseudonymous, and the job is to keep identity",
        attribute="identity",
        advice="Run the job with identity deidentify, or on the original study.",
    )
