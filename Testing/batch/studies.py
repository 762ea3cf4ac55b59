"""Studies as archives have them: several series each, of which one is wanted, and here and there something wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread

from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from Testing.fixtures import faults
from Testing.fixtures.grids import covering
from Testing.fixtures.identity import Identity
from Testing.fixtures.phantoms import Ellipsoid
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series

EXTENT = (100.0, 126.0, 116.0)
THIN, THICK = covering(spacing=(10.0, 10.0, 10.0), extent=EXTENT), covering(spacing=(20.0, 10.0, 10.0), extent=EXTENT)
RULES = """
[[rule]]
name = "thin T1"
modality = "MR"
thickness_mm = [8, 12]
origin = "original"
without_words = ["scout"]
"""
OPTED_OUT = "ZZ-optout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """``run`` are the UIDs of the series that are to be run, by study; ``wrong`` is what each other study has."""

    folder: Path
    exclude: Path
    run: dict[str, str]
    wrong: dict[str, str]

    @property
    def studies(self) -> set[str]:
        """The Study Instance UIDs of all."""
        return {*self.run, *self.wrong}


def body(geometry: Geometry, *, scale: float = 1.0) -> Volume:
    """An ellipsoid whose surface lies where the image is one half."""
    shape = Ellipsoid(center=(0.0, 0.0, 0.0), radii=(36.0 * scale, 46.0 * scale, 40.0 * scale))
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    distance = shape.distance(geometry.to_lps(index)).reshape(geometry.shape)
    return Volume(array=np.clip(0.5 - distance / 12.0, 0.0, 1.0).astype(np.float32), geometry=geometry, modality="MR")


def write(
    folder: Path,
    number: int,
    *,
    patient: str,
    study: str,
    description: str = "T1",
    geometry: Geometry = THIN,
    scale: float = 1.0,
) -> list[Path]:
    """One series of a study."""
    who = Identity(patient_id=patient, patient_name=f"Quillfeather^{patient}", accession=f"AC{study}"[:16])
    spec = SeriesSpec(identity=who, description=description, series_number=number, seed=study, slope=0.001)
    return write_series(body(geometry, scale=scale), folder, spec=spec)


def write_study(folder: Path, *, patient: str, study: str, scale: float = 1.0) -> dict[str, list[Path]]:
    """A study with a localizer of one slice, a thick, the wanted and a derived series; files by what they are."""
    about = {"patient": patient, "study": study}
    made = {
        "localizer": write(folder / "s1", 1, description="scout", **about),  # type: ignore[arg-type]
        "thick": write(folder / "s2", 2, geometry=THICK, **about),  # type: ignore[arg-type]
        "wanted": write(folder / "s3", 3, scale=scale, **about),  # type: ignore[arg-type]
        "derived": write(folder / "s4", 4, description="T1 MPR", **about),  # type: ignore[arg-type]
    }
    made["localizer"] = faults.drop_slices(made["localizer"], *range(1, len(made["localizer"])))
    faults.make_localizer(made["localizer"])
    faults.set_value(made["derived"], "ImageType", ["DERIVED", "PRIMARY", "MPR"])
    return made


def uid_of(file: Path, keyword: str = "SeriesInstanceUID") -> str:
    """A UID from a file's header."""
    return str(dcmread(file, stop_before_pixels=True)[keyword].value)


def write_day(folder: Path, *, studies: int, odd: Sequence[str] = ()) -> Day:
    """That many studies, those with a fault among them: one of each kind of :data:`FAULTS` (or of ``odd``)."""
    run: dict[str, str] = {}
    wrong: dict[str, str] = {}
    kinds = list(odd or FAULTS)
    for number in range(studies):
        kind = kinds.pop() if kinds and (number % 2 or studies - number <= len(kinds)) else ""
        place = folder / "in" / f"study{number:03d}"
        patient = OPTED_OUT if kind == "opted out" else f"ZZ-{number:03d}"
        files = write_study(place, patient=patient, study=f"st{number:03d}", scale=0.8 + 0.4 * number / studies)
        study, series = uid_of(files["wanted"][0], "StudyInstanceUID"), uid_of(files["wanted"][0])
        if kind:
            FAULTS[kind](files, place)
            wrong[study] = kind
        if not kind or kind == "copied":
            run[study] = series
            wrong.pop(study, None)
    assert not kinds, "more studies are needed for so many faults"
    exclude = folder / "opted-out.txt"
    exclude.write_text(f"{OPTED_OUT}\n")
    return Day(folder=folder / "in", exclude=exclude, run=run, wrong=wrong)


Files = dict[str, list[Path]]


def _corrupt(files: Files, place: Path) -> None:
    faults.truncate(files["wanted"][4], keep=0.97)


def _tilt(files: Files, place: Path) -> None:
    faults.tilt_gantry(files["wanted"], 12.0)


def _without(files: Files, place: Path) -> None:
    shutil.rmtree(files["wanted"][0].parent)


def _twice(files: Files, place: Path) -> None:
    """A second series that fits as well as the first."""
    for path in files["derived"]:
        faults.edit(path, lambda dataset: setattr(dataset, "ImageType", ["ORIGINAL", "PRIMARY"]))


def _frames(files: Files, place: Path) -> None:
    faults.set_value(files["wanted"][6:], "FrameOfReferenceUID", "1.2.826.0.1.3680043.8.498.77")


def _copy(files: Files, place: Path) -> None:
    """The same series in two folders: that is no fault."""
    shutil.copytree(files["wanted"][0].parent, place / "again")


def _nothing(files: Files, place: Path) -> None:
    """The patient's number says it all."""


FAULTS: dict[str, Callable[[Files, Path], None]] = {
    "corrupt": _corrupt,
    "opted out": _nothing,
    "tilted": _tilt,
    "none fits": _without,
    "tie": _twice,
    "mixed frames": _frames,
    "copied": _copy,
}
