"""The dry run: a prospect shown instead of applied. It is built from readers alone, so nothing in it could write."""

from __future__ import annotations

from reconciler.connection import Connection
from reconciler.core.model import Code
from reconciler.core.plan import Outside
from reconciler.errors import Halted
from reconciler.halting import halt_fact
from reconciler.poll import News
from reconciler.ports import StateReader
from reconciler.prospect import Prospect, look, moment, side_words
from reconciler.report.data import Json, spoken_fact, utc
from reconciler.report.dry import Found, report_data


async def dry_run(connection: Connection, state: StateReader) -> Json:
    """What a cycle would do now, as report data. A halt is part of the answer."""
    data, _ = await foresee(connection, state)
    return data


def left_out(prospect: Prospect) -> list[Outside]:
    """What the pilot leaves out: pairs with due work, and tasks that ask for an item, also those judged before."""
    plan = prospect.plan
    judged = {one.crm_id for one in plan.operations} | {one.crm_id for one in plan.refused}
    before = [
        Outside(crm_id=one.crm_id, work_id=None, title=one.title)
        for one in prospect.pairing.candidates.values()
        if one.refused is Code.OUTSIDE_PILOT and one.crm_id not in judged
    ]
    return [*plan.outside, *before]


async def foresee(connection: Connection, state: StateReader) -> tuple[Json, Prospect]:
    """The report data, and the prospect behind it."""
    refused: Halted | None = None
    try:
        prospect = await look(connection, state)
    except Halted as halt:
        refused = halt
        prospect = Prospect(news=News(now=connection.clock.now()), moment=moment(connection, state))
    news, plan = prospect.news, prospect.plan
    found = Found(
        name=connection.name,
        moment=prospect.moment,
        policy=connection.policy,
        plan=plan,
        operations=prospect.checked.operations,
        held=prospect.halt.held if prospect.halt else (),
        halted=_halted(refused, prospect, state),
        readings=news.readings,
        raised=[*news.raised, *plan.raised],
        cleared=[*news.cleared, *plan.cleared],
        down=side_words(news.down),
        left_out=left_out(prospect),
        pages=connection.pages,
    )
    return report_data(found, state), prospect


def _halted(refused: Halted | None, prospect: Prospect, state: StateReader) -> Json | None:
    """The halt that this dry run meets, or the one that still stands."""
    now = prospect.moment.now
    if refused is not None:
        return {
            "reason": refused.reason,
            "count": refused.count,
            "message": refused.message,
            "fingerprint": None,
            "since": utc(now),
        }
    if prospect.halt is not None:
        fact = {**halt_fact(prospect.halt, now.isoformat()), "message": prospect.halt.message}
        return {name: fact[name] for name in ("reason", "message", "count", "fingerprint", "kinds")}
    return spoken_fact(state, "halted", "message")
