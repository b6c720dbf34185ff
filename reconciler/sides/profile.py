"""Everything assumed about the two wire formats, in one place: names, paths, page origins, batch sizes, known limits.

A wrong assumption is one edit here, or one key under `[wire.crm]` or `[wire.work]` in the config file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self
from urllib.parse import urlsplit

from reconciler.core.model import Field
from reconciler.errors import ConfigError, Problem
from reconciler.message import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What both wire formats have: batch sizes and known limits, in records and characters. `page` is the address of a
    record in a browser, with {id}, for links in reports; empty: not known."""

    page_size: int = 100
    by_id: int = 100
    batch: int = 20
    title_limit: int = 255
    description_limit: int = 10_000
    scan_passes: int = 5
    page: str = ""

    @property
    def lengths(self) -> Mapping[Field, int]:
        """The largest number of characters of the limited fields."""
        return {Field.TITLE: self.title_limit, Field.DESCRIPTION: self.description_limit}

    def with_overrides(self, overrides: Mapping[str, Any]) -> Self:
        """The profile with some values replaced. Raises `ConfigError` for unknown keys and for unusable values."""
        known = {one.name for one in fields(self)}
        problems: list[Problem] = []
        chosen: dict[str, Any] = {}
        for key, value in overrides.items():
            if key not in known:
                wrong: str = say("unknown key; known are {value}", value=", ".join(sorted(known)))
            else:
                present = getattr(self, key)
                chosen[key] = tuple(value) if isinstance(present, tuple) and isinstance(value, list) else value
                wrong = _wrong(key, present, chosen[key])
            if wrong:
                problems.append(Problem(where="[wire]", key=key, message=wrong))
        if problems:
            raise ConfigError(*problems)
        return replace(self, **chosen)


def _wrong(key: str, present: object, value: object) -> str:
    """Why a value cannot stand in place of the present one; empty if it can."""
    if isinstance(present, tuple):
        words = isinstance(value, tuple) and all(isinstance(one, str) and one for one in value)
        return "" if words else say("must be a list of words")
    if key == "page":
        wrong = say("must be an https address with {place}", place="{id}")
        return "" if isinstance(value, str) and _linkable(value) else wrong
    if isinstance(present, str):
        return "" if isinstance(value, str) and value else say("must be a text")
    least = 0 if key == "first_page" else 1
    whole = isinstance(value, int) and not isinstance(value, bool)
    return (
        ""
        if whole and isinstance(value, int) and value >= least
        else say("must be a whole number, at least {least}", least=least)
    )


def _linkable(page: str) -> bool:
    """Whether a link in a report may lead there: https, or this machine, and the id in its place."""
    address = urlsplit(page)
    ours = address.hostname in ("127.0.0.1", "::1", "localhost")
    safe = address.scheme == "https" or (address.scheme == "http" and ours)
    return safe and bool(address.hostname) and "{id}" in page and "{id}" not in address.netloc


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmProfile(Profile):
    """AMIS Bán hàng. The verbs and envelopes are documented for its other modules, the task module is assumed."""

    token_path: str = "/Account"
    tasks_path: str = "/Tasks"
    by_id_path: str = "/Tasks/id"
    first_page: int = 0
    order_by: str = "modified_date"
    description_limit: int = 20_000
    id: str = "id"
    title: str = "task_name"
    description: str = "description"
    start: str = "start_date"
    due: str = "due_date"
    owner: str = "owner_name"
    status: str = "status"
    modified: str = "modified_date"
    modified_by: str = "modified_by"
    created: str = "created_date"
    created_by: str = "created_by"
    deleted: str = "is_deleted"
    layout: str = "form_layout"
    priority: str = "priority"
    unit: str = "organization_unit_name"
    expired: tuple[str, ...] = ("ExpiredToken", "InvalidToken", "InvalidAccessToken")
    disconnected: str = "AppIDDisconnect"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkProfile(Profile):
    """AMIS Công việc, modelled on the published interface of a sibling app; there is no public document."""

    projects_verb: str = "get-projects"
    groups_verb: str = "get-task-groups"
    members_verb: str = "get-project-members"
    list_verb: str = "get-tasks"
    by_id_verb: str = "get-tasks-by-id"
    insert_verb: str = "insert-tasks"
    update_verb: str = "update-tasks"
    delete_verb: str = "delete-tasks"
    first_page: int = 1
    id: str = "TaskID"
    title: str = "TaskName"
    description: str = "Description"
    start: str = "StartDate"
    due: str = "Deadline"
    owner: str = "DoerCodes"
    status: str = "StatusName"
    modified: str = "ModifiedDate"
    modified_by: str = "ModifiedBy"
    created: str = "CreatedDate"
    created_by: str = "CreatedBy"
    deleted: str = "IsDeleted"
    archived: str = "IsArchived"
    project: str = "ProjectID"
    group: str = "TaskGroupID"
    custom: str = "CustomFields"
    marker: str = "crm_task_id"
    signature: tuple[str, ...] = field(default=("InvalidSignature", "DuplicateTransaction"))


def names(profile: CrmProfile | WorkProfile) -> Mapping[Field, str]:
    """The wire name of every synced field."""
    return {
        Field.TITLE: profile.title,
        Field.DESCRIPTION: profile.description,
        Field.START: profile.start,
        Field.DUE: profile.due,
        Field.OWNER: profile.owner,
        Field.STATUS: profile.status,
    }
