"""What installing would do on this computer, as a child found it; what a person is asked, and the steps that follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from slicermedai.app.installing import InstallStep, extension_step, model_step, packages_step
from slicermedai.app.words import Translate, untranslated
from slicermedai.jobs.distributions import name_of
from slicermedai.jobs.folder import JobFolder
from slicermedai.jobs.inquiry import Inquiry
from slicermedai.jobs.torch_build import AUTO, EXTENSION, Build, Graphics, choose_build

CHILD = "slicermedai.app.install_answer"
TORCH = "torch"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPlan:
    """What is to be brought, and how.

    Parameters
    ----------
    packages, model:
        Requirements that are not met, and the name of a model, "" for none.
    refused:
        Why it cannot be done, in sentences.
    wheels:
        The folder that packages come from, "" for the network.
    build:
        The build of PyTorch that fits; None where PyTorch is there, or comes otherwise.
    extension:
        Installs PyTorch by Slicer's extension, and blocks until it is there; None where it is not to be used.
    """

    packages: tuple[str, ...] = ()
    model: str = ""
    refused: tuple[str, ...] = ()
    wheels: str = ""
    build: Build | None = None
    extension: Callable[[str], object] | None = None


def start_look(packages: Sequence[str]) -> Inquiry:
    """Ask a child of its own what installing ``packages`` would do."""
    return Inquiry(CHILD, {"packages": list(packages)}, JobFolder.create("install"))


def plan_of(
    answer: dict[str, Any],
    *,
    model: str = "",
    extension: Callable[[str], object] | None = None,
    tr: Translate = untranslated,
) -> InstallPlan:
    """The plan from the child's answer; ``extension`` installs PyTorch by Slicer's extension, where that is there."""
    busy = [tr("packages are being installed or removed by another window or command: wait until that has ended")]
    wanted = answer["torch"]
    by_extension = extension if answer["needs_build"] and wanted in (AUTO, EXTENSION) else None
    build = None
    if answer["needs_build"] and by_extension is None:
        found = [Graphics(**{**one, "driver": tuple(one["driver"])}) for one in answer["graphics"]]
        build = choose_build(found, wanted=wanted, tr=tr)
    return InstallPlan(
        packages=tuple(answer["missing"]),
        model=model,
        refused=(*answer["refused"], *(busy if answer["busy"] else [])),
        wheels=answer["wheels"],
        build=build,
        extension=by_extension,
    )


def steps_of(plan: InstallPlan, tr: Translate = untranslated) -> list[InstallStep]:
    """What brings it, in order: PyTorch by the extension where that is to be, the packages, the model."""
    steps, packages = list[InstallStep](), list(plan.packages)
    if plan.extension is not None:
        wanted = next(one for one in packages if name_of(one) == TORCH)
        steps.append(extension_step(plan.extension, wanted.removeprefix(TORCH), what=tr("PyTorch")))
        packages.remove(wanted)
    if packages:
        steps.append(packages_step(packages, what=_named(packages, tr), network=not plan.wheels))
    return [*steps, model_step(plan.model, what=tr("the brain model"))] if plan.model else steps


def question(plan: InstallPlan, tr: Translate = untranslated) -> str:
    """What a person is asked before anything is fetched or changed."""
    names = [*plan.packages, *([tr("the brain model")] if plan.model else [])]
    head = tr("MedAI will install into Slicer's Python, or fetch: {names}.").format(names=", ".join(names))
    ways = []
    if plan.build is not None:
        ways.append(tr("PyTorch: the build {name} ({why}).").format(name=plan.build.name, why=plan.build.why))
    if plan.extension is not None:
        ways.append(tr("PyTorch comes by Slicer's PyTorch extension: the window stands still until it is there."))
    if plan.wheels and plan.packages:
        ways.append(tr("Packages come from the folder {folder}, without the network.").format(folder=plan.wheels))
    if plan.model or not plan.wheels:
        text = tr(
            "This uses the network, can take several minutes and up to some gigabytes of disk, and can be cancelled. "
            "No image leaves this computer."
        )
        ways.append(text)
    kept = tr(
        "What is installed already keeps its version. The page MedAI of Slicer's settings removes what was added. "
        "Go on?"
    )
    return "\n\n".join([head, "\n".join(ways), kept])


def refused_text(plan: InstallPlan, tr: Translate = untranslated) -> str:
    """Why nothing is installed."""
    return tr("Nothing was installed: {reasons}.").format(reasons="; ".join(plan.refused))


def _named(packages: Sequence[str], tr: Translate) -> str:
    """What these packages are for people."""
    has_torch = any(name_of(one) == TORCH for one in packages)
    return tr("PyTorch, MONAI and what they need") if has_torch else ", ".join(packages)
