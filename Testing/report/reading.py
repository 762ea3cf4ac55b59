"""A report as a reader's tool sees it: elements, texts, numbers, links."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

BLOCKS = {"td", "th", "dt", "dd", "p", "li", "h1", "h2", "h3", "caption", "summary", "figcaption"}
VOID = {"meta", "img", "br", "link", "hr", "input"}


@dataclass
class Element:
    """An element with its attributes and all the text inside it."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[str] = field(default_factory=list)


class Reader(HTMLParser):
    """Collects elements; refuses HTML whose elements are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert not self._open, f"left open: {[element.name for element in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in {tag}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        if self._open:
            self._open[-1].children.append(tag)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"closes nothing: {tag}"
        assert self._open.pop().name == tag, f"closed out of order: {tag}"
        if tag in BLOCKS:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, name: str) -> list[Element]:
        """Every element of that name, in order."""
        return [element for element in self.elements if element.name == name]

    def section(self, identifier: str) -> str:
        """The text of the element with that id, blanks folded."""
        (element,) = [e for e in self.elements if e.attributes.get("id") == identifier]
        return " ".join(element.text.split())
