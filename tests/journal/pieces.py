"""Journals, keys and bundles for the tests here."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from reconciler import minisign
from reconciler.audit.bundle import line_of
from reconciler.core.model import Entry
from reconciler.store.journal import GENESIS, chain
from tests.store.samples import bytes_from, entry

Rows = list[dict[str, Any]]


def entries(count: int) -> list[Entry]:
    """Entries that differ in what they hold, as those of a real journal do."""
    return [
        entry(
            number,
            operator="lan" if number % 7 == 0 else None,
            old=None if number % 5 == 0 else f"Gọi khách {number}",
            inputs={"triple": {"crm": f"Gọi khách {number}", "work": None}} if number % 3 == 0 else {},
        )
        for number in range(1, count + 1)
    ]


def rows(count: int, seed: str = "rows") -> Rows:
    """A chain of that many entries."""
    return list(chain(entries(count), 0, GENESIS, bytes_from(seed)))


def lines(given: Rows) -> list[bytes]:
    """The rows as a bundle holds them."""
    return [line_of(row) for row in given]


def signing_key(name: str = "an-phat") -> minisign.SecretKey:
    """A key that follows from its name."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = hashlib.sha256(name.encode()).digest()
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return minisign.SecretKey(seed, minisign.PublicKey(seed[:8], public))


def secret_text(key: minisign.SecretKey) -> str:
    """The content of the secret-key file that minisign -G -W would have made."""
    kept = key.seed + key.public.key
    digest = hashlib.blake2b(b"Ed" + key.public.number + kept, digest_size=32).digest()
    raw = b"Ed" + b"\0\0" + b"B2" + bytes(48) + key.public.number + kept + digest
    return f"untrusted comment: minisign encrypted secret key\n{base64.b64encode(raw).decode()}\n"
