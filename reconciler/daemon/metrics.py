"""What Prometheus may ask: counters of what happened, and the present condition of each connection, read when asked.

Labels are names of ours: connection, side, kind, outcome, code; never a value of a record.
"""

from __future__ import annotations

from collections import Counter as Tallied
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from reconciler import __version__
from reconciler.core.model import Entry, Side
from reconciler.daemon.happening import Asked, Ended, Happening
from reconciler.daemon.keeper import REFUSED, Keeper
from reconciler.halting import pausing
from reconciler.ports import Clock, StateReader

OPERATIONS: Final = {
    "created": ("work", "create"),
    "updated_crm": ("crm", "update"),
    "updated_work": ("work", "update"),
    "deleted_crm": ("crm", "delete"),
    "deleted_work": ("work", "delete"),
    "unlinked": ("both", "unlink"),
    "refused": ("both", "refused"),
    "dropped": ("both", "dropped"),
}
"""What the counts of a cycle are as operations: side and kind."""

LANDED: Final = frozenset({"confirmed", "created"})
"""Kinds of journal entries that say that a person's edit has arrived on the other side."""

SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
LAGS: Final = (5, 15, 30, 60, 90, 120, 180, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600)


class Metrics:
    """Listens to the keepers and answers scrapes.

    `kept` gives the connections as they are now, each with its ticks that were skipped and that were missed.
    """

    def __init__(self, clock: Clock, kept: Callable[[], Iterable[tuple[Keeper, int, int]]]) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._kept = kept
        made: dict[str, Any] = {"registry": self.registry, "namespace": "reconciler"}
        self._cycles = Counter("cycles", "Cycles by how they ended", ("connection", "sweeping", "outcome"), **made)
        self._took = Histogram(
            "cycle_seconds",
            "Duration of cycles",
            ("connection", "sweeping"),
            buckets=(*SECONDS, 100, 300, 1000),
            **made,
        )
        self._operations = Counter("operations", "Operations carried out", ("connection", "side", "kind"), **made)
        self._conflicts = Counter(
            "conflicts", "Conflicts decided, by what decided them", ("connection", "field", "reason"), **made
        )
        self._lag = Histogram(
            "lag_seconds",
            "From a person's edit to its arrival on the other side",
            ("connection", "direction"),
            buckets=LAGS,
            **made,
        )
        self._commands = Counter("commands", "Commands handed over", ("connection", "command", "exit_code"), **made)
        self._notices = Counter(
            "notices", "Notices by how they ended, sent or dropped", ("connection", "way", "outcome"), **made
        )
        self._requests = Counter(
            "requests", "HTTP requests by status; 'none' is no answer", ("connection", "side", "status"), **made
        )
        self._latency = Histogram(
            "request_seconds", "Until the answer begins", ("connection", "side"), buckets=SECONDS, **made
        )
        self.loop_lag = Gauge("loop_lag_seconds", "By how much the event loop was late at the last look", **made)
        Gauge("build_info", "The running version", ("version",), **made).labels(__version__).set(1)
        self.registry.register(_Conditions(self))

    # What happens

    def hear(self, keeper: Keeper, happening: Happening) -> None:
        """Count what a keeper tells."""
        match happening:
            case Ended():
                self._ended(keeper, happening)
            case Asked():
                self._commands.labels(keeper.name, happening.command, str(happening.exit_code)).inc()

    def _ended(self, keeper: Keeper, ended: Ended) -> None:
        sweeping = str(ended.sweeping).lower()
        self._cycles.labels(keeper.name, sweeping, ended.outcome).inc()
        self._took.labels(keeper.name, sweeping).observe(ended.took.total_seconds())
        for name, (side, kind) in OPERATIONS.items():
            if count := ended.counts.get(name, 0):
                self._operations.labels(keeper.name, side, kind).inc(count)
        offsets = {side: offset.value or timedelta(0) for side, offset in keeper.offsets.items()}
        for entry in ended.entries:
            if entry.kind == "conflict" and entry.field is not None:
                reason = ended.reasons.get((entry.crm_id, entry.field), "newer")
                self._conflicts.labels(keeper.name, entry.field.value, reason).inc()
            elif entry.kind in LANDED and entry.side is not None and (lag := _lag(entry, offsets)) is not None:
                direction = f"{entry.side.other.value}_to_{entry.side.value}"
                self._lag.labels(keeper.name, direction).observe(lag)

    def notice(self, connection: str, way: str, outcome: str) -> None:
        """Count a notice that was sent or dropped."""
        self._notices.labels(connection, way, outcome).inc()

    def watch(self, connection: str, side: Side, way: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """The same way to a side, with its requests counted and timed."""

        def note(status: str, seconds: float) -> None:
            self._requests.labels(connection, side.value, status).inc()
            self._latency.labels(connection, side.value).observe(seconds)

        return _Watched(way, self._clock, note)

    # What is asked

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Everything, in the form that the scraper accepts, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def conditions(self) -> Iterator[Metric]:
        """The present condition of every connection."""
        families = _Families()
        for keeper, skipped, missed in self._kept():
            store = keeper.store
            families.add("opened", float(store is not None), connection=keeper.name)
            families.add("ticks_skipped", skipped, connection=keeper.name)
            families.add("ticks_missed", missed, connection=keeper.name)
            for side, offset in keeper.offsets.items():
                if offset.value is not None:
                    families.add(
                        "clock_offset_seconds", offset.value.total_seconds(), connection=keeper.name, side=side.value
                    )
            if store is not None:
                self._state(keeper.name, store, families)
        return families.made()

    def _state(self, name: str, state: StateReader, families: _Families) -> None:
        tally = state.tally()
        for condition in ("equal", "accepted", "pending", "held", "set_aside", "frozen", "attention"):
            families.add("pairs", getattr(tally, condition), connection=name, condition=condition)
        waiting = sum(1 for candidate in state.candidates() if candidate.refused is None)
        families.add("pending", tally.pending + waiting, connection=name)
        codes = Tallied(entry.code.value for entry in state.attention() if entry.acked is None)
        for code, count in codes.items():
            families.add("attention", count, connection=name, code=code)
        families.add("halted", float(state.fact("halted") is not None), connection=name)
        families.add("paused", float(pausing(state, self._clock.now())), connection=name)
        families.add("config_refused", float(state.fact(REFUSED) is not None), connection=name)
        for side in Side:
            families.add("side_up", float(state.fact(f"side.{side}") is None), connection=name, side=side.value)
            stored = state.fact(f"watermark.{side}")
            if stored is not None:
                moment = datetime.fromisoformat(stored).timestamp()
                families.add("watermark_timestamp_seconds", moment, connection=name, side=side.value)


def _lag(entry: Entry, offsets: Mapping[Side, timedelta]) -> float | None:
    """Seconds from the giving side's edit, by our clock, to the entry; None if it has no stamp."""
    assert entry.side is not None
    giver = entry.side.other
    stamp = entry.crm_modified if giver is Side.CRM else entry.work_modified
    if stamp is None:
        return None
    return max(0.0, (entry.at - (stamp - offsets.get(giver, timedelta(0)))).total_seconds())


DOCUMENTED: Final = {
    "opened": "Whether the connection holds its lease and state",
    "ticks_skipped": "Ticks that met another cycle of the same connection",
    "ticks_missed": "Ticks that a late one stands for: the host slept, or the event loop was blocked",
    "clock_offset_seconds": "The server's clock less ours",
    "pairs": "Linked pairs by condition; each counts once",
    "pending": "Pairs and tasks that work is due on",
    "attention": "Items that wait for a person, by code",
    "halted": "Whether operations are held by a safety limit",
    "paused": "Whether a person has asked for writes to wait",
    "config_refused": "Whether a changed config is not used",
    "side_up": "Whether the side answered when last asked",
    "watermark_timestamp_seconds": "How far the side was read, in its server's time",
}
"""The metrics that are read from the connections when asked."""


class _Families:
    """Gauges in the making: one family a name."""

    def __init__(self) -> None:
        self._samples: dict[str, list[tuple[dict[str, str], float]]] = {name: [] for name in DOCUMENTED}

    def add(self, name: str, value: float, **labels: str) -> None:
        self._samples[name].append((labels, value))

    def made(self) -> Iterator[Metric]:
        for name, samples in self._samples.items():
            labels = list(samples[0][0]) if samples else []
            kind = CounterMetricFamily if name.startswith("ticks_") else GaugeMetricFamily
            family: Any = kind(f"reconciler_{name}", DOCUMENTED[name], labels=labels)
            for values, value in samples:
                family.add_metric(list(values.values()), value)
            yield family


class _Conditions:
    """The collector that the registry asks at each scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> list[Metric]:
        """Nothing: or registering would ask the connections."""
        return []

    def collect(self) -> Iterator[Metric]:
        return self._metrics.conditions()


class _Watched(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, clock: Clock, note: Callable[[str, float], None]) -> None:
        self._inner = inner
        self._clock = clock
        self._note = note

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        begun, status = self._clock.monotonic(), "none"
        try:
            response = await self._inner.handle_async_request(request)
            status = str(response.status_code)
            return response
        finally:
            self._note(status, self._clock.monotonic() - begun)

    async def aclose(self) -> None:
        await self._inner.aclose()
