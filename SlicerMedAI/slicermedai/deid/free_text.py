"""What a person types beside a study, on the pseudonymous route: it is refused where it names the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicermedai.domain.study import Identity, Study
from slicermedai.errors import IdentityError

if TYPE_CHECKING:
    from slicermedai.deid.vocabulary import Vocabulary
    from slicermedai.dicom.inputs import Source


def refuse_identity(text: str, source: Source, identity: Identity, *, attribute: str) -> None:
    """Let ``text`` pass to every reader of a result, or raise; ``attribute`` is the job's field it stands in.

    It is held against all that the headers of ``source`` say of the patient, before anything is computed. On the route
    KEEP anything may stand there.

    Raises
    ------
    IdentityError
        The route is DEIDENTIFY, and the text holds the patient's name, an identifier, a date or a place of the source.
    """
    if identity is Identity.KEEP or not text:
        return
    if any(vocabulary.hits(text) for vocabulary in _vocabularies(source)):
        raise IdentityError(
            "holds words, a number or a date that identify the patient of this source",
            attribute=attribute,
            advice="Say it without them: on this route every output is pseudonymous.",
        )


def _vocabularies(source: Source) -> list[Vocabulary]:
    from slicermedai.deid.patients import Patients
    from slicermedai.deid.profile import Profile
    from slicermedai.deid.pseudonym import ProjectKey

    found = [_of_study(source.study)]
    if source.headers:
        patients = Patients.gather(source.files, profile=Profile(), key=ProjectKey.generate())
        found += patients.vocabularies.values()
    return found


def _of_study(study: Study) -> Vocabulary:
    """The identity that came with an image from memory."""
    from slicermedai.deid.names import date_tokens, identifier_tokens, name_tokens, uid_tokens
    from slicermedai.deid.surnames import surname_tokens
    from slicermedai.deid.vocabulary import Vocabulary

    tokens = (
        surname_tokens(study.patient_name)
        | name_tokens(study.patient_name)
        | date_tokens(study.birth_date)
        | date_tokens(study.date)
    )
    for identifier in (study.patient_id, study.accession):
        tokens |= identifier_tokens(identifier)
    for uid in (study.study_uid, *(series.series_uid for series in study.series)):
        tokens |= uid_tokens(uid)
    return Vocabulary.of(tokens)
