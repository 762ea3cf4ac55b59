"""A series that shows one body several times: every frame analysed by one model, and what became of each structure."""
