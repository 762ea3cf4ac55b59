"""What the extension says of itself, held against the rules of Slicer's index of extensions.

The rules are those that the index's own checks and its form for new extensions name; what needs the network (that the
addresses answer, the repository's topics) is not looked at.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from Testing.packaging import build
from Testing.packaging.build import ROOT

pytestmark = pytest.mark.xdist_group("packaging")
ENTRY = ROOT / "Resources" / "ExtensionsIndex" / "MedAI.json"
CMAKE = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json"
)
KEYS = {
    "$schema": str, "category": str, "scm_url": str, "scm_revision": str, "scm_type": str,
    "build_dependencies": list, "build_subdirectory": str, "enabled": bool, "tier": int,
}  # fmt: skip
REQUIRED = {"$schema", "category", "scm_url"}
CATEGORIES = {"Segmentation", "Informatics", "DICOM", "Quantification"}
"""Those of the index's fixed list that would fit."""


@pytest.fixture(scope="module")
def entry() -> dict[str, object]:
    return dict(json.loads(ENTRY.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def description(prefix: Path) -> dict[str, str]:
    """The extension's variables, as CMake has them in the end."""
    lines = (prefix / build.DESCRIPTION).read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines)


def in_this_repository(url: str, entry: dict[str, object]) -> Path:
    """The file that an address of the hosting place's raw files means."""
    owner, repository, revision, path = urlsplit(url).path.strip("/").split("/", 3)
    assert url.startswith("https://raw.githubusercontent.com/")
    assert f"https://github.com/{owner}/{repository}" == entry["scm_url"]
    assert revision == entry["scm_revision"]
    return ROOT / path


def written_on_one_line(key: str) -> list[str]:
    """What CMakeLists.txt itself says, which is all that the index reads: no variables, no lines that go on."""
    return re.findall(rf'^set\(EXTENSION_{key} "([^"$\n]+)"\)$', CMAKE, re.M)


def test_the_entry_has_the_schemas_keys_and_types(entry: dict[str, object]) -> None:
    assert set(entry) <= set(KEYS)
    assert set(entry) >= REQUIRED
    assert all(type(value) is KEYS[key] for key, value in entry.items())
    assert str(entry["$schema"]).removesuffix("#") == SCHEMA
    assert entry["tier"] in (1, 3, 5)
    assert b"\r" not in ENTRY.read_bytes()
    assert list(entry) == sorted(entry), "as the index's other entries have it"


def test_the_names_of_extension_project_and_repository_follow_the_rules(
    entry: dict[str, object], description: dict[str, str]
) -> None:
    project = re.search(r"^project\((\w+)\)$", CMAKE, re.M)
    assert project is not None
    assert project[1] == ENTRY.stem == description["NAME"]
    assert not ENTRY.stem.lower().startswith("slicer")
    assert urlsplit(str(entry["scm_url"])).scheme in ("https", "git")
    assert str(entry["scm_url"]).rpartition("/")[2].startswith("Slicer")


def test_entry_and_cmake_say_the_same(entry: dict[str, object], description: dict[str, str]) -> None:
    depends = description["DEPENDS"].split()
    assert entry["build_dependencies"] == ([] if depends == ["NA"] else depends)
    assert entry["category"] == description["CATEGORY"]
    assert entry["category"] in CATEGORIES
    assert all(description[key] for key in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS"))


def test_the_icon_is_a_png_of_128_pixels(entry: dict[str, object], description: dict[str, str]) -> None:
    found = written_on_one_line("ICONURL")
    assert found == [description["ICONURL"]], "as the index reads it"
    with Image.open(in_this_repository(found[0], entry)) as icon:
        assert (icon.format, icon.size) == ("PNG", (128, 128))


def test_there_is_a_screenshot_of_every_module_and_each_exists(
    entry: dict[str, object], description: dict[str, str]
) -> None:
    (found,) = written_on_one_line("SCREENSHOTURLS")
    assert found == description["SCREENSHOTURLS"], "as the index reads it"
    pictures = [in_this_repository(url, entry) for url in found.split()]
    panels = {path.stem for path in (ROOT / "SlicerMedAI" / "Resources" / "UI").glob("*.ui")}
    assert {path.stem for path in pictures} == panels
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.format == "PNG", path
            assert min(picture.size) > 200, path


def test_the_description_is_short_and_says_what_it_is_not(description: dict[str, str]) -> None:
    assert len(re.findall(r"\.(?:\s|$)", description["DESCRIPTION"])) <= 3
    assert "Research use only" in description["DESCRIPTION"]


def test_the_homepage_names_the_extension_each_module_and_the_licence(description: dict[str, str]) -> None:
    page = Path(description["README_FILE"]).read_text(encoding="utf-8")
    assert Path(description["README_FILE"]) == ROOT / "README.md"
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "SlicerMedAI").glob("MedAI*.py")]
    titles = [match[1] for match in (re.search(r'parent\.title = _\("([^"]+)"\)', text) for text in sources) if match]
    assert len(titles) == len(sources)
    assert [title for title in titles if f"**{title}**" not in page] == []
    assert "Apache-2.0" in page
    assert "![" in page


def test_the_licence_is_in_the_root_and_the_repository_is_small(description: dict[str, str]) -> None:
    assert Path(description["LICENSE_FILE"]).parent == ROOT
    assert "Apache License" in Path(description["LICENSE_FILE"]).read_text(encoding="utf-8")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    assert sum(path.stat().st_size for path in files if path.exists()) < 100e6
