"""The scan of a folder: quick, without pixels, and complete about what it left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slicermedai.dicom.series import scan
from slicermedai.domain.volume import Volume
from Testing.fixtures import faults

Write = Callable[..., list[Path]]


def test_series_in_subfolders_are_told_apart_by_uid(a_head: Volume, write: Write) -> None:
    write(a_head, folder="all/a", series_number=2, description="Localizer")
    folder = write(a_head, folder="all/b/c", series_number=5, description="T1")[0].parents[2]
    found = scan(folder)
    assert [(item.number, item.description, len(item.planes)) for item in found.series] == [
        (2, "Localizer", 20),
        (5, "T1", 20),
    ]
    assert found.skipped == ()


def test_files_of_two_series_in_one_folder_are_told_apart(a_head: Volume, write: Write) -> None:
    first = write(a_head, folder="one", series_number=2)
    second = write(a_head, folder="two", series_number=5)
    mixed = [*first[::2], *second, *first[1::2]]
    assert [len(item.files) for item in scan(mixed).series] == [20, 20]


def test_one_stack_is_addressed_by_uid_and_several_by_number(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    (only,) = scan(files[0].parent).series
    assert only.address == only.uid
    faults.add_second_stack(files)
    assert [item.address for item in scan(files[0].parent).series] == [f"{only.uid}#1", f"{only.uid}#2"]


def test_every_file_is_accounted_for(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    others = faults.add_other_files(files[0].parent)
    found = scan(files[0].parent)
    assert {item.file for item in found.skipped} == set(others)
    assert {item.file.name for item in found.skipped if item.broken} == {"empty.dcm"}
    assert all(item.reason for item in found.skipped)


def test_progress_runs_from_nothing_to_all(a_head: Volume, write: Write) -> None:
    said: list[tuple[str, float]] = []
    scan(write(a_head)[0].parent, progress=lambda stage, fraction: said.append((stage, fraction)))
    assert {stage for stage, _ in said} == {"scan"}
    assert [fraction for _, fraction in said] == sorted(fraction for _, fraction in said)
    assert (said[0][1], said[-1][1]) == (0.0, 1.0)


def test_the_scan_reads_no_pixels(a_head: Volume, write: Write) -> None:
    files = write(a_head, transfer_syntax="1.2.840.10008.1.2.5")
    for path in files:
        faults.truncate(path, keep=0.97)
    assert len(scan(files[0].parent).series[0].planes) == 20


def test_dicom_files_without_a_preamble_are_read(a_head: Volume, write: Write) -> None:
    for path in write(a_head, transfer_syntax="1.2.840.10008.1.2"):
        path.write_bytes(path.read_bytes()[132:])
    assert len(scan(path.parent).series[0].planes) == 20


def test_a_native_file_whose_pixels_end_too_early_is_found_without_reading_them(a_head: Volume, write: Write) -> None:
    files = write(a_head)
    faults.truncate(files[-1], keep=0.95)
    (broken,) = scan(files[0].parent).skipped
    assert (broken.file, broken.broken) == (files[-1], True)
    assert "PixelData ends too early" in broken.reason
