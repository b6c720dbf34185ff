"""What follows from a record that is deleted or gone, over every presence, edit and config; and back from an entry."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler.core.loss import Loss, loss, loss_of
from reconciler.core.model import Entry, Half, Presence, Side
from reconciler.core.observe import with_half
from reconciler.core.operations import Delete, Unlink
from tests.core.case import NOON, YESTERDAY, moment, pair, planned, policy

EDITED = NOON
ALIVE = (Presence.PRESENT, Presence.ARCHIVED, Presence.MISSING)


def lost(
    presence: Presence, other: Presence, modified: datetime | None, *, propagates: bool, side: Side = Side.CRM
) -> Loss:
    half = Half(id="7001", presence=other, modified=modified, own_stamp=None, agreed=YESTERDAY)
    return Loss(
        side=side, presence=presence, at=None, other=half, clocks=moment().clocks, propagates=propagates, config="first"
    )


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("other", ALIVE)
def test_only_a_flagged_deletion_that_nobody_edited_against_is_propagated_and_only_if_the_config_says_so(
    side: Side, other: Presence
) -> None:
    for modified in (None, YESTERDAY, EDITED):
        for presence in (Presence.DELETED, Presence.GONE):
            for propagates in (True, False):
                found = lost(presence, other, modified, propagates=propagates, side=side).verdict()
                if modified is EDITED:
                    assert found == ("unlink", side, "deleted_elsewhere")
                elif presence is Presence.GONE:
                    assert found == ("unlink", side, "absent")
                elif propagates:
                    kind = "wait" if other is Presence.MISSING else "delete"
                    assert found == (kind, side.other, "deleted")
                else:
                    assert found == ("unlink", side, "deleted")


@pytest.mark.parametrize("other", [Presence.DELETED, Presence.GONE])
@pytest.mark.parametrize("propagates", [True, False])
def test_where_both_records_are_lost_there_is_nothing_to_delete_and_no_edit_to_keep(
    other: Presence, propagates: bool
) -> None:
    assert lost(Presence.DELETED, other, EDITED, propagates=propagates).verdict() == ("unlink", Side.CRM, "deleted")
    assert lost(Presence.GONE, other, EDITED, propagates=propagates).verdict() == ("unlink", Side.CRM, "absent")


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("propagates", [True, False])
def test_the_operation_is_what_its_evidence_says_also_after_the_journal_kept_it(side: Side, propagates: bool) -> None:
    link = pair()
    link = with_half(link, side, replace(link.half(side), presence=Presence.DELETED))
    rules = replace(policy(), propagate_deletes=propagates)
    [operation] = planned(link, rules).operations
    assert isinstance(operation, Delete if propagates else Unlink)
    evidence = loss(link, rules, moment().clocks)
    assert evidence is not None and operation.evidence == evidence
    assert evidence.inputs == {}
    entry = Entry(kind="unlinked", at=NOON, crm_id=link.crm.id, work_id=link.work.id, detail=evidence.detail)
    assert loss_of(entry) == evidence


def test_a_record_that_is_missing_is_not_deleted_until_it_is_known_whether_it_is_there() -> None:
    link = pair()
    link = with_half(link, Side.CRM, replace(link.crm, presence=Presence.DELETED))
    link = with_half(link, Side.WORK, replace(link.work, presence=Presence.MISSING))
    found = planned(link, replace(policy(), propagate_deletes=True))
    assert found.operations == ()
    assert found.links[link.crm.id].dirty_since == NOON


def test_our_own_write_is_no_edit_that_beats_a_deletion_also_after_the_journal_kept_it() -> None:
    half = Half(id="7001", modified=EDITED, own_stamp=EDITED, agreed=NOON - timedelta(hours=1))
    own = Loss(
        side=Side.CRM,
        presence=Presence.DELETED,
        at=NOON - timedelta(minutes=30),
        other=half,
        clocks=moment().clocks,
        propagates=False,
        config="first",
    )
    entry = Entry(kind="unlinked", at=NOON, crm_id="1", work_id="7001", detail=own.detail)
    assert loss_of(entry).verdict() == ("unlink", Side.CRM, "deleted")


@pytest.mark.parametrize(("later", "propagated"), [(60, False), (1, True), (-60, True)])
@pytest.mark.parametrize("side", Side)
def test_an_edit_that_was_agreed_on_already_beats_a_deletion_only_if_it_is_surely_later(
    side: Side, later: int, propagated: bool
) -> None:
    edit = NOON + timedelta(seconds=later)
    other = Half(id="1", modified=edit, own_stamp=YESTERDAY, agreed=edit)
    deleted = Loss(
        side=side,
        presence=Presence.DELETED,
        at=NOON,
        other=other,
        clocks=moment().clocks,
        propagates=True,
        config="first",
    )
    assert deleted.verdict()[2] == ("deleted" if propagated else "deleted_elsewhere")
    assert replace(deleted, other=replace(other, own_stamp=edit)).verdict()[0] == "delete"
    assert replace(deleted, presence=Presence.GONE).verdict() == ("unlink", side, "absent")


def test_a_pair_with_both_records_has_lost_nothing_and_an_entry_without_a_loss_holds_none() -> None:
    assert loss(pair(), policy(), moment().clocks) is None
    with pytest.raises(KeyError):
        loss_of(Entry(kind="unlinked", at=NOON, crm_id="1", work_id="7001", reason="deleted"))
