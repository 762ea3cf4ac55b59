"""What went wrong without an exception: the strict log of the harness."""

STRICT: list[str] = []
"""Wrong signatures, exceptions in slots, unanswered dialogs, missing .ui properties, in order."""


def record(message: str) -> None:
    """Adds one line to the strict log."""
    STRICT.append(message)
