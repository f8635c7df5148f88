"""What the pages ask, with figures worked out by hand; see the fixture `store`."""

from __future__ import annotations

from datetime import datetime

import pytest

from dashboards.app.source import Source
from dashboards.queries import calls, quality
from dashboards.queries.movers import movers, pareto
from dashboards.queries.periods import extent, tag_names, values, variants_in_order
from dashboards.queries.scope import Scope, ScopeError
from dashboards.queries.spend import spend
from ingest.store.database import Store
from pricing.catalogue import default_catalogue
from tests.dashboards.conftest import add, body

FULL = 3_150_000_000  # 1,000 × 1.75 + 100 × 14 dollars per million, in pico-dollars
CACHED = 1_890_000_000  # 200 × 1.75 + 800 × 0.175 + 100 × 14
BATCH = FULL // 2
TOTAL = 2 * FULL + CACHED + BATCH


def test_key_figures(store: Store) -> None:
    total = spend(store.con).total
    assert total.cost_pico == TOTAL == 9_765_000_000
    assert (total.calls, total.unpriced_calls, total.unpriced_tokens) == (5, 1, 550)
    assert (total.input_tokens, total.cached_tokens, total.output_tokens) == (4500, 800, 450)
    # 800 tokens at 1.75 − 0.175 dollars per million.
    assert total.cache_savings_pico == 1_260_000_000


def test_a_limit_keeps_the_dearest_groups_and_the_whole_total(store: Store) -> None:
    whole = spend(store.con, ["team"])
    assert {r.keys[0]: r.cost_pico for r in whole.rows} == {
        "search": 2 * FULL, "assistant": CACHED + BATCH, None: 0,
    }  # fmt: skip
    first = spend(store.con, ["team"], limit=1)
    assert [r.keys for r in first.rows] == [("search",)]
    assert first.total == spend(store.con).total
    enough = spend(store.con, ["team"], limit=4)
    assert (enough.rows, enough.total) == (whole.rows, whole.total)


def test_what_changed_adds_up_and_names_what_is_new(store: Store) -> None:
    before = spend(store.con, ["team"], Scope(datetime(2026, 3, 2), datetime(2026, 3, 9)))
    now = spend(store.con, ["team"], Scope(datetime(2026, 3, 9), datetime(2026, 3, 16)))
    found = movers(before, now)
    assert [(m.keys[0], m.change_pico, m.kind) for m in found] == [
        ("assistant", CACHED + BATCH, "new"), (None, 0, "new"), ("search", 0, ""),
    ]  # fmt: skip
    assert sum(m.change_pico for m in found) == now.total.cost_pico - before.total.cost_pico
    gone = movers(now, before)
    assert (gone[0].kind, gone[0].change_pico) == ("gone", -(CACHED + BATCH))


def test_pareto_leaves_out_what_has_no_price(store: Store) -> None:
    rows = pareto(spend(store.con, ["team"]))
    assert [(r.key, r.cost_pico) for r in rows] == [
        ("search", 2 * FULL), ("assistant", CACHED + BATCH),
    ]  # fmt: skip
    assert rows[-1].cumulative == 1.0
    assert rows[0].share == pytest.approx(6.3 / 9.765)


def test_distribution_of_cost_per_call(store: Store) -> None:
    spread = calls.distribution(store.con)
    # Four priced calls: 1.575, 1.89, 3.15 and 3.15 thousandths of a dollar.
    assert spread.quantiles_pico == {0.5: CACHED, 0.9: FULL, 0.99: FULL, 1.0: FULL}
    assert (spread.priced_calls, spread.unpriced_calls, spread.free_calls) == (4, 1, 0)
    assert spread.total_pico == TOTAL
    assert sum(b.calls for b in spread.bins) == 4
    assert sum(b.cost_pico for b in spread.bins) == TOTAL
    # A cost is in the bin whose edges hold it.
    dearest = spread.bins[-1]
    assert dearest.low_pico <= FULL < dearest.high_pico
    assert (dearest.calls, dearest.cost_pico) == (2, 2 * FULL)


def test_distribution_of_nothing(empty: Store) -> None:
    spread = calls.distribution(empty.con)
    assert (spread.bins, spread.quantiles_pico, spread.priced_calls) == ((), {}, 0)


def test_free_calls_are_counted_apart(empty: Store) -> None:
    add(empty, [body(1, datetime(2026, 3, 2), prompt=0, answer=0)])
    spread = calls.distribution(empty.con)
    assert (spread.free_calls, spread.priced_calls, spread.bins) == (1, 1, ())


@pytest.mark.parametrize("order", sorted(calls.ORDERS))
def test_pages_of_calls_neither_overlap_nor_miss(store: Store, order: str) -> None:
    keys = [
        row["call_key"]
        for page in (1, 2, 3)
        for row in calls.calls_page(store.con, page=page, size=2, order=order)
    ]
    assert len(keys) == len(set(keys)) == calls.call_count(store.con) == 5
    assert calls.calls_page(store.con, page=4, size=2, order=order) == []


def test_a_page_of_calls_has_exact_costs_and_no_price_is_none(store: Store) -> None:
    found = calls.calls_page(store.con, order="cost")
    assert [c["cost_pico"] for c in found] == [FULL, FULL, CACHED, BATCH, None]
    assert found[2]["cached"] == 800
    assert found[-1]["status"] == "unpriced"
    assert "nobody-knows-1" in found[-1]["status_reason"]
    with pytest.raises(ScopeError, match="unknown order"):
        calls.calls_page(store.con, order="colour")


def test_calls_can_be_asked_for_by_status(store: Store) -> None:
    unpriced = Scope(where={"status": ["unpriced"]})
    assert calls.call_count(store.con, unpriced) == 1
    assert [c["cost_pico"] for c in calls.calls_page(store.con, unpriced)] == [None]
    assert spend(store.con, (), unpriced).total.calls == 1


def test_the_lines_of_a_call_add_up_to_it(store: Store) -> None:
    cached = next(c for c in calls.calls_page(store.con) if c["cached"] == 800)
    lines = {line["meter"]: line for line in calls.call_lines(store.con, cached["call_key"])}
    assert {m: (v["quantity"], v["cost_pico"]) for m, v in lines.items()} == {
        "input_uncached": (200, 350_000_000),
        "cache_read": (800, 140_000_000),
        "output_text": (100, 1_400_000_000),
    }
    assert all(line["source"] for line in lines.values())


def test_values_count_calls_and_tell_what_is_not_said(store: Store) -> None:
    assert values(store.con, "team") == [("assistant", 2), ("search", 2), (None, 1)]
    assert variants_in_order(store.con) == ["gpt-5.2"]
    assert tag_names(store.con) == []
    span = extent(store.con)
    assert span is not None
    assert (span.first, span.last, span.rows) == (
        datetime(2026, 3, 2, 9), datetime(2026, 3, 10, 4), 5,
    )  # fmt: skip


def test_quality_of_the_books(store: Store) -> None:
    add(store, [body(2, datetime(2026, 3, 9, 9)), body(6, datetime(2026, 3, 11))], team="late")
    sums = quality.totals(store.con)
    assert (sums.imports, sums.records, sums.added, sums.duplicates) == (5, 7, 6, 1)
    assert [row["added"] for row in quality.imports(store.con)] == [1, 1, 1, 1, 2]
    assert quality.imports(store.con)[0]["path"] == "calls-late.jsonl"


def test_an_answer_is_remembered_until_the_store_changes(store: Store) -> None:
    generation = [0]
    asked: list[int] = []
    source = Source(
        store.path, default_catalogue(), store.con.cursor, generation=lambda: generation[0]
    )

    def query(con: object, number: int) -> int:
        asked.append(number)
        return number * 2

    assert [source.ask(query, 1), source.ask(query, 1), source.ask(query, 2)] == [2, 2, 4]
    assert asked == [1, 2]
    generation[0] = 1
    assert source.ask(query, 1) == 2
    assert asked == [1, 2, 1]


@pytest.mark.parametrize("name", ["variant", "day"])
def test_one_dimension_of_an_answer_is_the_answer_by_it(store: Store, name: str) -> None:
    assert spend(store.con, ["day", "variant"]).by_one(name) == spend(store.con, [name])
