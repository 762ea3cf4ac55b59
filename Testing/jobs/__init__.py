"""The worker's contract, with real processes."""
