"""The kinds of value a setting can have, each with its rule. A message says what is expected, never what was given:
it may have been a secret on the wrong line.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SecretStr,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from reconciler import minisign
from reconciler.message import say

_UNITS: Final = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_LONGEST: Final = timedelta(days=3650)
"""Ten years: nothing sensible is longer, and no date arithmetic can overflow."""


@dataclass(frozen=True, slots=True)
class _Duration:
    """A whole number with a unit, such as "45s", "5m", "6h", "1d" or "500ms"; at least `least`."""

    least: timedelta = timedelta(milliseconds=1)

    def parse(self, given: object) -> timedelta:
        if isinstance(given, timedelta):
            value = given
        else:
            found = re.fullmatch(r"([0-9]{1,12})(ms|s|m|h|d)", given) if isinstance(given, str) else None
            if found is None:
                raise ValueError(
                    say('must be a whole number with a unit in quotes, such as "45s", "5m", "6h", "1d" or "500ms"')
                )
            number, unit = int(found[1]), _UNITS[found[2]]
            value = number * unit if number <= _LONGEST / unit else timedelta.max
        if not self.least <= value <= _LONGEST:
            raise ValueError(
                say('must be between "{least}" and "{longest}"', least=shown(self.least), longest=shown(_LONGEST))
            )
        return value

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(shown, when_used="json"),
            json_schema_input_schema=core_schema.str_schema(pattern="^[0-9]{1,12}(ms|s|m|h|d)$"),
        )


@dataclass(frozen=True, slots=True)
class _Text:
    """Text that matches `pattern` as a whole; `rule` says so in words."""

    pattern: str
    rule: str

    def check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(self.rule)
        return text

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^({self.pattern})$"}


def shown(value: timedelta) -> str:
    """A duration as a config file says it, in the largest unit that gives a whole number."""
    name, unit = next(((n, u) for n, u in _UNITS.items() if value and not value % u), ("s", _UNITS["s"]))
    return f"{value // unit}{name}"


def _target(given: object) -> object:
    """A project or task group: an id as a number or in digits, or a name; always text inside."""
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    """The parts of an http or https address; a ValueError says what is wrong with it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError(say("must be an address such as https://host/path"))
    return parts


def _guarded(url: str) -> str:
    """An address that nobody on the way can read: https, or on this machine; credentials have their own keys."""
    parts = _split(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError(say("must not hold a user name or password; credentials have their own keys"))
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError(say("must begin with https://; plain http is allowed to a loopback address only"))
    return url


def _base_url(url: str) -> str:
    if "?" in _guarded(url) or "#" in url:  # also with nothing behind it: paths are appended to the address
        raise ValueError(say("must end with the path; remove what follows ? or #"))
    return url.rstrip("/")


def _webhook(url: SecretStr) -> SecretStr:
    if url.get_secret_value():
        _guarded(url.get_secret_value())
    return url


def _proxy(url: SecretStr) -> SecretStr:
    if url.get_secret_value():
        _split(url.get_secret_value())
    return url


def _signing_key(key: SecretStr) -> SecretStr:
    try:
        if key.get_secret_value():
            minisign.secret_key(key.get_secret_value())
    except minisign.Unusable:
        raise ValueError(
            say("must be a minisign secret key without a password; make one: minisign -G -W -p PUBLIC -s SECRET")
        ) from None
    return key


def _readable(path: str) -> str:
    try:
        if path:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ValueError):  # what is no certificate is an OSError too
        raise ValueError(say("is not a readable file; give the path of a PEM file, or leave it empty")) from None
    return path


def _state_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    path = text.removeprefix("sqlite:///")
    sqlite = path != text and path not in ("", ":memory:") and "?" not in path and not path.startswith("file:")
    if not sqlite and not re.fullmatch(r"postgresql://\S+", text):
        raise ValueError(
            say("must be sqlite:///FILE (four slashes before an absolute path) or postgresql://USER@HOST/DATABASE")
        )
    return url


def listen_address(text: str) -> tuple[str, int]:
    """HOST:PORT in its two parts, the brackets of an IPv6 host removed; port 0 lets the system choose."""
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (
        not colon
        or not bare
        or (":" in bare and bare == host)
        or not re.fullmatch(r"[0-9]{1,5}", port)
        or int(port) > 65535
    ):
        raise ValueError(say('must be HOST:PORT, such as "127.0.0.1:8780"'))
    return bare, int(port)


def _listen(text: str) -> str:
    listen_address(text)
    return text


def _or_empty(check: Callable[[str], str]) -> Callable[[str], str]:
    """The same rule, for a setting that may also be empty."""
    return lambda text: check(text) if text else text


Duration = Annotated[timedelta, _Duration()]
DurationOrZero = Annotated[timedelta, _Duration(least=timedelta(0))]
DurationFromSecond = Annotated[timedelta, _Duration(least=timedelta(seconds=1))]
DurationFromDay = Annotated[timedelta, _Duration(least=timedelta(days=1))]
DurationFromMinute = Annotated[timedelta, _Duration(least=timedelta(minutes=1))]

Word = Annotated[str, _Text(r"\S(.*\S)?", say("must be one line of text, not empty, without spaces at its ends"))]
Words = Annotated[tuple[Word, ...], Field(min_length=1)]
Target = Annotated[
    Word, BeforeValidator(_target), WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 1}]})
]
Count = Annotated[int, Field(strict=True, ge=1)]
Percent = Annotated[float, Field(strict=True, gt=0, le=100)]
Rate = Annotated[float, Field(strict=True, gt=0, le=10_000)]
_HOUR: Final = _Text(r"([01][0-9]|2[0-3]):[0-5][0-9]", say('must be an hour and minute in quotes, such as "08:00"'))
Hour = Annotated[str, _HOUR]
OptionalHour = Annotated[str, AfterValidator(_or_empty(_HOUR.check))]
_MAIL: Final = _Text(r"[^\s@<>,;:\"()\\]+@[A-Za-z0-9.-]+", say("must be a mail address such as it@example.vn"))
MailAddress = Annotated[str, _MAIL]
OptionalMailAddress = Annotated[str, AfterValidator(_or_empty(_MAIL.check))]
Secret = Annotated[SecretStr, Field(min_length=1)]
SigningKey = Annotated[SecretStr, AfterValidator(_signing_key)]

BaseUrl = Annotated[str, AfterValidator(_base_url)]
Proxy = Annotated[SecretStr, AfterValidator(_proxy)]
ReadableFile = Annotated[str, AfterValidator(_readable)]
StateUrl = Annotated[SecretStr, AfterValidator(_state_url)]
Webhook = Annotated[SecretStr, AfterValidator(_webhook)]
Listen = Annotated[str, AfterValidator(_listen)]
OptionalListen = Annotated[str, AfterValidator(_or_empty(_listen))]
