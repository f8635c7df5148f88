"""What is kept beside each call (its vector, cost, savings, status) is what its prices say: after
imports, after every change of the price table, and in a file of the version before."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.record import UsageRecord
from ingest.store import book, resolve
from ingest.store.database import Store, open_reader, open_store
from ingest.store.schema import RESOLVED_COLUMNS
from tests.books import ACME, GATE, memory_store, put, small_catalogue

MODELS = ("plain", "tiered", "hourly", "no-output", "guessed", "with-fee", "nobody-sells-it")
DEARER = ACME.replace('input = "1.25"', 'input = "1.5"')


def call(n: int, model: str, tokens: int, at: datetime, tier: str | None = None) -> UsageRecord:
    counts: dict[str, int | None] = {
        "input_uncached": tokens, "cache_read": tokens // 3, "output_text": 7,
    }  # fmt: skip
    return UsageRecord(f"call-{n}", at, "test", "acme", model, counts, tier=tier)


def kept(store: Store, model: str) -> list[tuple[object, ...]]:
    """(cost in pico-dollars, what the cache saved, status) of the model's calls."""
    return store.con.execute(
        "SELECT u.cost_pico, u.saved_pico, u.severity FROM calls_stored AS u JOIN routes AS r"
        " ON r.route_id = u.route_id WHERE r.model = ? ORDER BY u.call_key",
        [model],
    ).fetchall()


calls = st.lists(
    st.tuples(
        st.sampled_from(MODELS),
        st.sampled_from([0, 1, 149_999, 150_000, 150_001, 750_000, 2_000_000]),
        st.datetimes(datetime(2025, 12, 30), datetime(2026, 3, 3)),
        st.sampled_from([None, "standard", "batch", "priority"]),
    ),
    max_size=12,
)


@given(calls, calls)
@settings(max_examples=15)
def test_what_is_kept_is_what_the_prices_say(
    first: list[tuple[str, int, datetime, str | None]],
    second: list[tuple[str, int, datetime, str | None]],
) -> None:
    store = memory_store(small_catalogue())
    put(store, small_catalogue(), [call(n, *row) for n, row in enumerate(first)])
    assert resolve.mismatches(store.con) == 0
    # Each of these moves the prices of some routes, and none, under calls that are there.
    for prices in (
        small_catalogue(factor="0.9"),
        small_catalogue(cards=(DEARER, GATE)),
        small_catalogue(cards=(GATE,)),
        small_catalogue(),
        small_catalogue(),
    ):
        book.sync(store, prices)
        assert resolve.mismatches(store.con) == 0
    put(store, small_catalogue(), [call(n + 5, *row) for n, row in enumerate(second)])
    assert resolve.mismatches(store.con) == 0
    store.close()


def test_a_corrected_price_corrects_history_of_its_variant_alone() -> None:
    store = memory_store(small_catalogue())
    late = datetime(2026, 3, 2)
    put(store, small_catalogue(), [call(1, "plain", 300, late), call(2, "tiered", 300, late)])
    assert kept(store, "plain") == [(300 * 1_250_000 + 100 * 125_000 + 70_000_000, 112_500_000, 0)]
    other = kept(store, "tiered")
    book.sync(store, small_catalogue(cards=(DEARER, GATE)))
    assert kept(store, "plain") == [(300 * 1_500_000 + 100 * 125_000 + 70_000_000, 137_500_000, 0)]
    assert kept(store, "tiered") == other
    total = store.con.execute("SELECT sum(cost_usd) FROM calls WHERE model = 'plain'").fetchall()
    assert total == [(Decimal("0.000532500000"),)]
    store.close()


@pytest.mark.parametrize("at_once", [3, 4])
def test_prices_change_in_ranges_of_rows_as_at_once(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "_AT_ONCE", at_once)
    store = memory_store(small_catalogue())
    at = datetime(2026, 3, 2)
    put(store, small_catalogue(), [call(n, MODELS[n % 2], 300, at) for n in range(8)])
    with store.transaction() as con:
        con.execute("UPDATE rate_vectors SET p_input_uncached = p_input_uncached + 1")
        assert resolve.reprice(con) == 8
        assert resolve.reprice(con) == 0
    assert resolve.mismatches(store.con) == 0
    assert {cost for cost, *_ in kept(store, "plain")} == {
        300 * 1_250_001 + 100 * 125_000 + 70_000_000
    }
    store.close()


@pytest.mark.parametrize("tokens", [150_000, 150_001])
def test_a_prompt_at_the_step_and_one_above_it(tokens: int) -> None:
    store = memory_store(small_catalogue())
    put(store, small_catalogue(), [call(1, "tiered", tokens, datetime(2026, 1, 5))])
    # The whole prompt decides: with a third of it from the cache, 150,000 is 200,000.
    rate = 2_000_000 if tokens == 150_000 else 4_000_000
    ((cost, _, severity),) = kept(store, "tiered")
    output = 8_000_000 if tokens == 150_000 else 12_000_000
    assert severity == 1  # the tier is not stated, and the card has several
    assert cost == tokens * rate + (tokens // 3) * 200_000 + 7 * output
    store.close()


def test_a_call_without_a_price_has_no_cost() -> None:
    store = memory_store(small_catalogue())
    put(store, small_catalogue(), [call(1, "nobody-sells-it", 10, datetime(2026, 1, 5))])
    assert kept(store, "nobody-sells-it") == [(None, 0, 3)]
    store.close()


UNITS = (
    "audio_seconds", "characters", "pages", "pages_annotated", "rerank_search", "citation",
)  # fmt: skip


def as_written_by(version: int, store: Store) -> None:
    """Take from an open store what later versions added to it, and close it."""
    for view in ("costs", "calls", "usage", "rates"):
        store.con.execute(f"DROP VIEW {view}")
    for table, prefix in (
        ("calls_stored", ""), ("reported", ""), ("rate_vectors", "p_"), ("list_vectors", "p_"),
    ):  # fmt: skip
        for meter in UNITS:
            store.con.execute(f"ALTER TABLE {table} DROP COLUMN {prefix}{meter}")
    if version < 3:
        store.con.execute("ALTER TABLE rates_stored DROP COLUMN assumed")
    if version < 2:
        for name, _ in RESOLVED_COLUMNS:
            store.con.execute(f"ALTER TABLE calls_stored DROP COLUMN {name}")
        store.con.execute("DROP TABLE kinds_seen")
    store.con.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(version)])
    store.close()


def test_a_file_that_forgot_which_prices_are_guesses_learns_it(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    store = open_store(path)
    book.sync(store, small_catalogue())
    question = "SELECT rate_id, assumed, superseded_at FROM rates ORDER BY ALL"
    before = store.con.execute(question).fetchall()
    assert {assumed for _, assumed, _ in before} == {True, False}
    as_written_by(2, store)
    again = open_store(path)
    assert {assumed for _, assumed, _ in again.con.execute(question).fetchall()} == {None}
    assert book.sync(again, small_catalogue())
    assert again.con.execute(question).fetchall() == before
    again.close()


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("opened", [open_store, open_reader])
def test_a_file_of_an_earlier_version_is_brought_up_to_date(
    opened: object, version: int, tmp_path: Path
) -> None:
    path = tmp_path / "old.duckdb"
    store = open_store(path)
    book.sync(store, small_catalogue())
    at = datetime(2026, 1, 5)
    records = [call(n, m, 300 * n, at + timedelta(hours=n)) for n, m in enumerate(MODELS)]
    put(store, small_catalogue(), records)
    question = "SELECT call_key, cost_pico, status, status_reason FROM calls ORDER BY 1"
    before = store.con.execute(question).fetchall()
    as_written_by(version, store)
    assert callable(opened)
    again = opened(path)
    assert again.con.execute(question).fetchall() == before
    assert resolve.mismatches(again.con) == 0
    again.close()
