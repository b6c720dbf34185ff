"""Evidence: what a decision was made from, as it stands in the journal and comes back."""

from __future__ import annotations

from reconciler.core.evidence import Evidence, evidence_of
from reconciler.core.merge import Triple
from reconciler.core.model import Direction, Entry, Field
from tests.core.case import NOON, policy


def test_a_decision_that_needed_no_clock_holds_none() -> None:
    triple = Triple(crm_base="Cũ", crm="Mới", work_base="Cũ", work="Cũ")
    evidence = Evidence(triple=triple, direction=Direction.BOTH, config="first")
    entry = Entry(kind="intent", at=NOON, inputs=evidence.inputs, detail=evidence.detail)
    assert "clocks" not in evidence.detail
    assert evidence_of(entry) == evidence
    assert evidence.verdict(policy().lenses[Field.TITLE])[0] == "flow"
