"""Evidence: what a decision was made from, as it stands in the journal and comes back."""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.bounds import UNBOUND, Bounds, bounds, refusal
from reconciler.core.evidence import Evidence, evidence_of
from reconciler.core.lenses import Unmapped
from reconciler.core.merge import Triple
from reconciler.core.model import Direction, Entry, Field, Side
from reconciler.core.route import Places
from tests.core.case import NOON, edited, pair, planned, policy


def test_a_decision_that_needed_no_clock_holds_none() -> None:
    triple = Triple(crm_base="Cũ", crm="Mới", work_base="Cũ", work="Cũ")
    evidence = Evidence(triple=triple, direction=Direction.BOTH, config="first")
    entry = Entry(kind="intent", at=NOON, inputs=evidence.inputs, detail=evidence.detail)
    assert "clocks" not in evidence.detail
    assert evidence_of(entry) == evidence
    assert evidence.verdict(policy().lenses[Field.TITLE])[0] == "flow"


def test_a_value_known_to_be_refused_is_set_aside_with_all_that_says_so_and_only_once() -> None:
    link = edited(pair(), Side.CRM, {Field.TITLE: "quá dài"})
    rules = replace(policy(), lengths={Side.CRM: {}, Side.WORK: {Field.TITLE: 3}})
    first = planned(link, rules)
    [ruling] = first.rulings
    entry = ruling.entry(NOON, 1)
    assert (entry.kind, entry.side, entry.field, entry.reason) == ("set_aside", "work", "title", "field_too_long")
    assert entry.detail["bounds"] == {"limit": 3}
    evidence = evidence_of(entry)
    kind, giver, _ = evidence.verdict(rules.lenses[Field.TITLE])
    assert (kind, giver) == ("flow", Side.CRM)
    fault = evidence.carried(rules.lenses[Field.TITLE], Side.CRM)
    assert isinstance(fault, Unmapped) and fault.code == entry.reason
    waiting = first.links[link.crm.id]
    assert planned(waiting, rules).rulings == ()
    assert planned(waiting, replace(rules, config="second")).rulings == (), "found again under another config"
    another = edited(waiting, Side.CRM, {Field.TITLE: "vẫn quá dài"})
    assert [one.kind for one in planned(another, rules).rulings] == ["set_aside"]


def test_a_conflict_whose_winner_cannot_be_brought_over_is_set_aside_with_its_clocks() -> None:
    link = edited(edited(pair(), Side.WORK, {Field.OWNER: ("NV003",)}), Side.CRM, {Field.OWNER: "Không mã"})
    [ruling] = planned(link).rulings
    evidence = evidence_of(ruling.entry(NOON, 1))
    lens = policy().lenses[Field.OWNER]
    assert (ruling.kind, ruling.reason, evidence.verdict(lens)[:2]) == (
        "set_aside", "person_unknown", ("conflict", Side.CRM),
    )  # fmt: skip
    assert isinstance(evidence.carried(lens, Side.CRM), Unmapped)


def test_an_older_entry_knew_no_bounds_and_a_value_is_carried_without_any() -> None:
    triple = Triple(crm_base="Cũ", crm="Mới", work_base="Cũ", work="Cũ")
    evidence = Evidence(triple=triple, direction=Direction.BOTH, config="first", bounds=Bounds(limit=2))
    detail = {name: value for name, value in evidence.detail.items() if name != "bounds"}
    older = evidence_of(Entry(kind="intent", at=NOON, inputs=evidence.inputs, detail=detail))
    assert older.bounds == UNBOUND
    assert older.carried(policy().lenses[Field.TITLE], Side.CRM) == "Mới"
    assert evidence_of(Entry(kind="intent", at=NOON, inputs=evidence.inputs, detail=evidence.detail)) == evidence


def test_a_doer_is_foreign_only_where_the_members_are_known_and_lack_the_first_one() -> None:
    lens, places = policy().lenses[Field.OWNER], Places(groups={}, members={"12": frozenset({"NV001"})})

    def found(label: str | None, project: str | None, into: Side = Side.WORK) -> str | None:
        return bounds(Field.OWNER, lens, into, label, (), project, policy(), places).foreign

    assert found("Trần Bình (NV002)", "12") == "12"
    assert [found("Lê An (NV001)", "12"), found("Trần Bình (NV002)", "13"), found("Trần Bình (NV002)", None)] == [
        None
    ] * 3
    assert [found(None, "12"), found("Không mã", "12"), found("NV002", "12", Side.CRM)] == [None] * 3
    assert refusal((), Bounds(foreign="12")) is None
