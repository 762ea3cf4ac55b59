"""The trust layer against its goals and against reference implementations. See ``Testing/corpus/trust``."""

from __future__ import annotations

from _environment import DATA

from Testing.corpus.trust import bench


def main(arguments: list[str]) -> int:
    """Run the bench; the references' environment lies with the fetched data."""
    return bench.main(arguments, DATA / "peers-trust")
