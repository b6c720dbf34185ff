"""Mutants of rules 7 and 17 to 21, 26 and 30: which side's value counts, and what is no edit at all."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

RULES: Final = "tests/stories/test_rules_of_conflicts.py"
WRITES: Final = "tests/stories/test_writes.py"
DATES: Final = "tests/stories/test_status_and_dates.py"
LOSSES: Final = "tests/stories/test_losses_and_limits.py"
LENSES: Final = "tests/core/test_rule_18_20_lenses.py"

CONFLICTS: Final = (
    Mutant(
        name="difference_is_a_conflict",
        rule="rule 7: sides that differ and did not change since are left as they are",
        place="core.merge:merge",
        old="_changed(lens, triple, side) for side in Side",
        new="True for side in Side",
        killers=(f"{RULES}::test_rule_7_an_accepted_difference_outlives_unrelated_edits_and_ends_with_its_own",),
    ),
    Mutant(
        name="stamp_of_the_record",
        rule="rule 17: the stamp of the field decides, not that of the record",
        place="core.change:witnessed",
        old="crm_stamp=link.crm.stamps.get(name),\n        work_stamp=link.work.stamps.get(name),",
        new="crm_stamp=link.crm.modified,\n        work_stamp=link.work.modified,",
        killers=(
            f"{RULES}::test_rule_17_the_field_edited_last_wins_although_its_record_was_touched_first",
            f"{WRITES}::test_rule_17_the_stamp_of_the_field_decides_not_that_of_the_record",
        ),
    ),
    Mutant(
        name="unmoved_stamp_is_evidence",
        rule="rule 17: a value that changed under an unmoved stamp has no evidence of when",
        place="core.observe:_evidence",
        old="None if record.modified == half.modified or own else",
        new="None if own else",
        killers=(
            "tests/core/test_rule_17_stamps.py::test_rule_17_no_evidence_where_the_stamp_did_not_move_or_is_our_own",
        ),
    ),
    Mutant(
        name="own_stamp_is_evidence",
        rule="rule 17: the stamp of our own write says nothing about a person's edit",
        place="core.observe:_evidence",
        old="or own else",
        new="else",
        killers=(f"{RULES}::test_rule_17_our_own_write_is_no_evidence_for_a_person",),
    ),
    Mutant(
        name="loser_not_kept",
        rule="rule 17: the value that loses a conflict is journalled before it is overwritten",
        place="apply.updates:_intent",
        old='if change.reason != "conflict":',
        new="if True:",
        killers=(f"{RULES}::test_rule_17_a_loser_is_journalled_before_it_is_overwritten",),
    ),
    Mutant(
        name="move_inside_a_class_is_none",
        rule="rule 18: a move inside a status class competes with a completion, which would destroy it",
        place="core.lenses:StatusLens.moved",
        old="not self.same(side, base, value)",
        new="(not self.same(side, base, value)) if side is Side.WORK"
        " else self.maps.to_work(_str(base)) != self.maps.to_work(_str(value))",
        killers=(
            f"{RULES}::test_rule_18_a_move_inside_a_class_competes_with_a_completion",
            f"{LENSES}::test_rule_18_a_move_inside_a_class_competes_with_a_completion",
        ),
    ),
    Mutant(
        name="hour_competes",
        rule="rule 18: the hour of a deadline never competes with a changed day",
        place="core.lenses:DayLens.moved",
        old="_day(base) != _day(value)",
        new="base != value",
        killers=(
            f"{RULES}::test_rule_18_an_hour_typed_after_the_crm_day_neither_wins_nor_is_lost",
            f"{LENSES}::test_rule_18_an_hour_never_competes_with_a_day",
        ),
    ),
    Mutant(
        name="hour_lost",
        rule="rule 18: a changed day keeps the hour that Work has",
        place="core.lenses:DayLens.to_work",
        old="return day + instant[10:] if instant else",
        new="return",
        killers=(f"{DATES}::test_due_dates_keep_their_day_and_the_hour_of_work_over_ten_round_trips",),
    ),
    Mutant(
        name="literal_status",
        rule="statuses agree by class, so that a put keeps the finer status that the CRM has",
        place="core.status:StatusMaps.agree",
        old="return image is not None and there is not None and text.word(image) == text.word(there)",
        new="return image is not None and there is not None and text.word(back) == text.word(crm)",
        killers=(f"{DATES}::test_status_moves_inside_one_class_write_nothing",),
    ),
    Mutant(
        name="receiver_competes",
        rule="rule 19: in a one-directional field only the giving side changes anything",
        place="core.merge:merge",
        old="if changed[side] and direction.gives(side)",
        new="if changed[side]",
        killers=(
            f"{RULES}::test_rule_19_the_receiving_side_neither_flows_nor_wins_and_is_journalled_before_it_is_replaced",
            f"{WRITES}::test_rule_19_a_receiving_side_never_competes_and_its_value_is_kept",
        ),
    ),
    Mutant(
        name="further_doers_dropped",
        rule="rule 20: a new owner goes first, and further doers stay",
        place="core.lenses:OwnerLens.to_work",
        old="return (code, *(doer for doer in _doers(old)[1:] if doer != code))",
        new="return (code,)",
        killers=(f"{DATES}::test_rule_20_a_new_owner_goes_first_and_further_doers_stay",),
    ),
    Mutant(
        name="no_owner_is_a_value",
        rule="rule 20: no owner is no value while further doers exist",
        place="core.lenses:OwnerLens.is_value",
        old="return not (isinstance(other, tuple) and len(other) > 1)",
        new="return True",
        killers=(f"{LENSES}::test_rule_20_no_owner_is_no_value_while_further_doers_exist",),
    ),
    Mutant(
        name="cached_date_believed",
        rule="rule 21: the date of a cached answer is no clock",
        place="sides.http:Channel._sample",
        old="None if stale else http_date",
        new="http_date",
        killers=(
            f"{RULES}::test_rule_21_the_date_of_a_cached_answer_is_no_clock",
            "tests/sides/test_offset.py::test_an_answer_out_of_a_cache_tells_no_time",
        ),
    ),
    Mutant(
        name="decided_without_clocks",
        rule="rule 21: without measured clocks a conflict is a tie that says so",
        place="core.resolve:resolve",
        old='decided(clocks.tie, "no_clock")',
        new='decided(Side.CRM if crm > work else Side.WORK, "newer")',
        killers=(f"{WRITES}::test_rule_21_without_a_date_header_conflicts_are_ties_marked_no_clock",),
    ),
    Mutant(
        name="no_tolerance",
        rule="conflicts: a difference that the clocks cannot tell is a tie, and the configured side wins",
        place="core.resolve:resolve",
        old="abs(later_by) <= unsure",
        new="not later_by",
        killers=(f"{WRITES}::test_a_tie_goes_to_the_configured_side_and_says_so",),
    ),
    Mutant(
        name="clocks_not_corrected",
        rule="conflicts: stamps are compared after the offsets of both servers' clocks are taken off",
        place="core.resolve:resolve",
        old="(crm - clocks.crm.value) - (work - clocks.work.value)",
        new="crm - work",
        killers=(f"{WRITES}::test_s13_last_writer_wins_after_correcting_the_clocks",),
    ),
    Mutant(
        name="renamed_status_is_an_edit",
        rule="rule 26: a status word that is new, under a stamp that did not move, is a rename and no edit",
        place="core.suspicion:Suspicion.verdict",
        old="in self.known | DOCUMENTED[self.giver]",
        new="in self.known | DOCUMENTED[self.giver] or True",
        killers=(f"{LOSSES}::test_rule_26_a_renamed_status_reopens_nothing",),
    ),
    Mutant(
        name="ping_pong_goes_on",
        rule="rule 30: a field whose writes are reverted three times is set aside",
        place="core.suspicion:Suspicion.verdict",
        old=">= REVERTS",
        new=">= 100",
        killers=(f"{LOSSES}::test_rule_30_a_value_that_flips_without_a_user_is_set_aside",),
    ),
    Mutant(
        name="toggles_are_reverts",
        rule="rule 30: only a write that is undone while its source stays counts, so a user who toggles is obeyed",
        place="core.suspicion:count_revert",
        old="if not undone or not unchanged:",
        new="if not unchanged:",
        killers=(
            "tests/stories/test_found_by_mutants.py::test_rule_30_a_new_value_in_answer_to_our_write_is_no_revert",
        ),
    ),
    Mutant(
        name="text_compared_by_its_bytes",
        rule="texts: the same letters in another Unicode form are the same text",
        place="core.text:title",
        old='unicodedata.normalize("NFC", text or "")',
        new='(text or "")',
        killers=(f"{DATES}::test_the_same_title_in_another_form_is_no_edit",),
    ),
)
