"""The sandbox CRM's tasks and the people who work on them."""

import copy
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from reconciler.sandbox.clock import SandboxClock, second
from reconciler.sandbox.company import CRM_STATUSES, NOT_STARTED, Row, label
from reconciler.sandbox.crm_rules import CUSTOM, DATES, LAYOUT, WRITABLE, stored_day
from reconciler.sandbox.crm_tokens import LIFETIME, Tokens
from reconciler.sandbox.system import System

ServerRule = Callable[[Row, frozenset[str]], None]

_SETTABLE: Final = WRITABLE | {"is_deleted", "created_by", "modified_by"}


class CrmRecords(System):
    """What is stored, and the control methods: `add`, `edit`, `delete`... are the people.

    `statuses` is the tenant's pick list. Each of `rules` is called with the stored row and the names that changed after
    every create and update of the API, and may change the row: the server's own answer to a write.
    """

    side = "crm"

    def __init__(
        self,
        *,
        now: SandboxClock,
        rng: random.Random,
        client_id: str = "sandbox-app",
        client_secret: str = "sandbox-secret",
    ) -> None:
        super().__init__(now=now, rng=rng)
        self.client_id = client_id
        self.client_secret = client_secret
        self.statuses: list[str] = list(CRM_STATUSES)
        self.rules: list[ServerRule] = []
        self.token_lifetime = LIFETIME
        self.disconnected = False
        self._tokens = Tokens()
        self._next_id = 1001
        self._traces = 0

    def add(
        self, *, id: int | None = None, modified: datetime | None = None, created: datetime | None = None, **fields: Any
    ) -> int:
        """A person adds a task; dates are `YYYY-MM-DD` or `date`, the owner an employee code. Returns the id.

        A field that the CRM has not is a TypeError; a wrong date, a naive stamp and an id in use are ValueErrors.
        """
        with self.entered():
            fields = _checked(fields)
            new_id = self._next_id if id is None else id
            if new_id in self.rows:
                raise ValueError(f"task {new_id} exists")
            self._next_id = max(self._next_id, new_id + 1) if id is None else self._next_id
            while self._next_id in self.rows or self._next_id == new_id:
                self._next_id += 1
            changed = second(modified) if modified else self.stamp()
            self._remember(new_id)
            author = f"{label('NV001', self.employees)} - CRM"
            self.rows[new_id] = {
                "id": new_id,
                "task_name": "Gọi khách hàng",
                "status": NOT_STARTED,
                "priority": "Bình thường",
                "description": None,
                "start_date": None,
                "due_date": None,
                "owner_name": "NV001",
                "related_users": None,
                "form_layout": LAYOUT,
                "is_deleted": False,
                "created_date": second(created) if created else changed,
                "created_by": author,
                "modified_date": changed,
                "modified_by": author,
                **dict.fromkeys(CUSTOM),
                **copy.deepcopy(fields),
            }
            return new_id

    def edit(
        self, id: int, *, by: str = "NV002", stamp: datetime | None = None, keep_stamp: bool = False, **fields: Any
    ) -> None:
        """A person edits a task; `keep_stamp` imitates an import that does not move `modified_date`."""
        with self.entered():
            fields = _checked(fields)
            row = self.rows[id]
            self._remember(id)
            row.update(copy.deepcopy(fields))
            if not keep_stamp:
                row["modified_date"] = second(stamp) if stamp else self.stamp()
                row["modified_by"] = f"{label(by, self.employees)} - CRM"

    def delete(self, id: int, *, by: str = "NV002", stamp: datetime | None = None) -> None:
        """A person deletes a task: soft, the row stays listed with `is_deleted: true`."""
        self.edit(id, by=by, stamp=stamp, is_deleted=True)

    def restore(self, id: int, *, by: str = "NV002", stamp: datetime | None = None) -> None:
        """A person takes a task back out of the bin."""
        self.edit(id, by=by, stamp=stamp, is_deleted=False)

    def get(self, id: int) -> Row | None:
        """A copy of the stored row (hidden or not): dates `YYYY-MM-DD`, owner code, stamps as aware datetimes."""
        with self.entered():
            return copy.deepcopy(self.rows.get(id))

    def expire_tokens(self) -> None:
        """Every token given out so far is expired."""
        with self.lock:
            self._tokens.expire_all()

    def disconnect(self) -> None:
        """An administrator cuts the connection: `AppIDDisconnect` on every call."""
        self.disconnected = True

    def reconnect(self) -> None:
        """The administrator sets the connection up again."""
        self.disconnected = False


def _checked(fields: Row) -> Row:
    unknown = set(fields) - _SETTABLE
    if unknown:
        raise TypeError(f"the CRM has no field {sorted(unknown)}")
    return fields | {name: stored_day(fields[name]) for name in DATES if name in fields}
