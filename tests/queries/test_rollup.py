"""The rollup answers exactly what the calls answer: cost, status and every token total."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from dashboards.queries.scope import Scope
from dashboards.queries.spend import spend
from ingest.collector import Collector, own_cursor
from ingest.importer import ImportOptions, import_paths
from ingest.record import UsageRecord
from ingest.store import rollup
from ingest.store.database import Store, open_store
from pricing.catalogue import default_catalogue


@pytest.fixture
def store(demo_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The demo store with a rollup, small as it is."""
    monkeypatch.setattr(rollup, "WORTH_ROWS", 1)
    monkeypatch.setattr(rollup, "WORTH_RATIO", 0)
    path = Path(shutil.copy(demo_db, tmp_path / "t.duckdb"))
    opened = open_store(path)
    with opened.transaction() as con:
        assert rollup.rebuild(con)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "by",
    [(), ("team",), ("variant", "tier"), ("day",), ("hour", "status"), ("week", "feature"),
     ("effort", "failed"), ("seller", "model", "month"), ("format", "region")],
)  # fmt: skip
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_cells_and_calls_give_the_same_answer(store: Store, by: tuple[str, ...], zone: str) -> None:
    scope = Scope(since=datetime(2026, 3, 3, 5), until=datetime(2026, 3, 29), zone=zone)
    from_cells = spend(store.con, by, scope, calls=rollup.TABLE)
    from_calls = spend(store.con, by, scope, calls=rollup.RAW)
    assert from_cells == from_calls
    assert from_cells.total.cost_pico > 0
    assert rollup.source_for(store.con, by, zone) == rollup.TABLE


@pytest.mark.parametrize(
    ("names", "zone"),
    [(["customer"], "UTC"), (["session"], "UTC"), (["tags.custom_id"], "UTC"),
     (["team"], "Asia/Kolkata"), (["team"], "Pacific/Chatham")],
)  # fmt: skip
def test_what_cells_cannot_answer_goes_to_the_calls(
    store: Store, names: list[str], zone: str
) -> None:
    assert rollup.source_for(store.con, names, zone) == rollup.RAW


def test_a_period_within_an_hour_goes_to_the_calls() -> None:
    assert Scope(since=datetime(2026, 3, 1, 12)).on_whole_hours()
    assert not Scope(since=datetime(2026, 3, 1, 12, 30)).on_whole_hours()
    assert not Scope(since=datetime(2026, 3, 1), zone="Asia/Kolkata").on_whole_hours()


def test_an_import_makes_the_touched_hours_anew(store: Store, tmp_path: Path) -> None:
    before = spend(store.con, calls=rollup.TABLE).total
    file = tmp_path / "late.jsonl"
    file.write_text(
        '{"occurred_at": "2026-03-10T12:34:00Z", "provider": "openai", "model": "gpt-5.2",'
        ' "tier": "standard", "input_uncached": 1000000, "call_key": "late-1", "team": "search"}\n'
    )
    reports = import_paths(store, default_catalogue(), [file], ImportOptions())
    assert reports[0].added == 1
    after = spend(store.con, calls=rollup.TABLE).total
    assert after == spend(store.con, calls=rollup.RAW).total
    assert after.cost_pico - before.cost_pico == 1_750_000_000_000
    assert after.calls - before.calls == 1


def test_traffic_without_repetition_gets_no_rollup_until_it_doubles(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = store.con.execute("SELECT count(*) FROM calls_stored").fetchall()[0][0]
    hour = datetime(2026, 3, 2, 10)
    monkeypatch.setattr(rollup, "WORTH_RATIO", calls)
    with store.transaction() as con:
        assert not rollup.rebuild(con)
        assert not rollup.pays(con)
    # Now it would pay, but nobody looks again before the store is twice as large.
    monkeypatch.setattr(rollup, "WORTH_RATIO", 0)
    half = "INSERT INTO meta SELECT 'rollup_skipped', ?"
    for seen, built in ((calls // 2 + 1, False), (calls // 2, True)):
        with store.transaction() as con:
            con.execute("DELETE FROM meta WHERE key = 'rollup_skipped'")
            con.execute(half, [str(seen)])
            rollup.refresh(con, [hour])
        assert rollup.pays(store.con) is built


def late(key: str) -> UsageRecord:
    """A call that comes when its hour is long summed."""
    return UsageRecord(
        key, datetime(2026, 3, 10, 12, 34), "test", "openai", "gpt-5.2",
        {"input_uncached": 1_000_000, "output_text": 1}, tier="standard",
    )  # fmt: skip


def test_hours_left_for_later_are_not_asked(store: Store) -> None:
    before = spend(store.con, ("team",)).total
    with store.transaction() as con:
        rollup.defer(con, [datetime(2026, 3, 10, 12)])
    assert rollup.source_for(store.con, ("team",), "UTC") == rollup.RAW
    assert spend(store.con, ("team",)).total == before
    with store.transaction() as con:
        rollup.catch_up(con)
    assert rollup.source_for(store.con, ("team",), "UTC") == rollup.TABLE
    assert spend(store.con, ("team",), calls=rollup.TABLE).total == before


def test_an_import_also_sums_what_a_collector_left(store: Store) -> None:
    with store.transaction() as con:
        rollup.defer(con, [datetime(2026, 3, 10, 12)])
        rollup.refresh(con, [datetime(2026, 3, 11, 9)])
    assert rollup.source_for(store.con, ("team",), "UTC") == rollup.TABLE


def test_the_collector_answers_before_the_rollup_and_catches_up_when_it_stops(
    store: Store,
) -> None:
    collector = Collector(default_catalogue(), own_cursor(store))
    collector.start()
    before = spend(store.con).total
    collector.submit([late("late-2")], source="/v1/usage").result(20)
    assert rollup.source_for(store.con, ("team",), "UTC") == rollup.RAW
    assert spend(store.con).total.cost_pico == before.cost_pico + 1_750_000 * 10**6 + 14_000_000
    collector.close()
    assert rollup.source_for(store.con, ("team",), "UTC") == rollup.TABLE
    assert spend(store.con, calls=rollup.TABLE).total == spend(store.con, calls=rollup.RAW).total
