"""De-identification, ours and the peers', over a generated corpus: leaks, damage, cost. See ``Testing/corpus/deid``."""

from __future__ import annotations

from _environment import DATA

from Testing.corpus.deid import bench


def main(arguments: list[str]) -> int:
    """Run the bench; the peers' environment lies with the fetched data."""
    return bench.main(arguments, DATA / "peers")
