"""One call's price by hand, and the SQL over many calls against the scalar code."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.record import UsageRecord
from ingest.store.database import Store
from pricing import price_call
from pricing.catalogue import Catalogue, default_catalogue
from pricing.estimator import price_reading, worst
from pricing.meters import COUNTED
from pricing.money import pico_from_usd
from pricing.rates import EPOCH, FOREVER
from pricing.usage import Reading, UsageError
from tests.books import memory_store, put, small_catalogue

JAN = datetime(2026, 1, 15)
STEP = timedelta(microseconds=1)


def chat_usage(prompt: int, answer: int, cached: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def price(model: str, usage: Any, at: datetime = JAN, **more: Any) -> Any:
    return price_call("acme", model, usage, at, catalogue=small_catalogue(), **more)


def test_a_call_is_the_dot_product_of_counts_and_prices() -> None:
    call = price("plain", chat_usage(1_000, 50, 800))
    assert call.cost_usd == Decimal("0.00119")  # 200 x 1.75 + 800 x 0.175 + 50 x 14, per million
    assert call.status == "exact"
    assert [(x.meter, x.quantity, x.cost_pico) for x in call.lines] == [
        ("input_uncached", 200, 350_000_000),
        ("cache_read", 800, 140_000_000),
        ("output_text", 50, 700_000_000),
    ]
    assert call.as_json()["cost_usd"] == "0.00119"


@pytest.mark.parametrize(
    ("at", "cost"),
    [
        (datetime(2026, 1, 1) - STEP, None),
        (datetime(2026, 1, 1), "1.75"),
        (datetime(2026, 3, 1, 6) - STEP, "1.75"),
        (datetime(2026, 3, 1, 6), "1.25"),
        (datetime(2026, 3, 1, 6, tzinfo=UTC), "1.25"),
        (datetime(2026, 3, 1, 7, tzinfo=timezone(timedelta(hours=2))), "1.75"),
    ],
)
def test_a_price_holds_from_its_first_instant_to_before_its_last(at: Any, cost: Any) -> None:
    call = price("plain", chat_usage(1_000_000, 0), at)
    assert call.cost_usd == (None if cost is None else Decimal(cost))
    assert call.status == ("unpriced" if cost is None else "exact")


@pytest.mark.parametrize(
    ("size", "each"),
    [(200_000, 2), (200_001, 4), (999_999, 4), (1_000_000, 5)],
)
def test_a_threshold_moves_the_whole_request(size: int, each: int) -> None:
    call = price("tiered", chat_usage(size, 0), tier="default")
    assert call.cost_usd == Decimal(size) * each / 1_000_000


def test_the_threshold_looks_at_the_whole_prompt_cached_or_not() -> None:
    call = price("tiered", chat_usage(200_001, 0, cached=200_001), tier="default")
    assert call.lines[0].price_pico == 200_000  # no cached price of its own above: the one below


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, "assumed"),
        ({"tier": "default"}, "assumed"),  # the region is not stated, and eu has a price
        ({"tier": "default", "region": "eu"}, "exact"),
        ({"tier": "priority"}, "assumed"),
        ({"tier": "turbo"}, "unpriced"),
    ],
)
def test_what_is_not_stated_is_assumed_and_said(more: dict[str, str], status: str) -> None:
    call = price("tiered", chat_usage(10, 1), **more)
    assert (call.status, bool(call.reason)) == (status, status != "exact")
    assert (call.cost_usd is None) == (status == "unpriced")


def test_unpriced_is_none_and_never_zero() -> None:
    for usage in (chat_usage(5, 5), chat_usage(0, 0), {"prompt_tokens": None}):
        assert price("no-such-model", usage).cost_usd is None
    assert price("plain", {"prompt_tokens": None}).cost_usd is None
    assert price("plain", {"prompt_tokens": None}).status == "unpriced"
    assert price("plain", chat_usage(0, 0)).cost_usd == 0
    assert price_call("", "", chat_usage(1, 1), JAN).cost_usd is None


def test_a_meter_without_a_price_leaves_the_call_unpriced_but_keeps_the_rest() -> None:
    call = price("no-output", chat_usage(1_000_000, 7))
    assert (call.cost_usd, call.status) == (Decimal("0.02"), "unpriced")
    assert [x.meter for x in call.lines if x.cost_pico is None] == ["output_text"]
    assert price("no-output", chat_usage(0, 7)).cost_usd is None


def test_a_fee_per_call_is_charged_once_a_call() -> None:
    assert price("with-fee", chat_usage(0, 0)).cost_usd == Decimal("0.005")
    assert price("with-fee", {"prompt_tokens": None}).cost_usd is None


def test_fallback_only_when_the_settings_allow_it() -> None:
    strict, lenient = small_catalogue(), small_catalogue(fallbacks=True)
    asked = ("nobody", "plain", chat_usage(1_000_000, 0), JAN)
    assert price_call(*asked, catalogue=strict).cost_usd is None
    call = price_call(*asked, catalogue=lenient)
    assert (call.cost_usd, call.status) == (Decimal("1.75"), "fallback")


def test_a_gateway_is_a_dated_factor() -> None:
    def at(day: datetime) -> Any:
        usage = chat_usage(1_000_000, 0)
        return price_call("gate", "plain", usage, day, catalogue=small_catalogue()).cost_usd

    assert at(datetime(2026, 2, 1) - STEP) is None
    assert at(datetime(2026, 2, 1)) == Decimal("1.84625")


def test_impossible_counts_raise() -> None:
    with pytest.raises(UsageError, match="negative"):
        price("plain", chat_usage(-1, 0))
    price("plain", chat_usage(10, 0, cached=10))
    with pytest.raises(UsageError, match=r"cached tokens \(11\) above prompt_tokens \(10\)"):
        price("plain", chat_usage(10, 0, cached=11))


def test_items_of_a_response_are_priced_on_their_own_model() -> None:
    usage = {
        "input_tokens": 100,
        "output_tokens": 10,
        "cache_read_input_tokens": 0,
        "iterations": [
            {"type": "message", "input_tokens": 100, "output_tokens": 10},
            {"type": "advisor", "model": "plain", "input_tokens": 1_000, "output_tokens": 0},
        ],
    }
    call = price("tiered", usage, tier="default", region="eu")
    own = 100 * Decimal("2.2") + 10 * Decimal("8.8")
    assert call.cost_usd == (own + 1_000 * Decimal("1.75")) / 1_000_000
    assert [x.variant for x in call.lines] == ["tiered", "tiered", "plain"]


# --- the SQL twin -----------------------------------------------------------------------------

Case = tuple[str, str | None, str | None, str | None, datetime, dict[str, int | None], bool]


def records(cases: Iterable[Case]) -> list[UsageRecord]:
    return [
        UsageRecord(
            f"k{n:06d}", at, "test", seller, model, counts, tier=tier, region=region,
            time_assumed=assumed, dimensions={"team": f"t{n % 3}"},
        )
        for n, (seller, model, tier, region, at, counts, assumed) in enumerate(cases)
    ]  # fmt: skip


def assert_sql_equals_scalar(store: Store, book: Catalogue, cases: list[Case]) -> None:
    store.con.execute("DELETE FROM calls_stored")
    put(store, book, records(cases))
    found = store.con.execute(
        "SELECT cost_pico, status, cost_usd FROM calls ORDER BY call_key"
    ).fetchall()
    by_line = dict(
        store.con.execute("SELECT call_key, sum(cost_pico) FROM costs GROUP BY 1").fetchall()
    )
    assert len(found) == len(cases)
    for n, (case, (cost, status, usd)) in enumerate(zip(cases, found, strict=True)):
        seller, model, tier, region, at, counts, assumed = case
        call = price_reading(
            Reading(counts, "test"), seller, model, at=at, tier=tier, region=region, catalogue=book
        )
        wanted = None if call.cost_usd is None else pico_from_usd(call.cost_usd)
        sure = worst(call.status, "assumed") if assumed else call.status
        assert (cost, status) == (wanted, sure), (case, call)
        assert usd == call.cost_usd
        assert (by_line.get(f"k{n:06d}") or 0) == (cost or 0), case


EDGES = [
    datetime(2026, 1, 1), datetime(2026, 2, 1), datetime(2026, 2, 10), datetime(2026, 3, 1, 6),
    datetime(2026, 3, 2, 1), datetime(2026, 3, 2, 4), datetime(2026, 3, 7, 1),
    datetime(2026, 3, 7, 22, 30), datetime(2026, 3, 8),
]  # fmt: skip
TIMES = [e + d for e in EDGES for d in (-STEP, timedelta(0))]
SIZES = [0, 199_999, 200_000, 200_001, 999_999, 1_000_000]
NAMES = ["plain", "plain-latest", "plain-2026-01-01", "tiered", "no-output", "hourly", "guessed",
         "with-fee", "unknown", None]  # fmt: skip
TIERS = [None, "auto", "default", "standard", "batch", "slow", "flex", "priority", "turbo"]
REGIONS = [None, "", "eu", "eu-west-1", "us"]


@pytest.fixture(scope="module", params=[(None, False), ("0.85", False), (None, True)], ids=str)
def small(request: pytest.FixtureRequest) -> tuple[Store, Catalogue]:
    factor, fallbacks = request.param
    book = small_catalogue(factor=factor, fallbacks=fallbacks)
    return memory_store(book), book


def test_sql_equals_scalar_at_every_boundary(small: tuple[Store, Catalogue]) -> None:
    store, book = small
    cases: list[Case] = []
    for size, (model, tier, at) in zip(
        itertools.cycle(SIZES), itertools.product(NAMES, TIERS, TIMES), strict=False
    ):
        counts: dict[str, int | None] = {"input_uncached": size, "output_text": 3}
        cases.append(("acme", model, tier, REGIONS[len(cases) % 5], at, counts, False))
    for size, region, tier in itertools.product(SIZES, REGIONS, TIERS):
        cases.append(
            ("acme", "tiered", tier, region, TIMES[5], {"cache_read": size, "reasoning": 1}, False)
        )
    assert_sql_equals_scalar(store, book, cases)


COUNTS = st.dictionaries(
    st.sampled_from(COUNTED),
    st.none() | st.integers(0, 3) | st.sampled_from(SIZES) | st.integers(0, 10**7),
    max_size=6,
)


def cases_of(sellers: Any, names: Any, times: Any) -> Any:
    return st.lists(
        st.tuples(
            sellers, names, st.sampled_from(TIERS), st.sampled_from(REGIONS), times, COUNTS,
            st.booleans(),
        ),
        min_size=1, max_size=40,
    )  # fmt: skip


LENIENT = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@LENIENT
@given(
    cases=cases_of(
        st.sampled_from(["acme", "gate", "nobody", "else"]),
        st.sampled_from(NAMES),
        st.sampled_from(TIMES)
        | st.datetimes(datetime(2025, 12, 1), datetime(2026, 4, 1)).map(
            lambda t: t.replace(microsecond=0)
        ),
    )
)
def test_sql_equals_scalar_for_random_calls(
    small: tuple[Store, Catalogue], cases: list[Case]
) -> None:
    assert_sql_equals_scalar(*small, cases)


def test_sql_equals_scalar_over_the_shipped_cards() -> None:
    book = default_catalogue()
    store = memory_store(book)
    cases: list[Case] = []
    for seller in book.sellers():
        for model in book.listed(seller):
            rates = book.rates(seller, model)
            edges = {t for r in rates for t in (r.valid_from, r.valid_to)} - {EPOCH, FOREVER}
            starts = {0, *(r.min_input for r in rates)}
            sizes = sorted(starts | {n - 1 for n in starts if n})
            tiers = [None, *book.tiers(seller, model)]
            regions = [None, *book.regions(seller, model)]
            times = sorted({e + d for e in edges for d in (-STEP, timedelta(0))} | {JAN})
            if len(cases) % 7 and not edges and len(sizes) == 1 and len(tiers) == 2:
                times = times[:1]  # one of many alike
            for n, at in enumerate(times[-6:]):
                size = sizes[n % len(sizes)]
                counts: dict[str, int | None] = {
                    "input_uncached": size - size // 2, "cache_read": size // 2, "output_text": 7,
                    "cache_write_1h": None, COUNTED[n % len(COUNTED)]: 11,
                }  # fmt: skip
                k = len(cases)
                cases.append(
                    (seller, model, tiers[k % len(tiers)], regions[k % len(regions)], at, counts,
                     False)
                )  # fmt: skip
    assert len(cases) > 1_000
    assert_sql_equals_scalar(store, book, cases[:: max(1, len(cases) // 2_500)])


def test_sums_agree_in_every_grouping_and_are_decimal(small: tuple[Store, Catalogue]) -> None:
    store, book = small
    store.con.execute("DELETE FROM calls_stored")
    cases: list[Case] = [
        ("acme", model, tier, "eu", at, {"input_uncached": 1 + 7 * n, "output_text": n}, False)
        for n, (model, tier, at) in enumerate(itertools.product(NAMES, TIERS, TIMES))
    ]
    put(store, book, records(cases))
    for keys in ("team", "model", "variant, tier", "date_trunc('day', occurred_at)", "1 = 1"):
        lines, whole = (
            store.con.execute(
                f"SELECT {keys}, coalesce(sum(cost_pico), 0), coalesce(sum(cost_usd), 0)"
                f" FROM {view} GROUP BY {keys.replace('1 = 1', 'ALL')}"
                " HAVING sum(cost_pico) > 0 ORDER BY ALL"
            ).fetchall()
            for view in ("costs", "calls")
        )
        assert lines == whole
        assert lines
        assert all(isinstance(row[-1], Decimal) for row in lines)
    for view in ("costs", "calls"):
        kinds = store.con.execute(
            f"SELECT typeof(cost_usd), typeof(sum(cost_usd)), typeof(cost_pico) FROM {view}"
            " WHERE cost_pico IS NOT NULL GROUP BY ALL"
        ).fetchall()
        assert len(kinds) == 1
        assert all(k.startswith("DECIMAL") for k in kinds[0][:2])
        assert kinds[0][2] == "BIGINT"
        described = store.con.execute(f"DESCRIBE {view}").fetchall()
        assert not [c for c in described if c[1] in ("DOUBLE", "FLOAT")]
    total = store.con.execute("SELECT sum(cost_pico), sum(cost_usd) FROM calls").fetchall()[0]
    assert total[1] == Decimal(total[0]).scaleb(-12)


@pytest.mark.parametrize(
    "at",
    [
        "2025-06-10",
        "2025-06-10T00:00:00Z",
        "2025-06-10T02:00:00+02:00",
        date(2025, 6, 10),
        datetime(2025, 6, 10, tzinfo=UTC),
    ],
)
def test_an_instant_may_be_a_string_or_a_date(at) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}
    assert price_call("openai", "o3", usage, at=at).cost_usd == Decimal("0.002")
    assert price_call("openai", "o3", usage, at="2025-06-09T23:59:59Z").cost_usd == Decimal("0.01")


def test_a_string_that_is_no_instant_is_an_error() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        price_call("openai", "o3", {"prompt_tokens": 1, "completion_tokens": 0}, at="yesterday")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": 5}, "model must be text, not int"),
        ({"tier": 5}, "tier must be text, not int"),
        ({"region": b"us"}, "region must be text, not bytes"),
        ({"at": 1773000000}, "an instant is a datetime, a date or ISO 8601, not int"),
    ],
)
def test_a_name_or_time_of_another_kind_is_said(change: dict[str, Any], error: str) -> None:
    with pytest.raises(TypeError, match=re.escape(error)):
        price_call(
            **{"provider": "openai", "model": "gpt-5.2", "usage": {"prompt_tokens": 1}, **change}
        )


def test_without_a_provider_a_call_is_unpriced() -> None:
    for provider in ("", None):
        priced = price_call(provider, "gpt-5.2", {"prompt_tokens": 1})  # type: ignore[arg-type]
        assert (priced.cost_usd, priced.reason) == (None, "the record names no provider")
