"""The way back: who is who joins the re-identification table, where one is kept."""

from __future__ import annotations

from collections.abc import Iterable

from slicermedai.deid.patients import Patients
from slicermedai.deid.profile import Option
from slicermedai.deid.settings import DeidSettings
from slicermedai.deid.window import Origin


def fingerprint_of(settings: DeidSettings) -> str:
    """What tells one project key from another without giving it away; "" without a key."""
    return settings.key.fingerprint if settings.key is not None else ""


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
        pseudonyms, names = patients.pseudonyms[instance.owner], patients.names[instance.owner]
        uids = {pseudonyms.uid(uid): uid for uid in (instance.study, instance.series, instance.sop_instance) if uid}
        shifted = Option.RETAIN_MODIFIED_DATES in settings.profile.options
        settings.table.add(
            PatientRecord(
                pseudonym=pseudonyms.patient(instance.owner),
                key=fingerprint_of(settings),
                owner=instance.owner,
                patient_ids=(instance.patient_id,) if instance.patient_id else (),
                names=tuple(name for name in names[0] if name),
                birth_dates=tuple(birth for birth in names[1] if birth),
                shift_days=pseudonyms.shift_days(instance.owner) if shifted else None,
                uids={} if Option.RETAIN_UIDS in settings.profile.options else uids,
            )
        )
    settings.table.save()
