"""What a module's help says: its own text, and links to pages that lie on this computer, where they do."""

from __future__ import annotations

from html import escape
from pathlib import Path

from slicermedai.app.words import Translate, untranslated

PAGES = {
    "MedAI": "running",
    "MedAIBatch": "batch",
    "MedAIDeidentify": "tutorial-researcher",
    "MedAIMark": "marking",
    "MedAIModels": "models",
    "MedAIPlan": "planning",
    "MedAIReport": "export",
    "MedAIReview": "review",
}
"""Each module's own page."""


def help_text(text: str, module_file: str | Path, tr: Translate = untranslated) -> str:
    """``text`` and links, as HTML; ``module_file`` is the module's own file. Without pages the text alone."""
    module, folder = Path(module_file).stem, pages_folder(Path(module_file))
    wanted = [
        (PAGES.get(module, ""), tr("this module")),
        ("index", tr("all pages")),
        ("settings", tr("settings and installing")),
        ("troubleshooting", tr("when something does not work")),
    ]
    found = [(folder / f"{name}.html", words) for name, words in wanted if folder is not None and name]
    links = [f'<a href="{page.as_uri()}">{escape(words)}</a>' for page, words in found if page.is_file()]
    head = f"<p>{escape(text, quote=False)}</p>"
    said = tr("Help on this computer: {links}.").format(links=", ".join(links))
    return f"{head}<p>{said}</p>" if links else head


def pages_folder(module_file: Path) -> Path | None:
    """Where the pages lie: beside the installed modules, or in a checkout; None where they were not installed."""
    places = (folder / "Resources" / "Docs" / "html" for folder in module_file.resolve().parents[:2])
    return next((place for place in places if place.is_dir()), None)
