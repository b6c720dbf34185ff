"""A bundle names every config that was in force in its period, and from when."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from reconciler.audit.bundle import open_bundle
from reconciler.audit.exporting import export_bundle
from reconciler.audit.verifying import examine
from reconciler.configured import record_config
from reconciler.report.data import utc
from tests.world import MORNING, World

DAY = timedelta(days=1)


def change(world: World, day: int, max_creates: int) -> dict[str, Any]:
    """From this day on another config is in force: its fingerprint and since when."""
    world.clock.time = MORNING + day * DAY
    world.sections["safety"] = {"max_creates": max_creates}
    record_config(world.settings, world.store, world.clock.now())
    return {"fingerprint": world.settings.fingerprint(), "since": utc(world.clock.now())}


def export(world: World, target: Path, since: datetime | None, until: datetime | None) -> tuple[Any, str]:
    """The manifest and the readable index of a period's bundle."""
    export_bundle(
        world.store, target, connection="an-phat", config=world.settings.fingerprint(), key=None, since=since,
        until=until, personal=True, made_at=world.clock.now(), translate=str,
    )  # fmt: skip
    return json.loads((target / "manifest.json").read_text("utf-8")), (target / "index.html").read_text("utf-8")


def test_a_bundle_names_every_config_that_was_in_force_in_its_period(world: World, tmp_path: Path) -> None:
    first, second, third = (change(world, day, max_creates) for day, max_creates in ((0, 7), (10, 8), (20, 9)))
    periods = {
        "whole": (None, None, [first, second, third]),
        "until": (None, MORNING + 15 * DAY, [first, second]),
        "middle": (MORNING + 5 * DAY, MORNING + 15 * DAY, [first, second]),
        "between": (MORNING + 12 * DAY, MORNING + 13 * DAY, [second]),
        "on the day": (MORNING + 10 * DAY, MORNING + 11 * DAY, [second]),
        "since": (MORNING + 15 * DAY, None, [second, third]),
        "before": (None, MORNING, []),
    }
    for name, (since, until, expected) in periods.items():
        manifest, index = export(world, tmp_path / name, since, until)
        assert manifest["configs"] == expected, name
        assert manifest["config"] == third["fingerprint"]
        assert [one["fingerprint"] in index for one in (first, second, third)] == [
            one in expected for one in (first, second, third)
        ]


def test_the_same_config_is_journalled_once_and_one_that_comes_back_again(world: World) -> None:
    change(world, 0, 7)
    change(world, 1, 7)
    change(world, 2, 8)
    change(world, 3, 7)
    assert [row["kind"] for row in world.history()] == ["configured", "config", "configured", "config", "configured"]


def test_a_state_from_before_names_its_config_when_it_is_opened_again(world: World) -> None:
    """It remembers its settings, but no fingerprint was journalled: from now on one is."""
    first = change(world, 0, 7)
    with world.store.transaction() as tx:
        tx.set_fact("config.fingerprint", None)
    again = change(world, 1, 7)
    assert again["fingerprint"] == first["fingerprint"]
    assert [row["detail"] for row in world.history()] == [{"fingerprint": first["fingerprint"]}] * 2


def test_a_bundle_from_before_configs_were_named_can_still_be_read(world: World, tmp_path: Path) -> None:
    change(world, 0, 7)
    manifest, _ = export(world, tmp_path / "bundle", None, None)
    del manifest["configs"]
    (tmp_path / "bundle" / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with open_bundle(tmp_path / "bundle") as bundle:
        assert examine(bundle.piece, bundle.witnesses, bundle.trust).fault is None
