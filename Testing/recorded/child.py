"""The program in place of the Python that children run in: it says again what real children said, and loads nothing.

It is written beside a file ``plan.json`` and started as that Python is. What the plan does not know is done by the real
Python, in this very process, so that who started it stops or kills that one.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ASKED = "asked.jsonl"
RUN = ["-m", "slicermedai", "run", "--supervised"]


def main(words: list[str]) -> None:
    """As ``python -m ...`` would."""
    plan = json.loads((HERE / "plan.json").read_text(encoding="utf-8"))
    if words[:4] == RUN:
        run(plan, words)
    elif words[:1] == ["-m"] and words[1] in plan["answers"]:
        answer(plan["answers"][words[1]])
    else:
        really(plan, words)


def really(plan: dict[str, Any], words: list[str]) -> None:
    """The real Python, instead of this program."""
    os.execv(plan["python"], [plan["python"], *words])


def run(plan: dict[str, Any], words: list[str]) -> None:
    """A job: its lines one after the other, then what such a run leaves."""
    path = Path(words[-1])
    job = json.loads(path.read_text(encoding="utf-8"))["spec"]
    keep({"job": job})
    known = chosen([one for one in plan["runs"] if count() > one["after"]], job)
    if known is None:
        really(plan, words)
        return
    for line in known["lines"]:
        say(line)
        time.sleep(600 if json.loads(line)["fraction"] >= known["hold"] else plan["pause"])
    leave(Path(known["leaves"]), Path(job["output"]))
    leave(Path(known["at_home"]), Path(os.environ["SLICERMEDAI_HOME"]))
    say(json.dumps({"medai": 1, "event": "done", "folder": job["output"]}))


def say(line: str) -> None:
    """A line for whoever started it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def leave(made: Path, folder: Path) -> None:
    """The files of ``made``, in ``folder``."""
    for path in sorted(made.rglob("*")):
        if path.is_file():
            target = folder / path.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())


def answer(known: list[dict[str, Any]]) -> None:
    """A question: the answer, or the error, of the first that fits."""
    asked = json.loads(sys.stdin.readline())
    keep({"asked": asked})
    found = chosen(known, asked)
    if found is None:
        sys.exit(f"this was not recorded: {asked}")
    say(json.dumps(found["said"]))


def chosen(known: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any] | None:
    """The first whose ``when`` holds: words that stand in the values of these names, or their very values."""
    return next((one for one in known if all(fits(asked.get(name), is_) for name, is_ in one["when"].items())), None)


def fits(value: object, wanted: object) -> bool:
    """Whether a value of a request is meant."""
    if isinstance(wanted, str) and not isinstance(value, bool):
        return wanted in json.dumps(value)
    return value == wanted


def count() -> int:
    """How many jobs were given so far, this one among them."""
    return sum('"job"' in line for line in (HERE / ASKED).read_text(encoding="utf-8").splitlines())


def keep(what: dict[str, Any]) -> None:
    """Note what was asked, for the test."""
    with (HERE / ASKED).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(what) + "\n")


main(sys.argv[1:])
