"""Mutants of rules 1, 2, 5, 6, 8, 10, 11 and 31: what a write may believe, and what it must not overwrite."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

RULES: Final = "tests/stories/test_rules_of_writing.py"
WRITES: Final = "tests/stories/test_writes.py"
DATES: Final = "tests/stories/test_status_and_dates.py"
SIDES: Final = "tests/stories/test_sides_and_differences.py"
LOSSES: Final = "tests/stories/test_losses_and_limits.py"
REVERTING: Final = "tests/stories/test_reverting.py"

WRITING: Final = (
    Mutant(
        name="whole_record_as_base",
        rule="rule 1: the base moves per field, not with the whole record that is read back",
        place="apply.updates:_landed",
        old="        link = _settle(ledger, link, side, change, read, landed, outcome)\n",
        new="        link = _settle(ledger, link, side, change, read, landed, outcome)\n"
        "        link = with_half(link, side, replace(link.half(side), base={**link.half(side).base, **row.values}))\n",
        killers=(
            f"{RULES}::test_rule_1_the_base_moves_per_field_also_when_the_crm_is_written",
            f"{WRITES}::test_rule_1_an_edit_of_another_field_between_read_and_read_back_is_not_swallowed",
        ),
    ),
    Mutant(
        name="late_write_forgotten",
        rule="rule 2: what an unclear write was to bring is remembered, so that it is no edit when it arrives late",
        place="poll:interrupted",
        old="wanted=(*link.wanted, *wants), ",
        new="",
        killers=(f"{WRITES}::test_rule_2_a_write_that_takes_effect_late_is_not_a_users_edit",),
    ),
    Mutant(
        name="late_write_is_an_edit",
        rule="rule 2: a value that one of our unclear writes was to bring is recognised as ours",
        place="core.observe:absorb_late",
        old="for want in link.wanted:",
        new="for want in ():",
        killers=(
            f"{RULES}::test_rule_2_a_late_write_that_lands_after_a_newer_one_of_ours_is_not_an_edit",
            f"{RULES}::test_rule_2_a_late_write_into_the_crm_is_no_edit_either",
        ),
    ),
    Mutant(
        name="no_wait_for_a_late_write",
        rule="rule 2: a field waits while a write of ours may still arrive",
        place="core.plan:_plan_pair",
        old="want.hold > moment.now",
        new="False",
        killers=(f"{WRITES}::test_rule_2_the_field_waits_while_a_late_write_may_still_arrive",),
    ),
    Mutant(
        name="a_late_write_holds_the_pair",
        rule="rule 2: only the field of the unclear write waits, not the others of the pair",
        place="core.plan:_plan_pair",
        old="want.field is name and want.hold",
        new="want.hold",
        killers=(f"{RULES}::test_rule_2_only_the_unclear_field_waits",),
    ),
    Mutant(
        name="unconfirmed_is_confirmed",
        rule="rule 5 b: an accepted write whose value does not show is unconfirmed, and tried again",
        place="core.observe:judge",
        old="Landed.UNCONFIRMED",
        new="Landed.CONFIRMED",
        killers=(f"{WRITES}::test_rule_5b_an_accepted_write_that_does_not_show_is_tried_three_times_and_reported",),
    ),
    Mutant(
        name="unconfirmed_for_ever",
        rule="rule 5 b: after three tries an unconfirmed write is accepted and reported",
        place="apply.updates:_settle",
        old="tries < UNCONFIRMED_AT_MOST",
        new="True",
        killers=(f"{WRITES}::test_rule_5b_an_accepted_write_that_does_not_show_is_tried_three_times_and_reported",),
    ),
    Mutant(
        name="read_back_of_a_person_accepted",
        rule="rule 5 c: another value by another author, read back after our write, is a person's edit",
        place="core.observe:judge",
        old="Landed.SERVER_ANSWER if by_us else Landed.USER_EDIT",
        new="Landed.SERVER_ANSWER",
        killers=(
            f"{WRITES}::test_rule_5_a_persons_value_in_the_read_back_flows_on",
            f"{RULES}::test_rule_5c_a_person_who_shortens_our_text_at_once_is_a_person",
        ),
    ),
    Mutant(
        name="answer_of_the_server_is_an_edit",
        rule="rule 5 d: another value by our own author is the server's answer and never flows back",
        place="core.observe:judge",
        old="Landed.SERVER_ANSWER if by_us else Landed.USER_EDIT",
        new="Landed.USER_EDIT",
        killers=(
            f"{RULES}::test_rule_5d_a_text_that_the_server_cuts_is_accepted_and_never_flows_back",
            f"{RULES}::test_rule_5d_any_other_value_by_our_own_author_is_the_servers_answer_too",
        ),
    ),
    Mutant(
        name="cut_text_by_nobody_is_an_edit",
        rule="rule 5: without a known author a cut text is the server's",
        place="core.observe:judge",
        old="known = rewritten or field",
        new="known = field",
        killers=(f"{RULES}::test_rule_5_without_a_known_author_a_cut_text_is_the_servers",),
    ),
    Mutant(
        name="moved_deadline_is_an_edit",
        rule="rule 5: a deadline that was not sent and moved with our own write is the server's answer",
        place="apply.updates:_landed",
        old="name not in part.edit.values and mine and",
        new="False and",
        killers=(f"{RULES}::test_rule_5_a_deadline_that_moves_with_our_write_of_another_field_is_the_servers",),
    ),
    Mutant(
        name="base_waits_for_a_write",
        rule="rule 6: a change that needs no write moves the base in the cycle that sees it",
        place="core.plan:_rebased",
        old="    for side in Side:\n",
        new="    return link\n    for side in Side:\n",
        killers=(
            f"{DATES}::test_rule_6_an_old_move_inside_a_class_does_not_undo_a_later_completion",
            f"{RULES}::test_rule_6_sides_that_came_to_agree_by_themselves_have_that_value_as_base",
        ),
    ),
    Mutant(
        name="refusal_moves_the_base",
        rule="rule 8: a refused field keeps its old base",
        place="apply.updates:_set_aside",
        old="    return replace(link, aside=",
        new="    return replace(rebase(link, side, change.field, change.before, change.source), aside=",
        killers=(f"{WRITES}::test_rule_8_a_refusal_that_names_no_field_splits_in_the_same_cycle",),
    ),
    Mutant(
        name="refused_value_sent_again",
        rule="rule 8: a refused value is not sent again until it, the config or the project's data changes",
        place="core.change:_blocks",
        old="    if aside.config",
        new="    return False\n    if aside.config",
        killers=(f"{RULES}::test_rule_8_a_refused_field_is_sent_once_and_again_when_its_value_changes",),
    ),
    Mutant(
        name="aside_told_again",
        rule="rule 8: a field that is set aside is told once, whatever config finds it again",
        place="core.change:tells_more",
        old="return known is None or",
        new="return True or",
        killers=(
            "tests/core/test_evidence.py::test_a_value_known_to_be_refused_is_set_aside_with_all_that_says_so_and_only_once",
        ),
    ),
    Mutant(
        name="refusal_takes_the_whole_element",
        rule="rule 8: a refusal sets aside the field it is about; the others go through in the same cycle",
        place="apply.updates:_refused",
        old="if answer.code is Code.FORBIDDEN or len(part.changes) == 1 else tuple(named)",
        new="",
        killers=(
            f"{WRITES}::test_rule_8_a_refusal_that_names_no_field_splits_in_the_same_cycle",
            f"{RULES}::test_rule_8_the_crm_names_the_field_and_the_others_go_through_in_the_same_cycle",
        ),
    ),
    Mutant(
        name="known_limits_not_checked",
        rule="rule 8: known limits are checked before the write",
        place="core.bounds:refusal",
        old="bounds.limit is not None and",
        new="False and",
        killers=(f"{RULES}::test_rule_8_known_limits_and_members_are_checked_before_the_write",),
    ),
    Mutant(
        name="empty_replaces_without_a_base",
        rule="rule 8: with no base an empty value never replaces another one",
        place="core.seed:seed",
        old="if giver is not None and empty(",
        new="if False and empty(",
        killers=(f"{RULES}::test_rule_8_without_a_base_an_empty_value_replaces_nothing",),
    ),
    Mutant(
        name="written_from_the_poll",
        rule="rule 10: a field whose value moved between poll and write is dropped from that write",
        place="apply.updates:_unmoved",
        old="    return lens.same(",
        new="    return True or lens.same(",
        killers=(
            f"{WRITES}::test_rule_10_an_edit_between_poll_and_write_drops_that_field_only",
            f"{RULES}::test_rule_10_an_edit_of_the_target_between_poll_and_write_competes_and_is_not_overwritten",
        ),
    ),
    Mutant(
        name="dropped_for_a_stamp",
        rule="rule 10: only a moved value drops a field, never a stamp",
        place="apply.updates:_prepare",
        old="if alive and _unmoved(",
        new="if alive and link.half(side).modified == ledger.links[one.crm_id].half(side).modified and _unmoved(",
        killers=(f"{RULES}::test_rule_10_a_stamp_that_moved_drops_nothing",),
    ),
    Mutant(
        name="overtaken_for_ever",
        rule="rule 10: a field that is overtaken twice is planned again at once",
        place="cycle:carry_out",
        old="ledger.links[one.crm_id].drops > 1",
        new="False",
        killers=(f"{RULES}::test_rule_10_a_field_that_is_overtaken_twice_is_planned_again_at_once",),
    ),
    Mutant(
        name="absent_key_is_empty",
        rule="rule 11: a field that an answer does not show is unseen, not empty",
        place="core.observe:observe",
        old="in record.values.items():",
        new="in {**dict.fromkeys(lenses), **record.values}.items():",
        killers=("tests/core/test_rule_17_stamps.py::test_rule_11_a_field_that_is_not_shown_keeps_value_and_stamp",),
    ),
    Mutant(
        name="null_is_not_empty",
        rule="rule 11: null and empty text are equal",
        place="core.lenses:_str",
        old='else ""',
        new="else repr(value)",
        killers=(f"{RULES}::test_rule_11_null_and_empty_are_the_same_on_both_sides_in_every_order",),
    ),
    Mutant(
        name="clearing_is_an_update",
        rule="rule 11: clearing a field counts under the limit of deletions",
        place="core.safety:_clears",
        old="empty(change.after)",
        new="False",
        killers=(f"{RULES}::test_rule_11_clearing_texts_counts_as_deleting",),
    ),
    Mutant(
        name="no_intent_before_an_update",
        rule="rule 31: an intent is durable before the write, and found after a crash",
        place="apply.updates:_prepare",
        old="tx.save_sendings(batch.sendings)",
        new="pass",
        killers=(f"{RULES}::test_rule_31_an_update_whose_process_died_counts_as_unclear_at_its_send_time",),
    ),
    Mutant(
        name="unclear_write_repeated",
        rule="rule 31: a write without a clear answer is never sent again by itself",
        place="sides.http:Channel.write",
        old="NotApplied if failure.unsent else Unclear",
        new="NotApplied",
        killers=(f"{WRITES}::test_rule_31_a_write_without_a_clear_answer_is_never_sent_twice_by_itself",),
    ),
    Mutant(
        name="refused_connection_is_unclear",
        rule="rule 31: a write whose connection was refused was not applied, and is repeated in the same cycle",
        place="sides.http:Channel.write",
        old="NotApplied if failure.unsent else Unclear",
        new="Unclear",
        killers=(
            f"{RULES}::test_rule_31_a_refused_connection_applied_nothing_and_is_repeated_in_the_same_cycle",
            f"{RULES}::test_rule_31_a_create_with_a_refused_connection_is_repeated_and_made_once",
        ),
    ),
    Mutant(
        name="refused_write_left_to_the_next_cycle",
        rule="rule 31: a write answered 401 or 429 is sent once more after fresh reads",
        place="apply.ledger:Ledger.once_more",
        old="if wait > self.connection.policy.retry_for:",
        new="if True:",
        killers=(f"{WRITES}::test_rule_31_a_write_answered_401_or_429_is_sent_once_more_after_fresh_reads",),
    ),
    Mutant(
        name="reads_not_repeated",
        rule="rule 31: reads are repeated while that can help",
        place="sides.http:Channel.read",
        old="if self._clock.monotonic() - started",
        new="if True or self._clock.monotonic() - started",
        killers=(f"{RULES}::test_rule_31_reads_are_repeated",),
    ),
    Mutant(
        name="no_before_image",
        rule="journal: the value that a write replaces is kept before the write",
        place="apply.updates:_intent",
        old="old=change.before",
        new="old=None",
        killers=(f"{LOSSES}::test_restore_brings_a_lost_value_back_and_it_flows_across",),
    ),
    Mutant(
        name="revert_over_later_edits",
        rule="undo: what people changed since is left alone",
        place="core.undo:undo",
        old="elif _changed(one, sight, policy):",
        new="elif False:",
        killers=(
            f"{REVERTING}::test_what_a_person_changed_since_is_left_alone_and_named[work]",
            f"{REVERTING}::test_a_status_that_changed_since_within_its_class_is_left_alone",
        ),
    ),
    Mutant(
        name="revert_past_the_limits",
        rule="undo: the limits of a cycle hold it before anything is written",
        place="undoing:_hold",
        old="    if halt is None:",
        new="    if True:",
        killers=(f"{REVERTING}::test_a_limit_refuses_all_of_it_before_anything_is_written",),
    ),
)
