"""Mutants of rules 3, 4, 9, 22 to 25 and 33 to 35: which records belong together, and when one is made."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

RULES: Final = "tests/stories/test_rules_of_pairing.py"
CREATES: Final = "tests/stories/test_creates.py"
TENANT: Final = "tests/stories/test_another_tenant.py"
FOUND: Final = "tests/stories/test_found_by_mutants.py"
LOSSES: Final = "tests/stories/test_losses_and_limits.py"

PAIRING: Final = (
    Mutant(
        name="no_tombstone",
        rule="rule 3: every unlink leaves a tombstone, so that nothing is created again",
        place="apply.losses:apply_unlinks",
        old="tx.save_tombstones(",
        new="tuple(",
        killers=(f"{RULES}::test_rule_3_a_task_that_lost_its_item_gets_no_second_one_however_often_it_is_edited",),
    ),
    Mutant(
        name="manual_tombstone_lifts",
        rule="rule 3: a tombstone that a person made lifts only by `link`",
        place="pair:_Stage.lift_tombstones",
        old=" if not grave.manual",
        new="",
        killers=(f"{FOUND}::test_rule_3_a_pair_unlinked_by_hand_while_an_item_was_hidden_stays_unlinked",),
    ),
    Mutant(
        name="deleted_item_created_again",
        rule="rule 3: an unclear create whose item is found deleted was created then deleted; no second one is sent",
        place="pair:_Stage.settle_intents",
        old="self._bury(intent, found[0], link)",
        new="self.result.settled_intents.add(crm_id); self.result.candidates[crm_id] = _again(intent)",
        killers=(f"{CREATES}::test_rule_3_a_create_whose_item_was_deleted_meanwhile_is_not_sent_again",),
    ),
    Mutant(
        name="no_intent_before_a_create",
        rule="rule 4: an intent is durable before the create is sent",
        place="apply.creates:_prepare",
        old="tx.save_intents(job.intent for job in jobs)",
        new="pass",
        killers=(f"{CREATES}::test_an_unclear_create_is_sent_again_only_after_resolve_after",),
    ),
    Mutant(
        name="no_search_before_sending_again",
        rule="rule 4: the item of an unclear create is searched by its marker before a second one is sent",
        place="pair:_Stage.claims_for",
        old="wanted = set(crm_ids)",
        new="wanted = set()",
        killers=(f"{CREATES}::test_a_create_that_takes_effect_late_is_adopted_not_repeated",),
    ),
    Mutant(
        name="no_wait_before_sending_again",
        rule="rule 4: a create without an answer is sent again only after `resolve_after`",
        place="pair:_Stage._waited",
        old="return self.news.now >=",
        new="return True or self.news.now >=",
        killers=(f"{CREATES}::test_an_unclear_create_is_sent_again_only_after_resolve_after",),
    ),
    Mutant(
        name="created_without_a_complete_listing",
        rule="rule 4: nothing is created before Work's news were read completely",
        place="pair:_Stage.searched",
        old="return reading is not None and",
        new="return True or reading is not None and",
        killers=(f"{RULES}::test_rule_4_nothing_is_created_while_the_listing_of_work_is_unproven",),
    ),
    Mutant(
        name="search_from_the_watermark",
        rule="rule 4: the search after an unclear create reads from the moment it was sent",
        place="poll:_read",
        old="if side is Side.WORK else []",
        new="if False else []",
        killers=(f"{RULES}::test_rule_4_an_item_that_appears_only_long_after_its_unclear_create_is_found",),
    ),
    Mutant(
        name="created_from_the_poll",
        rule="rule 4: the task is read again just before its item is created",
        place="apply.creates:_as_planned",
        old="    return all(",
        new="    return True or all(",
        killers=(f"{RULES}::test_rule_4_the_title_typed_between_poll_and_create_is_the_one_that_arrives",),
    ),
    Mutant(
        name="edits_before_adoption_are_ours",
        rule="rule 9: what differs in an item that somebody touched before its adoption is a person's edit",
        place="core.pair:adopt_intent",
        old="return untouched or",
        new="return True or",
        killers=(f"{CREATES}::test_rule_9_an_edit_made_before_adoption_flows_as_an_edit",),
    ),
    Mutant(
        name="untouched_item_is_edited",
        rule="rule 9: in an item that nobody touched since we created it every difference is the server's",
        place="core.pair:adopt_intent",
        old="untouched = mine and item.modified == item.created",
        new="untouched = False",
        killers=(f"{RULES}::test_rule_9_what_the_server_fills_in_by_itself_is_no_edit",),
    ),
    Mutant(
        name="source_base_read_at_adoption",
        rule="rules 1 and 9: the source base is the value the create was planned from, never a later read",
        place="core.pair:newborn",
        old="crm_base[name], work_base[name] = source[name], read",
        new="crm_base[name], work_base[name] = task.values.get(name), read",
        killers=(f"{RULES}::test_rule_9_an_edit_of_the_task_while_its_create_was_unclear_flows",),
    ),
    Mutant(
        name="rebuild_lets_the_crm_win",
        rule="rule 22: after a rebuild nothing is overwritten unless one side alone was last edited by a person",
        place="core.seed:person_givers",
        old="return None\n",
        new="return Side.CRM\n",
        killers=(f"{CREATES}::test_rule_22_rebuild_overwrites_nothing_in_silence",),
    ),
    Mutant(
        name="old_backup_trusted",
        rule="rule 23: records that our account wrote after the state's last cycle void the bases of an old backup",
        place="poll:_remember_rewound",
        old="if finished is None or",
        new="if True or",
        killers=(f"{CREATES}::test_rule_23_an_old_backup_shows_itself_and_undoes_nothing",),
    ),
    Mutant(
        name="marker_need_not_point_back",
        rule="rule 24: a marker links only if the record it names points back or names none",
        place="core.pair:points_back",
        old="return task.marker is None or task.marker == item_id",
        new="return True",
        killers=(f"{RULES}::test_rule_24_a_marker_of_a_task_that_points_elsewhere_links_nothing",),
    ),
    Mutant(
        name="latest_copy_stays",
        rule="rule 24: of two unlinked items with one marker the one that was created first stays",
        place="core.pair:earliest",
        old="return min(",
        new="return max(",
        killers=(f"{RULES}::test_rule_24_of_two_unlinked_items_with_one_marker_the_one_created_first_stays",),
    ),
    Mutant(
        name="copied_marker_stays",
        rule="rule 24: the marker that a copied task brought along is overwritten by that of its own item",
        place="core.plan:lacking",
        old="link.half(side).marker != link.half(side.other).id",
        new="link.half(side).marker is None",
        killers=(f"{CREATES}::test_rule_24_a_copied_crm_task_gets_an_item_of_its_own_and_its_marker_is_overwritten",),
    ),
    Mutant(
        name="copy_of_an_unlinked_item_links",
        rule="rule 24: an item with the marker of a tombstoned task is reported, never linked",
        place="pair:_Stage.match_markers",
        old="crm_id in linked or crm_id in buried or",
        new="crm_id in linked or",
        killers=(
            f"{FOUND}::test_rule_24_without_a_marker_in_the_crm_a_copy_does_not_take_the_place_of_a_deleted_item",
        ),
    ),
    Mutant(
        name="restore_moves_the_base",
        rule="rule 25: a restored value is an outside edit, so it flows across",
        place="apply.updates:_settle",
        old="if change.reason == RESTORED:",
        new="if False:",
        killers=(f"{LOSSES}::test_restore_brings_a_lost_value_back_and_it_flows_across",),
    ),
    Mutant(
        name="lost_state_goes_on",
        rule="rule 33: a new state that meets markers of existing tasks halts until `rebuild`",
        place="pair:_Stage.match_markers",
        old="if tasks and not self.rebuilding and",
        new="if False and",
        killers=(
            f"{CREATES}::test_rule_33_a_new_state_that_meets_our_markers_halts_until_rebuild",
            f"{RULES}::test_rule_33_link_on_a_lost_state_lists_first_and_refuses",
        ),
    ),
    Mutant(
        name="marker_is_an_edit",
        rule="rule 34: the stamp that our marker leaves is neither an edit nor a winner",
        place="apply.ledger:Ledger.inscribed",
        old="replace(half, own_stamp=own)",
        new="half",
        killers=(f"{RULES}::test_rule_34_the_marker_stamp_is_no_evidence_in_a_conflict",),
    ),
    Mutant(
        name="another_tenant_goes_on",
        rule="rule 35: a changed address is taken for another company's unless nearly all pairs are proven",
        place="tenant:prove",
        old="if len(proven) < SURVIVORS * count:",
        new="if False:",
        killers=(f"{TENANT}::test_rule_35_another_company_has_the_same_ids_and_stays_halted",),
    ),
    Mutant(
        name="marker_alone_proves_the_tenant",
        rule="rule 35: a marker proves nothing while the contents of the pair differ without an explanation",
        place="tenant:survive",
        old="return None if seeded.accepted else",
        new="return",
        killers=(f"{TENANT}::test_rule_35_a_marker_alone_proves_nothing_when_the_contents_differ",),
    ),
)
