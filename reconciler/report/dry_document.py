"""A dry run as a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from reconciler.core.daybook import day_of
from reconciler.core.model import Side
from reconciler.message import say, word
from reconciler.report import columns as c
from reconciler.report.data import corrected
from reconciler.report.document import Column, Document, Footing, Form, Json, Table, deviation, local
from reconciler.report.period import LAG_NAMES, lag_class
from reconciler.report.summary import Fidelity, Integrity, dry_summary


def dry_document(data: Json, *, fidelity: Fidelity | None = None, integrity: Integrity | None = None) -> Document:
    """The dry run `data` for people. For `fidelity` and `integrity` see the summary."""
    footing = Footing(query="report", version=data["version"])
    planned = (c.DIRECTION, c.KIND, *c.PAIR, c.BEFORE, c.AFTER, c.REASON, c.RULE, *c.STAMPS, c.WINNER, c.LOSER)
    values = (c.CRM_VALUE, c.WORK_VALUE)
    differing = (*c.PAIR, *values)
    tables = (
        *_charts(data),
        Table(key="planned", title=say("Would be written"), columns=planned, rows=_lines(data, "operations")),
        Table(key="held", title=say("Held back by a limit"), columns=planned, rows=_lines(data, "held")),
        Table(
            key="conflict",
            title=say("Conflicts: both sides edited"),
            columns=(
                *c.PAIR[:2],
                c.FIELD,
                Column(key="base", heading=say("Last agreed"), form=Form.VALUE),
                *values,
                *c.STAMPS,
                c.WINNER,
                c.LOSER,
                c.REASON,
            ),
            rows=_conflicts(data),
            note=say("«tie» is a conflict in which the clocks cannot tell who was later; the configured side is kept."),
        ),
        Table(
            key="set_aside",
            title=say("Set aside: refused fields"),
            columns=(*differing, c.SIDE, Column(key="code", heading=say("Code")), c.WORDS, c.SINCE, c.UNTIL),
            rows=data["set_aside"],
        ),
        Table(
            key="waiting", title=say("Waiting for a later cycle"), columns=(*differing, c.SINCE), rows=data["waiting"]
        ),
        Table(key="frozen", title=say("Frozen: in an archive"), columns=(*differing, c.SINCE), rows=data["frozen"]),
        Table(
            key="accepted",
            title=say("Accepted differences"),
            columns=(*c.PAIR[:2], c.FIELD, *values, c.REASON, c.SINCE),
            rows=data["differences"],
        ),
        Table(key="left_out", title=say("Left out by the pilot"), columns=c.PAIR[:3], rows=data["left_out"]),
        Table(
            key="attention",
            title=say("Attention list"),
            columns=(
                c.SIDE,
                Column(key="id", heading=say("Id"), form=Form.ID),
                c.TITLE,
                Column(key="cause", heading=say("What happened")),
                Column(key="message", heading=say("In detail")),
                c.WORDS,
                Column(key="who", heading=say("Who can fix it"), form=Form.WORD),
                Column(key="fix", heading=say("What to do")),
                c.SINCE,
                Column(key="code", heading=say("Code")),
            ),
            rows=data["attention"],
        ),
        Table(
            key="statuses",
            title=say("Statuses that collapse"),
            columns=(
                Column(key="work", heading=say("Work status")),
                Column(key="crm", heading=say("CRM statuses")),
                Column(key="back", heading=say("An edit in Work brings back")),
            ),
            rows=data["statuses"],
        ),
    )
    return Document(
        title=say("Dry run report: nothing is written"),
        connection=data["connection"],
        at=local(data["generated_at"]),
        facts=tuple(_facts(data)),
        header=_header(data),
        warnings=tuple(_warnings(data)),
        summary=dry_summary(data, fidelity=fidelity, integrity=integrity),
        tables=tuple(Table(**{**_fields(one), "rows": footing.over(one.rows)}) for one in tables),
        pages=data["pages"],
        footing=footing,
    )


def _fields(table: Table) -> Json:
    return {name: getattr(table, name) for name in Table.__slots__}


def _lines(data: Json, where: str) -> Iterator[Json]:
    """One line for each field of each operation; an operation without fields is one line."""
    for one in data[where]:
        side = Side(one["side"])
        ids = {name: one[name] for name in ("side", "kind", "crm_id", "work_id", "title")}
        ids["direction"] = f"{side.other.value}_to_{side.value}"
        for change in one["fields"] or [{"name": None, "reason": one.get("reason", one["kind"])}]:
            yield {**ids, **change, "field": change["name"], **corrected(change, _offsets(data))}


def _conflicts(data: Json) -> Iterator[Json]:
    for one in data["conflicts"]:
        loser = Side(one["winner"]).other.value
        yield {**one, "loser": loser, **corrected(one, _offsets(data))}


def _offsets(data: Json) -> Json:
    return {side: clock["offset"] for side, clock in data["clocks"].items()}


def _charts(data: Json) -> Iterator[Table]:
    """What is planned, counted four ways. The lag of a planned edit is how long it has waited by now."""
    summary = data["summary"]
    kinds = [one for one in c.COUNTED if one in summary]
    yield Table(
        key="by_kind",
        title=say("Operations by kind and direction"),
        columns=(c.KIND, *c.counts("count")),
        rows=[{"kind": one, "count": summary[one]} for one in kinds],
        drawn=True,
    )
    days: dict[str, Counter[str]] = {}
    lags: Counter[str] = Counter()
    now = datetime.fromisoformat(data["generated_at"])
    for line in _lines(data, "operations"):
        stamp = line.get("work_corrected" if line["side"] == Side.CRM.value else "crm_corrected")
        if stamp is not None:
            edited = datetime.fromisoformat(stamp)
            days.setdefault(day_of(edited), Counter())[line["direction"]] += 1
            lags[lag_class(now - edited)] += 1
    yield Table(
        key="by_day",
        title=say("Planned fields by the day of their edit"),
        columns=(c.DAY, *c.counts("crm_to_work", "work_to_crm")),
        rows=[{"day": day, **days[day]} for day in sorted(days)],
        drawn=True,
    )
    contested = Counter((one["field"], one["winner"]) for one in data["conflicts"])
    yield conflict_chart(contested.items())
    yield lag_chart(say("How long planned edits have waited"), lags)


def conflict_chart(contested: Iterable[tuple[tuple[str, str], int]]) -> Table:
    """Conflicts by field, stacked by the side that was kept."""
    fields: dict[str, Counter[str]] = {}
    for (name, winner), number in contested:
        fields.setdefault(name, Counter())[winner] += number
    return Table(
        key="conflicts_by_field",
        title=say("Conflicts by field and side that was kept"),
        columns=(c.FIELD, *c.counts("crm", "work")),
        rows=[{"field": name, **found} for name, found in sorted(fields.items())],
        drawn=True,
    )


def lag_chart(title: str, lags: Counter[str]) -> Table:
    """How many edits fall into each class of lag."""
    return Table(
        key="lag",
        title=title,
        columns=(Column(key="lag", heading=say("Lag"), form=Form.WORD), *c.counts("count")),
        rows=[{"lag": name, "count": lags[name]} for name in LAG_NAMES] if lags.total() else [],
        drawn=True,
    )


def _facts(data: Json) -> Iterator[tuple[str, str]]:
    yield say("Connection"), data["connection"]
    for side in Side:
        yield side_fact(side, data["watermarks"][side.value])
        reading = data["reads"].get(side.value)
        read = say("complete") if reading and reading["complete"] else say("NOT complete")
        rows = say("{read}; {rows} rows", read=read, rows=reading["rows"]) if reading else read
        yield say("Reading of the {side} side", side=word(side.value)), rows
        clock = data["clocks"][side.value]
        offset = say("unknown") if clock["offset"] is None else deviation(clock["offset"], clock["uncertainty"])
        yield say("Clock offset of the {side} side", side=word(side.value)), offset
    yield say("Config fingerprint"), data["config"]
    yield say("Plan fingerprint"), data["fingerprint"]
    yield say("Time zone"), "Asia/Ho_Chi_Minh (GMT+7)"
    yield say("Version"), data["version"]


def side_fact(side: Side, mark: str | None) -> tuple[str, str]:
    """Up to when a side was read."""
    return say("The {side} side was read up to", side=word(side.value)), local(mark)


def _header(data: Json) -> Json:
    marks = {f"watermark_{side}": mark for side, mark in data["watermarks"].items()}
    reads = {
        f"read_{side.value}": "complete" if data["reads"].get(side.value, {}).get("complete") else "not complete"
        for side in Side
    }
    own = {name: data[name] for name in ("connection", "mode", "generated_at", "config", "fingerprint")}
    return {**own, **marks, **reads, **{f"summary_{name}": number for name, number in data["summary"].items()}}


def _warnings(data: Json) -> Iterator[str]:
    if not data["complete"]:
        yield say("NOT COMPLETE: a side could not be read to the end")
    for side, words in data["unavailable"].items():
        yield say("{side} is unavailable: {words}", side=word(side), words=words)
    if data["halted"]:
        halted = data["halted"]
        yield say("HALTED ({reason}): {message}", reason=word(halted["reason"]), message=halted["message"])
        if halted.get("fingerprint"):
            yield say(
                "{count} operations are held; `reconciler resume --reason .. --approve {fingerprint}` applies them",
                count=halted["count"],
                fingerprint=halted["fingerprint"],
            )
    if caught_up := days_between(data["last_cycle_at"], data["generated_at"]):
        yield say(
            "the last cycle ended {at}: this catches up {days} days, and the update limit counts for as many",
            at=local(data["last_cycle_at"]),
            days=caught_up,
        )


def days_between(before: str | None, now: str) -> int:
    """Whole days between two moments; 0 if there is no first one."""
    return (datetime.fromisoformat(now) - datetime.fromisoformat(before)).days if before else 0
