"""Elements of HTML and SVG. Text is escaped by the tree itself; nothing is put together from strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, tostring

Content = str | Element


def el(name: str, *content: Content, **attributes: object) -> Element:
    """An element; underscores of attribute names become hyphens, a trailing one is dropped (``class_``)."""
    element = Element(name, {key.rstrip("_").replace("_", "-"): _plain(value) for key, value in attributes.items()})
    for part in content:
        if isinstance(part, Element):
            element.append(part)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + part
        else:
            element.text = (element.text or "") + part
    return element


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[Content]]) -> Element:
    """A table whose head is repeated on every printed page; the first cell of a row is its heading."""
    head = el("thead", el("tr", *(el("th", heading, scope="col") for heading in headings)))
    body = el("tbody", *(_row(row) for row in rows))
    return el("table", el("caption", caption), head, body)


def page(title: str, style: str, *content: Element) -> str:
    """A whole HTML page that needs no other file."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name_="viewport", content_="width=device-width, initial-scale=1"),
        el("title", title),
        el("style", style),
    )
    root = el("html", head, el("body", el("main", *content)), lang="en")
    return "<!DOCTYPE html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


def _row(cells: Sequence[Content]) -> Element:
    first, *others = cells
    return el("tr", el("th", first, scope="row"), *(el("td", cell) for cell in others))


def _plain(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
