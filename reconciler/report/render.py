"""`status`, `history` and `why` as text for a terminal or as CSV, and any data as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.message import Translate, into, joined, say, word
from reconciler.report.data import Json
from reconciler.report.document import local, shown


def as_json(data: Json, translate: Translate) -> str:
    """The data for a program; only its sentences are translated."""
    return json.dumps(spoken(data, translate), ensure_ascii=False, indent=1) + "\n"


def spoken(data: Any, translate: Translate) -> Any:
    """The data with every sentence in the language of `translate`."""
    if isinstance(data, dict):
        return {key: spoken(value, translate) for key, value in data.items()}
    if isinstance(data, list):
        return [spoken(one, translate) for one in data]
    return into(data, translate) if isinstance(data, str) else data


def told(lines: Iterable[str], translate: Translate) -> str:
    """Lines of text in the language of `translate`."""
    return "".join(f"{into(line, translate)}\n" for line in lines)


def attention_line(row: Json) -> str:
    """One entry of the attention list."""
    return say(
        "attention {code}: {side} {id}: {message} [{who}, since {at}]",
        code=row["code"],
        who=word(row["who"]),
        at=local(row["since"]),
        side=word(row["side"]),
        id=row["id"],
        message=row["message"],
    )


def status_text(data: Json, translate: Translate) -> str:
    """The state of a connection for a terminal."""
    return told(_status_lines(data), translate)


def _status_lines(data: Json) -> Iterator[str]:
    last = data["last_cycle"]
    yield data["standing"]["sentence"]
    yield say(
        "connection {connection}: {links} pairs, {pending} pending",
        connection=data["connection"],
        links=data["links"],
        pending=data["pending"],
    )
    if data["lag"]:
        yield say("the oldest pending change waits for {span}", span=span(data["lag"]))
    if last:
        yield say("last cycle: {at} {outcome}", at=local(last["finished_at"]), outcome=word(last["outcome"]))
    else:
        yield say("no cycle yet")
    if data["observing"] is not None:
        yield say("observing: nothing is written; due now: {due}", due=foreseen(data["observing"]))
    if data["left_out"]:
        yield say("{count} pairs and tasks with news are left out by [pilot]", count=data["left_out"])
    for side, moment in data["watermarks"].items():
        yield say("{side} read up to {at}", side=word(side), at=local(moment))
    for side, seconds in data["offsets"].items():
        if seconds is not None:
            yield say("{side}: its clock is {seconds} s against ours", side=word(side), seconds=f"{seconds:+d}")
    yield joined((say("{name} {count}", name=word(name), count=count) for name, count in data["pairs"].items()), ", ")
    for side, health in data["sides"].items():
        if health:
            yield say(
                "{side} unavailable since {at}: {reason}",
                side=word(side),
                at=local(health["since"]),
                reason=health["reason"],
            )
    if data["paused"]:
        yield say(
            "paused by {operator}: {reason}", operator=data["paused"]["operator"], reason=data["paused"]["reason"]
        )
    if data["halted"]:
        halted = data["halted"]
        yield say("HALTED ({reason}): {message}", reason=word(halted["reason"]), message=halted["message"])
        yield say(
            "{count} operations are held; `reconciler resume --reason .. --approve {fingerprint}` applies them",
            count=halted["count"],
            fingerprint=halted["fingerprint"],
        )
    if trouble := data["trouble"]:
        yield say(
            "the daemon's cycles fail since {at}: {message}", at=local(trouble["since"]), message=trouble["message"]
        )
    if refused := data["config_refused"]:
        yield say(
            "the config was changed at {at} and is not used: {message}",
            at=local(refused["at"]),
            message=refused["message"],
        )
    for row in data["attention"]:
        yield attention_line(row)
        yield say("    what to do: {fix}", fix=row["fix"])
    for row in data["recent_conflicts"]:
        yield say(
            "conflict {at}: {field} of CRM {crm_id} / work {work_id}: CRM «{crm}», Work «{work}»; {winner} won;"
            " `reconciler restore {restore}` brings the other value back",
            at=local(row["at"]),
            field=word(row["field"]),
            crm_id=row["crm_id"],
            work_id=row["work_id"],
            crm=shown(row["crm"], row["field"]),
            work=shown(row["work"], row["field"]),
            winner=word(row["winner"]),
            restore=row["restore"],
        )


def span(seconds: float) -> str:
    """A length of time in its largest unit, as people say it."""
    if seconds < 120:
        return say("{count} seconds", count=int(seconds))
    if seconds < 120 * 60:
        return say("{count} minutes", count=int(seconds // 60))
    if seconds < 48 * 3600:
        return say("{count} hours", count=int(seconds // 3600))
    return say("{count} days", count=int(seconds // 86400))


def rule_words(rule: str) -> str:
    """A rule of the journal in words; a name that is none of ours stays as it is."""
    name, _, rest = rule.partition(".")
    if name == "restore":
        return say("brings back what entry {id} replaced", id=rest)
    if rest.startswith("to_"):
        return say("{field} flows to {side}", field=word(name), side=word(rest.removeprefix("to_")))
    return word(rule)


def foreseen(counts: Mapping[str, int]) -> str:
    """What would be done, by kind and side, as `data.summary` counts it."""
    return say(
        "{create} to create, {update_work} work items and {update_crm} CRM tasks to update, {delete} to delete,"
        " {unlink} to unlink",
        **counts,
    )


def found_text(data: Json, translate: Translate) -> str:
    """The tasks that a search found, for a terminal."""
    return told(_found_lines(data), translate)


def _found_lines(data: Json) -> Iterator[str]:
    for row in data["hits"]:
        yield f"{row['crm_id'] or '-'}/{row['work_id'] or '-'}  {row['title']}"
    if data["more"]:
        yield say("and more; give further words")
    if not data["hits"]:
        yield say("no task is known by «{query}»", query=data["query"])
