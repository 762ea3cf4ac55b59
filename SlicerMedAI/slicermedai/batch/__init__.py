"""Many studies by rule: which series of each, a queue that survives any stop, and what the whole cohort says."""
