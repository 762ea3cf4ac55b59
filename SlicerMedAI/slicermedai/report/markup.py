"""Pieces of HTML; everything that comes from outside goes through :func:`text`, and nothing else is trusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def resource(name: str) -> str:
    """The text of a file of this package: the template and the style that all pages share."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def text(value: object) -> Html:
    """``value`` escaped, unless it is HTML already."""
    return value if isinstance(value, Html) else Html(escape(str(value), quote=True))


def tag(name: str, *content: object, **attributes: str) -> Html:
    """An element; a trailing underscore in an attribute's name is dropped (``class_``), others become hyphens."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value, quote=True)}"' for key, value in attributes.items()
    )
    return Html(f"<{name}{given}>{''.join(text(part) for part in content)}</{name}>")


def join(parts: Iterable[object], separator: str = "\n") -> Html:
    """``parts`` one after the other."""
    return Html(separator.join(text(part) for part in parts))


def section(identifier: str, heading: str, *content: object) -> Html:
    """A section that the page's table of contents can point to."""
    title = tag("h2", heading, id=f"{identifier}-heading")
    return tag("section", title, *content, id=identifier, aria_labelledby=f"{identifier}-heading")


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[object]], *, class_: str = "") -> Html:
    """A table with a caption; the first cell of each row is its heading, cells that are ``td`` already stay."""
    head = tag("tr", *(tag("th", heading, scope="col", class_=heading.lower()) for heading in headings))
    body = join(tag("tr", _cell(row[0], "th"), *(_cell(cell, "td") for cell in row[1:])) for row in rows)
    inner = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", body))
    return tag("div", inner, class_=f"scroll {class_}".strip(), role="region", aria_label=caption, tabindex="0")


def terms(pairs: Iterable[tuple[str, object]]) -> Html:
    """A description list; pairs without a value are left out."""
    kept = [(name, value) for name, value in pairs if str(value)]
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in kept))


def items(values: Iterable[object], *, class_: str = "") -> Html:
    """A list of sentences."""
    entries = [tag("li", value) for value in values]
    return tag("ul", *entries, class_=class_) if class_ else tag("ul", *entries)


def number(value: float) -> Html:
    """A number rounded for people, with every digit of it in the element's value."""
    return tag("data", rounded(value), value=repr(float(value)))


def rounded(value: float) -> str:
    """At least three significant digits, without an exponent where that can be read: 1557.5, 14.53, 0.00321."""
    size = abs(value)
    if size >= 100:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:.3g}"


def code(value: object) -> Html:
    """An identifier or a hash, in full; it may be broken over lines."""
    return tag("code", value) if str(value) else Html("")


def _cell(content: object, name: str) -> Html:
    if isinstance(content, Html) and content.startswith(("<td", "<th")):
        return content
    return tag(name, content, scope="row") if name == "th" else tag(name, content)
