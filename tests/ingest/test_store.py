"""The file: who may open it, what it refuses, and how prices follow the catalogue."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from ingest.record import UsageRecord
from ingest.store import book, resolve
from ingest.store.asof import vectors_as_known
from ingest.store.database import (
    Store,
    StoreError,
    beside,
    newest_snapshot,
    open_reader,
    open_store,
    publish_snapshot,
)
from pricing import sql
from tests.books import ACME, GATE, memory_store, put, small_catalogue

DAY = datetime(2026, 2, 20)


def call(key: str, model: str = "plain", at: datetime = DAY, **more: object) -> UsageRecord:
    counts = {"input_uncached": 1_000_000, "output_text": 0}
    return UsageRecord(key, at, "test", "acme", model, counts, **more)  # type: ignore[arg-type]


def costs(store: Store) -> dict[str, tuple[Decimal | None, str]]:
    rows = store.con.execute("SELECT call_key, cost_usd, status FROM calls").fetchall()
    return {key: (cost, status) for key, cost, status in rows}


# --- opening --------------------------------------------------------------------------------


def test_a_new_store_has_what_people_query(tmp_path: Path) -> None:
    with_folder = tmp_path / "new" / "books.duckdb"
    store = open_store(with_folder)
    for name in ("usage", "costs", "calls", "rates", "rejects", "imports", "reported"):
        assert store.con.execute(f"SELECT * FROM {name}").fetchall() == []
    contract = (
        "call_key, occurred_at, source_format, provider, seller, model, variant, tier, effort,"
        " input_uncached, cache_read, cache_write_5m, cache_write_30m, cache_write_1h,"
        " cache_write_12h, cache_write_unknown, output_text, reasoning, total_reported,"
        " source_cost_usd, finality, team, project, feature, customer, environment, tags"
    )
    store.con.execute(f"SELECT {contract} FROM usage")
    store.close()


def test_reading_what_does_not_exist(tmp_path: Path) -> None:
    for opening in (open_reader, lambda p: open_store(p, create=False)):
        with pytest.raises(StoreError, match="import something first"):
            opening(tmp_path / "no.duckdb")


def test_a_foreign_duckdb_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "foreign.duckdb"
    con = duckdb.connect(str(path))
    con.execute("CREATE TABLE cats AS SELECT 1 AS n")
    con.close()
    before = path.read_bytes()
    for opening in (open_reader, open_store):
        with pytest.raises(StoreError, match=r"not a tokenbooks store \(it has cats\).*--db"):
            opening(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"text " * 2000, b"\x00" * 20_000])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.duckdb"
    path.write_bytes(content)
    for opening in (open_reader, open_store):
        with pytest.raises(StoreError, match=str(path)):
            opening(path)
    assert path.read_bytes() == content


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(tmp_path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.duckdb"
    store = open_store(path)
    store.con.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
    store.close()
    for opening in (open_reader, open_store):
        with pytest.raises(StoreError, match=r"schema version 999.*upgrade tokenbooks"):
            opening(path)


def other_process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return done.stdout + done.stderr.splitlines()[-1] if done.stderr else done.stdout


def test_a_held_store_names_its_owner_and_readers_get_the_snapshot(tmp_path: Path) -> None:
    import os

    path = tmp_path / "books.duckdb"
    store = open_store(path)
    code = (
        "from pathlib import Path; from ingest.store.database import *;"
        f"s = {{}}(Path({str(path)!r})); print(s.con.execute('SELECT value FROM meta"
        " WHERE key = $$mark$$').fetchall())"
    )
    said = other_process(code.format("open_store"))
    assert "StoreHeld" in said and f"PID {os.getpid()}" in said
    assert "no snapshot yet" in other_process(code.format("open_reader"))
    store.con.execute("INSERT INTO meta VALUES ('mark', 'one')")
    publish_snapshot(store)
    store.con.execute("UPDATE meta SET value = 'two' WHERE key = 'mark'")
    assert other_process(code.format("open_reader")) == "[('one',)]\n"
    publish_snapshot(store)
    assert other_process(code.format("open_reader")) == "[('two',)]\n"
    # Copying the file must not have dropped its lock.
    assert "StoreHeld" in other_process(code.format("open_store"))
    store.close()
    assert other_process(code.format("open_reader")) == "[('two',)]\n"


def test_only_the_newest_snapshots_are_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path / "books.duckdb")
    made = [publish_snapshot(store) for _ in range(4)]
    assert sorted(beside(store.path, "snapshots").iterdir()) == made[-2:]
    assert newest_snapshot(store.path) == made[-1]
    store.close()


def test_a_transaction_is_whole_or_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "books.duckdb")
    with pytest.raises(duckdb.Error), store.transaction() as con:
        con.execute("INSERT INTO meta VALUES ('a', 'b')")
        con.execute("SELECT * FROM no_such_table")
    assert store.con.execute("SELECT count(*) FROM meta WHERE key = 'a'").fetchall() == [(0,)]
    store.close()


# --- prices follow the catalogue ------------------------------------------------------------


def test_sync_is_idempotent() -> None:
    catalogue = small_catalogue()
    store = memory_store(catalogue)
    before = store.con.execute("SELECT * FROM rates ORDER BY ALL").fetchall()
    assert book.sync(store, small_catalogue()) is False
    store.con.execute("DELETE FROM meta WHERE key = 'catalogue_version'")
    assert book.sync(store, catalogue) is True
    assert store.con.execute("SELECT * FROM rates ORDER BY ALL").fetchall() == before
    assert len(before) == len(list(catalogue.all_rates()))


def test_a_changed_card_reprices_history_and_supersedes_the_old_rate() -> None:
    store = memory_store(small_catalogue())
    put(store, small_catalogue(), [call("k")])
    assert costs(store) == {"k": (Decimal("1.75"), "exact")}
    cheaper = small_catalogue(cards=[ACME.replace('"1.75"', '"1.5"'), GATE])
    assert book.sync(store, cheaper)
    assert costs(store) == {"k": (Decimal("1.5"), "exact")}
    rows = store.con.execute(
        "SELECT price_pico, current FROM rates WHERE seller = 'acme' AND variant = 'plain'"
        " AND meter = 'input_uncached' AND valid_from = '2026-01-01' ORDER BY 1"
    ).fetchall()
    assert rows == [(1_500_000, True), (1_750_000, False)]


def test_a_new_card_prices_calls_that_had_none() -> None:
    store = memory_store(small_catalogue(cards=[GATE]))
    put(store, small_catalogue(cards=[GATE]), [call("k"), call("x", "unknown")])
    assert costs(store) == {"k": (None, "unpriced"), "x": (None, "unpriced")}
    book.sync(store, small_catalogue())
    assert costs(store) == {"k": (Decimal("1.75"), "exact"), "x": (None, "unpriced")}
    book.sync(store, small_catalogue(cards=[GATE]))
    assert costs(store)["k"] == (None, "unpriced")


def test_a_discount_reprices_from_its_date_and_keeps_list_prices() -> None:
    store = memory_store(small_catalogue())
    put(store, small_catalogue(), [call("before", at=datetime(2026, 2, 9)), call("after")])
    book.sync(store, small_catalogue(factor="0.8"))
    assert costs(store) == {
        "before": (Decimal("1.75"), "exact"), "after": (Decimal("1.4"), "exact"),
    }  # fmt: skip
    listed = store.con.execute("SELECT DISTINCT p_input_uncached FROM list_vectors").fetchall()
    assert sorted(p for (p,) in listed) == [1_250_000, 1_750_000]


def test_priced_as_known_on_a_date() -> None:
    first = small_catalogue()
    store = memory_store(first)
    put(store, first, [call("k")])
    second = small_catalogue(cards=[ACME.replace('"1.75"', '"1.5"'), GATE])
    book.sync(store, second)

    def at(known: datetime) -> list[tuple[int | None]]:
        table = vectors_as_known(store, second, known)
        return store.con.execute(
            f"SELECT {sql.cost_pico()} FROM calls_stored AS u JOIN routes AS r USING (route_id)"
            f" LEFT JOIN {table} AS v ON {sql.join_condition()}"
        ).fetchall()

    now = datetime.now(UTC).replace(tzinfo=None)
    assert at(now + timedelta(seconds=5)) == [(1_500_000 * 10**6,)]
    assert at(now - timedelta(hours=1)) == [(1_750_000 * 10**6,)]
    assert at(datetime(2025, 12, 31)) == [(None,)]  # the card was recorded on 1 January


def test_a_guessed_price_is_known_as_a_guess() -> None:
    """The same price, first a guess and then published: each day says what it was then."""
    guess = small_catalogue()
    store = memory_store(guess)
    put(store, guess, [call("k", "guessed")])
    before = store.con.execute("SELECT rate_id FROM rates WHERE variant = 'guessed'").fetchall()

    def status(known: datetime) -> list[tuple[str]]:
        table = vectors_as_known(store, guess, known)
        return store.con.execute(
            f"SELECT {sql.status_name('severity')} FROM {resolve.repriced('calls_stored', table)}"
        ).fetchall()

    now = datetime.now(UTC).replace(tzinfo=None)
    assert costs(store) == {"k": (Decimal(3), "assumed")}
    assert status(DAY) == [("assumed",)]
    published = small_catalogue(cards=[ACME.replace("  assumed = true\n", ""), GATE])
    assert book.sync(store, published)
    assert costs(store) == {"k": (Decimal(3), "exact")}
    assert status(now - timedelta(hours=1)) == [("assumed",)]
    assert status(now + timedelta(seconds=5)) == [("exact",)]
    held = store.con.execute(
        "SELECT rate_id, assumed, current FROM rates WHERE variant = 'guessed' ORDER BY ALL"
    ).fetchall()
    assert held == sorted(
        (rate, assumed, not assumed) for (rate,) in before for assumed in (True, False)
    )


def test_an_unknown_cache_lifetime_and_an_assumed_time_are_said(tmp_path: Path) -> None:
    store = memory_store(small_catalogue())
    put(
        store, small_catalogue(),
        [
            call("timed", time_assumed=True),
            UsageRecord("write", DAY, "test", "acme", "tiered", {"cache_write_unknown": 100},
                        tier="standard", region="eu"),
            UsageRecord("known", DAY, "test", "acme", "tiered", {"cache_write_1h": 100},
                        tier="standard", region="eu"),
        ],
    )  # fmt: skip
    assert {k: s for k, (_, s) in costs(store).items()} == {
        "timed": "assumed", "write": "assumed", "known": "exact",
    }  # fmt: skip
    reasons = store.con.execute(
        "SELECT status_reason FROM calls WHERE call_key = 'timed'"
    ).fetchall()
    assert reasons == [("time not stated, the file time assumed",)]
