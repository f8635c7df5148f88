"""The SQL estimator and its scalar twin agree to the pico-dollar, in status and in every line.

Calls are drawn around everything that can decide a price: first and last instants of a rate,
prompt sizes at a threshold and one to either side, tiers by every spelling, regions, meters
without a price, lifetimes that are a guess, hour windows, negotiated rates, unknown names.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.record import UsageRecord
from ingest.store import book, load
from ingest.store.database import Store, open_store
from pricing.cards import parse_card
from pricing.catalogue import Catalogue, default_catalogue, discount
from pricing.estimator import PricedCall, price_reading
from pricing.meters import COUNTED
from pricing.money import usd
from pricing.usage import Reading

# Everything that decides a price, small enough to hit every edge often.
CARD = """
schema = 1
seller = "acme"
recorded = 2026-01-01
[tier_aliases]
fast = "priority"
[sources.s]
url = "https://example.org/prices"

[[variant]]
id = "steps"
  [[variant.price]]
  source = "s"
  from = 2026-01-10
  input = "2"
  cache_read = "0.2"
  cache_write = "2.5"
  cache_write_1h = "4"
  output = "8"
  web_search = "10"
  [[variant.price]]
  source = "s"
  from = 2026-01-10
  above = 1000
  input = "4"
  cache_read = "0.4"
  output = "12"
  [[variant.price]]
  source = "s"
  from = 2026-02-01
  input = "1"
  cache_read = "0.1"
  output = "4"
  [[variant.price]]
  tiers = ["batch"]
  source = "s"
  from = 2026-01-20
  multiply = "0.5"
  [[variant.price]]
  tiers = ["priority"]
  source = "s"
  from = 2026-01-10
  input = "3.000001"
  output = "16"
  [[variant.price]]
  regions = ["eu"]
  source = "s"
  from = 2026-01-15
  multiply = "1.1"

[[variant]]
id = "hours"
  [[variant.price]]
  source = "s"
  input = "1"
  output = "2"
  request = "5"
  [[variant.price]]
  source = "s"
  from = 2026-01-05
  weekdays = ["mon", "tue", "wed", "thu", "fri"]
  hours = "01:30-04:00"
  input = "2"
  output = "4"
  [[variant.price]]
  source = "s"
  from = 2026-01-05
  at_least = 1000
  input = "3"
  output = "6"

[[variant]]
id = "bare"
  [[variant.price]]
  source = "s"
  input = "1"
"""

EDGES = [
    datetime(2026, 1, 5), datetime(2026, 1, 5, 1, 30), datetime(2026, 1, 5, 4),
    datetime(2026, 1, 10), datetime(2026, 1, 10, 1, 30), datetime(2026, 1, 15),
    datetime(2026, 1, 20), datetime(2026, 2, 1), datetime(2026, 2, 7, 2),
]  # fmt: skip
TIERS = [None, "default", "standard", "auto", "batch", "priority", "fast", "flex", "scale"]
REGIONS = [None, "eu", "eu-west-1", "us", "global", "not_available"]


@st.composite
def calls(draw: st.DrawFn) -> UsageRecord:
    at = draw(st.sampled_from(EDGES)) + timedelta(seconds=draw(st.sampled_from([-1, 0, 1, 7000])))
    total = draw(st.sampled_from([0, 1, 999, 1000, 1001, 5000]))
    left, counts = total, dict.fromkeys(COUNTED)
    inputs = ("cache_read", "cache_write_unknown", "cache_write_5m", "cache_write_1h",
              "cache_write_12h", "input_audio", "cache_read_image")  # fmt: skip
    for meter in draw(st.lists(st.sampled_from(inputs), unique=True, max_size=3)):
        counts[meter] = draw(st.integers(0, left))
        left -= counts[meter] or 0
    if draw(st.booleans()) or left:
        counts["input_uncached"] = left
    for meter in ("output_text", "reasoning", "web_search", "file_search"):
        counts[meter] = draw(st.sampled_from([None, None, 0, 1, 700]))
    return UsageRecord(
        call_key="",
        occurred_at=at,
        source_format="test",
        provider="acme",
        model=draw(st.sampled_from(["steps", "hours", "bare", "steps-2026-01-10", "step"])),
        counts=counts,
        tier=draw(st.sampled_from(TIERS)),
        region=draw(st.sampled_from(REGIONS)),
    )


def scalar(record: UsageRecord, catalogue: Catalogue) -> PricedCall:
    return price_reading(
        Reading(record.counts, "test"), record.provider, record.model, at=record.occurred_at,
        tier=record.tier, region=record.region, catalogue=catalogue,
    )  # fmt: skip


def check_twins(store: Store, catalogue: Catalogue, records: list[UsageRecord]) -> dict[str, int]:
    """Price records both ways and compare everything; the answer counts statuses."""
    with store.transaction() as con:
        con.execute("DELETE FROM calls_stored")
        load.create_stage(con)
        for number, record in enumerate(records):
            record.call_key = f"call-{number}"
        load.stage(con, [load.stage_row(r) for r in records])
        assert load.merge(con, catalogue, 1).added == len(records)
    priced = {
        key: rest
        for key, *rest in store.con.execute(
            "SELECT call_key, cost_pico, cost_usd, status FROM calls"
        ).fetchall()
    }
    lines: dict[str, dict[str, tuple[object, ...]]] = {}
    for key, meter, *rest in store.con.execute(
        "SELECT call_key, meter, quantity, price_pico, cost_pico, status, rate_id FROM costs"
    ).fetchall():
        lines.setdefault(key, {})[meter] = tuple(rest)
    statuses: dict[str, int] = {}
    for record in records:
        want = scalar(record, catalogue)
        pico, cost, status = priced[record.call_key]
        assert status == want.status, record
        assert (None if pico is None else usd(pico)) == want.cost_usd, record
        assert cost == want.cost_usd, record
        assert lines.get(record.call_key, {}) == {
            line.meter: (
                line.quantity, line.price_pico, line.cost_pico, line.status, line.rate_id,
            )
            for line in want.lines
        }, record  # fmt: skip
        statuses[status] = statuses.get(status, 0) + 1
    sums = store.con.execute(
        "SELECT (SELECT coalesce(sum(cost_pico), 0) FROM calls),"
        " (SELECT coalesce(sum(cost_pico), 0) FROM costs)"
    ).fetchall()[0]
    assert sums[0] == sums[1]
    return statuses


@pytest.fixture(scope="module", params=["list", "negotiated"])
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A store priced by the small card above, at list prices and with a discount."""
    discounts = [discount("acme", Decimal("0.85"))] if request.param == "negotiated" else []
    catalogue = Catalogue([parse_card(CARD, "test")], discounts=discounts, packaged=False)
    store = open_store(tmp_path_factory.mktemp("twins") / "t.duckdb")
    book.sync(store, catalogue)
    yield store, catalogue
    store.close()


@settings(
    max_examples=20, deadline=None,
    suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow,
                           HealthCheck.large_base_example, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(records=st.lists(calls(), min_size=1, max_size=60))
def test_both_estimators_agree_on_every_edge(own, records: list[UsageRecord]) -> None:
    store, catalogue = own
    check_twins(store, catalogue, records)


def test_both_estimators_agree_on_the_shipped_cards(tmp_path: Path) -> None:
    """Every direct seller's variants, at every date and step their cards know, n and n+1."""
    import random

    draw = random.Random(7)
    catalogue = default_catalogue()
    pairs = [
        (seller, name)
        for seller in ("openai", "anthropic", "google", "deepseek", "x-ai", "bedrock", "cometapi")
        for name in catalogue.listed(seller)
    ]
    records = []
    for seller, name in draw.sample(pairs, min(len(pairs), 350)):
        rates = [r for r in catalogue.rates(seller, name) if r.in_force]
        times = [r.valid_from for r in rates if r.valid_from.year > 2020]
        sizes = {r.min_input for r in rates if r.min_input} | {1000}
        for size in sizes:
            for step in (-1, 0, 1):
                at = draw.choice([*times, datetime(2026, 11, 1, 2)])
                cached = draw.randint(0, size + step)
                counts = dict.fromkeys(COUNTED) | {
                    "input_uncached": size + step - cached, "cache_read": cached,
                    "output_text": draw.randint(0, 4000), "reasoning": draw.choice([None, 900]),
                }  # fmt: skip
                records.append(
                    UsageRecord(
                        "", at + timedelta(seconds=draw.choice([-1, 0, 1])), "test", seller, name,
                        counts, tier=draw.choice([*TIERS, "ultrafast"]),
                        region=draw.choice(REGIONS),
                    )
                )  # fmt: skip
    store = open_store(tmp_path / "t.duckdb")
    book.sync(store, catalogue)
    statuses = check_twins(store, catalogue, records)
    store.close()
    assert all(statuses.get(s, 0) > 20 for s in ("exact", "assumed", "unpriced")), statuses


@pytest.mark.parametrize(
    ("at", "size", "tier", "cost"),
    [
        (datetime(2026, 1, 9, 23, 59, 59), 1000, "standard", None),
        (datetime(2026, 1, 10), 1000, "standard", "0.002"),
        (datetime(2026, 1, 10), 1001, "standard", "0.004004"),
        (datetime(2026, 1, 31, 23, 59, 59), 1000, "standard", "0.002"),
        (datetime(2026, 2, 1), 1000, "standard", "0.001"),
        # The step above 1,000 was published with the first price and still holds.
        (datetime(2026, 2, 1), 1001, "standard", "0.004004"),
        (datetime(2026, 1, 19, 23, 59, 59), 1000, "batch", None),
        (datetime(2026, 1, 20), 1000, "batch", "0.001"),
        (datetime(2026, 1, 20), 1000, "fast", "0.003000001"),
        (datetime(2026, 1, 20), 1000, "flex", None),
    ],
)
def test_exact_prices_on_both_sides_of_each_edge(
    at: datetime, size: int, tier: str, cost: str | None
) -> None:
    catalogue = Catalogue([parse_card(CARD, "test")], packaged=False)
    record = UsageRecord("k", at, "t", "acme", "steps", {"input_uncached": size}, tier=tier)
    got = scalar(record, catalogue)
    assert got.cost_usd == (None if cost is None else Decimal(cost))
    assert (got.status == "unpriced") == (cost is None)
