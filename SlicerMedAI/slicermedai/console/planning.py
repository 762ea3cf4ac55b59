"""Planning from the console: a plan from a result, edits that give a new plan, its table, surfaces, page and folder.

>>> from slicermedai.console import planning
>>> plan = planning.start("OUT", organ="Liver", lesions=["Lesion"], vessels=["Hepatic vein"])
>>> plan = planning.cut_by_plane(plan, "right half", point=(-24, 2, 8), normal=(-1, 0, 0))
>>> planning.table(plan).value("Liver", "remnant volume")

All places are LPS mm, all widths mm. A plan never changes: keep the earlier one, and going back to it is the undo.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slicermedai.domain.finding import Box
from slicermedai.domain.plan import (
    Body,
    BoxCut,
    LiverFormula,
    MarginCut,
    Place,
    Plan,
    PlaneCut,
    SurfaceFormula,
)
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.reviewed import newest
from slicermedai.domain.storage import named
from slicermedai.domain.volume import Volume
from slicermedai.errors import FormatError, OutputError
from slicermedai.plan import edits
from slicermedai.plan.belonging import check_belongs
from slicermedai.plan.body import usual_surface
from slicermedai.plan.history import History
from slicermedai.plan.keep import load_plan, save_plan
from slicermedai.plan.mesh import Space, region_surface, surface_of
from slicermedai.plan.mesh_files import write_surfaces
from slicermedai.plan.numbers import PlanTable, table_of
from slicermedai.plan.planned import as_found, planned_regions
from slicermedai.plan.start import Roles, start_plan
from slicermedai.scene.pictures import Picture

__all__ = [
    "History",
    "add_margin",
    "add_size",
    "cut_box",
    "cut_by_plane",
    "cut_margin",
    "load",
    "pictures",
    "print_page",
    "redraw",
    "remove_cut",
    "save",
    "save_surfaces",
    "start",
    "table",
]

PICTURES = "plan-pictures"
"""The folder beside the result that :func:`pictures` draws into."""


def start(
    result: AnalysisResult | str | Path,
    *,
    organ: str,
    lesions: Sequence[str] = (),
    vessels: Sequence[str] = (),
    others: Sequence[str] = (),
) -> Plan:
    """A plan from a result or the folder of one; findings are named as their labels are.

    Raises
    ------
    UnreadableFileError
        No result is there.
    InputError, GeometryError
        A name that no finding has, or a lesion outside of the organ.
    """
    found = result if isinstance(result, AnalysisResult) else AnalysisResult.load(newest(Path(result)))
    return start_plan(found, Roles(organ=organ, lesions=lesions, vessels=vessels, others=others))


def cut_by_plane(plan: Plan, name: str, *, point: Place, normal: Place) -> Plan:
    """With a cut along the plane through ``point``: what lies where ``normal`` points to goes. Again: it is moved.

    Raises InputError where it misses the organ or leaves nothing of it.
    """
    return edits.with_cut(plan, PlaneCut(name=name, point=point, normal=normal))


def cut_box(plan: Plan, name: str, *, low: Place, high: Place) -> Plan:
    """With a box along the patient's axes taken away, from ``low`` to ``high``. Raises as :func:`cut_by_plane` does."""
    return edits.with_cut(plan, BoxCut(name=name, box=Box(low=low, high=high)))


def cut_margin(plan: Plan, name: str, *, lesion: str, width: float) -> Plan:
    """With ``lesion`` and ``width`` mm around it taken away. Raises as :func:`cut_by_plane` does."""
    return edits.with_cut(plan, MarginCut(name=name, lesion=lesion, width=width))


def remove_cut(plan: Plan, name: str) -> Plan:
    """Without that cut; raises InputError where there is none of the name."""
    return edits.without_cut(plan, name)


def add_margin(plan: Plan, lesion: str, width: float) -> Plan:
    """With a safety margin of ``width`` mm around ``lesion``, and what it meets, in the table."""
    return edits.with_margin(plan, lesion, width)


def add_size(
    plan: Plan,
    *,
    height_cm: float,
    weight_kg: float,
    liver: str = LiverFormula.VAUTHEY,
    surface: str = "",
) -> Plan:
    """With the patient's size, and so the standard liver volume by the formula ``liver``.

    ``surface`` names the formula of the body surface; without it, Du Bois goes with Urata and Mosteller with Vauthey.

    Raises
    ------
    InputError
        A size that no patient has, or for which the formula was not made, or an organ that is no liver.
    """
    formula = LiverFormula(liver)
    body = Body(
        height_cm=height_cm,
        weight_kg=weight_kg,
        liver=formula,
        surface=SurfaceFormula(surface) if surface else usual_surface(formula),
    )
    return edits.with_body(plan, body)


redraw = edits.with_region


def table(plan: Plan) -> PlanTable:
    """All numbers of the plan, worked out anew: ``.to_rows()`` for a data frame, ``.warnings`` to be read first."""
    return table_of(plan)


def save(plan: Plan, folder: str | Path) -> Path:
    """Save beside the result in ``folder`` (the output of a run); returns the new folder, ``planned-1`` or the next.

    Raises as :func:`slicermedai.plan.keep.save_plan` does.
    """
    return save_plan(plan, Path(folder))


def load(folder: str | Path) -> Plan:
    """The plan that was saved last in the output of a run, or the one in that folder; UnreadableFileError for none."""
    return load_plan(Path(folder))


def save_surfaces(
    plan: Plan, folder: str | Path, *, kind: str = "stl", space: str = Space.LPS, names: Sequence[str] = ()
) -> tuple[Path, ...]:
    """Write surfaces as "stl", "obj" or "3mf" in mm, LPS or RAS; returns the files.

    ``names`` are those of structures, and of planned regions as a saved plan calls its findings ("liver: planned
    remnant", "lesion + 10 mm: planned margin"); without them, all structures are written.

    Raises
    ------
    FormatError
        Another kind or space, or no structure and no planned region of a name.
    InputError
        The plan cannot be carried out.
    OutputError
        The folder cannot be written.
    """
    wanted = set(names or plan.names)
    planned = {one.name: one for one in planned_regions(plan)} if wanted - set(plan.names) else {}
    known = (*plan.names, *planned)
    if wanted - set(known) or space not in list(Space):
        raise FormatError(
            "no such structure or space", attribute="names", advice=f"Choose of {', '.join(known)}; LPS or RAS."
        )
    surfaces = [surface_of(one) for one in plan.structures if one.name in wanted]
    surfaces += [
        region_surface(one.region, name=name, color=one.label.color) for name, one in planned.items() if name in wanted
    ]
    return write_surfaces(surfaces, Path(folder), kind=kind, space=Space(space))


def pictures(
    plan: Plan,
    folder: str | Path,
    *,
    image: Volume | str | Path | None = None,
    series: str = "",
    tilt: str = "refuse",
) -> tuple[Picture, ...]:
    """Draw the plan as PNG files into ``folder/plan-pictures``: slices through what is planned, and a 3D view.

    Outside Slicer, whose module takes the open views. BLOCKS for some seconds.

    Parameters
    ----------
    folder:
        The output of the run, as for :func:`print_page`.
    image:
        What was analysed: a volume, a file or a DICOM folder; without it the copies of the run where it has them, else
        the 3D view alone. Of several series in a folder the one that was analysed is found by its instances.
    series, tilt:
        The run's, where ``series`` has several stacks in one object, or the gantry was tilted.

    Raises
    ------
    OutputError
        Nothing can be drawn here: slicer-core or offscreen OpenGL is missing, or the folder cannot be written.
    GeometryError, InputError, IdentityError
        The plan was made of another result, or people have decided otherwise since; it cannot be carried out, or
        ``image`` is not the one that was analysed.
    """
    from slicermedai.plan.shapes import meshes_of, shapes_of

    try:
        from slicermedai.scene.plan_pictures import render_plan
    except ImportError as error:
        raise OutputError("nothing can be drawn without slicer-core", advice="Install slicer-core.") from error
    result = AnalysisResult.load(newest(Path(folder)))
    check_belongs(plan, result)
    place = Path(folder) / PICTURES
    with named(place):
        place.mkdir(exist_ok=True)
    shapes = shapes_of(plan)
    if image is None or isinstance(image, (str, Path)):
        image = _image(image, Path(folder), result, series=series, tilt=tilt)
    return render_plan(as_found(result), image, shapes, place, meshes=meshes_of(shapes))


def print_page(
    plan: Plan,
    folder: str | Path,
    *,
    pictures: Sequence[Picture | str | Path] = (),
    person: str = "",
    day: str = "",
) -> Path:
    """Write ``plan.html`` into ``folder``, which holds the result: one A4 page, to be printed by any browser.

    Parameters
    ----------
    pictures:
        Those of :func:`pictures`, or PNG files; the file's name is the caption where no title is given.
    person, day:
        Who planned (family name first, as DICOM has it: "Hopper^Grace") and when (YYYYMMDD); left out of the page of
        a pseudonymous result.

    Raises
    ------
    UnreadableFileError
        No result is there.
    GeometryError, InputError
        The plan was made of another result, or people have decided otherwise since.
    OutputError
        It cannot be written, or a picture is missing.
    """
    from slicermedai.report.plan_page import PlanContext, write_plan_page

    context = PlanContext(
        plan=plan,
        table=table_of(plan),
        result=AnalysisResult.load(newest(Path(folder))),
        pictures=tuple(_picture(one) for one in pictures),
        person=person,
        day=day,
    )
    return write_plan_page(context, Path(folder))


def _image(place: str | Path | None, run: Path, result: AnalysisResult, *, series: str, tilt: str) -> Volume | None:
    from slicermedai.console.verbs import image_of, open_image

    copies = run / "dicom" / "source"
    if place is not None:
        return open_image(place, series=series or _analysed(Path(place), result), tilt=tilt)
    if not copies.is_dir():
        return None
    found: Volume = image_of(copies, run, tilt=tilt)
    return found


def _analysed(place: Path, result: AnalysisResult) -> str:
    """The address of the series in a folder that was analysed; "" where there is one alone, or nothing tells which."""
    from slicermedai.dicom.series import scan

    here = scan(place).series if place.is_dir() else ()
    wanted = [{one.sop_instance_uid for one in series.instances} for series in result.sources]
    found = [one.address for one in here if {plane.instance for plane in one.planes} in wanted[:1]]
    return found[0] if len(here) > 1 and len(found) == 1 else ""


def _picture(one: Picture | str | Path) -> Picture:
    if isinstance(one, Picture):
        return one
    path = Path(one)
    return Picture(path=path, title=path.stem.replace("-", " "), kind="3d")
