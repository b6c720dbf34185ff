"""What a salesperson reads in the CRM's result field, sentence by sentence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.core import verdict
from reconciler.core.model import Candidate, Code, Target, Verdict

NINE = datetime(2026, 3, 2, 2, 1, tzinfo=UTC)  # 09:01 in Hà Nội


def candidate(code: Code, project: str = "Phòng Kỹ thuật", group: str = "Cần làm") -> Candidate:
    return Candidate(crm_id="1", target=Target(project=project, group=group), since=NINE, refused=code)


def words(code: Code, **target: str) -> str:
    [told] = verdict.refused([candidate(code, **target)])
    return told.words


def test_the_time_is_that_of_the_salesperson() -> None:
    assert verdict.linked(["1"], NINE) == [Verdict(crm_id="1", words="Đã đồng bộ 09:01")]


def test_a_refusal_names_what_the_task_says_and_what_to_do() -> None:
    assert words(Code.TARGET_IS_DEPARTMENT) == "Không đồng bộ: Phòng Kỹ thuật là phòng ban, hãy chọn dự án"
    assert words(Code.GROUP_NOT_IN_PROJECT, project="12", group="{x}") == (
        "Không đồng bộ: {x} không phải nhóm công việc của 12, hãy chọn nhóm khác"
    )


@pytest.mark.parametrize("code", list(Code))
def test_every_code_gives_a_sentence_that_fits_a_text_field(code: Code) -> None:
    said = words(code, project="P" * 300, group="G" * 300)
    assert said.startswith("Không đồng bộ: ")
    assert len(said) <= 255
    assert "{" not in said


@pytest.mark.parametrize(
    ("shown", "wanted", "enough"),
    [
        ("Đã đồng bộ 09:01", "Đã đồng bộ 10:30", True),
        ("Ngừng đồng bộ 09:01", "Ngừng đồng bộ 10:30", True),
        ("Đã đồng bộ 09:01", "Ngừng đồng bộ 10:30", False),
        ("Không đồng bộ: a", "Không đồng bộ: a", True),
        ("Không đồng bộ: a", "Không đồng bộ: b", False),
        ("Không đồng bộ: a", "Đã đồng bộ 10:30", False),
        (None, "Đã đồng bộ 10:30", False),
        ("ghi chú của tôi", "Đã đồng bộ 10:30", False),
        ("Không đồng bộ: a", "", False),
        ("Đã đồng bộ 09:01", "", True),
        ("ghi chú của tôi", "", True),
        (None, "", True),
    ],
)
def test_a_meaning_that_is_shown_is_not_said_again(shown: str | None, wanted: str, enough: bool) -> None:
    assert verdict.says(shown, Verdict(crm_id="1", words=wanted)) is enough
