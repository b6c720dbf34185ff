"""`python -m tests.performance.long_journal [ENTRIES]`: how long a long journal takes, and how much memory.

Writes a journal of that many entries (100,000 if not said), then prints seconds and the peak of Python's memory for
`history` in each form, `verify`, and an export.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

from reconciler.audit.exporting import export_bundle
from reconciler.audit.verifying import Piece, examine
from reconciler.ports import StateReader
from reconciler.report.data import entry_data
from reconciler.report.journal import FORMS
from reconciler.store import open_reader, open_store
from reconciler.words import translator
from tests.store.samples import at, bytes_from, entry

BATCH = 1000


def write(path: Path, count: int) -> None:
    """A state with a journal of `count` entries."""
    store = open_store(f"sqlite:///{path}", random_bytes=bytes_from("long"))
    numbers = iter(range(1, count + 1))
    while batch := list(itertools.islice(numbers, BATCH)):
        with store.transaction() as tx:
            tx.append(entry(n, old=f"Gọi khách hàng số {n}", inputs={"crm": f"Gọi {n}", "work": None}) for n in batch)
    store.close()


def works(state: StateReader, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is done with a journal, by name."""

    def shown(form: str) -> int:
        rows = (entry_data(one) for one in state.journal())
        return sum(len(part) for part in FORMS[form](rows, translator("vi")))

    def export() -> int:
        return export_bundle(
            state,
            folder / "bundle.zip",
            connection="an-phat",
            config="sha256:0",
            key=None,
            since=None,
            until=None,
            personal=True,
            made_at=at(0),
            translate=translator("vi"),
        )

    for form in FORMS:
        yield f"history {form}", lambda form=form: shown(form)  # type: ignore[misc]
    yield "verify", lambda: examine(Piece(state.chain()), [], None)
    yield "export", export


def peaks(path: Path, folder: Path) -> dict[str, int]:
    """The peak of Python's memory in bytes for each work, above what there was before it."""
    found = {}
    state = open_reader(f"sqlite:///{path}")
    for name, work in works(state, folder):
        tracemalloc.start()
        work()
        found[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    state.close()
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "state.db", count)
        state = open_reader(f"sqlite:///{folder}/state.db")
        for what, work in works(state, folder):
            begun = time.perf_counter()
            work()
            print(f"{what:14} {time.perf_counter() - begun:6.1f} s")
        state.close()
        (folder / "bundle.zip").unlink()
        for what, peak in peaks(folder / "state.db", folder).items():
            print(f"{what:14} {peak / 2**20:6.1f} MiB")


if __name__ == "__main__":
    main()
