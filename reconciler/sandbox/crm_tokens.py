"""The CRM's access tokens: JWT-shaped, with `exp` in Unix seconds, valid 24 hours, no refresh token."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Final

LIFETIME: Final = timedelta(hours=24)
_KEY: Final = b"sandbox"


class Tokens:
    """The tokens given out so far and when each expires."""

    def __init__(self) -> None:
        self._expiry: dict[str, datetime] = {}
        self._count = 0

    def issue(self, client_id: str, now: datetime, lifetime: timedelta = LIFETIME) -> str:
        """A new token, different from every earlier one."""
        self._count += 1
        expiry = (now + lifetime).replace(microsecond=0)
        head = _part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        claims = {"client_id": client_id, "jti": self._count, "exp": int(expiry.timestamp())}
        body = _part(json.dumps(claims).encode())
        signature = _part(hmac.new(_KEY, f"{head}.{body}".encode(), hashlib.sha256).digest())
        token = f"{head}.{body}.{signature}"
        self._expiry[token] = expiry
        return token

    def expiry(self, token: str) -> datetime | None:
        """When the token expires; None if it was never given out."""
        return self._expiry.get(token)

    def expire_all(self) -> None:
        """Every token given out so far has expired long ago, whatever its `exp` says."""
        long_ago = datetime.fromtimestamp(0, UTC)
        self._expiry = dict.fromkeys(self._expiry, long_ago)


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
