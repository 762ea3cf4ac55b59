"""The shape of the tree is kept by tests: layers, lazy imports, sizes, lists against the disk."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import slicermedai

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "SlicerMedAI"
LIBRARY = MODULES / "slicermedai"
HEAVY = ("torch", "monai", "highdicom", "SimpleITK", "pydicom")
ALLOWED_IN_MODULES = {
    "slicer", "qt", "ctk", "vtk", "DICOMLib", "SampleData", "slicermedai",
    "__future__", "logging", "pathlib", "typing", "os", "functools", "tempfile",
}  # fmt: skip


def slicer_files() -> list[Path]:
    return sorted(MODULES.glob("*.py"))


def library_files() -> list[Path]:
    return sorted(LIBRARY.rglob("*.py"))


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(MODULES)) for path in paths]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=MODULES)
    return done.stdout


def test_imports_go_only_downwards() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        f"import sys, slicermedai; dir(slicermedai);print([m for m in {HEAVY} + ('vtk', 'slicer') if m in sys.modules])"
    )
    assert run_python(code).strip() == "[]"


@pytest.mark.parametrize("name", sorted(slicermedai.__all__))
def test_a_public_name_is_there_and_described(name: str) -> None:
    assert getattr(slicermedai, name).__doc__


def test_all_public_names_together_load_nothing_heavy() -> None:
    code = (
        "import sys, slicermedai; [getattr(slicermedai, n) for n in slicermedai.__all__];"
        f"print([m for m in {HEAVY} + ('vtk', 'slicer') if m in sys.modules])"
    )
    assert run_python(code).strip() == "[]"


def test_the_public_names_are_few_and_sorted() -> None:
    assert slicermedai.__all__ == sorted(slicermedai.__all__)
    assert len(slicermedai.__all__) <= 32


def test_no_public_name_is_hidden_by_a_package_of_that_name() -> None:
    """Importing ``slicermedai.export`` sets the attribute ``export`` of the package, whatever stood there."""
    packages = {path.name for path in LIBRARY.iterdir()} | {path.stem for path in LIBRARY.glob("*.py")}
    assert set(slicermedai.__all__) & packages == set()


def test_packages_have_light_init_files() -> None:
    for path in LIBRARY.glob("*/__init__.py"):
        assert not set(imported(ast.parse(path.read_text(encoding="utf-8")))) & {*HEAVY, "slicer", "vtk"}, path


@pytest.mark.parametrize("path", slicer_files(), ids=names(slicer_files()))
def test_a_slicer_file_is_a_thin_shell(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert set(imported(ast.parse(text))) <= ALLOWED_IN_MODULES


@pytest.mark.parametrize("path", slicer_files(), ids=names(slicer_files()))
def test_a_slicer_file_imports_only_light_parts_of_the_library_at_its_top(path: Path) -> None:
    """Slicer imports every module at start-up; the harness's own test loads them with these names watched."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slicermedai."):
            assert (
                node.module.split(".")[1] in {"app", "domain", "errors", "jobs", "console"}
                or node.module == "slicermedai.scene.lifecycle"
            )


def test_cmake_lists_exactly_the_modules_on_disk() -> None:
    text = (MODULES / "CMakeLists.txt").read_text(encoding="utf-8")
    block = re.search(r"set\(MODULES\s+(.*?)\)", text, re.S)
    assert block is not None
    assert sorted(block[1].split()) == [path.stem for path in slicer_files()]


@pytest.mark.parametrize("path", slicer_files(), ids=names(slicer_files()))
def test_a_module_has_its_interface_icon_and_self_test(path: Path) -> None:
    if path.stem.endswith("Plugin"):
        return
    assert (MODULES / "Resources" / "UI" / f"{path.stem}.ui").exists()
    assert (MODULES / "Resources" / "Icons" / f"{path.stem}.png").exists()
    assert f"class {path.stem}Test(" in path.read_text(encoding="utf-8")
    listed = re.search(r"IN ITEMS ([\w ]+)\)", (ROOT / "Testing" / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert listed is not None
    assert path.stem in listed[1].split()


def test_every_file_beside_the_modules_is_a_module() -> None:
    """Slicer takes every .py in a module folder for a module."""
    for path in slicer_files():
        assert f"class {path.stem}(" in path.read_text(encoding="utf-8") or path.stem.endswith("Plugin")


@pytest.mark.parametrize("path", library_files(), ids=names(library_files()))
def test_a_library_file_stays_one_idea(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 400
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the file says what it is for"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 50, f"{node.name} is too long"
        if isinstance(node, ast.ClassDef):
            assert (node.end_lineno or 0) - node.lineno < 250, f"{node.name} is too long"


def public_definitions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("path", library_files(), ids=names(library_files()))
def test_public_things_have_docstrings(path: Path) -> None:
    bare = [n.name for n in public_definitions(ast.parse(path.read_text("utf-8"))) if not ast.get_docstring(n)]
    assert bare == []


def test_the_changelog_has_an_entry_for_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (\S+)", text, re.M)
    assert first is not None
    assert first[1] == slicermedai.__version__


DEMONSTRATION = "Resources/Models/synthetic-nodules@0.1/models/model.pt"
"""The one network that ships: made by Scripts/train_demo_detector of generated patients, and not for real ones."""


def test_no_weights_but_the_demonstrations_and_no_images_are_kept_in_the_repository() -> None:
    files = subprocess.run(
        ["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.split("\0")
    wrong = {
        f for f in files if Path(f).suffix in {".pt", ".ts", ".pth", ".dcm", ".gz", ".nii", ".nrrd", ".onnx", ".pkl"}
    }
    assert wrong == {DEMONSTRATION}
    assert (ROOT / DEMONSTRATION).stat().st_size <= 2_000_000


def test_the_runtime_requirements_never_name_slicer_itself() -> None:
    """The wheel called slicer-core overwrites Slicer's own package where both are installed."""
    lines = (MODULES / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted
    assert not any(line.lower().startswith(("slicer", "shap")) for line in wanted)
