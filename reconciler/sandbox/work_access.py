"""How AMIS Công việc knows a caller: a signature over a transaction id that is never used twice."""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Verdict:
    """Why a call is refused; `breach` says that the client broke the contract (a wrong key alone is a setting)."""

    code: str
    message: str
    breach: bool


@dataclass
class Signatures:
    """The transaction ids seen so far."""

    seen: set[str] = field(default_factory=set)

    def verdict(self, headers: Mapping[str, str], client_id: str, key: str) -> Verdict | None:
        """Nothing if the call is signed as it should be; every call uses its transaction id up, retries included."""
        transaction = headers.get("x-transactionid", "")
        try:
            identity = str(uuid.UUID(transaction))
        except ValueError:
            return Verdict("InvalidSignature", "x-transactionid is not a UUID", breach=True)
        repeated = identity in self.seen
        self.seen.add(identity)
        token = headers.get("x-token")
        if token is None:
            return Verdict("InvalidSignature", "x-token is missing", breach=True)
        right = base64.b64encode(hmac.new(key.encode(), transaction.encode(), hashlib.sha256).digest())
        if headers.get("x-clientid") != client_id or not hmac.compare_digest(token.encode(), right):
            return Verdict("InvalidSignature", "client id or signature is wrong", breach=False)
        if repeated:
            return Verdict("DuplicateTransaction", f"x-transactionid {transaction} is used twice", breach=True)
        return None
