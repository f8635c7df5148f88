"""Cells: pricing sums equals pricing call by call, on both sides of every edge."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboards.queries.cells import edges_of, extent
from dashboards.queries.compare import compare
from dashboards.queries.scope import Scope
from ingest.record import UsageRecord
from ingest.store import book, load
from ingest.store.database import Store, open_store
from pricing.catalogue import default_catalogue
from pricing.estimator import price_reading
from pricing.usage import Counts, Reading

TARGETS = ["gpt-5.2", "gpt-5.2@batch", "claude-sonnet-4-5", "gemini-2.5-pro", "deepseek-chat"]
MODELS = [
    ("openai", "gpt-5.2"), ("google", "gemini-2.5-pro"), ("anthropic", "claude-sonnet-4-5"),
    ("deepseek", "deepseek-chat"), ("openai", "nightjar-preview"),
]  # fmt: skip


def filled(path: Path, calls: list[tuple[int, int, int, Counts]]) -> Store:
    """A store of calls given as (model number, hours after the start, minute, counts)."""
    store = open_store(path)
    catalogue = default_catalogue()
    book.sync(store, catalogue)
    rows = [
        load.stage_row(
            UsageRecord(
                f"t:{n}",
                datetime(2025, 8, 30) + timedelta(hours=hours, minutes=minute),
                "test",
                *MODELS[model],
                counts=counts,
                tier="default",
            )
        )
        for n, (model, hours, minute, counts) in enumerate(calls)
    ]
    with store.transaction() as con:
        load.create_stage(con)
        load.stage(con, rows)
        load.merge(con, catalogue, 1)
    return store


counts = st.fixed_dictionaries(
    {"input_uncached": st.sampled_from([0, 1, 199_999, 200_000, 200_001, 272_001])},
    optional={
        "cache_read": st.sampled_from([0, 1, 1000]),
        "cache_write_5m": st.integers(0, 50),
        "output_text": st.integers(0, 3000),
        "web_search": st.integers(0, 2),
        "file_search": st.integers(0, 1),
    },
)
call = st.tuples(st.integers(0, 4), st.integers(0, 5000), st.integers(0, 59), counts)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(call, min_size=1, max_size=12))
def test_targets_cost_what_each_call_costs_there(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[int, int, int, Counts]]
) -> None:
    store = filled(tmp_path_factory.mktemp("cells") / "t.duckdb", calls)
    catalogue = default_catalogue()
    answer = compare(store.con, catalogue, TARGETS)
    store.close()
    expected: dict[str, Decimal] = dict.fromkeys(TARGETS, Decimal(0))
    carried = dict.fromkeys(TARGETS, 0)
    logged, priced = Decimal(0), 0
    for model, hours, minute, found in calls:
        at = datetime(2025, 8, 30) + timedelta(hours=hours, minutes=minute)
        mine = price_reading(
            Reading(found, "test"), *MODELS[model], at=at, tier="default", catalogue=catalogue
        )
        if mine.status == "unpriced":
            continue
        logged, priced = logged + (mine.cost_usd or 0), priced + 1
        for target in TARGETS:
            name, _, tier = target.partition("@")
            maker = catalogue.sellers_of(name)[0]
            there = price_reading(
                Reading(found, "test"), maker, name, at=at, tier=tier or "standard",
                catalogue=catalogue,
            )  # fmt: skip
            if there.status != "unpriced":
                expected[target] += there.cost_usd or 0
                carried[target] += 1
    assert answer.calls == priced
    assert answer.unpriced_calls == len(calls) - priced
    assert Decimal(answer.base_pico).scaleb(-12) == logged
    for row in answer.rows:
        assert row.carried_calls == carried[row.target.label]
        assert (row.cost_usd or Decimal(0)) == expected[row.target.label]


def test_only_edges_inside_the_traffic_split_it(tmp_path: Path) -> None:
    low: Counts = {"input_uncached": 200_000, "output_text": 5}
    store = filled(tmp_path / "t.duckdb", [(1, 0, 0, low), (1, 1, 0, low)])
    gemini = default_catalogue()
    vectors = gemini.vectors(gemini.route("google", "gemini-2.5-pro", tier="default").card)  # type: ignore[arg-type]
    reach = extent(store.con)
    assert reach.largest == 200_000
    assert 200_001 in {v.min_input for v in vectors}
    assert edges_of(store.con, vectors, reach).sizes == ()
    store.close()
    high: Counts = {"input_uncached": 200_001, "output_text": 5}
    store = filled(tmp_path / "u.duckdb", [(1, 0, 0, low), (1, 1, 0, high)])
    assert edges_of(store.con, vectors, extent(store.con)).sizes == (200_001,)
    store.close()


def test_an_empty_scope_and_an_empty_store(tmp_path: Path) -> None:
    store = filled(tmp_path / "t.duckdb", [])
    catalogue = default_catalogue()
    assert compare(store.con, catalogue, TARGETS).calls == 0
    nothing = Scope(where={"status": ["exact"], "variant": ["none"]})
    answer = compare(store.con, catalogue, TARGETS, nothing)
    assert (answer.calls, answer.base_pico) == (0, 0)
    assert [row.cost_pico for row in answer.rows] == [None] * len(TARGETS)
    store.close()
