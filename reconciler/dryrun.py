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
from reconciler.report.data import Json, operation_data, report_data, spoken_fact, utc


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
    data = report_data(
        name=connection.name,
        generated_at=prospect.moment.now,
        policy=connection.policy,
        state=state,
        plan=plan,
        operations=prospect.checked.operations,
        readings=news.readings,
        raised=[*news.raised, *plan.raised],
        cleared=[*news.cleared, *plan.cleared],
        down=side_words(news.down),
        left_out=left_out(prospect),
    )
    if refused is not None:
        data["halted"] = {
            "reason": refused.reason,
            "count": refused.count,
            "message": refused.message,
            "fingerprint": None,
            "since": utc(prospect.moment.now),
        }
    elif prospect.halt is not None:
        fact = halt_fact(prospect.halt, prospect.moment.now.isoformat())
        fact["message"] = prospect.halt.message
        data["halted"] = {name: fact[name] for name in ("reason", "message", "count", "fingerprint", "kinds")}
        data["held"] = [operation_data(one) for one in prospect.halt.held]
    else:
        data["halted"] = spoken_fact(state, "halted", "message")
    return data, prospect
