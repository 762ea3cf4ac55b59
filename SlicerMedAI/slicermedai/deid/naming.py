"""Names of output files: numbers, or a tree of pseudonyms. Nothing of the input's names is in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from slicermedai.deid.owners import Instance
from slicermedai.deid.patients import Patients
from slicermedai.deid.profile import Option
from slicermedai.deid.settings import Naming
from slicermedai.deid.window import Origin


def target_names(patients: Patients) -> Iterator[tuple[Origin, PurePosixPath]]:
    """(file, its name below the output folder) in order; numbers are those of the input; two of one name get more."""
    taken: dict[PurePosixPath, int] = {}
    for origin, instance in patients.instances.items():
        if patients.settings.names is Naming.NUMBER:
            yield origin, PurePosixPath(f"{patients.number(origin):05d}.dcm")
            continue
        name = _in_tree(patients, instance)
        taken[name] = taken.get(name, 0) + 1
        yield origin, name if taken[name] == 1 else name.with_name(f"{name.stem}-{taken[name]}.dcm")


def _in_tree(patients: Patients, instance: Instance) -> PurePosixPath:
    pseudonyms = patients.pseudonyms[instance.owner]
    uids = (instance.study, instance.series or "series", instance.sop_instance)
    if Option.RETAIN_UIDS not in patients.profile.options:
        uids = (pseudonyms.uid(uids[0]), pseudonyms.uid(uids[1]), pseudonyms.uid(uids[2]))
    study, series, name = ("".join(c if c.isalnum() or c in ".-" else "_" for c in uid) for uid in uids)
    return PurePosixPath(pseudonyms.patient(instance.owner), study, series, f"{name}.dcm")
