"""A sentence keeps its pattern and values: through the state, and into the other language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model import Field, Side
from reconciler.message import Message, into, joined, pack, say, unpack

VIETNAMESE = {
    "{field} was not written to {side}: {why}": "Không ghi được {field} sang {side}: {why}",
    "crm": "bên Bán hàng",
    "title": "Tên",
    "too long ({count})": "quá dài ({count})",
}


def vi(pattern: str) -> str:
    return VIETNAMESE.get(pattern, pattern)


def sentence() -> Message:
    why = say("too long ({count})", count=300)
    return say("{field} was not written to {side}: {why}", field=Field.TITLE, side=Side.CRM, why=why)


def test_a_message_is_its_english_text_and_translates_as_a_whole() -> None:
    assert sentence() == "title was not written to crm: too long (300)"
    assert into(sentence(), vi) == "Không ghi được Tên sang bên Bán hàng: quá dài (300)"


def test_a_stored_message_is_read_in_either_language() -> None:
    again = unpack(pack(sentence()))
    assert again == sentence()
    assert into(again, vi) == into(sentence(), vi)


def test_words_of_a_server_are_never_translated_nor_taken_for_a_pattern() -> None:
    words = say("{text}", text="crm {side} {0}")
    assert into(words, vi) == "crm {side} {0}"


def test_several_sentences_translate_one_by_one() -> None:
    both = joined([sentence(), "máy chủ bận"])
    assert into(both, vi) == "Không ghi được Tên sang bên Bán hàng: quá dài (300); máy chủ bận"
    assert joined(["a", "b"]) == "a; b"


@pytest.mark.parametrize("text", ["", '{"say":', '{"say":"x","with":{}}', "{", "Gọi {khách}"])
def test_any_text_survives_the_state(text: str) -> None:
    assert unpack(pack(text)) == text
    assert into(unpack(pack(text)), vi) == text


@given(st.text())
def test_any_text_at_all_survives(text: str) -> None:
    assert unpack(pack(text)) == text
    assert unpack(pack(say("{words}!", words=text))) == f"{text}!"
