"""Whole reports of a fixed small world, as files that a person has looked at.

After a wanted change renew them with `python -m tests.report.test_golden`, and read the difference (`git diff`) and the
HTML files before they are committed.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from reconciler.report.period_document import answer_json
from reconciler.report.render import as_json
from reconciler.words import translator
from tests.report.samples import asked, documents, eventful, written

FOLDER = Path(__file__).parent / "golden"
FORMS = ("text", "csv", "html")


async def reports() -> dict[str, bytes]:
    """The files by name. CSV is the same in both languages."""
    world = await eventful()
    made: dict[str, bytes] = {}
    for kind in FORMS:
        for language in ("en",) if kind == "csv" else ("vi", "en"):
            for name, one in (await documents(world)).items():
                made[f"{name}.{language}.{kind}"] = written(one, kind, language)
    speech = translator("vi")
    made["dry.vi.json"] = as_json(await world.report(), speech).encode()
    made["period.vi.json"] = "".join(answer_json(asked(world), speech)).encode()
    return made


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return asyncio.run(reports())


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.*.*")))
def test_the_report_is_the_one_that_was_looked_at(name: str, made: dict[str, bytes]) -> None:
    kept = (FOLDER / name).read_bytes()
    assert made[name].decode() == kept.decode()


def test_every_form_has_its_golden_file(made: dict[str, bytes]) -> None:
    assert sorted(made) == sorted(path.name for path in FOLDER.iterdir())
    for name in made:
        if name.endswith(".json"):
            json.loads(made[name])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in asyncio.run(reports()).items():
        (FOLDER / name).write_bytes(content)
