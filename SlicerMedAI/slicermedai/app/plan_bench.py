"""What the child of the module MedAI Plan answers, one method for each request. It stands on the planning engine alone.

Every number is of :func:`slicermedai.console.planning.table`: the panel shows what the console says.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from slicermedai.app.meshes import MESHES
from slicermedai.app.plan_ask import ANOTHER, IMAGE, NO_VIEW, OPENED, PLAN, SHAPES
from slicermedai.app.plan_roles import candidates, organ_of, own_roles, suggested
from slicermedai.console import planning
from slicermedai.console.verbs import image_of
from slicermedai.domain.codec import load_object, write_object
from slicermedai.domain.decisions import decided
from slicermedai.domain.digests import hash_of_image
from slicermedai.domain.edits import packed
from slicermedai.domain.finding import PackedMask
from slicermedai.domain.observer import Progress
from slicermedai.domain.plan import Plan, PlanStructure, Role
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.reviewed import newest
from slicermedai.errors import MedAIError, UnreadableFileError
from slicermedai.plan.belonging import check_belongs
from slicermedai.plan.checks import check_plan
from slicermedai.plan.planned import as_found, planned_regions
from slicermedai.scene.pictures import Picture


class Bench:
    """Keeps the regions that it was given before: the engine remembers what it measured by them."""

    def __init__(self) -> None:
        self._known: list[PackedMask] = []

    # --- opening -----------------------------------------------------------------------------------------------------

    def answer_open(self, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """The last result in a folder, and the plan that was saved last, or one as the codes suggest."""
        folder, place = Path(asked["folder"]), Path(asked["place"])
        source = newest(folder)
        result = AnalysisResult.load(source)
        _write(as_found(result), place / OPENED, OPENED)
        progress("open", 0.6)
        plan, remark = (None, "") if asked["anew"] else _saved(folder, result)
        is_saved = plan is not None
        roles = suggested(candidates(decided(result)))
        if plan is None and organ_of(roles):
            plan, why = self._started(result, roles)
            remark = " ".join(filter(None, [remark, why]))
        elif plan is not None:
            roles |= {name: "" for name in roles} | own_roles(plan)
        if plan is not None:
            _write(self._kept(plan), place / PLAN, PLAN)
        return {"folder": str(source), "roles": roles, "is_saved": is_saved, "remark": remark}

    def answer_start(self, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """A plan with other roles; what was planned before stays as far as it still can."""
        place = Path(asked["place"])
        before = self._plan(asked) if (place / PLAN).is_dir() else None
        result = AnalysisResult.load(Path(asked["folder"]))
        made = _start(result, asked["roles"])
        made = self._kept(check_plan(_carried(made, before)) if before is not None else made)
        _write(made, place / PLAN, PLAN)
        return _table(made)

    def _started(self, result: AnalysisResult, roles: dict[str, str]) -> tuple[Plan | None, str]:
        try:
            return _start(result, roles), ""
        except MedAIError as error:
            return None, str(error)

    def answer_image(self, asked: dict[str, Any], progress: Progress) -> str:
        """The image that was analysed: the de-identified copies of the run where it has them, else files; its hash."""
        image = image_of([Path(file) for file in asked["files"]], Path(asked["folder"]).parent)
        _write(image, Path(asked["place"]) / IMAGE, IMAGE)
        return hash_of_image(image)

    # --- working out -------------------------------------------------------------------------------------------------

    def answer_work(self, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """All numbers of the plan, and what must be read before them."""
        return _table(self._plan(asked))

    def answer_phase(self, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """The plan with a second phase joined, and its numbers."""
        from slicermedai.app.plan_phases import joined, side

        own, other = side(Path(asked["folder"]), asked["files"]), side(Path(asked["phase"]), asked["phase_files"])
        made = self._kept(joined(self._plan(asked), own, other, progress))
        _write(made, Path(asked["place"]) / PLAN, PLAN)
        return _table(made)

    def answer_phase_series(self, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Of which series the other phase is, so that the window can say where their files are."""
        source = newest(Path(asked["phase"]))
        result = AnalysisResult.load(source)
        series = [one.series_uid for one in result.sources if one.series_uid]
        return {"folder": str(source), "series": series, "identity": str(result.study.identity.value)}

    def answer_shapes(self, asked: dict[str, Any], progress: Progress) -> bool:
        """What is planned, as regions and surfaces to be shown; given up where something else is asked for."""
        from slicermedai.plan.shapes import cropped, shapes_of, write_meshes

        place = Path(asked["place"])
        shapes = shapes_of(self._plan(asked))
        write_meshes(shapes, place / MESHES, progress)
        _write(tuple(cropped(shapes)), place / SHAPES, SHAPES)
        return True

    # --- giving ------------------------------------------------------------------------------------------------------

    def answer_save(self, asked: dict[str, Any], progress: Progress) -> str:
        """Save the plan beside its result; the answer is the new folder."""
        return str(planning.save(self._plan(asked), asked["folder"]))

    def answer_surfaces(self, asked: dict[str, Any], progress: Progress) -> list[str]:
        """Write all structures and all that is planned as surfaces; the answer is the files."""
        plan = self._plan(asked)
        planned = [one.name for one in planned_regions(plan) if one.region.bits.any()]
        more = {"kind": asked["kind"], "space": asked["space"], "names": (*plan.names, *planned)}
        return [str(path) for path in planning.save_surfaces(plan, asked["target"], **more)]

    def answer_page(self, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Write the page to be printed; on the pseudonymous route it names nobody."""
        plan, folder = self._plan(asked), Path(asked["folder"])
        result = AnalysisResult.load(newest(folder))
        pictures, why = [_picture(one) for one in asked["pictures"]], ""
        if not pictures:
            pictures, why = self._drawn(plan, result, asked)
        progress("page", 0.7)
        page = planning.print_page(plan, folder, pictures=pictures, person=asked["person"], day=asked["day"])
        return {"page": str(page), "pictures": len(pictures), "why": why}

    def _drawn(self, plan: Plan, result: AnalysisResult, asked: dict[str, Any]) -> tuple[list[Picture], str]:
        """Pictures drawn offscreen, where this Python can; else why there are none."""
        from slicermedai.app.meshes import read_meshes
        from slicermedai.plan.shapes import shapes_of, write_meshes

        place, shapes = Path(asked["place"]), shapes_of(plan)
        try:
            from slicermedai.scene.plan_pictures import render_plan
        except ImportError:
            return [], NO_VIEW
        try:
            image = image_of([Path(file) for file in asked["files"]], Path(asked["run"])) if asked["files"] else None
            write_meshes(shapes, place / MESHES)
            made = render_plan(as_found(result), image, shapes, place, meshes=read_meshes(place / MESHES))
            return list(made), ""
        except MedAIError as error:
            return [], str(error)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _plan(self, asked: dict[str, Any]) -> Plan:
        """The plan of a request, its regions being those that are known."""
        return self._kept(load_object(Path(asked["place"]) / PLAN, Plan, kind=PLAN))

    def _kept(self, plan: Plan) -> Plan:
        """``plan`` with packed regions, each the very one that was met before where that has the same voxels."""
        structures = tuple(replace(one, region=self._met(packed(one.region))) for one in plan.structures)
        self._known = [one.region for one in structures if isinstance(one.region, PackedMask)] + self._known[:64]
        return replace(plan, structures=structures)

    def _met(self, region: PackedMask) -> PackedMask:
        return next((one for one in self._known if _are_equal(one, region)), region)


def _are_equal(one: PackedMask, other: PackedMask) -> bool:
    if one is other:
        return True
    same = (one.start, one.stop) == (other.start, other.stop) and one.geometry.same_grid(other.geometry)
    frames = one.geometry.frame_of_reference_uid == other.geometry.frame_of_reference_uid
    return same and frames and one.bits.tobytes() == other.bits.tobytes()


def _saved(folder: Path, result: AnalysisResult) -> tuple[Plan | None, str]:
    """The plan that was saved last, where it is still one of this result."""
    try:
        plan = planning.load(folder)
    except UnreadableFileError as error:
        return None, "" if "no plan" in str(error) else str(error)
    try:
        check_belongs(plan, result)
    except MedAIError as error:
        return None, f"{ANOTHER}{error}"
    return plan, ""


def _start(result: AnalysisResult, roles: dict[str, str]) -> Plan:
    by_role = {role: [name for name, one in roles.items() if one == role] for role in Role}
    return planning.start(
        result,
        organ=organ_of(roles),
        lesions=by_role[Role.LESION],
        vessels=by_role[Role.VESSEL],
        others=by_role[Role.OTHER],
    )


def _carried(made: Plan, before: Plan) -> Plan:
    """``made`` with what was drawn and planned in ``before``, as far as its structures are there."""
    drawn = {one.tracking_uid: one for one in before.structures if one.edited and one.tracking_uid}
    own = [one for one in before.structures if not one.tracking_uid and one.name not in made.names]
    structures = (*(_redrawn(one, drawn.get(one.tracking_uid)) for one in made.structures), *own)
    lesions = {one.name for one in structures if one.role is Role.LESION}
    names = {one.name for one in structures}
    return replace(
        made,
        structures=structures,
        margins=tuple(one for one in before.margins if one.lesion in lesions),
        cuts=tuple(one for one in before.cuts if getattr(one, "lesion", "") in {"", *lesions}),
        pairs=tuple(pair for pair in before.pairs if set(pair) <= names),
        body=before.body,
        alignments=before.alignments,
        notes=before.notes,
    )


def _redrawn(one: PlanStructure, drawn: PlanStructure | None) -> PlanStructure:
    return one if drawn is None else replace(one, region=drawn.region, edited=True)


def _table(plan: Plan) -> dict[str, Any]:
    table = planning.table(plan)
    rows = [{**row, "value": None if _is_missing(row["value"]) else row["value"]} for row in table.to_rows()]
    return {"rows": rows, "warnings": list(table.warnings)}


def _is_missing(value: str | float) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _picture(one: dict[str, str]) -> Picture:
    return Picture(path=Path(one["path"]), title=one["title"], kind=one["kind"])


def _write(value: Any, folder: Path, kind: str) -> None:
    folder.mkdir(exist_ok=True)
    write_object(value, folder, kind=kind, compress=False)
