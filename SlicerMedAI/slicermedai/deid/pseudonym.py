"""Pseudonyms by HMAC: the same key gives the same ones, and without the key nothing leads back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from slicermedai.domain.storage import atomic_file
from slicermedai.errors import IdentityError

KEY_BYTES = 32
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels, no digits: a pseudonym never spells a word or a number
_DICOM_ROOT = "1.2.840.10008."


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """The secret of a project: 32 random bytes. Pseudonyms agree between jobs that share it.

    Raises
    ------
    IdentityError
        Not 32 bytes.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise IdentityError(
                f"a project key has {KEY_BYTES} bytes",
                attribute="project_key",
                advice="Make a new one, or leave it out for a key of this job alone.",
            )

    @staticmethod
    def generate() -> ProjectKey:
        """A new key from the operating system's random source."""
        return ProjectKey(secrets.token_bytes(KEY_BYTES))

    @staticmethod
    def from_file(path: Path) -> ProjectKey:
        """The key that :meth:`save` wrote (64 hexadecimal digits), or a file of 32 raw bytes.

        Raises
        ------
        IdentityError
            The file cannot be read or holds no key.
        """
        try:
            raw = Path(path).read_bytes()
            return ProjectKey(raw if len(raw) == KEY_BYTES else bytes.fromhex(raw.decode("ascii").strip()))
        except (OSError, ValueError, IdentityError) as error:
            raise IdentityError(
                f"holds no project key ({type(error).__name__})",
                file=path,
                attribute="project_key",
                advice=f"A key is {KEY_BYTES} bytes, or {2 * KEY_BYTES} hexadecimal digits.",
            ) from error

    def save(self, path: Path) -> Path:
        """Write the key, readable by this user alone. Keep it away from what was de-identified with it."""
        with atomic_file(Path(path)) as partial:
            partial.touch(mode=0o600)
            partial.write_text(self.secret.hex() + "\n", encoding="ascii")
        return Path(path)


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """What identity is replaced by.

    Parameters
    ----------
    key:
        The project's secret.
    avoid:
        Runs of digits that no UID may contain by chance, because they are part of the identity.
    """

    key: ProjectKey
    avoid: frozenset[str] = frozenset()

    def uid(self, original: str, *, scope: str = "") -> str:
        """A UID under 2.25 (PS3.5 B.2) for ``original``; UIDs that DICOM itself defines stay as they are.

        Parameters
        ----------
        scope:
            Study Instance UID where the same original is to differ between studies (Frame of Reference).
        """
        if not original or original.startswith(_DICOM_ROOT):
            return original
        attempt = 0
        while True:
            made = f"2.25.{uuid.UUID(bytes=self._digest('uid', scope, original, attempt)[:16], version=4).int}"
            if not any(run in made for run in self.avoid):
                return made
            attempt += 1

    def patient(self, original: str) -> str:
        """Pseudonymous Patient ID and name, "MEDAI-" and eight consonants."""
        number = int.from_bytes(self._digest("patient", "", original, 0)[:16], "big")
        letters = []
        for _ in range(8):
            number, digit = divmod(number, len(_LETTERS))
            letters.append(_LETTERS[digit])
        return f"MEDAI-{''.join(letters)}"

    def _digest(self, *parts: object) -> bytes:
        text = "\0".join(map(str, parts)).encode("utf-8", "surrogateescape")
        return hmac.new(self.key.secret, text, hashlib.sha256).digest()
