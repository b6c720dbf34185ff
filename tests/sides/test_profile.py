"""What was assumed about the wire formats can be mended in the config, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.model import Edit, Field
from reconciler.errors import ConfigError
from reconciler.sides.profile import CrmProfile, WorkProfile
from tests.sides.rig import Canned, Rig, Seen, answer


def test_overrides_replace_defaults() -> None:
    changed = CrmProfile().with_overrides(
        {"tasks_path": "/Missions", "page_size": 50, "expired": ["Old"], "first_page": 1}
    )
    assert (changed.tasks_path, changed.page_size, changed.expired, changed.first_page) == (
        "/Missions",
        50,
        ("Old",),
        1,
    )
    assert changed.title == "task_name"
    assert CrmProfile().with_overrides({}) == CrmProfile()


@pytest.mark.parametrize(
    "wrong",
    [
        {"task_path": "/x"},
        {"page_size": 0},
        {"page_size": "50"},
        {"page_size": True},
        {"batch": -1},
        {"first_page": -1},
        {"title": ""},
        {"title": 7},
        {"expired": "ExpiredToken"},
        {"expired": [""]},
        {"lengths": {}},
    ],
)
def test_what_cannot_be_used_is_a_config_error_that_names_the_key(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        CrmProfile().with_overrides(wrong)
    assert [problem.key for problem in refused.value.problems] == list(wrong)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        WorkProfile().with_overrides({"titel": "x", "page_size": 0})
    assert len(refused.value.problems) == 2


def test_the_known_limits() -> None:
    rig = Rig()
    assert rig.crm().limits == {Field.TITLE: 255, Field.DESCRIPTION: 20_000}
    assert rig.work().limits == {Field.TITLE: 255, Field.DESCRIPTION: 10_000}
    assert (rig.crm().batch, rig.work().batch) == (20, 20)


async def test_a_crm_with_other_names_is_spoken_to_by_them() -> None:
    row = {"uid": 7, "subject": "Gọi", "changed": "2026-03-02T09:00:00.000+07:00"}
    listing = answer({"success": True, "code": 200, "data": [row], "total_records": 1})
    transport = Canned(listing, answer({"success": True, "code": 200, "results": [{"success": True}]}))
    crm = Rig().crm(transport, tasks_path="/Missions", title="subject", id="uid", modified="changed", first_page=1)
    seen = Seen()
    assert (await crm.changes(None, seen)).complete
    assert seen.rows["7"].values == {Field.TITLE: "Gọi"}
    await crm.update([Edit(id="7", values={Field.TITLE: "mới"})])
    assert transport.calls == ["GET /Missions", "PUT /Missions"]
    assert transport.requests[0].url.params["page"] == "1"
    assert b'"uid":7' in transport.requests[1].content and b'"subject"' in transport.requests[1].content


async def test_a_work_listing_that_says_nothing_of_its_end_is_unproven() -> None:
    row = {"TaskID": 7, "ModifiedDate": "2026-03-02T09:00:00+07:00"}
    silent = answer({"Success": True, "Data": {"Tasks": [row]}})
    assert not (await Rig().work(Canned(silent)).changes(None, Seen())).complete
    assert set(await Rig().work(Canned(silent)).by_id(["7"])) == {"7"}
