"""Earlier forms of rows: what a lagging index or a cache still shows."""

import copy
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from reconciler.sandbox.company import Row

KEPT: Final = timedelta(hours=1)


class History:
    """For each row the forms it had within the last hour (of true time), oldest first; None is "did not exist"."""

    def __init__(self) -> None:
        self._forms: dict[int, list[tuple[datetime, Row | None]]] = {}

    def note(self, id: int, row: Row | None, until: datetime) -> None:
        """Until that moment the row looked like this; called just before it changes."""
        forms = [form for form in self._forms.get(id, ()) if form[0] > until - KEPT]
        self._forms[id] = [*forms, (until, copy.deepcopy(row))]

    def at(self, rows: Mapping[int, Row], moment: datetime) -> dict[int, Row]:
        """The rows as they were at that moment; `rows` are those of now. A change made at the moment itself shows."""
        shown = dict(rows)
        for id_, forms in self._forms.items():
            earlier = next((form for form in forms if form[0] > moment), None)
            if earlier is None:
                continue
            shown.pop(id_, None)
            if earlier[1] is not None:
                shown[id_] = earlier[1]
        return shown
