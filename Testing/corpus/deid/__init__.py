"""Benchmark of de-identification: a corpus with planted identity, its ledger, a judge, and the peers to compare with.

Nothing here is shared with the rules that are judged: no code, no table, no list of names.

``generate.generate(folder, seed, files)`` writes the corpus and returns its ledger; ``judge.judge(corpus, output)``
scores what a tool wrote; ``bench.main`` does both for every tool and prints one table (``Scripts/bench deid``). Seeds
11, 12 and 13 are for looking at while the rules are mended; figures are to be reported on seeds never used before.

What counts: an element leaks where any of its tokens still stands in it, in any case or encoding; an attribute that
moved is searched wherever it stands in the file. Study dates and the like are searched in their own element alone,
since a shifted date may equal another. A token of up to six letters counts as a whole word, and a person whose name is
a common word (Hand, Long, Li) is told by the whole name alone. Clinical values inside attributes of Table E.1-1 are
counted apart: a Basic profile may remove them, options keep them. Everything else that a tool leaves in its output
folder (reports, quarantine) is searched for every person's tokens.
"""
