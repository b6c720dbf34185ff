"""Every method of the port, on every kind of database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from reconciler.core.model import CycleRow, Difference, Field, Half, Link, Side, Tally, Verdict
from reconciler.core.search import Retitled
from reconciler.ports import StateReader, Store, Transaction
from reconciler.store import verify
from tests.store.samples import (
    aside,
    at,
    attention,
    busy_link,
    candidate,
    claim,
    entry,
    intent,
    link,
    sending,
    tombstone,
)


def add_links(store: Store, *links: Link) -> list[Link]:
    with store.transaction() as transaction:
        return transaction.save_links(links)


def test_the_classes_are_what_the_ports_ask_for(store: Store) -> None:
    reader: StateReader = store
    with store.transaction() as transaction:
        writer: Transaction = transaction
        assert writer.tally() == Tally()
    assert reader.tally() == Tally()


@pytest.mark.parametrize("value", [0, False, "", [], {}, {"a": [1, {"b": None}]}, "chữ", 1.5])
def test_facts(store: Store, value: object) -> None:
    assert store.fact("x") is None
    with store.transaction() as transaction:
        transaction.set_fact("x", "before")
        transaction.set_fact("x", value)
        assert transaction.fact("x") == value
    assert store.fact("x") == value
    with store.transaction() as transaction:
        transaction.set_fact("x", None)
        transaction.set_fact("never there", None)
    assert store.fact("x") is None


def test_facts_are_kept_in_memory_and_never_out_of_date(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.set_fact("x", 1)
    assert store.fact("x") == 1
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
        transaction.set_fact("x", 2)
        assert (store.fact("x"), transaction.fact("x")) == (2, 2)
        raise ZeroDivisionError
    assert store.fact("x") == 1


def test_links_get_keys_in_order_and_keep_everything(store: Store) -> None:
    with store.transaction() as transaction:
        saved = transaction.save_links([link(1), busy_link(2), link(3)])
        assert transaction.links() == saved
    assert [pair.key for pair in saved] == sorted(pair.key for pair in saved)
    assert saved == [
        replace(pair, key=new.key) for pair, new in zip((link(1), busy_link(2), link(3)), saved, strict=True)
    ]
    assert store.links() == saved


def test_saving_mixes_new_and_known_links(store: Store) -> None:
    [first] = add_links(store, link(1))
    changed = replace(first, dirty_since=at(9), tries=5)
    saved = add_links(store, link(2), changed, link(3))
    assert saved[1] == changed
    assert store.links() == [changed, saved[0], saved[2]]


def test_links_are_found_from_either_side(store: Store) -> None:
    one, two = add_links(store, link(1), link(2))
    assert store.links_by(Side.CRM, ["1", "2", "3", "1"]) == {"1": one, "2": two}
    assert store.links_by(Side.WORK, {"1002"}) == {"1002": two}
    assert store.links_by(Side.WORK, []) == {}


def test_links_are_walked_through_in_pages(store: Store) -> None:
    saved = add_links(store, *(link(number) for number in range(7)))
    assert store.links(limit=3) == saved[:3]
    assert store.links(after=saved[2].key, limit=3) == saved[3:6]
    assert store.links(after=saved[6].key) == []


def test_dirty_links_come_oldest_first(store: Store) -> None:
    add_links(store, link(1, dirty_since=at(5)), link(2), link(3, dirty_since=at(4)))
    assert [pair.crm.id for pair in store.dirty_links()] == ["3", "1"]


def test_unequal_links_are_those_in_any_other_condition(store: Store) -> None:
    differences = {Field.STATUS: Difference(reason="lossy", since=at(1))}
    pairs = add_links(
        store,
        link(1, differences=differences),
        link(2),
        link(3, dirty_since=at(2)),
        link(4, frozen=True),
        link(5, aside={Field.DUE: aside()}),
    )
    assert store.unequal_links() == [pairs[0], *pairs[2:]]
    assert store.unequal_links(after=pairs[0].key, limit=2) == pairs[2:4]
    add_links(store, replace(pairs[0], differences={}))
    assert store.unequal_links(limit=1) == [pairs[2]]


def test_statuses_of_the_crm_are_counted_as_last_seen(store: Store) -> None:
    done, open_ = {Field.STATUS: "Hoàn thành"}, {Field.STATUS: "Đang thực hiện"}
    add_links(
        store,
        link(1, crm=Half(id="1", base=done, seen=done)),
        link(2, crm=Half(id="2", base=done, seen=open_)),
        link(3, crm=Half(id="3", base=open_, seen=open_)),
        link(4, crm=Half(id="4", base=done, seen={Field.STATUS: None})),
    )
    assert store.crm_statuses() == {"Hoàn thành": 1, "Đang thực hiện": 2}


def test_verdicts_wait_by_task_and_the_later_one_replaces(store: Store) -> None:
    one, two = Verdict(crm_id="1", words="Đã đồng bộ 09:01"), Verdict(crm_id="2", words="", refused=True)
    with store.transaction() as transaction:
        transaction.save_verdicts([two, Verdict(crm_id="1", words="x", refused=True)])
        transaction.save_verdicts([one])
        assert transaction.verdicts() == [one, two]
        transaction.drop_verdicts(["2", "3"])
    assert store.verdicts() == [one]


def test_a_dropped_key_is_not_given_again(store: Store) -> None:
    one, two = add_links(store, link(1), link(2))
    with store.transaction() as transaction:
        transaction.save_sendings([sending(two.key, Side.CRM)])
        transaction.drop_links([two.key, 999])
        assert transaction.links() == [one]
        assert transaction.sendings() == []
    [three] = add_links(store, link(3))
    assert three.key > two.key


def test_saving_a_link_that_is_gone_is_refused(store: Store) -> None:
    [one] = add_links(store, link(1))
    with store.transaction() as transaction:
        transaction.drop_links([one.key])
    with pytest.raises(LookupError), store.transaction() as transaction:
        transaction.save_links([one])


@pytest.mark.parametrize("change", [{"crm_id": "1"}, {"work_id": "1001"}])
def test_a_record_is_in_one_link_only(store: Store, change: dict[str, str]) -> None:
    [one] = add_links(store, link(1))
    other = link(2)
    if "crm_id" in change:
        other = replace(other, crm=replace(other.crm, id=change["crm_id"]))
    else:
        other = replace(other, work=replace(other.work, id=change["work_id"]))
    with pytest.raises(IntegrityError), store.transaction() as transaction:
        transaction.save_links([other])
    assert store.links() == [one]


def test_candidates(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.save_candidates([candidate(1), candidate(2), candidate(3)])
        transaction.save_candidates([replace(candidate(1), refused=None, on_request=False, not_before=None)])
    assert store.candidates() == [
        candidate(3),
        candidate(2),
        replace(candidate(1), refused=None, on_request=False, not_before=None),
    ]
    with store.transaction() as transaction:
        transaction.drop_candidates(["1", "3", "77"])
        assert transaction.candidates() == [candidate(2)]


def test_intents(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.save_intents([intent(1), intent(2)])
        transaction.save_intents([replace(intent(1), searches=9)])
    assert store.intents() == [intent(2), replace(intent(1), searches=9)]
    with store.transaction() as transaction:
        transaction.drop_intents({"2"})
        assert [left.crm_id for left in transaction.intents()] == ["1"]


def test_sendings_are_removed_by_link_and_side(store: Store) -> None:
    one, two = add_links(store, link(1), link(2))
    both = [sending(one.key, Side.CRM), sending(one.key, Side.WORK), sending(two.key, Side.CRM)]
    with store.transaction() as transaction:
        transaction.save_sendings(both)
        transaction.save_sendings([replace(both[0], values={Field.TITLE: "new"})])
    assert store.sendings() == [replace(both[0], values={Field.TITLE: "new"}), *both[1:]]
    with store.transaction() as transaction:
        transaction.drop_sendings([both[0], replace(both[2], values={})])
    assert store.sendings() == [both[1]]


def test_claims(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.save_claims([claim(1), claim(2), claim(3)])
        transaction.save_claims([replace(claim(3), created=None, deleted=False, reported=False)])
    third = replace(claim(3), created=None, deleted=False, reported=False)
    assert store.claims() == [claim(2), claim(1), third]
    assert store.claims(["c1"]) == [claim(1), third]
    assert store.claims([]) == []
    with store.transaction() as transaction:
        transaction.drop_claims(["1", "2"])
        assert transaction.claims() == [third]


def test_tombstones(store: Store) -> None:
    one, two, three = tombstone(1), tombstone(2, known=False), tombstone(3)
    with store.transaction() as transaction:
        transaction.save_tombstones([one, two, three])
        transaction.save_tombstones([replace(three, manual=False)])
    assert store.tombstones() == []
    assert store.tombstones(crm_ids=["1"], work_ids=["w1", "w2"]) == [one, two]
    assert store.tombstones(work_ids=["w3"]) == [replace(three, manual=False)]
    with store.transaction() as transaction:
        transaction.drop_tombstones(["1", "3"])
    assert store.tombstones(crm_ids=["1", "2", "3"]) == [two]


def test_attention_is_listed_oldest_first(store: Store) -> None:
    entries = [attention(3), attention(1), attention(1, field=Field.TITLE, title="t", words="w", acked="a")]
    with store.transaction() as transaction:
        transaction.raise_attention(entries)
    assert store.attention() == [entries[1], entries[2], entries[0]]
    with store.transaction() as transaction:
        transaction.clear_attention([attention(1, since=at(99), content="other"), attention(55)])
    assert store.attention() == [entries[2], entries[0]]


def test_attention_keeps_since_and_the_acknowledgement_of_the_same_content(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.raise_attention([attention(1)])
        transaction.raise_attention([attention(1, acked="lan")])
        transaction.raise_attention([attention(1, since=at(50), message="again", words="server")])
    assert store.attention() == [attention(1, message="again", words="server", acked="lan")]
    with store.transaction() as transaction:
        transaction.raise_attention([attention(1, since=at(60), content="b")])
    assert store.attention() == [attention(1, content="b", acked=None)]


def test_each_pair_counts_once_and_the_worst_condition_wins(store: Store) -> None:
    differences = {Field.STATUS: Difference(reason="lossy", since=at(1))}
    pairs = [
        link(1),
        link(2, differences=differences),
        link(3, differences=differences, dirty_since=at(1)),
        link(4, dirty_since=at(1), aside={Field.TITLE: aside(at(9))}),
        link(5, aside={Field.TITLE: aside(at(9))}, frozen=True),
        link(6, aside={Field.TITLE: aside(at(9)), Field.DUE: aside()}, frozen=True),
        link(7, completed=True),
    ]
    with store.transaction() as transaction:
        saved = transaction.save_links(pairs)
        transaction.save_tombstones([tombstone(1)])
        transaction.save_candidates([candidate(1), candidate(2)])
        expected = Tally(
            linked=7,
            equal=2,
            accepted=1,
            pending=1,
            set_aside=1,
            frozen=1,
            attention=1,
            tombstones=1,
            candidates=2,
            open=4,
        )
        assert transaction.tally() == expected
    assert store.tally() == expected
    add_links(store, replace(saved[0], dirty_since=at(3)))
    assert store.tally() == replace(expected, equal=1, pending=2)


def test_cycles_are_bounded_and_come_newest_first(store: Store) -> None:
    with store.transaction() as transaction:
        first = transaction.save_cycle(CycleRow(started_at=at(0)))
        done = CycleRow(id=first, started_at=at(0), finished_at=at(1), outcome="ok", counts={"updates": 3}, note="n")
        assert transaction.save_cycle(done) == first
        assert transaction.cycles() == [done]
        for number in range(1, 1005):
            last = transaction.save_cycle(CycleRow(started_at=at(number)))
    assert last > first
    assert [row.id for row in store.cycles(3)] == [last, last - 1, last - 2]
    assert len(store.cycles(5000)) == 1000
    assert len(store.cycles()) == 20


def test_the_journal_gives_back_what_was_appended(store: Store) -> None:
    with store.transaction() as transaction:
        assert transaction.append([]) == []
        assert transaction.append([entry(1), entry(2)]) == [1, 2]
        assert transaction.append([entry(3)]) == [3]
        assert len(list(transaction.journal())) == 3
    found = list(store.journal())
    assert [replace(one, id=0, previous="", hash="") for one in found] == [entry(1), entry(2), entry(3)]
    assert found[1].previous == found[0].hash
    assert verify(store) is None


def test_the_journal_is_filtered(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append([entry(1), entry(2), entry(3, crm_id=None, work_id="w1"), entry(4)])

    def ids(**wanted: object) -> list[int]:
        return [one.id for one in store.journal(**wanted)]  # type: ignore[arg-type]

    assert ids(crm_id="c1") == [1]
    assert ids(crm_id="c1", work_id="w1") == [1, 3]
    assert ids(since=at(2), until=at(4)) == [2, 3]
    assert ids(entry=4) == [4]
    assert ids(entry=4, crm_id="c1") == []


def test_the_journal_streams_and_can_be_written_meanwhile(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append(entry(number) for number in range(1200))
    stream = store.journal()
    assert next(stream).id == 1
    with store.transaction() as transaction:
        transaction.append([entry(5000)])
    assert [one.id for one in stream] == list(range(2, 1202))


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    [kept] = add_links(store, link(1))
    with store.transaction() as transaction:
        transaction.append([entry(1)])
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
        transaction.set_fact("x", 1)
        transaction.save_links([replace(kept, tries=9), link(2)])
        transaction.save_candidates([candidate(1)])
        transaction.save_intents([intent(1)])
        transaction.save_sendings([sending(kept.key, Side.CRM)])
        transaction.save_claims([claim(1)])
        transaction.save_tombstones([tombstone(1)])
        transaction.raise_attention([attention(1)])
        transaction.append([entry(2)])
        transaction.save_cycle(CycleRow(started_at=at(0)))
        raise ZeroDivisionError
    assert store.fact("x") is None
    assert store.links() == [kept]
    assert not store.candidates() and not store.intents() and not store.sendings() and not store.claims()
    assert not store.tombstones(crm_ids=["1"]) and not store.attention() and not store.cycles()
    assert [one.id for one in store.journal()] == [1]
    with store.transaction() as transaction:
        assert transaction.append([entry(2)]) == [2]
    assert verify(store) is None


def test_a_transaction_is_of_no_use_after_its_end_nor_inside_another(store: Store) -> None:
    with store.transaction() as transaction:
        with pytest.raises(RuntimeError), store.transaction():
            raise AssertionError
        transaction.set_fact("x", 1)
    for call in (transaction.tally, lambda: transaction.set_fact("x", 2), lambda: transaction.save_links([])):
        with pytest.raises(RuntimeError):
            call()
    assert store.fact("x") == 1


@pytest.mark.parametrize("odd", ["a\ud83d", "a\0", "a\\u0000\\\0\\\\\ud83d"])
def test_letters_that_no_database_takes_do_not_stop_anything(store: Store, odd: str) -> None:
    pair = link(1)
    pair = replace(pair, crm=replace(pair.crm, seen={Field.TITLE: odd}, author=odd))
    with store.transaction() as transaction:
        [saved] = transaction.save_links([pair])
        transaction.raise_attention([attention(1, words=odd)])
        transaction.append([entry(1, old=odd, changed_by=odd, reason=odd)])
    assert store.links()[0].crm.seen == {Field.TITLE: odd}
    assert store.attention()[0].words == odd.replace("\ud83d", "?").replace("\0", "?")
    assert [titled.title[0] for titled in store.titled() if titled.crm_id == "1"] == ["a", "G"]
    assert next(store.journal()).old == odd
    assert store.crm_statuses() == {}
    assert verify(store) is None
    assert saved.key


def test_what_the_journal_says_about_titles(store: Store) -> None:
    title = {"field": Field.TITLE, "old": "Một", "new": "Hai"}
    with store.transaction() as transaction:
        transaction.append(
            [
                entry(1, crm_id="1", **title),
                entry(2, crm_id="2", **title),
                entry(3, crm_id="1"),
                entry(4, crm_id="3", **title),
                entry(5, crm_id="1", **title | {"old": None, "new": "Ba"}),
            ]
        )
        transaction.erase([2])
    assert list(store.retitled(["1", "2"])) == [
        Retitled(entry=1, crm_id="1", old="Một", new="Hai"),
        Retitled(entry=2, crm_id="2"),
        Retitled(entry=5, crm_id="1", new="Ba"),
    ]


def test_the_extent_of_the_journal(store: Store) -> None:
    empty = store.extent()
    assert (empty.entries, empty.head, empty.kinds) == (0, "0" * 64, {})
    with store.transaction() as transaction:
        transaction.append([entry(1, kind="created", side=Side.WORK), entry(2, kind="paused", side=None)])
        transaction.append([entry(3, kind="created", side=Side.WORK)])
    whole, later = store.extent(), store.extent(after=2)
    assert whole.entries == later.entries == 3
    assert whole.head == later.head == list(store.journal())[-1].hash
    assert whole.kinds == {("created", Side.WORK): 2, ("paused", None): 1}
    assert later.kinds == {("created", Side.WORK): 1}
