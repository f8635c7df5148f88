"""The same call seen again is one call: whichever file came first, whatever each sighting knew."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ingest.record import UsageRecord
from ingest.store.database import Store
from tests.books import dump, memory_store, put, small_catalogue

DAY = datetime(2026, 2, 20, 12)
BOOK = small_catalogue()


@pytest.fixture(scope="module")
def opened() -> Iterator[Store]:
    store = memory_store(BOOK)
    yield store
    store.close()


@pytest.fixture
def store(opened: Store) -> Store:
    clear(opened)
    return opened


def clear(store: Store) -> None:
    for table in ("calls_stored", "replacements"):
        store.con.execute(f"DELETE FROM {table}")


def seen(key: str = "k", fresh: int = 10, answer: int = 5, **more: Any) -> UsageRecord:
    more = {"occurred_at": DAY, "model": "plain", **more}
    counts = more.pop("counts", {"input_uncached": fresh, "output_text": answer})
    return UsageRecord(key, source_format="test", provider="acme", counts=counts, **more)


PARTIAL = seen(fresh=50, finality="partial")
SMALL = seen()
LARGE = seen(fresh=11)


def only(store: Store, columns: str) -> tuple[Any, ...]:
    rows = store.con.execute(f"SELECT {columns} FROM calls").fetchall()
    assert len(rows) == 1
    return rows[0]


def orders(*sightings: UsageRecord) -> list[tuple[UsageRecord, ...]]:
    return list(itertools.permutations(sightings))


@pytest.mark.parametrize("together", [True, False])
def test_final_beats_partial_and_then_the_larger_total_wins(store: Store, together: bool) -> None:
    for order in orders(PARTIAL, SMALL, LARGE):
        clear(store)
        for batch in [order] if together else [[r] for r in order]:
            put(store, BOOK, batch)
        assert only(store, "input_total, finality") == (11, "final")


def test_what_came_of_each_sighting_is_counted(store: Store) -> None:
    assert put(store, BOOK, [PARTIAL]).added == 1
    second = put(store, BOOK, [SMALL, seen("other")])
    assert (second.added, second.replaced, second.duplicates) == (1, 1, 0)
    third = put(store, BOOK, [SMALL, LARGE, seen("third"), PARTIAL])
    assert (third.added, third.replaced, third.duplicates) == (1, 1, 2)
    fourth = put(store, BOOK, [SMALL, PARTIAL])
    assert (fourth.added, fourth.replaced, fourth.duplicates) == (0, 0, 2)


def test_replacements_are_logged_with_their_reason(store: Store) -> None:
    for record in (PARTIAL, SMALL, LARGE, SMALL):
        put(store, BOOK, [record])
    rows = store.con.execute(
        "SELECT call_key, reason, old_total, new_total FROM replacements ORDER BY replaced_at"
    ).fetchall()
    assert rows == [("k", "final replaces partial", 55, 15), ("k", "larger total", 15, 16)]


def test_more_detail_beats_the_same_total_in_one_lump(store: Store) -> None:
    lump = seen(fresh=100)
    split = seen(counts={"input_uncached": 20, "cache_read": 80, "output_text": 5})
    for order in orders(lump, split):
        clear(store)
        for record in order:
            put(store, BOOK, [record])
        assert only(store, "cache_read, cost_pico") == (
            80,
            20 * 1_750_000 + 80 * 175_000 + 70_000_000,
        )


def test_a_time_that_changed_between_sightings_is_still_one_call(store: Store) -> None:
    early, late = seen(), seen(occurred_at=DAY + timedelta(days=200), fresh=11)
    for order in orders(early, late):
        clear(store)
        for record in order:
            put(store, BOOK, [record])
        assert only(store, "occurred_at") == (late.occurred_at,)


def test_a_known_time_fills_an_assumed_one(store: Store) -> None:
    assumed = seen(fresh=99, occurred_at=datetime(2026, 3, 30), time_assumed=True)
    for order in orders(assumed, seen()):
        clear(store)
        for record in order:
            put(store, BOOK, [record])
        assert only(store, "occurred_at, time_assumed, input_total, status") == (
            DAY, False, 99, "exact",
        )  # fmt: skip


def test_what_only_a_lesser_sighting_knows_is_kept(store: Store) -> None:
    lesser = seen(
        dimensions={"team": "search", "project": "old"}, tags={"a": "1", "b": "1"}, session="s",
        tier="standard", latency_ms=12, finality="partial",
    )  # fmt: skip
    better = seen(dimensions={"project": "new"}, tags={"b": "2", "c": "2"}, effort="high")
    for together, order in itertools.product([True, False], orders(lesser, better)):
        clear(store)
        for batch in [order] if together else [[r] for r in order]:
            put(store, BOOK, batch)
        assert only(store, "team, project, session, tier_stated, latency_ms, effort") == (
            "search", "new", "s", "standard", 12, "high",
        )  # fmt: skip
        assert only(store, "tags") == ({"a": "1", "b": "2", "c": "2"},)


def test_the_charge_of_a_partial_sighting_is_not_the_calls(store: Store) -> None:
    partial = replace(PARTIAL, source_cost_usd=Decimal("0.5"))
    lesser_final = seen(source_cost_usd=Decimal("0.25"))
    for order in orders(partial, lesser_final, LARGE):
        clear(store)
        for record in order:
            put(store, BOOK, [record])
        assert only(store, "source_cost_usd") == (Decimal("0.25"),)


def test_a_window_still_finds_what_is_near_and_what_has_no_time(store: Store) -> None:
    from ingest.store import load

    put(
        store,
        BOOK,
        [seen("near"), seen("vague", time_assumed=True, occurred_at=datetime(2025, 1, 1))],
    )
    again = [seen("near", occurred_at=DAY + timedelta(hours=20)), seen("vague", occurred_at=DAY)]
    with store.transaction() as con:
        load.create_stage(con)
        load.stage(con, [load.stage_row(r) for r in again])
        merged = load.merge(con, BOOK, 2, window=timedelta(days=1))
    assert merged.added == 0
    assert store.con.execute("SELECT count(*) FROM calls").fetchall() == [(2,)]


# Sightings of three calls. Of each call every sighting states the truth about whose it is or
# nothing; counts, finality, times and formats differ freely.
TRUTH = {"team": "t", "project": "p", "customer": "c"}


@st.composite
def sightings(draw: Any) -> list[UsageRecord]:
    found = []
    for n in range(draw(st.integers(2, 7))):
        key = draw(st.sampled_from("abc"))
        record = seen(
            key,
            fresh=draw(st.integers(0, 2)),
            answer=draw(st.integers(0, 1)),
            finality=draw(st.sampled_from(["final", "partial"])),
            occurred_at=DAY + timedelta(hours=draw(st.integers(0, 2)) * (key == "a")),
            time_assumed=draw(st.booleans()) and key != "a",
            tier=draw(st.sampled_from([None, "batch"])),
            session=draw(st.sampled_from([None, "s" + key])),
            dimensions={k: v + key for k, v in TRUTH.items() if draw(st.booleans())},
            tags={k: v + key for k, v in TRUTH.items() if draw(st.booleans())},
            line=n + 1,
        )
        if record.time_assumed:
            record.occurred_at = datetime(2026, 3, 1) + timedelta(days=1)
        found.append(record)
    return found


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(data=st.data(), found=sightings())
def test_every_order_and_grouping_of_imports_makes_the_same_store(
    opened: Store, data: st.DataObject, found: list[UsageRecord]
) -> None:
    clear(opened)
    put(opened, BOOK, found)
    together = dump(opened)
    clear(opened)
    shuffled = data.draw(st.permutations(found))
    while shuffled:
        size = data.draw(st.integers(1, 3))
        put(opened, BOOK, shuffled[:size])
        shuffled = shuffled[size:]
    assert dump(opened) == together
    put(opened, BOOK, found)
    assert dump(opened) == together


def test_no_import_leaves_its_working_tables(store: Store) -> None:
    put(store, BOOK, [seen("one"), seen("one"), seen("two")])
    put(store, BOOK, [seen("one")])
    tables = store.con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE temporary AND table_name <> 'stage'"
    ).fetchall()
    assert tables == []
