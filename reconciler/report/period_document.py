"""A period as data and as a document. Both iterate the journal only while they are written down."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler import __version__
from reconciler.core.model import Side
from reconciler.message import Translate, say
from reconciler.ports import StateReader
from reconciler.report import columns as c
from reconciler.report.document import Column, Document, Footing, Form, Json, Table, duration, local
from reconciler.report.dry_document import conflict_chart, lag_chart, side_fact
from reconciler.report.mask import Mask
from reconciler.report.period import (
    Period,
    period_changes,
    period_commands,
    period_data,
    period_deviations,
    period_exceptions,
    sample,
)
from reconciler.report.render import spoken
from reconciler.report.summary import Integrity, period_summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: the period, how many changes to draw for checking by hand and with which seed, and whether
    personal values are masked."""

    period: Period
    sample: int = 0
    seed: int = 0
    mask: Mask | None = None

    @property
    def query(self) -> str:
        """The command that asks the same."""
        since, until = (moment.isoformat() for moment in (self.period.since, self.period.until))
        drawn = f" --sample {self.sample} --seed {self.seed}" if self.sample else ""
        return f"report --since {since} --until {until}{drawn}{' --mask' if self.mask else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The bounded part, and the long ones, to be iterated once in this order, counted by the footing."""

    data: Json
    changes: Iterable[Json]
    commands: Iterable[Json]
    exceptions: Iterable[Json]
    deviations: Iterable[Json]
    sample: Iterable[Json]
    footing: Footing


def answer(
    state: StateReader, question: Question, *, name: str, config: str, generated_at: datetime, pages: Mapping[Side, str]
) -> Answer:
    """The report over a period."""
    period, mask = question.period, question.mask
    data = period_data(name=name, state=state, period=period, generated_at=generated_at)
    data |= {"config": config, "version": __version__, "pages": {side.value: page for side, page in pages.items()}}
    footing = Footing(query=question.query, version=__version__)

    def over(rows: Iterable[Json]) -> Iterable[Json]:
        return footing.over(map(mask.row, rows) if mask else rows)

    def drawn() -> Iterable[Json]:
        yield from sample(period_changes(state, period), question.sample, question.seed) if question.sample else ()

    return Answer(
        data=mask.bounded(data) if mask else data,
        changes=over(period_changes(state, period)),
        commands=over(period_commands(state, period)),
        exceptions=over(period_exceptions(state, period)),
        deviations=over(period_deviations(state, period)),
        sample=over(drawn()),
        footing=footing,
    )


_REVIEW = (
    Column(key="reviewer", heading=say("Reviewer")),
    Column(key="reviewed", heading=say("Date")),
    Column(key="conclusion", heading=say("Conclusion")),
)
"""Empty columns, for a pen."""

_CHANGE = (
    c.AT,
    c.DIRECTION,
    c.KIND,
    *c.PAIR,
    c.BEFORE,
    c.AFTER,
    Column(key="outcome", heading=say("Outcome"), form=Form.WORD),
    Column(key="changed_by", heading=say("Edited by")),
    c.REASON,
    c.RULE,
    *c.STAMPS,
    c.WINNER,
    c.LOSER,
    Column(key="id", heading=say("Entry"), form=Form.ID),
)

_ENTRY = (
    Column(key="id", heading=say("Entry"), form=Form.ID),
    c.AT,
    Column(key="kind", heading=say("What"), form=Form.WORD),
    c.SIDE,
    *c.PAIR,
)
_OLD_NEW = (
    Column(key="old", heading=say("Before"), form=Form.VALUE),
    Column(key="new", heading=say("After"), form=Form.VALUE),
)


def period_document(asked: Answer, *, integrity: Integrity | None = None) -> Document:
    """The report over a period for people."""
    data = asked.data
    tables = (
        *_charts(data),
        *_continuity(data),
        Table(key="changes", title=say("What was changed"), columns=_CHANGE, rows=asked.changes),
        Table(
            key="commands",
            title=say("Commands of operators"),
            columns=(
                c.AT,
                c.OPERATOR,
                Column(key="kind", heading=say("What"), form=Form.WORD),
                c.CRM_ID,
                c.WORK_ID,
                Column(key="reason", heading=say("Reason")),
                Column(key="id", heading=say("Entry"), form=Form.ID),
            ),
            rows=asked.commands,
        ),
        Table(
            key="exceptions",
            title=say("Exceptions, to be reviewed"),
            columns=(*_ENTRY, *_OLD_NEW, c.REASON, *c.STAMPS, *_REVIEW),
            rows=asked.exceptions,
        ),
        Table(
            key="deviations",
            title=say("Where a cycle did not write what it had planned"),
            columns=(
                c.AT,
                c.KIND,
                c.SIDE,
                *c.PAIR,
                Column(key="cause", heading=say("Cause"), form=Form.WORD),
                Column(key="id", heading=say("Entry"), form=Form.ID),
            ),
            rows=asked.deviations,
        ),
        Table(
            key="sample",
            title=say("Sample, to be checked by hand"),
            columns=(*_CHANGE, *_REVIEW),
            rows=asked.sample,
        ),
    )
    own = ("connection", "mode", "since", "until", "generated_at", "config", "last_cycle_at")
    return Document(
        title=say("Period report: what was done"),
        connection=data["connection"],
        at=say("{since} to {until}", since=local(data["since"]), until=local(data["until"])),
        facts=(
            (say("Connection"), data["connection"]),
            (say("Made"), local(data["generated_at"])),
            *(side_fact(side, data["watermarks"][side.value]) for side in Side),
            (say("Last cycle"), local(data["last_cycle_at"])),
            (say("Config fingerprint"), data["config"]),
            (say("Time zone"), "Asia/Ho_Chi_Minh (GMT+7)"),
        ),
        header={name: data[name] for name in own},
        summary=period_summary(data, integrity=integrity),
        tables=tables,
        pages=data["pages"],
        footing=asked.footing,
    )


def _charts(data: Json) -> tuple[Table, ...]:
    used = [one for one in c.COUNTED if one in data["operations"]]
    kinds = [one for one in data["operations"] if one not in used]
    outcomes = sorted({name for found in data["operations"].values() for name in found})
    contested = Counter[tuple[str, str]]()
    for one in data["conflicts"]:
        contested[(one["field"], one["winner"])] += one["count"]
    return (
        Table(
            key="by_kind",
            title=say("Operations by kind, direction and outcome"),
            columns=(c.KIND, *c.counts(*outcomes)),
            rows=[{"kind": one, **data["operations"][one]} for one in (*used, *kinds)],
            drawn=True,
        ),
        Table(
            key="by_day",
            title=say("Operations by day"),
            columns=(c.DAY, *c.counts(*used, *kinds)),
            rows=[{"day": day, **found} for day, found in data["by_day"].items()] if used or kinds else [],
            drawn=True,
        ),
        conflict_chart(contested.items()),
        lag_chart(say("From the edit to the other side"), Counter(data["lag"])),
    )


def _continuity(data: Json) -> tuple[Table, ...]:
    outcomes = sorted({name for one in data["days"] for name in one["outcomes"]})
    lasted = Column(key="lasted", heading=say("Lasted"))
    return (
        Table(
            key="days",
            title=say("Cycles by day"),
            columns=(c.DAY, *c.counts(*outcomes)),
            rows=[{"day": one["day"], **one["outcomes"]} for one in data["days"]],
            drawn=True,
        ),
        Table(
            key="gaps",
            title=say("Gaps: no cycle for long"),
            columns=(c.SINCE, c.UNTIL, lasted),
            rows=[{**one, "lasted": duration(one["seconds"])} for one in data["gaps"]],
        ),
        Table(
            key="halts",
            title=say("Halts and pauses"),
            columns=(
                Column(key="kind", heading=say("What"), form=Form.WORD),
                c.SINCE,
                c.UNTIL,
                lasted,
                c.REASON,
                Column(key="count", heading=say("Held operations"), form=Form.COUNT),
                c.OPERATOR,
                Column(key="lifted_by", heading=say("Lifted by")),
                Column(key="lift_reason", heading=say("Reason given")),
                Column(key="fingerprint", heading=say("Plan fingerprint")),
            ),
            rows=[{**one, "lasted": duration(one["seconds"])} for one in data["halts"]],
        ),
        Table(
            key="config",
            title=say("Changes of the config"),
            columns=(c.AT, Column(key="rule", heading=say("Key")), *_OLD_NEW),
            rows=data["config_changes"],
        ),
    )


def answer_json(asked: Answer, translate: Translate) -> Iterator[str]:
    """The same for a program: the bounded part, the lists row by row, and the footing at the end."""
    head = json.dumps(spoken(asked.data, translate), ensure_ascii=False, indent=1)
    yield head.removesuffix("\n}")
    for name in ("changes", "commands", "exceptions", "deviations", "sample"):
        yield f',\n "{name}": ['
        separator = "\n  "
        for row in getattr(asked, name):
            yield separator + json.dumps(spoken(row, translate), ensure_ascii=False)
            separator = ",\n  "
        yield "]"
    yield f',\n "footing": {json.dumps(asked.footing.data(), ensure_ascii=False)}\n}}\n'
