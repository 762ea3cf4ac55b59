"""The way back: who is who joins the re-identification table, where one is kept, and what is not sure about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from slicermedai.deid.owners import Known, issuer_key
from slicermedai.deid.profile import Option
from slicermedai.deid.settings import DeidSettings
from slicermedai.deid.window import Origin

if TYPE_CHECKING:
    from slicermedai.deid.keystore import PatientRecord
    from slicermedai.deid.patients import Patients

TAKEN = "has the Patient ID of somebody else in the re-identification table"


def fingerprint_of(settings: DeidSettings) -> str:
    """What tells one project key from another without giving it away; "" without a key."""
    return settings.key.fingerprint if settings.key is not None else ""


def known_people(settings: DeidSettings) -> dict[str, list[Known]]:
    """Patient ID -> whom earlier runs with this key knew by it, from the re-identification table."""
    found: defaultdict[str, list[Known]] = defaultdict(list)
    for record in settings.table.records if settings.table is not None else ():
        if record.key == fingerprint_of(settings):
            for identifier in record.patient_ids:
                found[identifier].append(_known(record, identifier))
    return dict(found)


def _known(record: PatientRecord, identifier: str) -> Known:
    """Tables of earlier versions tell the issuer in the owner alone, and names apart from birth dates."""
    issuers = record.issuers or (record.owner.removeprefix(identifier).removeprefix("|"),)
    people = record.people or tuple((name, birth) for name in record.names for birth in record.birth_dates or ("",))
    return Known(owner=record.owner, issuers=frozenset(map(issuer_key, issuers)), people=people)


def about_people(patients: Patients) -> Iterator[str]:
    """What is not sure about who is who, in sentences that name pseudonyms alone."""
    named = {owner: patients.pseudonyms[owner].patient(owner) for owner in patients.pseudonyms}
    for owner in patients.mixed:
        yield (
            f"{named[owner]} may be several people: one Patient ID stands with different names and birth dates. They "
            "were not told apart; look at these files, or name the issuers."
        )
    for owners in patients.doubted:
        yield (
            f"{' and '.join(named[owner] for owner in owners if owner in named)} may be one person: they have one "
            "Patient ID of different issuers, and name and birth date contradict each other. They were told apart, "
            "with dates moved differently; look at these files."
        )
    joined = [named[owner] for owner in patients.joined if owner in named]
    if joined and patients.settings.table is None:
        yield (
            f"One Patient ID stands with different issuers, or with and without one, in files of {', '.join(joined)}. "
            "They were taken for one patient's. A run over some of these files alone may give another pseudonym: keep "
            "a re-identification table for runs that belong together."
        )


def fill_table(settings: DeidSettings, patients: Patients, written: Iterable[Origin]) -> None:
    """Add the patients of the files ``written``, and save the table.

    Raises
    ------
    IdentityError
        Another patient has one of the pseudonyms.
    FolderBusyError, OutputError
        The table cannot be written.
    """
    if settings.table is None:
        return
    from slicermedai.deid.keystore import PatientRecord

    for origin in written:
        instance = patients.instances[origin]
        pseudonyms, people = patients.pseudonyms[instance.owner], patients.people[instance.owner]
        uids = {pseudonyms.uid(uid): uid for uid in (instance.study, instance.series, instance.sop_instance) if uid}
        shifted = Option.RETAIN_MODIFIED_DATES in settings.profile.options
        settings.table.add(
            PatientRecord(
                pseudonym=pseudonyms.patient(instance.owner),
                key=fingerprint_of(settings),
                owner=instance.owner,
                patient_ids=(instance.patient_id,) if instance.patient_id else (),
                names=tuple(dict.fromkeys(name for name, _ in people if name)),
                birth_dates=tuple(dict.fromkeys(birth for _, birth in people if birth)),
                issuers=(instance.issuer,) if instance.patient_id else (),
                people=people,
                shift_days=pseudonyms.shift_days(instance.owner) if shifted else None,
                uids={} if Option.RETAIN_UIDS in settings.profile.options else uids,
            )
        )
    settings.table.save()
