"""What people type beside a study does not carry the patient onto the pseudonymous route."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slicermedai.deid.free_text import refuse_identity
from slicermedai.dicom.inputs import Source, open_source
from slicermedai.domain.study import Identity, Study
from slicermedai.errors import IdentityError
from Testing.fixtures.grids import covering
from Testing.fixtures.identity import Identity as Invented
from Testing.fixtures.identity import identity_tokens
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_writer import write_series

WHO = Invented()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    volume, _ = head_phantom(covering("SPL", spacing=(25.0, 12.0, 12.0)))
    folder = tmp_path_factory.mktemp("study") / "series"
    write_series(volume, folder)
    return open_source(folder)


@pytest.mark.parametrize("token", identity_tokens(WHO))
def test_no_part_of_the_identity_passes(token: str, source: Source) -> None:
    with pytest.raises(IdentityError) as caught:
        refuse_identity(f"scan of {token}, second try", source, Identity.DEIDENTIFY, attribute="remark")
    assert caught.value.attribute == "remark"
    assert token not in str(caught.value)


def test_the_family_name_alone_does_not_pass_in_another_spelling(source: Source) -> None:
    family = WHO.patient_name.partition("^")[0]
    with pytest.raises(IdentityError):
        refuse_identity(f"for {family.upper()}", source, Identity.DEIDENTIFY, attribute="remark")


def test_a_remark_about_the_image_passes(source: Source) -> None:
    refuse_identity("Movement in the last slices of this head.", source, Identity.DEIDENTIFY, attribute="remark")


def test_on_the_route_that_keeps_identity_anything_passes(source: Source) -> None:
    refuse_identity(f"scan of {WHO.patient_id}", source, Identity.KEEP, attribute="remark")


@pytest.mark.parametrize("told", [WHO.patient_id, WHO.patient_name.partition("^")[0]])
def test_an_image_from_memory_with_a_study_is_held_to_the_same(told: str, source: Source) -> None:
    study = Study(study_uid="1.2.3", patient_id=WHO.patient_id, patient_name=WHO.patient_name)
    bare = replace(source, headers=(), files=(), study=study)
    with pytest.raises(IdentityError, match="remark"):
        refuse_identity(f"scan of {told}", bare, Identity.DEIDENTIFY, attribute="remark")
