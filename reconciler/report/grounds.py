"""What a decision was made from, as an entry of the journal keeps it, in sentences for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.model import Code
from reconciler.message import joined, say, word
from reconciler.report.data import Json
from reconciler.report.document import deviation, local, shown


def grounds(row: Json) -> Iterator[str]:
    """A line or two; none where the entry holds nothing, never did (an older one), or was erased or masked."""
    values, detail = row["inputs"], row["detail"]
    if "crm_base" in values:
        yield from _of_field(row)
    elif "target" in values:
        yield from _of_task(values, detail)
    elif "lost" in detail:
        yield from _of_loss(detail)


def _of_field(row: Json) -> Iterator[str]:
    """The values last agreed on and the present ones, what is known to be refused, and for a conflict the clocks."""
    values, detail = row["inputs"], row["detail"]
    yield say(
        "    decided on: CRM «{crm_base}» -> «{crm}», Work «{work_base}» -> «{work}»; direction {direction}",
        **{name: shown(values[name], row["field"]) for name in ("crm_base", "crm", "work_base", "work")},
        direction=word(detail["direction"]),
    )
    if row["kind"] == "set_aside":
        yield from _of_bounds(detail.get("bounds", {}))
        yield from _of_suspicion(row["reason"], detail.get("suspicion"))
    if row["kind"] == "conflict":
        clocks = detail["clocks"]
        yield say(
            "    edited in the CRM {crm} (its clock {crm_offset}), in Work {work} (its clock {work_offset}); tolerance"
            " {tolerance} s; {winner} wins: {decided}",
            crm=local(detail["crm_stamp"]),
            work=local(detail["work_stamp"]),
            crm_offset=_offset(clocks["crm"]),
            work_offset=_offset(clocks["work"]),
            tolerance=f"{clocks['tolerance']:g}",
            winner=word(detail["winner"]),
            decided=word(detail["decided"]),
        )


def _of_bounds(bounds: Json) -> Iterator[str]:
    if "limit" in bounds:
        yield say("    known there: at most {limit} characters", limit=bounds["limit"])
    if "foreign" in bounds:
        yield say("    known there: the person is no member of project {project}", project=bounds["foreign"])


def _of_suspicion(code: str, suspicion: Json | None) -> Iterator[str]:
    if suspicion is None:
        return
    if code == Code.PING_PONG:
        moments = joined((local(at) for at in suspicion["reverts"]), ", ")
        yield say("    our write was undone, and nobody had edited the other side: {moments}", moments=moments)
    else:
        yield say("    status words seen there so far: {words}", words=", ".join(suspicion["known"]))


def _of_task(values: Json, detail: Json) -> Iterator[str]:
    """The target as it was asked for and what is there, the task's values, what was left out of the new item."""
    yield say(
        "    decided on: target «{project}» / «{group}»; found: projects {projects}; task groups {groups}",
        project=values["target"]["project"],
        group=values["target"]["group"],
        projects=_places(values["projects"]),
        groups=_places(values["groups"]),
    )
    filled = {name: value for name, value in values["source"].items() if value}
    yield say(
        "    values: {values}",
        values=joined(
            (say("{field} «{value}»", field=word(name), value=shown(value, name)) for name, value in filled.items()),
            ", ",
        ),
    )
    if left_out := detail.get("left_out"):
        yield say(
            "    left out: {fields}",
            fields=joined(
                (say("{field} ({code})", field=word(name), code=word(code)) for name, code in left_out.items()), ", "
            ),
        )


def _places(rows: Sequence[Json]) -> str:
    return shown(", ".join(f"{row['name']} ({row['id']})" for row in rows))


def _of_loss(detail: Json) -> Iterator[str]:
    """Whether each record is there, and when the one that is left was edited."""
    presence = detail["presence"]
    yield say(
        "    decided on: CRM task {crm}, work item {work}; the other record: last edit {modified}, our last write"
        " {own}, last agreed at {agreed}; {propagates}",
        crm=word(presence["crm"]),
        work=word(presence["work"]),
        modified=local(detail["modified"]),
        own=local(detail["own_stamp"]),
        agreed=local(detail["agreed"]),
        propagates=say("deletions are propagated") if detail["propagates"] else say("deletions are not propagated"),
    )


def _offset(clock: Json) -> str:
    return say("unknown") if clock["value"] is None else deviation(clock["value"], clock["uncertainty"])
