"""Both identity routes: what is opened, from where, and that they never cross."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from slicermedai.deid.keystore import save_key
from slicermedai.deid.pseudonym import ProjectKey
from slicermedai.deid.reopen import Manner, on_route
from slicermedai.deid.routes import check_destination
from slicermedai.deid.sealed import PASSPHRASE_VARIABLE
from slicermedai.dicom.inputs import Source, open_source
from slicermedai.dicom.series import scan
from slicermedai.domain.result import Deidentification
from slicermedai.domain.study import Identity, Study
from slicermedai.domain.volume import Volume
from slicermedai.errors import IdentityError
from Testing.fixtures.flat_writer import FlatSpec, write_flat
from Testing.fixtures.grids import covering
from Testing.fixtures.identity import identity_tokens
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """An identified series, opened."""
    volume, _ = head_phantom(covering("SPL", spacing=(20.0, 9.0, 9.0)))
    write_series(replace(volume, name="T1"), tmp_path / "series")
    return open_source(tmp_path / "series")


def routed(
    source: Source, identity: Identity, *, copies: Path, **manner: object
) -> tuple[Source, Deidentification | None]:
    done = on_route([source], identity, copies=copies, manner=Manner(**manner))  # type: ignore[arg-type]
    assert done.warnings == ()
    return done.sources[0], done.report


def test_keep_hands_the_source_on_unchanged(source: Source, tmp_path: Path) -> None:
    kept, report = routed(source, Identity.KEEP, copies=tmp_path / "copies")
    assert kept is source
    assert report is None
    assert not (tmp_path / "copies").exists()


def test_deidentify_opens_the_copies_and_forgets_the_source(source: Source, tmp_path: Path) -> None:
    opened, report = routed(source, Identity.DEIDENTIFY, copies=tmp_path / "copies")
    assert report is not None
    assert opened.study.identity is Identity.DEIDENTIFY
    assert opened.study.patient_id != source.study.patient_id
    assert opened.study.study_uid != source.study.study_uid
    assert {path.parent for path in opened.files} == {tmp_path / "copies"}
    np.testing.assert_array_equal(opened.volume.array, source.volume.array)
    assert opened.volume.geometry.same_grid(source.volume.geometry)
    said = repr((opened.study, opened.volume.name, [str(header) for header in opened.headers]))
    assert [token for token in identity_tokens(SeriesSpec().identity) if token in said] == []


def test_a_file_that_calls_itself_deidentified_is_not_believed(source: Source, tmp_path: Path) -> None:
    """A flag alone opens no research destination: anybody can set it, with the name still there."""
    for header in source.headers:
        header.PatientIdentityRemoved = "YES"
    kept, report = routed(source, Identity.KEEP, copies=tmp_path / "never")
    assert report is None
    assert kept.study.identity is Identity.KEEP
    assert any("says of itself" in note for note in kept.notes)
    with pytest.raises(IdentityError, match="research"):
        check_destination(kept.study.identity, destination_is_research=True)


def test_notes_on_the_original_never_reach_the_pseudonymous_route(source: Source, tmp_path: Path) -> None:
    noted = replace(source, notes=("Not used: requested by Dr. Thornbury (MR, 63 slices, 1.2.276.0.7230010).",))
    opened, _ = routed(noted, Identity.DEIDENTIFY, copies=tmp_path / "copies")
    assert "Thornbury" not in " ".join(opened.notes)
    assert any("left out" in note for note in opened.notes)


@pytest.mark.filterwarnings("ignore::slicermedai.deid.keystore.PlainKeyWarning")
def test_one_project_key_gives_one_pseudonym_sealed_or_plain(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ProjectKey.generate()
    plain, sealed = key.save(tmp_path / "plain"), save_key(tmp_path / "sealed", key, "correct horse battery")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse battery")
    done = [
        routed(source, Identity.DEIDENTIFY, copies=tmp_path / name, key_file=str(path or ""))
        for name, path in (("a", plain), ("b", sealed), ("c", None))
    ]
    assert [report.fingerprint for _, report in done if report] == [key.fingerprint, key.fingerprint, ""]
    pairs = [opened.study for opened, _ in done]
    assert pairs[0].patient_id == pairs[1].patient_id
    assert pairs[0].study_uid == pairs[1].study_uid
    assert pairs[0].patient_id != pairs[2].patient_id


def test_a_key_that_is_sealed_or_lies_with_the_images_is_refused_by_name(source: Source, tmp_path: Path) -> None:
    key = ProjectKey.generate()
    sealed = save_key(tmp_path / "sealed", key, "correct horse battery")
    with pytest.raises(IdentityError, match="passphrase"):
        routed(source, Identity.DEIDENTIFY, copies=tmp_path / "a", key_file=str(sealed))
    among = key.save(source.files[0].parent / "key")
    with pytest.raises(IdentityError, match="folder of images"):
        routed(source, Identity.DEIDENTIFY, copies=tmp_path / "a", key_file=str(among))


def test_the_record_says_of_each_attribute_what_was_done_and_why_without_values(source: Source, tmp_path: Path) -> None:
    _, report = routed(source, Identity.DEIDENTIFY, copies=tmp_path / "copies")
    assert report is not None
    assert report.verified == report.files == len(source.files)
    changes = {(one.attribute, one.action): one for one in report.changes}
    assert changes["PatientBirthDate", "Z"].reason == "Table E.1-1: Z"
    removed = sum(one.elements for one in report.changes if one.action == "X")
    assert removed == report.elements_removed
    assert [token for token in identity_tokens(SeriesSpec().identity) if token in repr(report)] == []


def test_copies_that_are_another_image_are_refused(source: Source, tmp_path: Path) -> None:
    shorter = replace(source, files=source.files[:-1])
    with pytest.raises(IdentityError, match="not the image"):
        routed(shorter, Identity.DEIDENTIFY, copies=tmp_path / "copies")


def test_of_an_image_without_dicom_only_the_voxels_are_taken(source: Source, tmp_path: Path) -> None:
    bare = replace(source, headers=(), volume=replace(source.volume, name="Quillfeather head.nii"))
    opened, report = routed(bare, Identity.DEIDENTIFY, copies=tmp_path / "copies")
    assert opened.study == Study(identity=Identity.DEIDENTIFY)
    assert (opened.volume.name, opened.volume.series_uid) == ("", "")
    assert opened.volume.geometry.frame_of_reference_uid == ""
    np.testing.assert_array_equal(opened.volume.array, source.volume.array)
    assert report is not None
    assert any("Faces" in sentence for sentence in report.not_done)


def test_a_run_takes_faces_and_text_away_where_it_is_asked_to(tmp_path: Path) -> None:
    """The pixels are others then: the copies are known by their files, and lie where the source lies."""
    volume, truth = head_phantom(covering("SPL", spacing=(8.0, 4.0, 4.0)))
    write_series(replace(volume, name="T1"), tmp_path / "series")
    source = open_source(tmp_path / "series")

    def brain(image: Volume) -> np.ndarray:
        assert image.geometry.same_grid(volume.geometry)
        return truth["brain"]

    opened, report = routed(
        source, Identity.DEIDENTIFY, copies=tmp_path / "copies", preset="research", ocr=False, brain_mask=brain
    )
    assert report is not None
    assert "113102" in {code.value for code in report.codes} and "113101" not in {code.value for code in report.codes}
    changed = opened.volume.array != source.volume.array
    assert changed.any() and not changed[truth["brain"]].any()
    assert opened.volume.geometry.same_grid(source.volume.geometry)


def test_a_step_that_was_asked_for_and_not_done_is_a_warning(source: Source, tmp_path: Path) -> None:
    done = on_route(
        [source], Identity.DEIDENTIFY, copies=tmp_path / "copies", manner=Manner(preset="basic", deface=True)
    )
    (warning,) = done.warnings
    assert "(113102) was asked for and not done" in warning
    np.testing.assert_array_equal(done.sources[0].volume.array, source.volume.array)


def test_why_a_face_stays_says_nothing_of_the_series(tmp_path: Path) -> None:
    """Two volumes in one series: whoever opens it is told their UIDs and descriptions, and a result never."""
    volume, _ = head_phantom(covering("SPL", spacing=(20.0, 9.0, 9.0)))
    for number in (1, 2):
        spec = SeriesSpec(description="Wife of the Mayor", echo_number=number, echo_time=float(number))
        for path in write_series(replace(volume, name="T1"), tmp_path / f"echo {number}", spec=spec):
            dataset = dcmread(path)
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{dataset.SOPInstanceUID}.{number}"
            (tmp_path / "series").mkdir(exist_ok=True)
            dataset.save_as(tmp_path / "series" / f"{number} {Path(path).name}")
    found = scan(tmp_path / "series").series
    assert len(found) == 2
    sources = [open_source(tmp_path / "series", series=one.address) for one in found]
    manner = Manner(deface=True, brain_mask=lambda image: np.zeros(image.array.shape, bool))
    done = on_route(sources, Identity.DEIDENTIFY, copies=tmp_path / "copies", manner=manner)
    said = repr((done.warnings, done.report))
    assert "the files of the series are several volumes" in said
    assert "Mayor" not in said and found[0].uid not in said
    for source, copy in zip(sources, done.sources, strict=True):
        np.testing.assert_array_equal(copy.volume.array, source.volume.array)


def test_of_pictures_in_one_file_the_chosen_one_is_opened_again(tmp_path: Path) -> None:
    """Where pixels may have changed, voxels say nothing: frames and files do."""
    frames = np.stack([np.full((16, 12), 50 * number, np.uint8) for number in (1, 2, 3)])
    dataset = dcmread(write_flat(frames[0], tmp_path / "one", spec=FlatSpec(modality="OP", window=None)))
    dataset.NumberOfFrames, dataset.PixelData = 3, frames.tobytes()
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "MONOCHROME2", 1
    dataset.pop("PlanarConfiguration", None)
    (tmp_path / "study").mkdir()
    dataset.save_as(tmp_path / "study" / "three.dcm")
    addresses = [one.address for one in scan(tmp_path / "study").series]
    source = open_source(tmp_path / "study", series=addresses[1])
    before = source.volume.array.mean()
    opened, _ = touched(source, tmp_path / "copies")
    assert opened.volume.array.mean() == pytest.approx(before)
    assert opened.slices == source.slices


def touched(source: Source, copies: Path) -> tuple[Source, object]:
    """As where text was looked for in the pixels: the voxels are not compared."""
    done = on_route([source], Identity.DEIDENTIFY, copies=copies, manner=Manner(deface=True))
    return done.sources[0], done.warnings
