"""The de-identification report as data: everything that the page says, and every file with every attribute."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from slicermedai.domain.result import Deidentification
from slicermedai.report.deid_facts import DeidFacts

FORMAT = "slicermedai de-identification report 1"


def as_json(facts: DeidFacts) -> str:
    """The text of ``report.json``.

    Files that were treated alike share an entry of ``treated``, which ``files[i].treated`` counts from 0: attribute,
    action and number of elements. ``attributes`` says of each attribute and action by which rule.
    """
    alike: dict[int, int] = {}
    treated: list[list[list[Any]]] = []
    files = []
    for row in facts.files:
        number = alike.setdefault(id(row.done), len(treated))
        if number == len(treated):
            treated.append(_plain(row.done))
        if row.output:
            body = {"number": row.number, "output": row.output, "sop_class": row.sop_class, "patient": row.patient}
            files.append({**body, "series": row.series, "claimed": list(row.claimed), "treated": number})
    body = {
        "format": FORMAT,
        "program": facts.program,
        "started": facts.started,
        "finished": facts.finished,
        "table": facts.table,
        "key_fingerprint": facts.fingerprint,
        "choices": dict(facts.choices),
        "options": [asdict(one) for one in facts.options],
        "claimed": [code.value for code in facts.record.codes],
        "counts": _counts(facts),
        "verifier": {"searched": facts.verified, "kept_back": facts.quarantined},
        "left_out": [asdict(one) for one in facts.left_out],
        "review": [asdict(one) for one in facts.doubts],
        "missed": [{**asdict(one), "sentence": one.sentence} for one in facts.missed],
        "not_done": list(facts.record.not_done),
        "rules": list(facts.record.done),
        "risk": facts.risk.to_dict(),
        "attributes": [asdict(one) for one in facts.treatments],
        "series": [{**asdict(one), "actions": dict(one.actions)} for one in facts.series],
        "treated": treated,
        "files": files,
    }
    return json.dumps(body, indent=1, ensure_ascii=False, default=str) + "\n"


def _counts(facts: DeidFacts) -> dict[str, int]:
    record: Deidentification = facts.record
    return {
        "written": record.files,
        "patients": facts.patients,
        "left_out": len(facts.left_out),
        "excluded_files": facts.excluded_files,
        "excluded_entries": facts.excluded_entries,
        "elements_removed": record.elements_removed,
        "elements_replaced": record.elements_replaced,
        "uids_replaced": record.uids_replaced,
    }


def _plain(done: Counter[tuple[str, str]]) -> list[list[Any]]:
    return [[label, action, count] for (label, action), count in sorted(done.items())]
