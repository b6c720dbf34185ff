"""The config files of the daemon: which there are, whether one has changed, and whether one can be used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from reconciler import app
from reconciler.errors import ConfigError, Problem
from reconciler.message import say
from reconciler.settings import Settings


class Configs:
    """`given` are config files, and folders whose `.toml` files are configs; what is there is looked up each time."""

    def __init__(self, given: Sequence[Path], env: Mapping[str, str]) -> None:
        self._given = [path.absolute() for path in given]
        self._env = env

    def folders(self) -> set[Path]:
        """The folders in which a file may change, come or go."""
        return {path if path.is_dir() else path.parent for path in self._given}

    def files(self) -> list[Path]:
        """The config files as they lie there now, in a fixed order."""
        found = [sorted(path.glob("*.toml")) if path.is_dir() else [path] for path in self._given]
        return list(dict.fromkeys(path for paths in found for path in paths))

    def none(self) -> ConfigError:
        """The error to raise where `files` gives nothing."""
        places = ", ".join(str(path) for path in self._given)
        words = say("there is no config file; each connection is one .toml file")
        return ConfigError(Problem(where=places, message=words))

    def digest(self) -> str:
        """A digest of all config files, to tell an edit from other traffic in their folders."""
        seen = hashlib.sha256()
        for path in self.files():
            try:
                content = path.read_bytes()
            except OSError:
                content = b""
            seen.update(f"{path}\0{len(content)}\0".encode() + content)
        return seen.hexdigest()

    def load(self, path: Path, others: Mapping[Path, Settings], held: Settings | None) -> Settings:
        """The settings of a file, checked as far as that is possible without the servers. Raises `ConfigError`.

        `others` are the other connections, which must not share a name or a state with it; `held` is what it runs with
        now, if its state is open: that stays the same one.
        """
        settings = app.load(str(path), self._env)
        app.policy(settings)

        def refusal(key: str, message: str) -> ConfigError:
            return ConfigError(Problem(where=str(path), key=key, message=message))

        for other, theirs in others.items():
            if theirs.connection.name == settings.connection.name:
                raise refusal("connection.name", say("{other} has that name too; each needs its own", other=other))
            if _state(theirs) == _state(settings):
                raise refusal("state.url", say("{other} uses that state too; each needs its own", other=other))
        if held is not None and _state(held) != _state(settings):
            raise refusal("state.url", say("cannot change while the daemon runs; restart it"))
        return settings


def changed_keys(before: BaseModel, after: BaseModel, section: str = "") -> list[str]:
    """The keys whose values differ, sorted; secrets too, by their names only."""
    found: list[str] = []
    for name in type(before).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(old, BaseModel):
            found += changed_keys(old, new, f"{section}{name}.")
        elif old != new:
            found.append(section + name)
    return sorted(found)


def _state(settings: Settings) -> str:
    """Where the state of a connection is; two that are equal are one."""
    path = settings.state.path
    return str(path.absolute()) if path is not None else settings.state.url.get_secret_value()
