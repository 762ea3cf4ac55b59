"""Job specs, the worker's protocol and its supervisor: standard library only."""
