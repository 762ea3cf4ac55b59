"""Benchmark of de-identification: a corpus with planted identity, its ledger, a judge, and the peers to compare with.

Nothing here is shared with the rules that are judged: no code, no table, no list of names.
"""
