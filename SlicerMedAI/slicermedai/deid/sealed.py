"""Files that a passphrase opens: scrypt (RFC 7914) and AES-256 in Galois/Counter Mode (NIST SP 800-38D).

Layout: one line of magic, one line of JSON with what is needed to open the file (kind, scrypt parameters, salt,
check value, nonce), and the ciphertext with its 16 bytes of authentication. Both lines are authenticated too. The
content is compressed first; the length of the file is all that can be learned without the passphrase.

``cryptography`` is needed to write and to open them, and named where it is absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from slicermedai.domain.storage import atomic_file
from slicermedai.errors import IdentityError

PASSPHRASE_VARIABLE = "SLICERMEDAI_PASSPHRASE"
SHORTEST_PASSPHRASE = 8
"""Characters (NIST SP 800-63B, 5.1.1.2)."""
MAGIC = b"SLICERMEDAI SEALED 1\n"
_SALT, _NONCE, _CHECK = 16, 12, 16
_LONGEST_HEADER = 1000


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters of scrypt: 2^16, 8 and 2 need 64 MiB and about 0.2 s for one guess of a passphrase.

    Raises
    ------
    IdentityError
        More than a gibibyte, or not a power of two: no file of ours asks for that.
    """

    n: int = 1 << 16
    r: int = 8
    p: int = 2

    def __post_init__(self) -> None:
        small = all(isinstance(v, int) and v > 0 for v in (self.n, self.r, self.p)) and self.p <= 16
        if not small or self.n < 2 or self.n & (self.n - 1) or 128 * self.n * self.r > 1 << 30:
            raise IdentityError("these scrypt parameters are not usable", attribute="scrypt")


COST = Cost()


@dataclass(frozen=True, slots=True)
class Sealer:
    """A passphrase that was worked into a key: seals any number of contents of one kind, and opens them."""

    kind: str
    cost: Cost
    salt: bytes
    _key: bytes = field(repr=False)
    _check: str = field(repr=False)

    @staticmethod
    def new(kind: str, passphrase: str, *, cost: Cost = COST) -> Sealer:
        """For a file that does not exist yet.

        Raises
        ------
        IdentityError
            The passphrase is too short, or ``cryptography`` is not installed.
        """
        if len(passphrase) < SHORTEST_PASSPHRASE:
            raise IdentityError(
                f"the passphrase has fewer than {SHORTEST_PASSPHRASE} characters",
                attribute="passphrase",
                advice="Several words in a row are easy to remember and hard to guess.",
            )
        return _derived(kind, passphrase, cost, secrets.token_bytes(_SALT))

    def write(self, path: Path, content: bytes) -> Path:
        """Seal ``content`` into ``path``, whole or not at all, readable by this user alone (mode 0600)."""
        nonce = secrets.token_bytes(_NONCE)
        head = MAGIC + json.dumps(self._header(nonce), sort_keys=True).encode("ascii") + b"\n"
        sealed = _aead(self._key).encrypt(nonce, zlib.compress(content), head)
        return write_private(path, head + sealed)

    def open(self, path: Path) -> bytes:
        """The content of ``path``, sealed by the same passphrase and salt. Raises as :func:`open_sealed`."""
        header, head, sealed = _parts(path, self.kind)
        if header["check"] != self._check:
            raise _wrong(path)
        return _unsealed(path, self._key, (bytes.fromhex(header["nonce"]), head, sealed))

    def _header(self, nonce: bytes) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "scrypt": asdict(self.cost),
            "salt": self.salt.hex(),
            "check": self._check,
            "nonce": nonce.hex(),
        }


def open_sealed(path: Path, kind: str, passphrase: str) -> tuple[Sealer, bytes]:
    """What opens ``path`` from now on, and its content.

    Raises
    ------
    IdentityError
        Not a file of this kind, a wrong passphrase, a file that was changed, or ``cryptography`` is not installed.
    """
    header, head, sealed = _parts(path, kind)
    sealer = _derived(kind, passphrase, Cost(**header["scrypt"]), bytes.fromhex(header["salt"]))
    if header["check"] != sealer._check:
        raise _wrong(path)
    return sealer, _unsealed(path, sealer._key, (bytes.fromhex(header["nonce"]), head, sealed))


def is_sealed(path: Path) -> bool:
    """Whether ``path`` begins as a sealed file does; raises :class:`OSError` where it cannot be read."""
    with Path(path).open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def write_private(path: Path, content: bytes) -> Path:
    """Write ``content``, whole or not at all, readable by this user alone (mode 0600)."""
    with atomic_file(Path(path)) as partial:
        partial.touch(mode=0o600)
        partial.write_bytes(content)
    return Path(path)


def passphrase_from(environment: Mapping[str, str], ask: Callable[[str], str] | None = None) -> str:
    """The passphrase of :data:`PASSPHRASE_VARIABLE`, or what ``ask`` (``getpass.getpass``) returns.

    There is no other way in: command lines and job files can be read by others and are kept.

    Raises
    ------
    IdentityError
        Neither gives one.
    """
    found = environment.get(PASSPHRASE_VARIABLE) or (ask("Passphrase: ") if ask else "")
    if not found:
        raise IdentityError(
            "a passphrase is needed", attribute="passphrase", advice=f"Give it in the variable {PASSPHRASE_VARIABLE}."
        )
    return found


def refuse_inside(path: Path, folders: Iterable[Path], *, attribute: str) -> None:
    """Keep secrets away from the images: links are followed, and spellings that the file system takes for the same.

    Raises
    ------
    IdentityError
        ``path`` is one of ``folders``, or lies in one of them at any depth.
    """
    real = Path(os.path.realpath(path))
    for folder in folders:
        root = Path(os.path.realpath(folder))
        if any(place == root or _same(place, root) for place in (real, *real.parents)):
            raise IdentityError(
                "lies in a folder of images",
                file=path,
                attribute=attribute,
                advice="Keep it elsewhere, so that it is never passed on together with what it protects.",
            )


def _same(one: Path, two: Path) -> bool:
    try:
        return one.samefile(two)
    except OSError:
        return False


def _derived(kind: str, passphrase: str, cost: Cost, salt: bytes) -> Sealer:
    scrypt = _primitives()[1]
    secret = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogateescape")
    made: bytes = scrypt(salt=salt, length=64, n=cost.n, r=cost.r, p=cost.p).derive(secret)
    return Sealer(kind, cost, salt, made[:32], hashlib.sha256(made[32:]).hexdigest()[: 2 * _CHECK])


def _parts(path: Path, kind: str) -> tuple[dict[str, Any], bytes, bytes]:
    """(header, the bytes of both lines, ciphertext)."""
    try:
        raw = Path(path).read_bytes()
        end = raw.index(b"\n", len(MAGIC), len(MAGIC) + _LONGEST_HEADER) + 1
        header = json.loads(raw[len(MAGIC) : end])
        _check_header(header)
        wrong_kind = header["kind"] != kind
    except (OSError, ValueError, KeyError, TypeError, IdentityError) as error:
        raise IdentityError(f"is no sealed file ({type(error).__name__})", file=path, attribute=kind) from error
    if raw[: len(MAGIC)] != MAGIC or wrong_kind:
        raise IdentityError("is a file of another kind", file=path, attribute=kind, advice=f"A {kind} is needed.")
    return header, raw[:end], raw[end:]


def _check_header(header: dict[str, Any]) -> None:
    """Raises ValueError, KeyError, TypeError or IdentityError where something is missing or of another form."""
    lengths = {"salt": _SALT, "nonce": _NONCE, "check": _CHECK}
    if any(len(bytes.fromhex(header[name])) != length for name, length in lengths.items()):
        raise ValueError("length")
    Cost(**header["scrypt"])


def _unsealed(path: Path, key: bytes, parts: tuple[bytes, bytes, bytes]) -> bytes:
    nonce, head, sealed = parts
    try:
        return zlib.decompress(_aead(key).decrypt(nonce, sealed, head))
    except (_primitives()[2], ValueError, zlib.error) as error:
        raise IdentityError(
            "was changed or damaged", file=path, attribute="ciphertext", advice="Take it from a backup."
        ) from error


def _wrong(path: Path) -> IdentityError:
    return IdentityError(
        "the passphrase is wrong",
        file=path,
        attribute="passphrase",
        advice="Try again; without the right one nobody can open this file.",
    )


def _aead(key: bytes) -> Any:
    return _primitives()[0](key)


def _primitives() -> tuple[Any, Any, type[Exception]]:
    """AES-GCM, scrypt, and what says that something was changed."""
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    except ImportError as error:
        raise IdentityError(
            "keys and tables cannot be encrypted: the package cryptography is not installed",
            attribute="cryptography",
            advice='Install it: pip install "slicermedai[deid]", or pip_install("cryptography") in Slicer.',
        ) from error
    return AESGCM, Scrypt, InvalidTag
