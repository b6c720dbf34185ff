"""All mutants of the design, and those that may survive."""

from __future__ import annotations

from typing import Final

from tests.mutants.conflicts import CONFLICTS
from tests.mutants.mutant import Mutant
from tests.mutants.pairing import PAIRING
from tests.mutants.reading import READING
from tests.mutants.writing import WRITING

CATALOGUE: Final = (*WRITING, *PAIRING, *CONFLICTS, *READING)

SURVIVORS: Final = (
    # Another spelling of what was sent, read back under our own author, becomes the base as "the server's answer" just
    # as it would as "confirmed"; the planner, which compares spellings rightly, then finds that nothing differs. Only
    # the word in the journal is another one.
    Mutant(
        name="read_back_byte_for_byte",
        rule="rule 5 a: a text that the server trims or normalises is the text that was sent",
        place="core.observe:judge",
        old="lens.same(side, sent, read)",
        new="sent == read",
        killers=(
            "tests/stories/test_rules_of_writing.py::test_rule_5a_a_title_that_the_server_trims_causes_no_second_write",
        ),
    ),
)
"""Mutants of which nothing that the rule promises can be seen; the reason is beside each. Their tests still pass."""
