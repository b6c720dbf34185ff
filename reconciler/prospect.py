"""The prospect: what a cycle would do now. Poll, pair, survey, plan and check, and nothing is written by any of them.

A dry run shows a prospect; a real cycle records and applies it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from reconciler.connection import Connection
from reconciler.core import safety
from reconciler.core.model import Candidate, Entry, Reading, Side
from reconciler.core.moment import Moment
from reconciler.core.needs import needs
from reconciler.core.plan import Plan, plan
from reconciler.core.safety import Checked, Circumstances, Halt
from reconciler.core.seed import fresh_givers, seed
from reconciler.errors import Halted, SideError
from reconciler.health import barred
from reconciler.message import say
from reconciler.pair import Pairing, no_base, pair
from reconciler.poll import News, authors, last_finished, poll, reread, sweep
from reconciler.ports import StateReader
from reconciler.survey import inspect_places, look_up_pilot, piloted, survey

REWOUND_FROM: Final = 3


@dataclass(slots=True, kw_only=True)
class Prospect:
    """Everything a dry run shows, and everything a real cycle records and applies.

    `circumstances` is what refusals depend on, once everything that they had set aside was looked at again.
    """

    news: News
    pairing: Pairing = field(default_factory=Pairing)
    plan: Plan = field(default_factory=Plan)
    checked: Checked = field(default_factory=lambda: Checked(operations=()))
    moment: Moment
    circumstances: str | None = None

    @property
    def halt(self) -> Halt | None:
        return self.checked.halt


async def look(
    connection: Connection,
    state: StateReader,
    *,
    sweeping: bool = False,
    patient: bool = False,
    first: bool = True,
) -> Prospect:
    """Poll, pair, plan and check.

    Without an answer of both sides nothing can be concluded about a pair: what was read is kept, and waits.
    `sweeping` compares everything: listings from the beginning, and by id what they did not show. `first` says that no
    cycle of this process came before.
    """
    barriers = barred(connection, state, patient=patient)
    news = await poll(connection, state, barred=barriers, everything=sweeping, first=first)
    if sweeping:
        await sweep(connection, state, news)
        await inspect_places(connection, state, news)
    return await _foresee(connection, state, news)


async def look_for(
    connection: Connection, state: StateReader, requested: Sequence[Candidate], searched: Reading | None = None
) -> Prospect:
    """The same for tasks that a person named: only Work is polled, to search it for the markers, and only they are
    planned. `searched` is the complete reading of an earlier call of the same command, which is not repeated then.
    """
    if searched is not None:
        news = News(now=connection.clock.now(), readings={Side.WORK: searched})
    else:
        news = await poll(connection, state, sides=(Side.WORK,), barred=barred(connection, state, patient=False))
    return await _foresee(connection, state, news, requested)


async def _foresee(
    connection: Connection, state: StateReader, news: News, requested: Sequence[Candidate] | None = None
) -> Prospect:
    await look_up_pilot(connection, state, news)
    connection = piloted(connection, state, news)
    void_rewound(connection, state, news)
    policy = replace(connection.policy, config=circumstances(connection, state, news))
    connection = replace(connection, policy=policy)
    if requested is None and policy.config != state.fact("circumstances"):
        reconsider(state, news)
    pairing = await pair(connection, state, news, requested)
    now = moment(connection, state, news)
    if news.down:
        return Prospect(news=news, pairing=pairing, plan=waiting(news), moment=now)
    for side, reading in news.readings.items():
        if not reading.complete:  # a row may have slipped through: ask for the pairs at hand by id
            ids = [link.half(side).id for link in pairing.work.links if link.key]
            await reread(connection, state, side, ids, news)
    work = replace(pairing.work, links=tuple(news.current(link) for link in pairing.work.links))
    places = await survey(connection, needs(work, policy, now), news)
    if news.down or places is None:
        return Prospect(news=news, pairing=pairing, plan=waiting(news), moment=now)
    made = plan(work, policy, now, places)
    if requested is not None:  # the other pairs with news wait for a cycle that polls both sides
        made = replace(made, links={**waiting(news).links, **made.links})
    checked = safety.check(made.operations, policy.limits, around(state, made, now.now)) if requested is None else None
    return Prospect(
        news=news,
        pairing=pairing,
        plan=made,
        checked=checked or Checked(operations=made.operations),
        moment=now,
        circumstances=policy.config if requested is None else None,
    )


def moment(connection: Connection, state: StateReader, news: News | None = None) -> Moment:
    """Now, with each server's clock as measured so far, and what is known of status words and archives."""
    archived = news.archived if news is not None and news.archived is not None else state.fact("archived") or ()
    return Moment(
        now=connection.clock.now(),
        clocks=connection.clocks,
        statuses={side: frozenset(state.fact(f"statuses.{side}") or ()) for side in Side},
        archived=frozenset(archived),
    )


def circumstances(connection: Connection, state: StateReader, news: News | None = None) -> str:
    """What a refusal depended on: the config, and the data of Work's projects as the last sweep found them."""
    places = news.places if news is not None and news.places is not None else state.fact("places")
    return f"{connection.policy.config}/{places or ''}"


def void_rewound(connection: Connection, state: StateReader, news: News) -> None:
    """Pairs that this state knows less of than our own account: it is an older backup, so their bases prove nothing.

    Raises `Halted` if that is most of what our account edited since; `resume` lets the cautious bases stand.
    """
    interrupted = {sending.link for sending in news.resolved}
    rewound = [link for link in news.links.values() if link.crm.id in news.rewound and link.key not in interrupted]
    if len(rewound) >= REWOUND_FROM and 2 * len(rewound) > news.ours_since and not state.fact("resumed"):
        raise Halted(
            "old_state",
            say(
                "{count} pairs were written by this connection after the state's last cycle: the state "
                "is an old backup. `reconciler resume --reason ...` goes on without overwriting what "
                "differs",
                count=len(rewound),
            ),
            len(rewound),
        )
    for link in rewound:
        lenses = connection.policy.lenses
        seeded = seed(link, lenses, fresh_givers(link, lenses, authors(state)), news.now)
        news.learn(seeded.link)
        news.raised += [no_base(seeded.link, name, news.now) for name in seeded.accepted]
        news.entries.append(
            Entry(kind="bases_voided", at=news.now, crm_id=link.crm.id, work_id=link.work.id, reason="old_state")
        )


def reconsider(state: StateReader, news: News) -> None:
    """What refusals depended on has changed: look again at every pair that has a field set aside or is frozen."""
    after = 0
    while page := state.links(after=after):
        after = page[-1].key
        for link in page:
            if link.aside or link.frozen:
                news.learn(news.current(link))


def waiting(news: News) -> Plan:
    """No plan: the pairs with news wait, durably, until both sides answer."""
    return Plan(
        links={crm_id: replace(link, dirty_since=link.dirty_since or news.now) for crm_id, link in news.links.items()}
    )


def around(state: StateReader, made: Plan, now: datetime) -> Circumstances:
    """What the limits are measured against for a plan that is made `now`."""
    tally = state.tally() if made.operations or _lost(made) else None
    halted = state.fact("halted") or {}
    last = last_finished(state)
    return Circumstances(
        linked=tally.linked if tally else 0,
        open_pairs=tally.open if tally else 0,
        lost={side: _count_lost(made, side) for side in Side} if tally else {},
        still_held=_kinds(halted.get("kinds")),
        approved=frozenset(state.fact("approved") or ()),
        down_for=safety.down_for(last, now),
    )


def _kinds(stored: Collection[str] | None) -> tuple[str, ...]:
    return tuple(stored or ())


def _lost(made: Plan) -> bool:
    return any(_count_lost(made, side) for side in Side)


def _count_lost(made: Plan, side: Side) -> int:
    return sum(safety.absent(link.half(side).presence) for link in made.links.values())


def side_words(down: dict[Side, SideError]) -> dict[Side, str]:
    """The failures as text, by side."""
    return {side: error.message for side, error in down.items()}
