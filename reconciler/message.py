"""What a person reads: an English sentence that remembers its pattern and values, so that it can be said in Vietnamese.

A `Message` is a plain string everywhere (its English form), so nothing has to know about languages until a person
reads it. The pattern is the key of the catalogues; values that are messages themselves are translated too. `pack` and
`unpack` are its form in the state: a sentence stored by one cycle is read later in either language.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final

Translate = Callable[[str], str]

_PACKED: Final = '{"say":'


class Message(str):
    """An English text with its `pattern` (a `str.format` template) and the `values` that fill it."""

    pattern: str
    values: Mapping[str, str]
    __slots__ = ("pattern", "values")

    def __add__(self, other: str) -> str:
        return joined([self, other], "")

    def into(self, translate: Translate) -> str:
        """The sentence in the language of `translate`, which maps a pattern to its translation."""
        return translate(self.pattern).format(**{name: into(value, translate) for name, value in self.values.items()})


def say(pattern: str, /, **values: object) -> Message:
    """A sentence for a person. `pattern` is an English literal; a value is a message, a name of ours or any text."""
    kept = {name: _value(value) for name, value in values.items()}
    message = Message(pattern.format(**kept))
    message.pattern, message.values = pattern, kept
    return message


def word(code: str) -> str:
    """One of our own codes ("conflict", "crm"), which translates; a person's free text in its place stays as it is."""
    return code if "{" in code or "}" in code else say(code)


def into(text: str, translate: Translate) -> str:
    """Any text in the language of `translate`: a message is translated, everything else stays as it is."""
    return text.into(translate) if isinstance(text, Message) else text


def joined(texts: Iterable[object], separator: str = "; ") -> str:
    """Several texts (as the values of `say`) as one, which still translates as a whole."""
    parts = [_value(text) for text in texts]
    if not any(isinstance(part, Message) for part in parts):
        return separator.join(parts)
    names = [f"part{number}" for number in range(len(parts))]
    return say(separator.join(f"{{{name}}}" for name in names), **dict(zip(names, parts, strict=True)))


def pack(text: str) -> str:
    """The form in which a text is stored: a plain text as it is, a message with its pattern and values."""
    if isinstance(text, Message):
        return _dump(text)
    return _dump(say("{text}", text=text)) if text.startswith(_PACKED) else text


def unpack(stored: str) -> str:
    """What `pack` was given."""
    if not stored.startswith(_PACKED):
        return stored
    text = _load(json.loads(stored))
    return text.values["text"] if isinstance(text, Message) and text.pattern == "{text}" else text


def _value(value: object) -> str:
    if isinstance(value, Enum):  # a side, a field: a word of ours, translated like any sentence
        return say(str(value.value))
    if isinstance(value, Exception) and value.args and isinstance(value.args[0], str):
        return value.args[0]  # str(value) would forget the pattern
    return value if isinstance(value, str) else str(value)


def _dump(message: Message) -> str:
    return json.dumps(_tree(message), ensure_ascii=False, separators=(",", ":"))


def _tree(text: str) -> Any:
    if not isinstance(text, Message):
        return str(text)
    return {"say": text.pattern, "with": {name: _tree(value) for name, value in text.values.items()}}


def _load(tree: Any) -> str:
    if isinstance(tree, str):
        return tree
    return say(tree["say"], **{name: _load(value) for name, value in tree["with"].items()})
