"""What an error over a whole write call means for each of its elements."""

from __future__ import annotations

from typing import Final

from reconciler.core.model import Code, Refused, Side
from reconciler.errors import Unclear
from reconciler.message import say
from reconciler.sides.http import Reply

WRONG: Final = frozenset({400, 405, 413, 414, 415, 422})
"""HTTP statuses that say: this request is wrong, and nothing was done."""


def refused_call(side: Side, verb: str, reply: Reply) -> Refused:
    """The refusal of every element, in the server's words. Raises `Unclear` if the answer is no clear refusal."""
    assert reply.trouble is not None
    fault = reply.trouble
    words = fault.words or fault.code or f"HTTP {reply.status}"
    if reply.status == 403:
        return Refused(code=Code.FORBIDDEN, words=words)
    if reply.status in WRONG:
        return Refused(code=Code.INVALID_VALUE, words=words)
    raise Unclear(
        side,
        say(
            "{side} {verb}: HTTP {status}{words}",
            side=side,
            verb=verb,
            status=reply.status,
            words=f" {fault.code}" if fault.code else "",
        ),
        words=fault.words,
    )
