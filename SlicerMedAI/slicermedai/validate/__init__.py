"""Technical validation of a model on a cohort with references: numbers with intervals, worst subgroup first."""
