"""Surfaces as files: STL (binary), OBJ, 3MF. All in millimetres; LPS or RAS is chosen, and said in each file.

STL has no unit and no axes of its own: they are said in its header, as Slicer reads and writes it ("SPACE=LPS"). OBJ
says both in comments, 3MF (3MF Consortium, Core Specification 1.3) has the unit as an attribute and the axes in its
metadata.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np

from slicermedai.domain.storage import atomic_file
from slicermedai.errors import FormatError
from slicermedai.plan.mesh import Space, Surface

_DATE = (1980, 1, 1, 0, 0, 0)
_CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
_SAID = "SlicerMedAI plan, research use only, not a medical device"
_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Target="/3D/3dmodel.model" Id="rel0" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)


def write_surfaces(
    surfaces: Sequence[Surface], folder: Path, *, kind: str = "stl", space: Space = Space.LPS
) -> tuple[Path, ...]:
    """Write ``surfaces`` into ``folder``, each file whole or not at all; returns the files.

    Parameters
    ----------
    kind:
        "stl" or "obj": a file for each; "3mf": ``plan.3mf`` with all of them.

    Raises
    ------
    FormatError
        Another kind, or nothing to write.
    OutputError, DiskFullError
        The folder cannot be written.
    """
    if kind not in KINDS:
        raise FormatError(
            f"no surfaces are written as {kind!r}", attribute="kind", advice=f"Choose {', '.join(KINDS)}."
        )
    if not surfaces:
        raise FormatError("there is no surface to write", attribute="surfaces", advice="Choose at least one structure.")
    turned = [one.turned_to(space) for one in surfaces]
    if kind == "3mf":
        return (_write(Path(folder) / "plan.3mf", lambda path: _write_3mf(turned, path)),)
    write = KINDS[kind]
    names = _file_names(turned)
    return tuple(
        _write(Path(folder) / f"{name}.{kind}", lambda path, one=one: write(one, path))  # type: ignore[misc]
        for one, name in zip(turned, names, strict=True)
    )


def _write(path: Path, write: Callable[[Path], None]) -> Path:
    with atomic_file(path) as partial:
        write(partial)
    return path


def _file_names(surfaces: Sequence[Surface]) -> list[str]:
    """Of letters, digits and hyphens; numbered where two would be one."""
    made: list[str] = []
    for one in surfaces:
        stem = re.sub(r"[^A-Za-z0-9]+", "-", one.name).strip("-").lower() or "structure"
        number = sum(other == stem or re.fullmatch(rf"{stem}-\d+", other) is not None for other in made)
        made.append(f"{stem}-{number + 1}" if number else stem)
    return made


def _write_stl(surface: Surface, path: Path) -> None:
    """Binary STL: an 80 byte header, the number of triangles, and for each its normal and corners."""
    kind = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("spare", "<u2")])
    corners = surface.vertices[surface.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    rows = np.zeros(len(corners), dtype=kind)
    rows["corners"] = corners
    rows["normal"] = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    header = f"SPACE={surface.space};UNIT=mm;{_SAID}".encode("ascii")[:80].ljust(80)
    path.write_bytes(header + np.uint32(len(rows)).tobytes() + rows.tobytes())


def _write_obj(surface: Surface, path: Path) -> None:
    lines = [f"# SPACE={surface.space}", "# UNIT=mm", f"# {_SAID}", "o structure"]
    lines += [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in surface.vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (surface.faces + 1).tolist()]
    path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def _write_3mf(surfaces: Sequence[Surface], path: Path) -> None:
    parts = (("[Content_Types].xml", _TYPES), ("_rels/.rels", _RELATIONS), ("3D/3dmodel.model", _model(surfaces)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts:
            archive.writestr(zipfile.ZipInfo(name, date_time=_DATE), text, zipfile.ZIP_DEFLATED)


def _model(surfaces: Sequence[Surface]) -> str:
    root = Xml.Element("model", {"unit": "millimeter", "xml:lang": "en-US", "xmlns": _CORE})
    Xml.SubElement(root, "metadata", name="Application").text = "SlicerMedAI"
    axes = f"Axes run to {surfaces[0].space} of the patient. {_SAID}"
    Xml.SubElement(root, "metadata", name="Description").text = axes
    resources, build = Xml.SubElement(root, "resources"), Xml.SubElement(root, "build")
    colors = Xml.SubElement(resources, "basematerials", id="1")
    for number, one in enumerate(surfaces):
        Xml.SubElement(colors, "base", name=one.name, displaycolor="#{:02X}{:02X}{:02X}".format(*one.color))
        made = {"id": str(number + 2), "name": one.name, "type": "model", "pid": "1", "pindex": str(number)}
        _mesh(Xml.SubElement(resources, "object", made), one)
        Xml.SubElement(build, "item", objectid=str(number + 2))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode")


def _mesh(parent: Xml.Element, surface: Surface) -> None:
    mesh = Xml.SubElement(parent, "mesh")
    vertices, faces = Xml.SubElement(mesh, "vertices"), Xml.SubElement(mesh, "triangles")
    for x, y, z in surface.vertices.tolist():
        Xml.SubElement(vertices, "vertex", x=f"{x:.5f}", y=f"{y:.5f}", z=f"{z:.5f}")
    for a, b, c in surface.faces.tolist():
        Xml.SubElement(faces, "triangle", v1=str(a), v2=str(b), v3=str(c))


KINDS: dict[str, Callable[[Surface, Path], None]] = {
    "stl": _write_stl,
    "obj": _write_obj,
    "3mf": lambda surface, path: _write_3mf([surface], path),
}
"""What surfaces can be written as."""
