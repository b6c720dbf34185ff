"""Canaries: secrets planted in config and answers are searched for in everything that the product leaves behind."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.cli.product import Product

SECRET, KEY = "canary-crm-7f3a/+%é", "canary-work-9b1c/+%é"


def shapes(secret: str) -> list[bytes]:
    raw = secret.encode()
    return [raw, base64.b64encode(raw), quote(secret).encode(), raw.hex().encode()]


@pytest.mark.parametrize("wrong", [False, True])
def test_no_secret_in_any_output_state_or_report(tmp_path: Path, wrong: bool) -> None:
    with Product(tmp_path, crm_secret="anders" if wrong else SECRET, work_key=KEY) as product:
        product.write_config(crm={"client_secret": SECRET}, work={"secret_key": KEY})
        product.crm.faults.order(
            "list", "status", status=503, times=1, body={"ErrorCode": "Fault", "UserMsg": f"denied for {SECRET}"}
        )
        product.work.faults.order("insert-tasks", "element", code="InvalidValue", message=f"denied for {KEY}", times=9)
        product.crm.add(custom_field1="12", custom_field2="31")
        for words in (
            ["once"],
            ["report", "--format", "html", "--output", str(tmp_path / "report.html")],
            ["report", "--format", "json"],
            ["status", "--format", "json"],
            ["history", "--format", "json"],
            ["check"],
            ["why", "1001"],
        ):
            product.run(*words, code=None)
        product.write_config(crm={"client_secret": [SECRET]})
        product.run("check", code=2)
        left = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path != product.config)
        left += "".join(outcome.text for outcome in product.outcomes).encode()
        for needle in [*shapes(SECRET), *shapes(KEY)]:
            assert needle not in left, needle
