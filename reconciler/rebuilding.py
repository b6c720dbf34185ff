"""A new or lost state: the first listing of Work, and links rebuilt from the markers that both sides carry."""

from __future__ import annotations

from reconciler.connection import Connection
from reconciler.core.model import Entry, Side
from reconciler.errors import Halted
from reconciler.message import say
from reconciler.pair import Pairing, pair
from reconciler.poll import News, poll
from reconciler.ports import Store
from reconciler.prospect import Prospect, moment, waiting
from reconciler.record import record


async def list_work(connection: Connection, store: Store) -> None:
    """A new state first lists all of Work and records that; markers of existing tasks mean that a state was lost.

    Errors: `Halted`, `SideDown`, `SideClosed`.
    """
    if store.fact("listed"):
        return
    news = await poll(connection, store, sides=(Side.WORK,), barred={})
    pairing = await pair(connection, store, news)
    _keep(connection, store, news, pairing)


async def rebuild_links(connection: Connection, store: Store, *, operator: str) -> tuple[int, int]:
    """Link again what the markers of both sides say, with cautious bases. Writes to neither side.

    Returns the number of links made and of fields that differ. Errors: `Halted`, `SideDown`, `SideClosed`.
    """
    news = await poll(connection, store, barred={}, everything=True)
    pairing = await pair(connection, store, news, rebuilding=True)
    links = pairing.adopted.values()
    news.entries.append(Entry(kind="rebuilt", at=news.now, operator=operator, detail={"links": len(links)}))
    _keep(connection, store, news, pairing)
    return len(links), sum(len(link.differences) for link in links)


def _keep(connection: Connection, store: Store, news: News, pairing: Pairing) -> None:
    for error in news.down.values():
        raise error
    for side, reading in news.readings.items():
        if not reading.complete:
            raise Halted(
                "unproven",
                say(
                    "the listing of {side} could not be proven complete ({note}); try again",
                    side=side,
                    note=reading.note,
                ),
            )
    prospect = Prospect(news=news, pairing=pairing, plan=waiting(news), moment=moment(connection, store))
    record(store, connection.policy, prospect, news.now)
