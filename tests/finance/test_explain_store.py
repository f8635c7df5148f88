"""Explanations of stored cost: the effects are the difference of two reports, exactly."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.spend.periods import Span
from dashboards.queries.explain import explain_periods
from dashboards.queries.scope import ScopeError
from dashboards.queries.spans import before, parse_span, scope_of, show_span
from dashboards.queries.spend import spend
from ingest.store.database import open_reader
from tests.finance.books import call, make_store

IN, READ, OUT = 1_750_000, 175_000, 14_000_000
DAYS = st.integers(1, 31)


def cost(con: object, span: Span, zone: str) -> int:
    return spend(con, scope=scope_of(span, zone)).total.cost_pico  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None)
@given(st.tuples(DAYS, DAYS, DAYS, DAYS), st.sampled_from(["UTC", "Asia/Kolkata"]))
def test_effects_sum_to_the_difference_of_the_reports(
    demo_db: Path, days: tuple[int, int, int, int], zone: str
) -> None:
    store = open_reader(demo_db)
    old, new = (
        Span(date(2026, 3, min(a, b)), date(2026, 4, 1) if max(a, b) == 31
             else date(2026, 3, max(a, b) + 1))
        for a, b in (days[:2], days[2:])
    )  # fmt: skip
    made = explain_periods(store.con, old, new, zone=zone)
    assert made.before == cost(store.con, old, zone)
    assert made.after == cost(store.con, new, zone)
    assert sum(made.effects.values()) == made.after - made.before
    store.close()


def test_each_effect_on_its_own(tmp_path: Path) -> None:
    """February to March: one thing changes for each team, and lands in the effect of its name."""
    books = [
        call(1, "2026-02-10T00:00:00Z", team="more", input_uncached=100),
        call(2, "2026-03-10T00:00:00Z", team="more", input_uncached=150),
        call(3, "2026-02-10T00:00:00Z", team="gone", input_uncached=10),
        call(4, "2026-03-10T00:00:00Z", team="fresh", input_uncached=20),
    ]
    store = open_reader(make_store(tmp_path, books))
    made = explain_periods(store.con, parse_span("2026-02"), parse_span("2026-03"))
    assert made.effects == {
        "retired": -10 * IN, "volume": 50 * IN, "mix": 0, "tier": 0, "cache": 0, "price": 0,
        "new": 20 * IN,
    }  # fmt: skip
    assert made.new == {("fresh", "gpt-5.2"): 20 * IN}
    store.close()


def test_cache_and_tier(tmp_path: Path) -> None:
    books = [
        call(1, "2026-02-10T00:00:00Z", input_uncached=100),
        call(2, "2026-03-10T00:00:00Z", input_uncached=40, cache_read=60),
    ]
    store = open_reader(make_store(tmp_path, books))
    made = explain_periods(store.con, parse_span("2026-02"), parse_span("2026-03"))
    # A meter without a price before is valued at its price now, and counts as cache.
    assert made.effects["cache"] == 60 * (READ - IN)
    assert sum(made.effects.values()) == made.effects["cache"]
    store.close()


NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-02", "2026-02-01", "2026-03-01"),
        ("2026-Q4", "2026-10-01", "2027-01-01"),
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-03-05", "2026-03-05", "2026-03-06"),
        ("last-month", "2026-02-01", "2026-03-01"),
        ("this-month", "2026-03-01", "2026-04-01"),
        ("7d", "2026-03-08", "2026-03-15"),
        ("2026-02-27..2026-03-02", "2026-02-27", "2026-03-02"),
    ],
)
def test_periods_as_people_write_them(text: str, since: str, until: str) -> None:
    span = parse_span(text, now=NOW)
    assert span == Span(date.fromisoformat(since), date.fromisoformat(until))


@pytest.mark.parametrize("text", ["soon", "2026-13", "2026-Q5", "2026-03-02..2026-03-02"])
def test_no_periods(text: str) -> None:
    with pytest.raises(ScopeError):
        parse_span(text, now=NOW)


def test_the_period_before() -> None:
    assert before(parse_span("2026-03")) == parse_span("2026-02")
    assert before(parse_span("2026-Q1")) == parse_span("2025-Q4")
    assert before(parse_span("2026")) == parse_span("2025")
    assert before(parse_span("2026-03-08..2026-03-15")) == parse_span("2026-03-01..2026-03-08")
    assert [show_span(parse_span(t)) for t in ("2026-03", "2026-Q3", "2026", "2026-03-05")] == [
        "2026-03", "2026-Q3", "2026", "2026-03-05",
    ]  # fmt: skip
