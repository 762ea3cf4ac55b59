"""The vocabulary of the product: frozen dataclasses over numpy, nothing else."""
