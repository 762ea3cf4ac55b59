"""Each message that the page quotes is one of the program's, as it stands in the code."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from slicermedai import errors
from Testing.tutorials.steps import DOCS

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
CODE = DOCS.parents[1] / "SlicerMedAI"
QUOTED = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
GAP = "\x00"


@cache
def texts() -> tuple[str, ...]:
    """All texts in the code but docstrings, which nobody is shown; what is put in at run time is a gap."""
    found: list[str] = []
    for path in sorted(CODE.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        described = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
                found.append(re.sub(r"\{[^{}]*\}", GAP, node.value))
            elif isinstance(node, ast.JoinedStr):
                parts = [one.value if isinstance(one, ast.Constant) else GAP for one in node.values]
                found.append("".join(map(str, parts)))
    return tuple(found)


def is_in_the_code(message: str) -> bool:
    pattern = re.compile(".*".join(map(re.escape, message.split("..."))), re.DOTALL)
    return any(pattern.search(text) for text in texts())


@pytest.mark.parametrize("message", QUOTED)
def test_the_message_is_one_of_the_programs(message: str) -> None:
    assert is_in_the_code(message), "the program does not say that: mend the page"


def test_a_message_that_nobody_says_is_found_out() -> None:
    assert not is_in_the_code("no model is installed here")
    assert not is_in_the_code("the passphrase is not right")


def test_the_page_has_the_errors_that_people_meet_and_each_row_says_what_to_do() -> None:
    rows = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(QUOTED) == len(rows) >= 35
    assert [row for row in rows if len(row) != 3 or not all(cell.strip() for cell in row)] == []


def test_every_kind_of_error_has_words_in_the_reference() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.MedAIError)]
    assert len(kinds) > 30
    assert [kind.__name__ for kind in kinds if kind.__name__ not in (errors.__doc__ or "")] == []
