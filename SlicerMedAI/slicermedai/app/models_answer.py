"""The child of the module MedAI Models: lists, takes in, tries and changes models. It loads what is heavy.

It is asked by :mod:`slicermedai.app.models_run`. Every answer brings the whole catalogue, as it is afterwards.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from slicermedai.app.answering import answer_one
from slicermedai.app.models_state import AS_THEY_CAME, CHANGED, REFUSED, RUNS, Verdict
from slicermedai.console import models
from slicermedai.domain.observer import Progress


def main() -> int:
    """Answer one request."""
    return answer_one(_answer)


def _answer(asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    progress(asked["what"], 0.0)
    verdicts = _DO[asked["what"]](asked, progress)
    drawn = _drawn(asked) if asked["what"] == "draw" else []
    return {"verdicts": verdicts, "pictures": drawn, **_catalogue()}


def _catalogue() -> dict[str, Any]:
    from slicermedai.bundles.registry import RECIPES

    return {
        "models": [dataclasses.asdict(one) for one in models.catalogue()],
        "known": [recipe.title for recipe in RECIPES],
        "changes": [
            "  ".join((one.time, one.who, one.action, f"{one.name}@{one.version}", one.sha256[:16]))
            for one in models.history()
        ],
    }


def _list(asked: dict[str, Any], progress: Progress) -> dict[str, Verdict]:
    return {}


def _take_in(asked: dict[str, Any], progress: Progress) -> dict[str, Verdict]:
    given = asked["incoming"]
    ref = models.take_in(
        given["zoo"] or given["source"],
        online=bool(given["zoo"]),
        progress=progress,
        task=given["task"],
        modality=tuple(given["modality"].replace(",", " ").upper().split()),
        outputs=given["outputs"],
        **{name: Path(given[name]) if given[name] else None for name in ("labels", "card")},
    )
    return {ref.title: ()}


def _fetch(asked: dict[str, Any], progress: Progress) -> dict[str, Verdict]:
    from slicermedai.bundles.registry import fetch

    return {fetch(asked["title"], progress=progress).title: ()}


def _verify(asked: dict[str, Any], progress: Progress) -> dict[str, Verdict]:
    found = models.verify()
    return {name: (CHANGED, wrong) if wrong else (AS_THEY_CAME,) for name, wrong in found.items()}


def _check(asked: dict[str, Any], progress: Progress) -> dict[str, Verdict]:
    from slicermedai.bundles.registry import resolve
    from slicermedai.inference.check import check_bundle

    found = check_bundle(resolve(asked["title"]), progress=progress)
    report = [*found.report.in_words.splitlines(), *found.words]
    ran = (RUNS, str(found.regions), f"{found.seconds:.1f}", found.sample, *report)
    return {asked["title"]: ran if found.runs else (REFUSED, found.report.in_words, found.sample)}


def _drawn(asked: dict[str, Any]) -> list[dict[str, str]]:
    """Pictures of the trust record that is in use for a model, in the folder that was asked for."""
    from slicermedai.bundles.registry import list_bundles
    from slicermedai.confidence.models import manifest_of, record_of
    from slicermedai.validate.record_plots import record_pictures

    ref = next((one for one in list_bundles() if one.title == asked["title"]), None)
    record = record_of(manifest_of(ref)) if ref is not None else None
    made = record_pictures(record, Path(asked["folder"])) if record is not None else []
    return [{"title": one.title, "file": str(one.file), "caption": one.caption} for one in made]


def _pin(asked: dict[str, Any], progress: Progress) -> dict[str, Verdict]:
    models.pin(asked["title"])
    return {asked["title"]: ()}


def _roll_back(asked: dict[str, Any], progress: Progress) -> dict[str, Verdict]:
    change = models.roll_back(asked["title"].partition("@")[0])
    return {f"{change.name}@{change.version}": ()}


def _remove(asked: dict[str, Any], progress: Progress) -> dict[str, Verdict]:
    models.remove(asked["title"])
    return {}


def _agree(asked: dict[str, Any], progress: Progress) -> dict[str, Verdict]:
    models.agree(asked["title"], asked["word"])
    return {asked["title"]: ()}


_DO = {
    "list": _list,
    "draw": _list,
    "import": _take_in,
    "fetch": _fetch,
    "verify": _verify,
    "check": _check,
    "pin": _pin,
    "roll back": _roll_back,
    "remove": _remove,
    "agree": _agree,
}


if __name__ == "__main__":
    raise SystemExit(main())
