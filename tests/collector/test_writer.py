"""Group commit: durable before acknowledged, few transactions, bounded, one bad apple alone."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ingest.collector.writer import (
    Busy,
    Collector,
    Limits,
    Refused,
    Unavailable,
    own_cursor,
)
from ingest.record import Reject, UsageRecord
from ingest.store.database import Store, open_store
from pricing.catalogue import default_catalogue


def record(key: str, tokens: int = 10, **more: object) -> UsageRecord:
    made = UsageRecord(
        key, datetime(2026, 3, 1) + timedelta(seconds=len(key)), "test", "openai", "gpt-5.2",
        {"input_uncached": tokens, "output_text": 1},
    )  # fmt: skip
    for name, value in more.items():
        setattr(made, name, value)
    return made


class Gate:
    """Lets the writer at the store only when told, so that a queue can form."""

    def __init__(self, store: Store) -> None:
        self.inner = own_cursor(store)
        self.open = threading.Event()
        self.entered = threading.Event()
        self.failure: Exception | None = None

    @contextmanager
    def __call__(self) -> Generator[Store]:
        self.entered.set()
        assert self.open.wait(20)
        if self.failure is not None:
            raise self.failure
        with self.inner() as store:
            yield store


@pytest.fixture
def store(db: Path) -> Iterator[Store]:
    opened = open_store(db)
    yield opened
    opened.close()


def keys(store: Store) -> list[str]:
    return [k for (k,) in store.con.execute("SELECT call_key FROM usage ORDER BY 1").fetchall()]


def test_many_submissions_share_a_transaction_and_resolve_after_it(store: Store) -> None:
    gate = Gate(store)
    collector = Collector(default_catalogue(), gate, Limits(linger_s=0.05))
    collector.start()
    first = collector.submit([record("first")], source="t")
    assert gate.entered.wait(20)
    rest = [collector.submit([record(f"k{n}")], source="t") for n in range(50)]
    assert not any(f.done() for f in (first, *rest))
    assert keys(store) == []
    gate.open.set()
    for future in (first, *rest):
        future.result(20)
    assert len(keys(store)) == 51
    # The first alone at most, then everything that had gathered behind it.
    assert collector.stats.groups == 2
    collector.close()


def test_a_full_queue_is_busy_and_a_group_is_bounded(store: Store) -> None:
    gate = Gate(store)
    collector = Collector(default_catalogue(), gate, Limits(max_waiting=10, max_group=4))
    collector.start()
    first = collector.submit([record("first")], source="t")
    assert gate.entered.wait(20)
    futures = [collector.submit([record(f"k{n}")], source="t") for n in range(10)]
    assert collector.waiting == 10
    with pytest.raises(Busy, match="10 records are waiting"):
        collector.submit([record("one too many")], source="t")
    gate.open.set()
    for future in (first, *futures):
        future.result(20)
    assert collector.stats.groups == 1 + 3  # 4 + 4 + 2
    assert collector.stats.busy == 1
    # One submission larger than the queue is taken when nothing else waits.
    collector.submit([record(f"many{n}") for n in range(30)], source="t").result(20)
    assert len(keys(store)) == 41
    collector.close()


def test_one_impossible_record_costs_the_others_nothing(store: Store) -> None:
    gate = Gate(store)
    collector = Collector(default_catalogue(), gate, Limits(linger_s=0.05))
    collector.start()
    held = collector.submit([record("held")], source="t")
    assert gate.entered.wait(20)
    good = collector.submit([record("good")], source="t")
    bad = collector.submit([record("bad", requests=2**40)], source="t")
    more = collector.submit([record("more")], source="t")
    gate.open.set()
    for future in (held, good, more):
        future.result(20)
    with pytest.raises(Refused):
        bad.result(20)
    assert keys(store) == ["good", "held", "more"]
    collector.close()


def test_a_store_that_cannot_write_says_so_and_recovers(store: Store) -> None:
    gate = Gate(store)
    gate.open.set()
    gate.failure = OSError(28, "No space left on device")
    collector = Collector(default_catalogue(), gate)
    collector.start()
    with pytest.raises(Unavailable, match="No space left"):
        collector.submit([record("a")], source="t").result(20)
    gate.failure = None
    collector.submit([record("a")], source="t").result(20)
    assert keys(store) == ["a"]
    collector.close()


def test_closing_stores_what_waits_and_takes_no_more(store: Store) -> None:
    collector = Collector(default_catalogue(), own_cursor(store))
    with pytest.raises(Unavailable):
        collector.submit([record("early")], source="t")
    collector.start()
    futures = [collector.submit([record(f"k{n}")], source="t") for n in range(20)]
    collector.close()
    assert all(f.done() and f.exception() is None for f in futures)
    assert len(keys(store)) == 20
    with pytest.raises(Unavailable):
        collector.submit([record("late")], source="t")


def test_a_better_sighting_replaces_and_the_ledger_counts(store: Store) -> None:
    collector = Collector(default_catalogue(), own_cursor(store))
    collector.start()
    for tokens, finality in ((5, "partial"), (10, "final"), (10, "final"), (7, "final")):
        collector.submit([record("same", tokens, finality=finality)], source="t").result(20)
    reject = Reject("never stored", raw="THE TEXT")
    collector.submit([], [reject, reject], source="/v1/usage").result(20)
    collector.submit([], [reject], source="/v1/usage").result(20)
    collector.close()
    assert store.con.execute("SELECT input_total FROM usage").fetchall() == [(10,)]
    assert store.con.execute(
        "SELECT sum(records), sum(added), sum(replaced), sum(duplicates), sum(rejected),"
        " min(first_at) FROM imports"
    ).fetchall() == [(4, 1, 1, 2, 3, datetime(2026, 3, 1, 0, 0, 4))]
    assert store.con.execute("SELECT path, reason, raw FROM rejects").fetchall() == [
        ("/v1/usage", "never stored", None)
    ]
