"""Generated cases and a generated "network" whose true probabilities are known, for the trust layer."""
