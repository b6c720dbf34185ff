"""From a TOML file, the environment and secret files to `Settings`, or to every fault with its place.

Strongest first: environment, file, then files of secrets. A message names file, line and key, or the variable, and what
is expected; it never shows a value.
"""

from __future__ import annotations

import difflib
import json
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import InitSettingsSource, PydanticBaseSettingsSource

from reconciler.errors import ConfigError, Problem
from reconciler.message import say
from reconciler.settings.lines import Place, lines_of
from reconciler.settings.model import SECRETS, Settings
from reconciler.settings.values import shown

PREFIX: Final = "RECONCILER__"
CREDENTIALS: Final = Path("/run/credentials")
"""Where systemd puts credentials. It guards them itself, with access lists that look like group permissions."""

_PLAIN: Final = {
    "string_type": say("must be text in quotes"),
    "int_type": say("must be a whole number"),
    "float_type": say("must be a number"),
    "tuple_type": say("must be a list"),
    "dict_type": say("must be a table"),
    "model_type": say("must be a table"),
    "too_short": say("must not be empty"),
}
"""Pydantic's commonest faults in the words of a config file."""


def load(path: Path, env: Mapping[str, str]) -> Settings:
    """The settings of the file at `path`, with the overrides and credentials that `env` names.

    Raises `ConfigError` with one problem for each fault.
    """
    text = _read(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax_problem(path, str(error))) from None
    except (ValueError, RecursionError):  # what the parser lets through: thousands of digits, or of brackets
        message = say("holds a number too long or a list too deep to be read; shorten it")
        raise ConfigError(Problem(where=str(path), message=message)) from None
    origin = _Origin(str(path), lines_of(text))
    required: dict[str, Any] = {name: {} for name, info in Settings.model_fields.items() if info.is_required()}
    given: dict[str, Any] = {
        "sources": (
            _Environment(origin, env),
            InitSettingsSource(Settings, required | table),
            _SecretFiles(origin, env),
        )
    }
    try:
        settings = Settings(**given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        origin.problems.extend(origin.problem(e["loc"], _message(e)) for e in faults if not _is_missing_secret(e))
    if origin.problems:
        raise ConfigError(*sorted(origin.problems, key=lambda problem: (problem.where, problem.line)))
    return settings


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        message = say("is not a text in UTF-8; save it as UTF-8")
    except FileNotFoundError:
        message = say("there is no such file; give the config file with --config")
    except (OSError, ValueError) as error:
        message = say("cannot be read: {error}", error=_words(error))
    raise ConfigError(Problem(where=str(path), message=message))


def _syntax_problem(path: Path, words: str) -> Problem:
    place = re.search(r" \(at line (\d+), column (\d+)\)", words)
    what = say("not valid TOML: {value}", value=words if place is None else words[: place.start()])
    if place is None:
        return Problem(where=str(path), message=what)
    return Problem(
        where=str(path), line=int(place[1]), message=say("{what} (column {value})", what=what, value=place[2])
    )


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where each value came from, to say where a fault is; and the faults found so far."""

    file: str
    lines: Mapping[Place, int]
    variables: dict[Place, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, place: Place, message: str) -> Problem:
        """A fault at `place`: at its variable if one gave it, else at the nearest line that the file has for it."""
        nearest = [place[:length] for length in range(len(place), 0, -1)]
        variable = next((self.variables[near] for near in nearest if near in self.variables), None)
        if variable is not None:
            return Problem(where="environment", key=variable, message=message)
        line = next((self.lines[near] for near in nearest if near in self.lines), 0)
        return Problem(where=self.file, line=line, key=_dotted(place), message=message)


def _dotted(place: Place) -> str:
    """The key as TOML writes it, with the position in an array in brackets."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != "[key]":  # pydantic's way to say that the key itself is at fault
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


class _Source(PydanticBaseSettingsSource):
    """What the two sources here share: where values come from, and that they give all of them at once."""

    def __init__(self, origin: _Origin, env: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.origin = origin
        self.env = env

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False


class _Environment(_Source):
    """`RECONCILER__SECTION__KEY` in any case. Text as it is; numbers, lists and tables as JSON (tables whole)."""

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        known = set(_variables(Settings, PREFIX))
        for name, text in self.env.items():
            if not name.upper().startswith(PREFIX):
                continue
            place = tuple(name[len(PREFIX) :].lower().split("__"))
            info = _field_at(place)
            if info is None or name.upper() not in known:
                near = _nearest(name.upper(), known)
                self._refuse(name, say("there is no such setting; remove the variable{near}", near=near))
                continue
            try:
                value = _decoded(info, text)
            except (ValueError, RecursionError):
                self._refuse(name, say("must be a number, or a list or table in JSON"))
                continue
            self.origin.variables[place] = name
            target = values
            for part in place[:-1]:
                target = target.setdefault(part, {})
            target[place[-1]] = value
        return values

    def _refuse(self, name: str, message: str) -> None:
        self.origin.problems.append(Problem(where="environment", key=name, message=message))


def _decoded(info: FieldInfo, text: str) -> Any:
    if get_origin(info.annotation) in (dict, tuple) or info.annotation in (int, float):
        value = json.loads(text)
        # Merging goes through every dict; a table from a variable replaces the file's, so it must not be one.
        return MappingProxyType(value) if isinstance(value, dict) else value
    return text


class _SecretFiles(_Source):
    """The credentials that are neither in the file nor in a variable: from `*_file`, else from systemd.

    One that has a default may be missing.
    """

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for section, key in SECRETS:
            table = self.current_state.get(section, {})
            if isinstance(table, dict):
                try:
                    values.setdefault(section, {}).update(self._secret(section, key, table))
                except ConfigError as error:
                    self.origin.problems.extend(error.problems)
        return values

    def _secret(self, section: str, key: str, table: Mapping[str, Any]) -> dict[str, str]:
        """The secret under its key; nothing if it was given already, or if its `*_file` is no text at all."""
        named = table.get(f"{key}_file", "")
        if key in table and named:
            raise self._fault((section, f"{key}_file"), say("{key} is given too; remove one of the two", key=key))
        if key in table or not isinstance(named, str):
            return {}
        if named:
            return {key: self._content(Path(named), (section, f"{key}_file"))}
        for credential in self._credentials(f"{section}_{key}"):
            if _is_file(credential):
                return {key: self._content(credential, (section, key))}
        secret = _field_at((section, key))
        if secret is not None and not secret.is_required():
            return {}
        ways = say("give {key} or {key}_file, or load systemd's credential {name}", key=key, name=f"{section}_{key}")
        raise self._fault((section, key), say("is missing; {ways}", ways=ways))

    def _credentials(self, name: str) -> list[Path]:
        """Where systemd may have put a credential: its own for this config file, else the only one there is.

        A folder that is loaded as the credential `secrets` becomes one credential a file, `secrets_FILE`.
        """
        folder = self.env.get("CREDENTIALS_DIRECTORY")
        own = f"{Path(self.origin.file).stem}.{name}"
        return [Path(folder, one) for one in (f"secrets_{own}", own, name)] if folder else []

    def _content(self, path: Path, place: Place) -> str:
        try:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and not self._guarded(path):
                raise self._fault(place, say("{path} is open to other users; run: chmod 600 {path}", path=path))
            secret = path.read_text("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise self._fault(
                place, say("{path} is not a text in UTF-8; write the secret into it", path=path)
            ) from None
        except (OSError, ValueError) as error:
            raise self._fault(
                place,
                say("{path} cannot be read: {error}; correct the path or its rights", path=path, error=_words(error)),
            ) from None
        if not secret:
            raise self._fault(place, say("{path} is empty; write the secret into it", path=path))
        return secret

    def _guarded(self, path: Path) -> bool:
        own = self.env.get("CREDENTIALS_DIRECTORY")
        homes = [CREDENTIALS, *([Path(own)] if own else [])]
        return any(path.resolve().is_relative_to(home.resolve()) for home in homes)

    def _fault(self, place: Place, message: str) -> ConfigError:
        return ConfigError(self.origin.problem(place, message))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # not ours to look into


def _words(error: OSError | ValueError) -> str:
    """What the system says about a file, without its path; a ValueError is a path that cannot be one."""
    return (isinstance(error, OSError) and error.strerror) or "not a path"


def _field_at(place: Iterable[str | int]) -> FieldInfo | None:
    """The setting or section at a path; None if there is none, or if it lies inside a list or table of settings."""
    model: type[BaseModel] | None = Settings
    info: FieldInfo | None = None
    for part in place:
        info = model.model_fields.get(str(part)) if model else None
        if info is None:
            return None
        model = _section(info)
    return info


def _section(info: FieldInfo) -> type[BaseModel] | None:
    """The model of a section, or None for a plain setting; routes are a list of sections."""
    inner = get_args(info.annotation)[0] if get_origin(info.annotation) is tuple else info.annotation
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The names of all variables that mean something."""
    for name, info in model.model_fields.items():
        section = _section(info)
        if section is None or get_origin(info.annotation) is tuple:
            yield prefix + name.upper()
        else:
            yield from _variables(section, f"{prefix}{name.upper()}__")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return say(", or did you mean {value}?", value=near[0]) if near else ""


def _is_missing_secret(error: ErrorDetails) -> bool:
    """Whether pydantic misses a credential; `_SecretFiles` has said so already, and why."""
    return error["type"] == "missing" and error["loc"] in SECRETS


def _message(error: ErrorDetails) -> str:
    """What is wrong and what is expected, for a person; never what was given."""
    info = _field_at(part for part in error["loc"] if isinstance(part, str))
    if error["type"] == "extra_forbidden":
        return say("there is no such key; remove it") + _nearest(str(error["loc"][-1]), _siblings(error["loc"]))
    if error["type"] == "missing":
        return (
            say("is missing: {description}", description=say(info.description))
            if info and info.description
            else say("is missing")
        )
    words = _expected(error)
    if info is None or info.default == "" or not isinstance(info.default, str | int | float | timedelta):
        return words
    default = shown(info.default) if isinstance(info.default, timedelta) else info.default
    return say("{words} (default: {default})", words=words, default=json.dumps(default, ensure_ascii=False))


def _expected(error: ErrorDetails) -> str:
    """What would be right; the context that pydantic gives is never printed whole, it may hold a value."""
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return say("{words}", words=context["error"])
        case "literal_error":
            return say("must be {choices}", choices=context["expected"])
        case "greater_than":
            return say("must be greater than {least}", least=context["gt"])
        case "greater_than_equal":
            return say("must be greater than or equal to {least}", least=context["ge"])
        case "less_than_equal":
            return say("must be less than or equal to {most}", most=context["le"])
        case kind:
            return _PLAIN.get(kind) or re.sub(r"^\w+ should ", "must ", error["msg"])


def _siblings(place: Place) -> Iterable[str]:
    """The keys that are known beside `place`."""
    names = [part for part in place[:-1] if isinstance(part, str)]
    parent = _field_at(names)
    model = Settings if parent is None else _section(parent)
    return model.model_fields if model else ()
