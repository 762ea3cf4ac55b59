"""An append-only, hash-chained log of what was done; no identity in it."""
