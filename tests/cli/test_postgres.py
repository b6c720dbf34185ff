"""What a person does with a state on a PostgreSQL server: the same as with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.store import hold
from tests.cli.product import Product
from tests.postgres import administrator
from tests.store.samples import Fixed


@pytest.fixture
def served(product: Product, postgres_url: str) -> Product:
    product.write_config(state={"url": postgres_url})
    return product


def test_both_directions_and_everything_that_looks(served: Product, tmp_path: Path) -> None:
    task, item = served.pair(task_name="Gọi khách")
    served.crm.edit(task, task_name="Gọi lại khách")
    served.clock.later(60)
    served.once()
    served.work.edit(item, Description="Mang theo hợp đồng")
    served.clock.later(60)
    served.once()
    row = served.work.get(item)
    assert row is not None and row["TaskName"] == "Gọi lại khách"
    assert served.run("status", "--format", "json").json["links"] == 1
    history = served.history("--task", task)
    assert {row["kind"] for row in history} >= {"confirmed", "observed"}
    assert "Gọi lại khách" in served.run("why", "goi lai khach").out
    served.run("verify")
    assert served.report()["operations"] == []
    served.run("erase", "--task", task, "--reason", "yêu cầu")
    served.run("verify")

    before = served.run("history", "--format", "json").json
    served.run("backup", tmp_path / "copy.db")
    served.write_config(state={"url": f"sqlite:///{tmp_path}/copy.db"})
    served.run("verify")
    assert served.run("history", "--format", "json").json == before
    assert served.run("status", "--format", "json").json["links"] == 1
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_an_empty_database_is_read_as_an_empty_state_and_left_empty(served: Product, postgres_url: str) -> None:
    with administrator(postgres_url).connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
        served.task()
        assert len(served.report()["operations"]) == 1
        assert served.history() == []
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").scalar() == 0
    served.once()
    assert served.run("status", "--format", "json").json["links"] == 1


def test_who_comes_second_is_told_so(served: Product, postgres_url: str) -> None:
    with hold(postgres_url, Fixed()):
        assert "another process is at work" in served.run("once", code=7).err
        served.run("status")
    served.run("once")


def test_a_server_that_is_not_there_is_named_without_the_password(served: Product, tmp_path: Path) -> None:
    served.write_config(state={"url": f"postgresql://u:canary-7f3a@/x?host={tmp_path}"})
    for command in ("once", "status"):
        outcome = served.run(command, code=None)
        assert outcome.code not in (0, 1), outcome.text
        assert "the database server cannot be reached" in outcome.err
        assert "canary-7f3a" not in outcome.text
