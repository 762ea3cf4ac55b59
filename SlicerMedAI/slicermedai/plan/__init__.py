"""One case before theatre: volumes, distances, margins, resection and remnant, all worked out from a plan."""
