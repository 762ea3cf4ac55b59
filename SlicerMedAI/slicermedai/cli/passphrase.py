"""The passphrase of keys and tables: from the environment, or asked for on a terminal; never from the command line."""

from __future__ import annotations

import getpass
import os
import sys

from slicermedai.errors import IdentityError


def asked() -> str:
    """The passphrase that opens something; raises :class:`IdentityError` where there is none."""
    from slicermedai.deid.sealed import passphrase_from

    return passphrase_from(os.environ, getpass.getpass if sys.stdin.isatty() else None)


def asked_twice() -> str:
    """The passphrase for something new; on a terminal it is typed twice.

    Raises
    ------
    IdentityError
        There is none, or the two differ.
    """
    from slicermedai.deid.sealed import PASSPHRASE_VARIABLE

    first = asked()
    if not os.environ.get(PASSPHRASE_VARIABLE) and getpass.getpass("The same again: ") != first:
        raise IdentityError("the two passphrases differ", attribute="passphrase", advice="Nothing was made; try again.")
    return first
