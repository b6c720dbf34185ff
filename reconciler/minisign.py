"""Ed25519 signatures in the format of minisign, so that anybody can check them with that public tool.

    minisign -G -W -p journal.pub -s journal.key        makes a pair of keys; -W: the secret one without a password
    minisign -V -p journal.pub -m FILE                  checks FILE against FILE.minisig

A signature covers the BLAKE2b-512 of the text (minisign's "ED") and, once more, itself with a trusted comment.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final

ALGORITHM: Final = b"Ed"
PREHASHED: Final = b"ED"
NO_PASSWORD: Final = b"\0\0"
CHECKSUM: Final = b"B2"
SECRET_BYTES: Final = 2 + 2 + 2 + 32 + 8 + 8 + 8 + 64 + 32


class Unusable(ValueError):
    """A text is no key, or no signature, of the format."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`number` are the 8 bytes that name the pair of keys."""

    number: bytes
    key: bytes

    @property
    def id(self) -> str:
        """The name of the key as minisign prints it: 16 hex digits."""
        return self.number[::-1].hex().upper()

    def text(self) -> str:
        """The content of a `.pub` file."""
        return f"untrusted comment: minisign public key {self.id}\n{_armour(ALGORITHM + self.number + self.key)}\n"


@dataclass(frozen=True, slots=True, repr=False)
class SecretKey:
    """`seed` are the 32 secret bytes; it never shows in a representation."""

    seed: bytes
    public: PublicKey


@dataclass(frozen=True, slots=True)
class Signature:
    """A `.minisig` file: which key made it, over what, and the comment that it vouches for."""

    number: bytes
    signature: bytes
    trusted_comment: str
    whole: bytes

    def text(self) -> str:
        """The content of the file."""
        return (
            "untrusted comment: signature of a reconciler journal\n"
            f"{_armour(PREHASHED + self.number + self.signature)}\n"
            f"trusted comment: {self.trusted_comment}\n{_armour(self.whole)}\n"
        )


def secret_key(text: str) -> SecretKey:
    """The key of a secret-key file without a password. Raises `Unusable`."""
    raw = _body(_line(text, 1), SECRET_BYTES)
    number, seed, public, digest = raw[54:62], raw[62:94], raw[94:126], raw[126:158]
    expected = hashlib.blake2b(ALGORITHM + raw[54:126], digest_size=32).digest()
    # Without a password minisign may leave the digest out (zeros); the public half then has to fit all the same.
    if raw[:6] != ALGORITHM + NO_PASSWORD + CHECKSUM or digest not in (expected, bytes(32)):
        raise Unusable("not an unencrypted minisign secret key")
    if _public_half(seed) != public:
        raise Unusable("the two halves of the key do not fit")
    return SecretKey(seed, PublicKey(number, public))


def _public_half(seed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def public_key(text: str) -> PublicKey:
    """The key of a `.pub` file, or of its second line alone. Raises `Unusable`."""
    raw = _body(text.strip().splitlines()[-1] if text.strip() else "", 42)
    if raw[:2] != ALGORITHM:
        raise Unusable("not a minisign public key")
    return PublicKey(raw[2:10], raw[10:])


def signature(text: str) -> Signature:
    """The content of a `.minisig` file. Raises `Unusable`."""
    raw, whole = _body(_line(text, 1), 74), _body(_line(text, 3), 64)
    comment = _line(text, 2)
    if raw[:2] != PREHASHED or not comment.startswith("trusted comment: "):
        raise Unusable("not a prehashed minisign signature")
    return Signature(raw[2:10], raw[10:], comment.removeprefix("trusted comment: "), whole)


def sign(key: SecretKey, content: bytes, trusted_comment: str) -> Signature:
    """Sign `content` and a one-line comment; the same input gives the same signature."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if "\n" in trusted_comment or "\r" in trusted_comment:
        raise ValueError("a trusted comment is one line")
    private = Ed25519PrivateKey.from_private_bytes(key.seed)
    made = private.sign(hashlib.blake2b(content).digest())
    return Signature(key.public.number, made, trusted_comment, private.sign(made + trusted_comment.encode()))


def holds(key: PublicKey, content: bytes, made: Signature) -> bool:
    """Whether `made` is this key's signature of `content` and of its comment."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if made.number != key.number:
        return False
    public = Ed25519PublicKey.from_public_bytes(key.key)
    try:
        public.verify(made.signature, hashlib.blake2b(content).digest())
        public.verify(made.whole, made.signature + made.trusted_comment.encode())
    except InvalidSignature:
        return False
    return True


def _armour(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _line(text: str, number: int) -> str:
    lines = text.strip("\n").split("\n")
    return lines[number].rstrip("\r") if number < len(lines) else ""


def _body(line: str, size: int) -> bytes:
    """What a line of base64 holds; it must be exactly that many bytes, and spelled in the one canonical way."""
    try:
        raw = base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != size or _armour(raw) != line.strip():
        raise Unusable(f"not {size} bytes in base64")
    return raw
