"""Pseudonyms by HMAC: the same key gives the same ones, and without the key nothing leads back.

Everything here is a function of the project's key and of what is replaced, and of nothing else: not of the order of
the files, the run, the machine or the site. Whoever shares the key gets the same pseudonyms.
"""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from slicermedai.domain.storage import atomic_file
from slicermedai.errors import IdentityError

KEY_BYTES = 32
SHIFT_DAYS = (3653, 7304)
"""Least and greatest shift of dates in days (10 to 20 years). Shorter ones would often move one examination of a
patient to the day of another one, so that a true date stood in the output by chance."""
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels, no digits: a pseudonym never spells a word or a number
_PATIENT_LETTERS = 12
_DICOM_ROOT = "1.2.840.10008."
_NOT_VERSION = ((1 << 128) - 1) & ~(0xF << 76) & ~(0x3 << 62)
_VERSION_4 = 0x4 << 76 | 0x2 << 62  # version and variant of a random UUID (RFC 9562, 5.4)


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

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that tell keys apart and say nothing about them: safe to print and to publish."""
        return self.digest("fingerprint")[:8].hex()

    def digest(self, purpose: str, *parts: object) -> bytes:
        """HMAC-SHA256 of ``parts``, 32 bytes. Different purposes share nothing."""
        text = "\0".join((purpose, *map(str, parts))).encode("utf-8", "surrogateescape")
        return hmac.digest(self.secret, text, "sha256")

    def uid(self, original: str, scope: str = "") -> str:
        """See :meth:`Pseudonyms.uid`."""
        return Pseudonyms(self).uid(original, scope=scope)

    def patient(self, original: str) -> str:
        """See :meth:`Pseudonyms.patient`."""
        return Pseudonyms(self).patient(original)

    def shift_days(self, patient: str) -> int:
        """By how many days all dates of a patient move: whole and negative, -7304 to -3653, evenly spread.

        Whole days keep times of day, and with them the decay between injection and acquisition (SUV). ``patient`` is
        what :meth:`Pseudonyms.patient` gets.
        """
        least, greatest = SHIFT_DAYS
        number = int.from_bytes(self.digest("shift", canonical(patient))[:16], "big")
        return -(least + number % (greatest - least + 1))

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
        Runs of digits that no UID may contain by chance, because they are part of the identity. A run of n digits
        turns away about 33 of 10^n UIDs. Only these depend on what is known of a patient: two runs of which one
        knows one more number of six digits give another UID for 3 of 100,000 originals, and the same for all others.
    """

    key: ProjectKey
    avoid: frozenset[str] = frozenset()

    def uid(self, original: str, *, scope: str = "") -> str:
        """A UID under 2.25 (PS3.5 B.2) for ``original``; UIDs that DICOM itself defines stay as they are.

        It carries 122 bits of the HMAC as a UUID of version 4, at most 44 characters: among 10^12 UIDs two agree
        with a probability of 1 in 10^13. One that holds a run of ``avoid`` is passed over for the next one of its
        sequence, the same for everybody who knows of that run.

        Parameters
        ----------
        scope:
            Study Instance UID where the same original is to differ between studies (Frame of Reference).
        """
        if not original or original.startswith(_DICOM_ROOT):
            return original
        attempt = 0
        while True:
            number = int.from_bytes(self.key.digest("uid", scope, original, attempt)[:16], "big")
            made = f"2.25.{number & _NOT_VERSION | _VERSION_4}"
            if not any(run in made for run in self.avoid):
                return made
            attempt += 1

    def patient(self, original: str) -> str:
        """Pseudonymous Patient ID and name, "MEDAI-" and twelve consonants: 18 characters, valid as LO and PN.

        There are 20^12 = 4.1 * 10^15 of them. Of 100,000 patients two share one with a probability of 1 in 800,000;
        :class:`slicermedai.deid.keystore.ReidentificationTable` refuses the second one by name.
        """
        number = int.from_bytes(self.key.digest("patient", canonical(original))[:16], "big")
        letters = []
        for _ in range(_PATIENT_LETTERS):
            number, digit = divmod(number, len(_LETTERS))
            letters.append(_LETTERS[digit])
        return f"MEDAI-{''.join(letters)}"

    def shift_days(self, patient: str) -> int:
        """See :meth:`ProjectKey.shift_days`."""
        return self.key.shift_days(patient)


def canonical(patient: str) -> str:
    """What two sites write differently and mean alike: padding of the value, and composed or decomposed letters."""
    return unicodedata.normalize("NFC", patient.strip(" \0"))
