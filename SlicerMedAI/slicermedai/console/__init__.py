"""The public API: start a job, watch it, and work with its result. Behind ``import slicermedai``."""
