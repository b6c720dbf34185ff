"""A journal six times as long takes no more memory."""

from __future__ import annotations

from pathlib import Path

from tests.performance.long_journal import peaks, write

SHORT, LONG = 1_000, 6_000


def test_history_verify_and_export_take_the_same_memory_for_a_journal_of_any_length(tmp_path: Path) -> None:
    found = []
    for count in (SHORT, LONG):
        folder = tmp_path / str(count)
        folder.mkdir()
        write(folder / "state.db", count)
        found.append(peaks(folder / "state.db", folder))
    short, long = found
    assert short.keys() == long.keys() > {"verify", "export", "history html"}
    assert {name: peak for name, peak in long.items() if peak > 1.5 * short[name] + 2**20} == {}
