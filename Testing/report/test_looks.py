"""The page can be read: contrast by WCAG 2.2 in light and dark, and a real browser draws it."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slicermedai.report.context import ReportContext
from slicermedai.report.page import write_report
from Testing.browser import screenshot

STYLE = Path(__file__).resolve().parents[2] / "SlicerMedAI" / "slicermedai" / "report" / "style.css"
ON_CARDS = ("ink", "soft", "link")
PAIRS = [
    *product(ON_CARDS, ("page", "card", "zebra")),
    ("warn-ink", "warn"),
    ("good-ink", "good"),
    ("bad-ink", "bad"),
    ("banner-ink", "banner"),
]


def colors(theme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE.read_text(encoding="utf-8"), re.DOTALL)[:2]
    found = re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light if theme == "light" else dark)
    return dict(found)


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), PAIRS)
def test_text_has_the_contrast_that_wcag_asks_for(theme, ink, paper):
    values = sorted((luminance(colors(theme)[ink]), luminance(colors(theme)[paper])))
    assert (values[1] + 0.05) / (values[0] + 0.05) >= 4.5


def test_style_has_every_rule_where_it_belongs():
    """Blocks are closed in order, and what is meant for paper alone stands in the block for paper."""
    style = STYLE.read_text(encoding="utf-8")
    assert style.count("{") == style.count("}")
    paper = style[style.index("@media print") :]
    assert re.search(r"nav, \.skip \{ display: none; \}", paper)
    assert "display: none" not in style[: style.index("@media screen")]


def drawn(page: Path, folder: Path, *flags: str) -> np.ndarray:
    return np.asarray(Image.open(screenshot(page, folder, *flags)).convert("RGB")).astype(int)


def share(picture: np.ndarray, color: tuple[int, int, int]) -> float:
    return float((np.abs(picture - np.array(color)).max(axis=-1) <= 3).mean())


@pytest.mark.parametrize(("flag", "paper"), [("--light", (255, 255, 255)), ("--force-dark-mode", (25, 33, 41))])
def test_a_browser_draws_the_page_with_its_pictures(context: ReportContext, tmp_path: Path, flag, paper):
    page = write_report(context, tmp_path)
    seen = drawn(page, tmp_path, "--window-size=1000,1800", flag)
    assert seen.shape == (1800, 1000, 3)
    assert tuple(seen[4, 500]) == (122, 31, 43), "the banner is on top"
    assert share(seen, (10, 220, 30)) > 0.2, "the pictures are there"
    assert share(seen, paper) > 0.2, "the cards have the colour of the theme"
