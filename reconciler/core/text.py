"""When two texts are the same text, and when one is what a server made of the other.

Texts are written as they were typed; only comparison normalises: Unicode NFC, LF newlines, no trailing space.
"""

from __future__ import annotations

import html
import unicodedata


def title(text: str | None) -> str:
    """The comparable form of a title: NFC, stripped at both ends; None is empty."""
    return unicodedata.normalize("NFC", text or "").strip()


def body(text: str | None) -> str:
    """The comparable form of a description: NFC, LF newlines, no trailing space on lines or at the end."""
    lines = unicodedata.normalize("NFC", text or "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).rstrip()


def word(text: str | None) -> str:
    """The comparable form of a status word or a name: NFC, stripped, without case."""
    return unicodedata.normalize("NFC", text or "").strip().casefold()


def clean(text: str) -> str:
    """The text with lone surrogates and U+0000 replaced, which not every database takes; only for what is shown."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def shrunk(sent: str, read: str) -> bool:
    """Whether `read` is a known server rewrite of `sent`: trimmed, normalised, cut to a prefix, or with entities."""
    if body(sent).strip() == body(read).strip():
        return True
    if body(html.unescape(read)).strip() == body(html.unescape(sent)).strip():
        return True
    cut = body(read).strip()
    return bool(cut) and body(sent).strip().startswith(cut)
