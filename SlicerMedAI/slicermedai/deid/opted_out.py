"""Whom the exclusion list leaves out: what one file tells holds for all files of its patient, or of its study.

A header may lack what another file of the same patient has: the list knows an ID, and a second file of that study has
none. Whose that is shows only once all headers were read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from slicermedai.deid.dictionary import tag_of
from slicermedai.deid.exclusion import ExclusionList, excluded
from slicermedai.deid.harvest import Facts
from slicermedai.deid.owners import Instance, Owners
from slicermedai.deid.persons import Person, are_one

PATIENT_KEYS = ("PatientID", "PatientName", "PatientBirthDate")
COMPARED = (*PATIENT_KEYS, "OtherPatientIDs", "IssuerOfPatientID", "AccessionNumber", "StudyInstanceUID")
_OF_A_STUDY = frozenset({"AccessionNumber", "StudyInstanceUID"})


@dataclass(slots=True, eq=False)
class OptedOut:
    """Collects what the list leaves out, file by file."""

    listed: ExclusionList | None
    _patients: list[tuple[Instance, int]] = field(default_factory=list)
    _studies: dict[str, int] = field(default_factory=dict)
    _shared: dict[str, int] = field(default_factory=dict)
    _people: dict[Person, int] = field(default_factory=dict)
    _nameless: dict[str, Person] = field(default_factory=dict)

    def add(self, instance: Instance, facts: Facts) -> str | None:
        """Why this file is left out by what stands in its own header; None where it is not."""
        if self.listed is None:
            return None
        said: dict[str, Any] = {keyword: facts.text(tag_of(keyword)) for keyword in COMPARED}
        person = (said["PatientName"], said["PatientBirthDate"])
        if not instance.patient_id:
            self._nameless[instance.owner] = person
        said["OtherPatientIDs"] = [said["OtherPatientIDs"], *facts.other_ids]
        found = self.listed.found(said)
        for attribute, line in found:
            if attribute in _OF_A_STUDY:
                self._studies.setdefault(instance.study, line)
                continue
            self._patients.append((instance, line))
            self._shared.setdefault(instance.study, line)
            if all(person):
                self._people.setdefault(person, line)
        return excluded(found[0][1], f"by {found[0][0]}") if found else None

    def others(self, owners: Owners, instances: dict[Any, Instance]) -> dict[Any, str]:
        """Which of ``instances`` are left out too, and why: of a patient, or in a study, that the list leaves out.

        In doubt a file is left out: one without Patient ID in a study that somebody on the list shares, or with the
        name and birth date of somebody on the list.
        """
        if not (self._patients or self._studies):
            return {}
        patients = {owners.owner(one.header, one.study): line for one, line in reversed(self._patients)}
        found = {}
        for place, one in instances.items():
            line, what = patients.get(owners.owner(one.header, one.study)), "patient"
            if line is None and not one.patient_id:
                line = self._line_of(self._nameless[one.owner])
            if line is None:
                line, what = self._studies.get(one.study), "study"
            if line is None and not one.patient_id:
                line = self._shared.get(one.study)
            if line is not None:
                found[place] = excluded(line, f"by another file of its {what}")
        return found

    def _line_of(self, person: Person) -> int | None:
        """The line that leaves out somebody of that name, however it is written, and birth date."""
        if not all(person):
            return None
        return next((line for known, line in self._people.items() if are_one([known], [person])), None)
