"""The management summary: one page on top of a report. Every number is derived from the report's own data, the sums are
made here and said, and what is not proven is said too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from reconciler.core.condition import CONDITIONS
from reconciler.core.model import Side
from reconciler.message import joined, say, word
from reconciler.report.document import Json, Summary, count, local, percent, phrase

LATELY: Final = timedelta(days=30)
"""What the summary of a dry run says of earlier cycles is about so long."""

Fidelity = tuple[int, int]
"""How many of these days' cycles did exactly what they had planned, and of how many."""


@dataclass(frozen=True, slots=True)
class Integrity:
    """What a check of the journal's chain came to: its `entries`, and the first `fault` in words if there is one."""

    entries: int
    fault: str = ""


CANDIDATES: Final = ("linked", "refused", "excluded", "waiting")


def signatures() -> tuple[str, ...]:
    """Who signs, in this order."""
    return (say("Prepared by"), say("Reviewed by"), say("Date"), say("Signature"))


def adds_up(parts: Iterable[int], whole: int) -> str:
    """The sum of the parts, made here; it says so where it is not the whole."""
    made = sum(parts)
    if made == whole:
        return say("Adds up: {sum}.", sum=count(made))
    return say("DOES NOT ADD UP: {sum} instead of {whole}.", sum=count(made), whole=count(whole))


def dry_summary(data: Json, *, fidelity: Fidelity | None = None, integrity: Integrity | None = None) -> Summary:
    """The summary of a dry run. `fidelity` and `integrity` (the last journal entry that was checked) are None where
    nobody checked."""
    verdict, grave = _verdict(data)
    return Summary(
        verdict=verdict,
        grave=grave,
        lines=(
            _scope(data),
            say(
                "If applied: {update_work} work items and {update_crm} CRM tasks changed, {create} work items added, "
                "{delete} deleted, {unlink} pairs unlinked.",
                **{name: count(number) for name, number in data["summary"].items()},
            ),
            _contested(Counter((one["winner"], one["reason"]) for one in data["conflicts"])),
            _statuses(data),
            _attention(data["attention"]),
            joined([_read(data), _reliability(fidelity, integrity)], " "),
            unproven(),
        ),
        signatures=signatures(),
    )


def _verdict(data: Json) -> tuple[str, bool]:
    waiting = len(data["attention"])
    if not data["complete"]:
        missing = [side for side in Side if not data["reads"].get(side.value, {}).get("complete")]
        sides = joined(missing or list(Side), ", ")
        return say("Not conclusive: not read to the end: {sides}.", sides=sides), True
    if data["halted"]:
        return say("Held back: {message}.", message=data["halted"]["message"]), True
    if waiting:
        return say("Safe to apply; {count} matters need a person.", count=count(waiting)), False
    return say("Safe to apply; nothing needs a person."), False


def _scope(data: Json) -> str:
    """The pairs as the state and the two sides are at the moment of the report, also where it is over a period."""
    pairs: Mapping[str, int] = data["pairs"]
    parts = {name: pairs[name] for name in CONDITIONS}
    named = [
        say("{count} {name}", count=count(number), name=word(name))
        for name, number in parts.items()
        if number or name == "equal"
    ]
    return say(
        "Scope, as of {at}: {linked} linked pairs ({share} equal): {parts}. {sum}",
        at=local(data["generated_at"]),
        linked=count(pairs["linked"]),
        share=percent(pairs["equal"], pairs["linked"]),
        parts=joined(named, ", "),
        sum=adds_up(parts.values(), pairs["linked"]),
    )


def _contested(decided: Mapping[tuple[str, str], int]) -> str:
    """How conflicts were decided: the later edit, or, where the clocks cannot tell, the configured side."""
    whole = sum(decided.values())
    if not whole:
        return say("Edited on both sides: no field.")
    parts = [
        say("{count} kept from the {side} side ({reason})", count=count(number), side=word(side), reason=word(reason))
        for (side, reason), number in sorted(decided.items())
    ]
    return say(
        "Edited on both sides: {whole} fields: {parts}. Every value that is replaced is kept in the journal before it "
        "is written over, and can be restored.",
        whole=count(whole),
        parts=joined(parts, ", "),
    )


def _statuses(data: Json) -> str:
    """Which status words would be written, and which tasks keep a word that Work cannot tell from others."""
    changes = [change["after"] for one in data["operations"] for change in one["fields"] if change["name"] == "status"]
    written = Counter(after for after in changes if isinstance(after, str))
    parts = [
        say("{count} become «{status}»", count=count(number), status=status)
        for status, number in sorted(written.items())
    ]
    moving = Counter(
        change["before"]
        for one in data["operations"]
        if one["side"] == Side.CRM.value
        for change in one["fields"]
        if change["name"] == "status"
    )
    shared = [row["crm"] for row in data["statuses"] if len(row["crm"]) > 1]
    kept = {name: data["crm_statuses"].get(name, 0) - moving[name] for words in shared for name in words}
    parts += [
        say("{count} CRM tasks keep «{status}»", count=count(number), status=name)
        for name, number in kept.items()
        if number > 0
    ]
    return say("Statuses: {parts}.", parts=joined(parts, ", ")) if parts else say("Statuses: none is written.")


def _attention(entries: Iterable[Json]) -> str:
    causes = Counter(one["cause"] for one in entries)
    if not causes:
        return say("Needs a person: nothing.")
    parts = [say("{cause}: {count}", cause=why, count=count(number)) for why, number in causes.most_common()]
    return say("Needs a person: {parts}.", parts=joined(parts, "; "))


def _read(data: Json) -> str:
    marks = data["watermarks"]
    if data.get("complete", True) is False:
        return say("NOT read to the end on both sides.")
    return say(
        "Read to the end: CRM side up to {crm}, Work side up to {work}.",
        crm=local(marks["crm"]),
        work=local(marks["work"]),
    )


def _reliability(fidelity: Fidelity | None, integrity: Integrity | None) -> str:
    matched = (
        say("Cycles that matched their plan: not checked here.")
        if fidelity is None
        else say(
            "In 30 days {matched} of {total} cycles matched their plan.",
            matched=count(fidelity[0]),
            total=count(fidelity[1]),
        )
    )
    return joined([matched, _intact(integrity)], " ")


def _intact(integrity: Integrity | None) -> str:
    if integrity is None:
        return say("Journal: not checked here.")
    if integrity.fault:
        return say("The journal is NOT intact: {fault}.", fault=integrity.fault)
    return say("Journal intact up to entry {entry}.", entry=count(integrity.entries))


def _kept_to_plan(fidelity: Mapping[str, int]) -> str:
    return say(
        "{matched} of {total} cycles that wrote matched their plan.",
        matched=count(fidelity["matched"]),
        total=count(fidelity["planned"]),
    )


def unproven() -> str:
    """What no report of this program can prove."""
    return say(
        "Not proven: who edited where MISA names only the integration account; edits that came and went between two "
        "readings; that the values were true when they were typed."
    )


def period_summary(data: Json, *, integrity: Integrity | None = None) -> Summary:
    """The summary of a period; what the state says now is said to be of now."""
    rows, candidates, links = data["rows"], data["candidates"], data["links"]
    standing = sum(1 for one in data["halts"] if one["until"] is None)
    exceptions = say(
        "{changes} changes, {exceptions} exceptions to review, {commands} commands of operators.",
        **{name: count(rows[name]) for name in ("changes", "exceptions", "commands")},
    )
    verdict = (
        joined([exceptions, say("{count} halts or pauses stood at the end.", count=count(standing))], " ")
        if standing
        else exceptions
    )
    return Summary(
        verdict=verdict,
        grave=bool(standing),
        lines=(
            say(
                "Tasks that asked for a work item, as of {at}: {candidates}: {parts}. {sum}",
                at=local(data["generated_at"]),
                candidates=count(candidates["candidates"]),
                parts=joined(
                    [say("{count} {name}", count=count(candidates[name]), name=word(name)) for name in CANDIDATES], ", "
                ),
                sum=adds_up((candidates[name] for name in CANDIDATES), candidates["candidates"]),
            ),
            _scope(data),
            say(
                "Pairs: {opening} at the start + {added} linked - {removed} unlinked = {closing} at the end.",
                **{name: count(links[name]) for name in ("opening", "added", "removed", "closing")},
            ),
            _written(data["operations"]),
            _contested(_decided(data)),
            joined([_continuity(data), _kept_to_plan(data["fidelity"]), _intact(integrity)], " "),
            unproven(),
        ),
        signatures=signatures(),
    )


def _decided(data: Json) -> Counter[tuple[str, str]]:
    decided: Counter[tuple[str, str]] = Counter()
    for one in data["conflicts"]:
        decided[(one["winner"], one["reason"])] += one["count"]
    return decided


def _written(operations: Mapping[str, Mapping[str, int]]) -> str:
    if not operations:
        return say("Written: nothing.")
    parts = [
        say(
            "{kind} {count} ({outcomes})",
            kind=phrase(kind),
            count=count(sum(outcomes.values())),
            outcomes=joined(
                [say("{count} {name}", count=count(number), name=phrase(one)) for one, number in outcomes.items()], ", "
            ),
        )
        for kind, outcomes in operations.items()
    ]
    return say("Written, by field: {parts}.", parts=joined(parts, "; "))


def _continuity(data: Json) -> str:
    silent = sum(1 for one in data["days"] if one["cycles"] == 0)
    return say(
        "{cycles} cycles on {days} days, {silent} days without one; {gaps} gaps; {halts} halts and pauses.",
        cycles=count(sum(one["cycles"] for one in data["days"])),
        days=count(len(data["days"])),
        silent=count(silent),
        gaps=count(len(data["gaps"]) + data["gaps_unlisted"]),
        halts=count(len(data["halts"])),
    )
