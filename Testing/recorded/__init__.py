"""What children that load PyTorch once said, for tests of who listens to them; a test compares it with real ones."""
