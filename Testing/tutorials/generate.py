"""Writes what of the documents is made from other things: ``python -m Testing.tutorials.generate``.

``reference.md`` comes from docstrings. The pages under ``html`` are what a browser shows without a network; each comes
from the Markdown file of its name.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass
from html import escape
from types import ModuleType
from typing import Any

from markdown_it import MarkdownIt

import slicermedai
from slicermedai.console import cohorts, models, planning, prompting, settings
from Testing.tutorials.public import methods_of, names_of, signature_of
from Testing.tutorials.steps import DOCS

REFERENCE = DOCS / "reference.md"
HTML = DOCS / "html"
NOT_SHIPPED = ("DEBT.md",)
"""For developers alone."""
_ROLE = re.compile(r":\w+:`~?([^`]*)`")
_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 52em; margin: 2em auto; padding: 0 1em; color-scheme: light dark; }
img { max-width: 100%; border: 1px solid #888; }
table { border-collapse: collapse; } th, td { border: 1px solid #888; padding: .3em .6em; text-align: left;
  vertical-align: top; }
pre { overflow-x: auto; border: 1px solid #888; padding: .6em; } nav { border-bottom: 1px solid #888; }
"""


def reference() -> str:
    """The reference of all public names as Markdown."""
    head = [
        "# Reference",
        "Written by `python -m Testing.tutorials.generate` from docstrings; a test holds it to them. Do not edit it.",
        "Start with [For scripters](tutorial-scripter.md). Lengths are mm, places LPS.",
    ]
    parts = [_module(slicermedai, "slicermedai")]
    parts += [_module(module, module.__name__) for module in (models, cohorts, planning, prompting, settings)]
    return "\n\n".join([*head, *parts]) + "\n"


def page(name: str) -> str:
    """The Markdown file ``name`` as HTML that needs no network; its links go to the other pages."""
    text = (DOCS / name).read_text(encoding="utf-8")
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(text)
    for token in [child for one in tokens for child in one.children or ()]:
        for attribute in ("href", "src"):
            if attribute in token.attrs:
                token.attrs[attribute] = _link(str(token.attrs[attribute]))
    body = parser.renderer.render(tokens, parser.options, {})
    title = text.splitlines()[0].lstrip("# ")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>\n"
        '<nav><p><a href="index.html">MedAI: all pages</a></p></nav>\n'
        f"{body}</body>\n</html>\n"
    )


def pages() -> list[str]:
    """The Markdown files that are shipped as pages."""
    return sorted(path.name for path in DOCS.glob("*.md") if path.name not in NOT_SHIPPED)


def write() -> None:
    """Write all of it; pages of files that are gone go too."""
    REFERENCE.write_text(reference(), encoding="utf-8")
    HTML.mkdir(exist_ok=True)
    for old in HTML.glob("*.html"):
        old.unlink()
    for name in pages():
        (HTML / name).with_suffix(".html").write_text(page(name), encoding="utf-8")


def _link(target: str) -> str:
    if "://" in target or target.startswith("#"):
        return target
    file, sharp, place = target.partition("#")
    if file in pages():
        return f"{file.removesuffix('.md')}.html{sharp}{place}"
    return f"../{target}"


def _module(module: ModuleType, name: str) -> str:
    parts = [f"## {name}", markdown(module.__doc__ or "")]
    for one in names_of(module):
        value = getattr(module, one)
        parts += [f"### {name}.{one}", f"```python\n{one}{_short(value)}\n```", markdown(value.__doc__ or "")]
        parts += [line for line in (_options(value), _methods(value)) if line]
    return "\n\n".join(parts)


def _short(value: Any) -> str:
    """A signature of many parts stands on lines of its own."""
    said = signature_of(value)
    if len(said) < 100 or not said.startswith("("):
        return said
    inner, back = said[1:].rsplit(")", 1)
    return "(\n    " + re.sub(r", (?=[\w*]+(?::|,|$|=))", ",\n    ", inner) + f",\n){back}"


def _options(value: Any) -> str:
    """Of a job: what each field is for."""
    if not is_dataclass(value):
        return ""
    helped = [(one.name, one.metadata.get("help", "")) for one in fields(value)]
    return "\n".join(f"- `{name}`: {_plain(text)}" for name, text in helped if text)


def _methods(value: Any) -> str:
    if not isinstance(value, type):
        return ""
    said = []
    for name, made in methods_of(value).items():
        how = "" if isinstance(made, property) else signature_of(made).replace("(self, ", "(").replace("(self)", "()")
        said.append(f"**`{name}{how}`**\n\n{markdown(made.__doc__)}")
    return "\n\n".join(said)


def markdown(doc: str) -> str:
    """A docstring in NumPy's form as Markdown: heads of sections bold, what they list as lists, examples as code."""
    out: list[str] = []
    lines = inspect.cleandoc(doc).splitlines()
    section = ""
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if re.fullmatch(r"-{3,}", line):
            continue
        if re.fullmatch(r"-{3,}", following):
            section = line
            out += [f"**{line}**", ""]
        elif line.startswith((">>>", "...")):
            out.append("    " + line.removeprefix(">>> ").removeprefix("... "))
        elif section and line and not line.startswith(" "):
            out.append("- " + ", ".join(f"`{name.strip()}`" for name in line.rstrip(":").split(",")))
        else:
            out.append(("  " if section and line else "") + _plain(line.strip() if section else line))
    return "\n".join(out)


def _plain(text: str) -> str:
    return _ROLE.sub(r"`\1`", text).replace("``", "`")


if __name__ == "__main__":
    write()
