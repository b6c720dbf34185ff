"""Search for a task by an id of either side, or by words of its title without case and accents."""

from __future__ import annotations

from itertools import islice
from typing import Final

from reconciler.core.model import Side
from reconciler.core.search import Titled, fits
from reconciler.ports import StateReader
from reconciler.report.data import Json

HITS: Final = 50
"""Tasks that one search shows."""


def find(state: StateReader, query: str) -> Json:
    """What `query` means: `task`, the CRM id of the one task that it names; else `hits`, and whether there are `more`.

    An id names its task, also one that is only known from the past, though its digits may be part of titles.
    """
    query = query.strip()
    link = state.links_by(Side.CRM, [query]).get(query) or state.links_by(Side.WORK, [query]).get(query)
    if link is not None:
        return _found(query, link.crm.id)
    found: dict[tuple[str | None, str | None], Titled] = {}
    for one in state.titled():
        if fits(query, one):
            found.setdefault((one.crm_id, one.work_id), one)
            if len(found) > HITS:
                break
    named = {one.crm_id for one in found.values() if one.crm_id == query or len(found) == 1} - {None}
    task = next(iter(named), None) or (query if query.isdecimal() and not found else None)
    return _found(query, task, *islice(found.values(), HITS), more=len(found) > HITS)


def _found(query: str, task: str | None, *hits: Titled, more: bool = False) -> Json:
    rows = [{"crm_id": one.crm_id, "work_id": one.work_id, "title": one.title} for one in hits]
    return {"query": query, "task": task, "hits": rows, "more": more}
