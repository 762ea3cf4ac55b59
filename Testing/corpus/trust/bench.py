"""The trust bench: every goal with its measured value beside a reference, on a fixed and on fresh seeds."""

from __future__ import annotations

import argparse
import secrets
import time
from pathlib import Path

from Testing.corpus.trust import calibration_rows, saliency_rows, shift_rows, structure_rows
from Testing.corpus.trust.peers import Peers
from Testing.corpus.trust.phantoms import phantoms
from Testing.corpus.trust.rows import Row, table
from Testing.corpus.trust.study import Patient, patient

FIXED = 1
PATIENTS = 120
BLIND = 0.04
GOALS = ("C1", "C2", "C3", "C4", "C5", "C6", "S1", "S2", "S3", "S4", "S5", "D1", "O1", "V1", "light")
"""Of the trust layer; "light" is that who trusts green alone is right as often as it says."""


def main(arguments: list[str], peers_folder: Path) -> int:
    """Print one table per seed; the exit status is not 0 only where a goal could not be measured for want of a peer."""
    parser = argparse.ArgumentParser(prog="Scripts/bench trust", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="further seeds; default: 1 and a fresh one")
    parser.add_argument("--saliency", action="store_true", help="the saliency goals alone")
    chosen = parser.parse_args(arguments)
    seeds = chosen.seed or [FIXED, secrets.randbelow(2**31)]
    start = time.perf_counter()
    if chosen.saliency:
        rows = []
        for seed in seeds:
            _say(f"\nseed {seed}")
            rows += saliency_rows.rows(seed, told=_say)
        _end(rows, time.perf_counter() - start)
        return 0
    peers = Peers(peers_folder)
    peers.prepare()
    _say("references: " + ", ".join(f"{name} {version}" for name, version in peers.versions.items()))
    _say(f"data: {PATIENTS} generated patients to fit, {PATIENTS} to judge; in {BLIND:.0%} half is surely missed")
    once = [*calibration_rows.many_rows(peers), *shift_rows.distance_rows(peers)]
    all_rows = _print("independent of the seed", once)
    for seed in seeds:
        all_rows += _print(f"seed {seed}", _seeded(seed, peers))
    _end(all_rows, time.perf_counter() - start)
    if without := unmeasured(all_rows):
        _say(f"NO VALUE for {', '.join(without)}")
    return 1 if peers.absent or without else 0


def _seeded(seed: int, peers: Peers) -> list[Row]:
    fitted, others = _patients(seed), _patients(seed + 1_000_003)
    return [
        *calibration_rows.rows(fitted, others, peers),
        *structure_rows.rows(fitted, others, peers, seed),
        *shift_rows.detection_rows(seed, peers),
        *shift_rows.ood_rows(seed),
        *saliency_rows.rows(seed),
    ]


def _patients(seed: int) -> list[Patient]:
    return [patient(case, number) for number, case in enumerate(phantoms(PATIENTS, seed=seed, blind=BLIND))]


def _print(title: str, rows: list[Row]) -> list[Row]:
    _say(f"\n{title}")
    _say(table(rows))
    return rows


def unmeasured(rows: list[Row]) -> list[str]:
    """The goals that have no row with a value."""
    there = {row.goal for row in rows if row.met is not None}
    return [goal for goal in GOALS if goal not in there]


def _end(rows: list[Row], seconds: float) -> None:
    missed = [row for row in rows if row.met is False]
    not_done = sum(row.met is None for row in rows)
    met = sum(row.met is True for row in rows)
    _say(f"\n{met} met, {len(missed)} MISSED, {not_done} NOT MEASURED, in {seconds:.0f} s")
    for row in missed:
        _say(f"MISSED {row.goal}: {row.what}: {row.measured}, wanted {row.wanted}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # a bench prints
