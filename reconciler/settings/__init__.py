"""The settings of one connection: frozen values, read once from a TOML file, the environment and secret files.

`load` takes a path and an environment and gives a `Settings`, or raises `ConfigError` with every fault at once. Nothing
here is read at import, and nothing here knows what a setting is for: the composition root hands the values on.
"""

from reconciler.settings.loading import load
from reconciler.settings.model import (
    Conflict,
    Connection,
    Crm,
    Deletes,
    Fields,
    Http,
    Journal,
    Limits,
    Notify,
    Route,
    RouteWhen,
    Safety,
    Schedule,
    Settings,
    State,
    StatusMaps,
    Times,
    Watermark,
    Web,
    Wire,
    Work,
    json_schema,
)

__all__ = [
    "Conflict",
    "Connection",
    "Crm",
    "Deletes",
    "Fields",
    "Http",
    "Journal",
    "Limits",
    "Notify",
    "Route",
    "RouteWhen",
    "Safety",
    "Schedule",
    "Settings",
    "State",
    "StatusMaps",
    "Times",
    "Watermark",
    "Web",
    "Wire",
    "Work",
    "json_schema",
    "load",
]
