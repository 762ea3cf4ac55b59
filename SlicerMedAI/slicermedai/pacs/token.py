"""Bearer tokens from the system's keyring: never in a file of ours, never in a log."""

from __future__ import annotations

from slicermedai.errors import MissingPackageError, PeerError

SERVICE = "slicermedai"


def bearer_token(name: str) -> str:
    """The token of the destination ``name``.

    Raises
    ------
    MissingPackageError
        The package keyring is not installed.
    PeerError
        The system has no keyring, or it has no such token.
    """
    try:
        import keyring
        import keyring.errors
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "is not installed, and holds the tokens", attribute="keyring", advice="Install slicermedai[pacs]."
        ) from error
    try:
        token = keyring.get_password(SERVICE, name)
    except keyring.errors.KeyringError as error:
        raise PeerError(
            f"the system's keyring cannot be used ({type(error).__name__})", attribute=f"{name}.token"
        ) from error
    if not token:
        raise PeerError(
            "is not in the system's keyring",
            attribute=f"{name}.token",
            advice=f"Put it there: keyring set {SERVICE} {name}.",
        )
    return str(token)
