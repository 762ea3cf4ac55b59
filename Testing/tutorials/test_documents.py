"""Documents that are made from other things are fresh, links go somewhere, and each module's help has them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

from slicermedai.app.help import PAGES, help_text
from Testing.tutorials import public
from Testing.tutorials.generate import HTML, REFERENCE, markdown, page, pages, reference
from Testing.tutorials.steps import DOCS

CONTRACT = Path(__file__).with_name("public-names.txt")
MODULES = sorted(path for path in (DOCS.parents[1] / "SlicerMedAI").glob("MedAI*.py"))
MAKE = "run python -m Testing.tutorials.generate"
_TARGET = re.compile(r'(?:href|src)="([^"]+)"')


def test_the_reference_is_what_the_docstrings_say() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference(), MAKE


def test_every_public_name_is_in_the_reference_with_words() -> None:
    parts = re.split(r"^### ", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert len(parts) > 50
    assert [part.splitlines()[0] for part in parts if len(re.sub(r"```.*?```", "", part, flags=re.DOTALL)) < 40] == []


def test_a_docstring_becomes_markdown() -> None:
    made = markdown("One :class:`~a.B`.\n\nParameters\n----------\na, b:\n    Both.\n\nRaises\n------\nX\n    ``No``.")
    assert made == "One `a.B`.\n\n**Parameters**\n\n- `a`, `b`\n  Both.\n\n**Raises**\n\n- `X`\n  `No`."


@pytest.mark.parametrize("name", pages())
def test_the_page_is_what_its_markdown_says(name: str) -> None:
    assert (HTML / name).with_suffix(".html").read_text(encoding="utf-8") == page(name), MAKE


def test_there_is_no_page_of_a_file_that_is_gone() -> None:
    assert {path.stem for path in HTML.iterdir()} == {Path(name).stem for name in pages()}, MAKE


def test_every_link_of_every_page_goes_somewhere_on_this_computer() -> None:
    targets = [(path, target) for path in HTML.iterdir() for target in _TARGET.findall(path.read_text("utf-8"))]
    local = [(path, target) for path, target in targets if "://" not in target and not target.startswith("#")]
    assert len(local) > 40
    assert [(path.name, to) for path, to in local if not (path.parent / unquote(to.partition("#")[0])).exists()] == []
    fetched = [target for _, target in targets if "://" in target and target.endswith((".css", ".js", ".png"))]
    assert fetched == [], "nothing of a page comes from the network"


def test_every_page_can_be_reached_from_the_first() -> None:
    known = {path.name for path in HTML.iterdir()}
    found, waiting = set[str](), ["index.html"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [to for to in _TARGET.findall((HTML / name).read_text("utf-8")) if to in known]
    assert known - found == set()


# --- each module's help ----------------------------------------------------------------------------------------------


def linked(text: str) -> list[Path]:
    return [Path(unquote(urlparse(target).path)) for target in _TARGET.findall(text)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_each_module_links_to_its_own_page_that_is_there(slicer_stand_in: Any, path: Path) -> None:
    module = slicer_stand_in.load_module(path)
    found = linked(module.module.parent.helpText)
    pages = [PAGES[path.stem], "index", "settings", "troubleshooting"]
    assert [one.name for one in found] == [f"{name}.html" for name in pages]
    assert all(one.is_file() for one in found)
    module.close()


def test_slicers_help_box_shows_the_page_with_its_pictures_and_goes_on_to_others(slicer_stand_in: Any) -> None:
    """A link to a file is followed in the box itself: Qt's text browser hands on only what is no file."""
    from PySide6 import QtCore, QtGui, QtTest, QtWidgets

    module = slicer_stand_in.load_module(DOCS.parents[1] / "SlicerMedAI" / "MedAIDeidentify.py")
    box = QtWidgets.QTextBrowser()
    box.setOpenExternalLinks(True)  # as Slicer's module panel does
    box.setHtml(module.module.parent.helpText)
    box.resize(600, 400)
    box.show()
    slicer_stand_in.process(20)
    place = box.cursorRect(box.document().find("this module"))
    QtTest.QTest.mouseClick(box.viewport(), QtCore.Qt.MouseButton.LeftButton, pos=place.center())
    slicer_stand_in.process(20)
    assert "For researchers" in box.toPlainText()
    picture = QtCore.QUrl("../../Screenshots/tutorial-researcher-review.png")
    loaded = box.loadResource(QtGui.QTextDocument.ResourceType.ImageResource, picture)
    assert QtGui.QImage.fromData(loaded).width() > 500
    box.setSource(box.source().resolved(QtCore.QUrl("troubleshooting.html")))
    assert "Troubleshooting" in box.toPlainText()
    box.close()
    module.close()


def test_an_installed_module_links_to_what_lies_beside_it(tmp_path: Path) -> None:
    place = tmp_path / "Slicer 5.12" / "qt-scripted-modules"
    shutil.copytree(DOCS, place / "Resources" / "Docs")
    said = help_text("What it does <here>.", place / "MedAIPlan.py", lambda text: text.replace("this", "dieses"))
    assert said.startswith("<p>What it does &lt;here&gt;.</p>")
    assert "dieses module" in said
    assert linked(said)[0] == place / "Resources" / "Docs" / "html" / "planning.html"
    assert "Slicer%205.12" in said, "a file address, not a path"


def test_where_no_page_was_installed_the_help_is_the_text_alone(tmp_path: Path) -> None:
    assert help_text("What it does.", tmp_path / "a" / "MedAI.py") == "<p>What it does.</p>"


# --- what scripts rely on --------------------------------------------------------------------------------------------


def test_public_names_and_signatures_change_on_purpose_only() -> None:
    """A name that goes or a signature that changes breaks somebody's script; who means it writes the file anew."""
    kept = CONTRACT.read_text(encoding="utf-8").splitlines()
    now = list(public.lines())
    gone, new = [one for one in kept if one not in now], [one for one in now if one not in kept]
    assert (gone, new) == ([], []), "if that is meant: python -m Testing.tutorials.public"
    assert kept == now


def test_a_changed_signature_is_a_changed_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import slicermedai
    from slicermedai.console import verbs

    def run(source: Any, model: str = "brain") -> None: ...

    before = list(public.lines())
    assert any(line.startswith("slicermedai.run(source: Any, bundle: str = 'brain', *") for line in before)
    monkeypatch.setattr(verbs, "run", run)
    assert "slicermedai.run(source: Any, model: str = 'brain') -> None" in list(public.lines())
    assert slicermedai.run is run
