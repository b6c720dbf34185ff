"""The tasks of the sandbox AMIS Công việc and the people who work on them."""

import copy
import random
from datetime import datetime
from typing import Any, Final

from reconciler.sandbox.clock import SandboxClock, second
from reconciler.sandbox.company import DONE, MARKER, NOT_DONE, Row
from reconciler.sandbox.system import System
from reconciler.sandbox.work_access import Signatures
from reconciler.sandbox.work_rules import MOMENTS, WRITABLE, is_moment
from reconciler.sandbox.work_tenant import (
    APPROVAL_GROUP,
    END_OF_DAY_GROUP,
    FRIDAY_GROUP,
    GroupRule,
    end_of_day,
    end_of_friday,
    groups,
    members,
    projects,
)

_SETTABLE: Final = WRITABLE | {"IsArchived", "IsDeleted", "CreatedBy", "ModifiedBy", "IsCompleted", "CompletedDate"}


class WorkRecords(System):
    """What is stored, and the control methods: `add`, `edit`, `delete`... are the people.

    `projects`, `groups` and `members` may be edited at any time. In `approval_groups` only people complete tasks.
    `group_rules` maps a task group to what the server does after every write to a task in it: a function of the stored
    row and the names that changed (`TaskGroupID` among them when the task has just entered). In `read_only_projects`
    the API may neither edit nor delete.
    """

    side = "work"

    def __init__(
        self,
        *,
        now: SandboxClock,
        rng: random.Random,
        client_id: str = "sandbox-work",
        secret_key: str = "sandbox-key",
    ) -> None:
        super().__init__(now=now, rng=rng)
        self.client_id = client_id
        self.secret_key = secret_key
        self.projects = projects()
        self.groups = groups()
        self.members = members()
        self.approval_groups: set[int] = {APPROVAL_GROUP}
        self.group_rules: dict[int, GroupRule] = {END_OF_DAY_GROUP: end_of_day, FRIDAY_GROUP: end_of_friday}
        self.read_only_projects: set[int] = set()
        self._signatures = Signatures()
        self._parents: set[int] = set()
        self._next_id = 7001

    def add(
        self,
        *,
        TaskID: int | None = None,  # noqa: N803 (contract name)
        modified: datetime | None = None,
        created: datetime | None = None,
        **fields: Any,
    ) -> int:
        """A person adds a task, by default to the first group of project 12. Returns the id.

        An unknown field is a TypeError; a wrong time, a naive stamp and an id in use are ValueErrors.
        """
        with self.entered():
            self._check_control(fields)
            new_id = self._next_id if TaskID is None else TaskID
            if new_id in self.rows:
                raise ValueError(f"task {new_id} exists")
            while self._next_id in self.rows or self._next_id == new_id:
                self._next_id += 1
            self._remember(new_id)
            changed = second(modified) if modified else self.stamp()
            project = fields.get("ProjectID", 12)
            row: Row = {
                "TaskID": new_id,
                "TaskName": "Gọi khách hàng",
                "Description": None,
                "ProjectID": project,
                "TaskGroupID": self._first_group(project),
                "ParentTaskID": None,
                "IsCompleted": False,
                "StatusName": NOT_DONE,
                "Progress": 0,
                "StartDate": None,
                "Deadline": None,
                "CompletedDate": None,
                "DoerCodes": ["NV001"],
                "RelatedCodes": [],
                "IsArchived": False,
                "IsDeleted": False,
                "CreatedDate": second(created) if created else changed,
                "CreatedBy": "NV001",
                "ModifiedDate": changed,
                "ModifiedBy": "NV001",
                "CustomFields": {},
            }
            self.rows[new_id] = row
            self._put(row, {"TaskGroupID": row["TaskGroupID"], **copy.deepcopy(fields)}, entered=True)
            return new_id

    def edit(
        self, id: int, *, by: str = "NV002", stamp: datetime | None = None, keep_stamp: bool = False, **fields: Any
    ) -> None:
        """A person edits a task (`CustomFields` replaces them all; an approver may complete anything)."""
        with self.entered():
            self._check_control(fields)
            row = self.rows[id]
            self._remember(id)
            self._put(row, copy.deepcopy(fields))
            if not keep_stamp:
                row["ModifiedDate"] = second(stamp) if stamp else self.stamp()
                row["ModifiedBy"] = by

    def delete(self, id: int, *, by: str = "NV002", stamp: datetime | None = None) -> None:
        """A person deletes a task: the row stays readable with `IsDeleted: true`."""
        self.edit(id, by=by, stamp=stamp, IsDeleted=True)

    def restore(self, id: int, *, by: str = "NV002", stamp: datetime | None = None) -> None:
        """A person takes a task back out of the bin."""
        self.edit(id, by=by, stamp=stamp, IsDeleted=False)

    def purge(self, id: int) -> None:
        """The task is gone for good; the progress of its parent no longer counts it."""
        with self.entered():
            parent = self.rows[id]["ParentTaskID"] if id in self.rows else None
            super().purge(id)
            self._compute_progress(parent)

    def get(self, id: int) -> Row | None:
        """A copy of the stored row (hidden or not); `CreatedDate` and `ModifiedDate` are aware datetimes."""
        with self.entered():
            return copy.deepcopy(self.rows.get(id))

    def by_marker(self, crm_id: object, *, with_deleted: bool = False) -> list[int]:
        """The tasks that carry the link marker of this CRM task, oldest first."""
        with self.entered():
            return sorted(
                id_
                for id_, row in self.rows.items()
                if str(row["CustomFields"].get(MARKER)) == str(crm_id) and (with_deleted or not row["IsDeleted"])
            )

    def archive_project(self, id: int) -> None:
        """A manager archives a project."""
        with self.lock:
            self.projects[id]["IsArchived"] = True

    def _check_control(self, fields: Row) -> None:
        unknown = set(fields) - _SETTABLE
        if unknown:
            raise TypeError(f"AMIS Công việc has no field {sorted(unknown)}")
        for name in MOMENTS:
            if fields.get(name) is not None and not is_moment(fields[name]):
                raise ValueError(f"{name} is ISO 8601 with +07:00 and whole seconds, not {fields[name]!r}")

    def _first_group(self, project: Any) -> int | None:
        own = [group for group in self.groups.values() if group["ProjectID"] == project]
        return min(own, key=lambda group: group["SortOrder"])["TaskGroupID"] if own else None

    def _put(self, row: Row, fields: Row, *, entered: bool = False) -> frozenset[str]:
        """Store values with what follows: completion, the rule of the task group, progress out of sub-tasks."""
        parents = [row["ParentTaskID"]]
        changed = frozenset(name for name, value in fields.items() if row.get(name) != value)
        row.update(fields)
        if "StatusName" in fields:
            done = row["StatusName"] == DONE
            if done != row["IsCompleted"]:
                row["CompletedDate"] = self.iso(self.stamp()) if done else None
                if done or row["Progress"] == 100:
                    row["Progress"] = 100 if done else 0
            row["IsCompleted"] = done
        if entered:
            changed |= {"TaskGroupID"}
        rule = self.group_rules.get(row["TaskGroupID"])
        if rule:
            rule(row, changed)
        if row["ParentTaskID"] is not None:
            self._parents.add(row["ParentTaskID"])
        for parent in (row["TaskID"], *parents, row["ParentTaskID"]):
            self._compute_progress(parent)
        return changed

    def _compute_progress(self, id: int | None) -> None:
        """An open task with sub-tasks has their mean progress, rounded down. That moves no stamp."""
        seen: set[int] = set()
        while id in self._parents and id in self.rows and id not in seen:
            seen.add(id)
            row = self.rows[id]
            parts = [
                one["Progress"] for one in self.rows.values() if one["ParentTaskID"] == id and not one["IsDeleted"]
            ]
            if not parts or row["IsCompleted"] or row["Progress"] == sum(parts) // len(parts):
                return
            self._remember(id)
            row["Progress"] = sum(parts) // len(parts)
            id = row["ParentTaskID"]
