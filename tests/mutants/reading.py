"""Mutants of rules 12 to 16, 27, 28 and 32: reading completely, believing absence, and holding what is too much."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

RULES: Final = "tests/stories/test_rules_of_reading.py"
FOUND: Final = "tests/stories/test_found_by_mutants.py"
LOSSES: Final = "tests/stories/test_losses_and_limits.py"
SIDES: Final = "tests/stories/test_sides_and_differences.py"
SCANS: Final = "tests/sides/test_scan_rules.py"
JOURNAL: Final = "tests/store/test_journal.py"

READING: Final = (
    Mutant(
        name="scan_stops_at_an_equal_stamp",
        rule="rule 12: a CRM scan stops only at a row that is strictly older than its bound",
        place="sides.scan:_walk_down",
        old="page.rows and border < since:",
        new="page.rows and border <= since:",
        killers=(f"{SCANS}::test_the_stop_rule_needs_a_row_that_is_strictly_older",),
    ),
    Mutant(
        name="pages_trusted_although_rows_touch",
        rule="rule 12: a page that does not start strictly below the one before proves nothing by itself",
        place="sides.scan:_walk_down",
        old="elif page.rows and not _strictly_below(page, border):",
        new="elif False:",
        killers=(f"{RULES}::test_rule_12_a_purge_hidden_by_a_create_loses_no_row",),
    ),
    Mutant(
        name="fallen_total_ignored",
        rule="rule 12: a total that fell during a scan is no proof",
        place="sides.scan:_fell",
        old="after < before",
        new="False",
        killers=(f"{SCANS}::test_a_fallen_total_is_no_proof_and_another_pass_is",),
    ),
    Mutant(
        name="work_read_first_to_last",
        rule="rule 13: Work's pages are read from the last to the first, because rows slide towards the front",
        place="sides.scan:scan_ascending",
        old="itertools.chain(range(pages - 1, 0, -1), (0,))",
        new="range(pages)",
        killers=(f"{SCANS}::test_work_is_read_from_the_end_to_the_front",),
    ),
    Mutant(
        name="order_trusted",
        rule="rule 14: a list in another order than the one asked for proves nothing",
        place="sides.scan:_walk_down",
        old="if stamps != sorted(stamps, reverse=True):",
        new="if False:",
        killers=(f"{RULES}::test_rule_14_a_crm_list_in_another_order_is_reported_and_moves_no_watermark",),
    ),
    Mutant(
        name="short_page_ends_the_scan",
        rule="rule 14: the end of a list is what its total says, never a short page",
        place="sides.scan:_walk_down",
        old="not page.rows if total is None else walk.pages * size >= total",
        new="len(page.rows) < size",
        killers=(f"{SCANS}::test_a_short_page_is_never_the_end",),
    ),
    Mutant(
        name="connected_by_our_clock",
        rule="rule 15: the connection began in the CRM server's time",
        place="record:_record_readings",
        old="since = news.readings[Side.CRM].started",
        new="since = news.now",
        killers=(f"{RULES}::test_rule_15_connected_at_is_server_time_kept_and_journalled",),
    ),
    Mutant(
        name="connected_by_half_a_cycle",
        rule="rule 15: only a cycle that read both sides completely connects",
        place="record:_record_readings",
        old="if news.complete and not news.down and",
        new="if Side.CRM in news.readings and",
        killers=(f"{RULES}::test_rule_15_a_failed_first_cycle_does_not_connect",),
    ),
    Mutant(
        name="future_stamp_as_watermark",
        rule="rule 16: a watermark is never later than the server's time when the read began",
        place="core.watermark:advance",
        old="min(reading.newest, reading.started)",
        new="reading.newest",
        killers=(f"{RULES}::test_rule_16_a_stamp_from_the_future_hides_no_later_edit",),
    ),
    Mutant(
        name="incomplete_reading_moves_the_watermark",
        rule="rule 16: an unproven reading moves no watermark",
        place="core.watermark:advance",
        old="if not reading.complete:",
        new="if False:",
        killers=(f"{RULES}::test_rule_14_a_crm_list_in_another_order_is_reported_and_moves_no_watermark",),
    ),
    Mutant(
        name="watermark_stays_behind",
        rule="rule 16: a quiet system follows the server's clock, so that one page is enough again",
        place="core.watermark:advance",
        old="reached = [reading.started - overlap]",
        new="reached = [] if reading.newest else [reading.started - overlap]",
        killers=(f"{RULES}::test_rule_16_a_quiet_system_is_back_at_one_page_a_side",),
    ),
    Mutant(
        name="no_overlap",
        rule="rule 16: the next read begins an overlap before the watermark",
        place="core.watermark:bound",
        old="watermark - overlap",
        new="watermark",
        killers=(f"{FOUND}::test_rule_16_a_work_row_that_shows_late_is_read_although_a_newer_one_was",),
    ),
    Mutant(
        name="exclusive_bound",
        rule="rule 16: the bound is inclusive: what is stamped in the very second of the watermark is read again",
        place="core.watermark:bound",
        old="return min((watermark - overlap, *floors))",
        new="return min((watermark - overlap, *floors)) + timedelta(seconds=1)",
        killers=(f"{FOUND}::test_rule_16_a_stamp_at_the_very_bound_is_read",),
    ),
    Mutant(
        name="watermark_before_the_rows",
        rule="rule 16: the watermark and the rows that it covers become durable together",
        place="record:record",
        old="    with store.transaction() as tx:\n",
        new="    with store.transaction() as tx:\n"
        "        _record_readings(tx, store, policy, news, 1, prospect.circumstances)\n"
        "    with store.transaction() as tx:\n",
        killers=(f"{FOUND}::test_rule_16_news_that_could_not_be_stored_are_read_again",),
    ),
    Mutant(
        name="no_settling",
        rule="rule 16: a record that is being edited settles before it is written",
        place="core.plan:_settled",
        old="return stamp is None or",
        new="return True or",
        killers=(f"{SIDES}::test_the_settle_time_waits_for_a_record_to_be_quiet_but_not_for_ever",),
    ),
    Mutant(
        name="settling_for_ever",
        rule="rule 16: settling delays a pair at most a minute",
        place="core.plan:_quiet",
        old="if link.dirty_since is not None and",
        new="if False and",
        killers=(f"{RULES}::test_rule_16_a_record_edited_every_few_seconds_waits_at_most_a_minute",),
    ),
    Mutant(
        name="absent_once_is_gone",
        rule="rule 27: a record is gone only if it is missing twice",
        place="core.pair:absent",
        old="presence=Presence.MISSING, missing_since",
        new="presence=Presence.GONE, missing_since",
        killers=(f"{LOSSES}::test_rule_27_absence_is_believed_only_twice_in_two_cycles_and_only_by_id",),
    ),
    Mutant(
        name="hidden_is_deleted",
        rule="rule 27: an item that disappears with its whole project is out of sight, not deleted",
        place="core.plan:_out_of_sight",
        old="return gone and",
        new="return False and",
        killers=(f"{LOSSES}::test_rule_27_an_item_hidden_with_its_project_is_out_of_sight_and_not_deleted",),
    ),
    Mutant(
        name="absence_propagated",
        rule="rule 27: only an explicit deleted flag is propagated, never mere absence",
        place="core.loss:Loss.verdict",
        old="self.propagates and flagged and",
        new="self.propagates and",
        killers=(f"{LOSSES}::test_absence_alone_is_never_propagated",),
    ),
    Mutant(
        name="deletion_propagated_unasked",
        rule="rule 27: a deletion is propagated only if the config says so",
        place="core.loss:Loss.verdict",
        old="if self.propagates and",
        new="if",
        killers=(f"{LOSSES}::test_a_flagged_deletion_unlinks_and_leaves_the_other_record",),
    ),
    Mutant(
        name="deletion_beats_an_edit",
        rule="rule 27: an edit beats a deletion, and a person is told",
        place="core.loss:Loss.verdict",
        old="survives = not both and edited(self.other)",
        new="survives = False",
        killers=(f"{LOSSES}::test_an_edit_beats_a_deletion_and_waits_for_a_person",),
    ),
    Mutant(
        name="missing_record_deleted",
        rule="rule 27: a record that is missing is not deleted until it is known whether it is there",
        place="core.loss:Loss.verdict",
        old='"wait" if self.other.presence is Presence.MISSING else "delete"',
        new='"delete"',
        killers=(
            "tests/core/test_losses.py"
            "::test_a_record_that_is_missing_is_not_deleted_until_it_is_known_whether_it_is_there",
        ),
    ),
    Mutant(
        name="own_write_beats_a_deletion",
        rule="rule 27: a stamp that our own write left is no edit that could beat a deletion",
        place="core.observe:edited",
        old=" or half.modified == half.own_stamp",
        new="",
        killers=(f"{FOUND}::test_rule_27_what_we_wrote_beats_no_deletion_while_another_field_is_set_aside",),
    ),
    Mutant(
        name="a_deletion_is_not_looked_at_again",
        rule="rule 27: both records are read again just before a deletion; an edit that shows there stops it",
        place="apply.losses:_attempt",
        old=" or edited(fresh.half(delete.side))",
        new="",
        killers=(
            "tests/stories/test_found_by_simulation.py"
            "::test_an_edit_that_a_read_for_another_purpose_saw_stops_the_deletion",
        ),
    ),
    Mutant(
        name="an_old_value_of_an_emptied_field_gives",
        rule="rule 23: under an old backup a side gives no field that was emptied there",
        place="core.seed:fresh_givers",
        old="not empty(half.seen.get(name)) and ",
        new="",
        killers=(
            "tests/stories/test_creates.py"
            "::test_rule_23_an_old_value_of_a_side_that_a_person_touched_undoes_no_edit_under_our_forgotten_write",
        ),
    ),
    Mutant(
        name="back_off_does_not_grow",
        rule="rule 32: a side that fails is asked ever more rarely",
        place="health:_health",
        old="first * (1 << min(failures - 1, 10))",
        new="first",
        killers=(
            "tests/stories/test_rules_of_failing_sides.py"
            "::test_rule_32_a_failing_side_is_probed_ever_more_rarely_up_to_a_quarter_of_an_hour",
        ),
    ),
    Mutant(
        name="limits_hold_nothing",
        rule="rule 28: what is over a limit is held before its first write",
        place="core.safety:check",
        old="if not kinds:",
        new="if True:",
        killers=("tests/stories/test_rules_of_writing.py::test_rule_11_clearing_texts_counts_as_deleting",),
    ),
    Mutant(
        name="a_limit_holds_everything",
        rule="rule 28: a tripped limit holds its kind and direction; everything else flows",
        place="core.safety:check",
        old="chosen = {id(one) for one in holding}",
        new="chosen = {id(one) for one in operations}",
        killers=(f"{LOSSES}::test_rule_28_a_tripped_limit_holds_its_kind_and_direction_and_everything_else_flows",),
    ),
    Mutant(
        name="approval_of_whatever_comes",
        rule="rule 28: an approval is for the operations that were held, not for others",
        place="core.safety:check",
        old="if operation.canonical not in around.approved:",
        new="if not around.approved:",
        killers=(f"{FOUND}::test_rule_28_an_approval_is_for_what_was_held_and_for_nothing_else",),
    ),
    Mutant(
        name="emptied_side_unlinked",
        rule="rule 28: a side that shows none of its linked records holds everything",
        place="core.safety:check",
        old="lost >= EMPTIED_FROM and",
        new="False and",
        killers=(f"{LOSSES}::test_an_emptied_side_halts_whatever_the_limits",),
    ),
    Mutant(
        name="chain_without_links",
        rule="journal: every entry's hash covers the hash of the entry before it",
        place="store.journal:digest",
        old="bytes.fromhex(previous) + body",
        new="body",
        killers=(f"{JOURNAL}::test_a_gap_that_was_closed_by_renumbering_is_found",),
    ),
)
